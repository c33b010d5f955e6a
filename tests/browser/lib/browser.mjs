// Headless Chromium as Debian ships it, with a fake camera and microphone.
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
  '--allow-loopback-in-peer-connection',
  '--autoplay-policy=no-user-gesture-required',
];

/** `trusting`: accepts every certificate; without it the browser is as wary as a person's. `flags`: more of Chromium's. */
export function launch({ trusting = true, flags = [] } = {}) {
  const executablePath = process.env.CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/google-chrome'].find(existsSync);
  if (!executablePath) throw new Error('no Chromium was found; CHROMIUM may name its path');
  const args = [...FLAGS, ...flags, ...(trusting ? ['--ignore-certificate-errors'] : [])];
  // The signals are ours: the run stops everything in order.
  return chromium.launch({ executablePath, headless: true, args, handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false });
}
