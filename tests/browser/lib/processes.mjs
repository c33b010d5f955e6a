// Child processes of a test run. Every one is in `children` until it has ended; whatever way this process ends, they end too:
// orderly by `stopAll`, at the latest in the exit handler, and by the kernel (`setpriv --pdeathsig`) should this process be killed.
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';

const children = new Set();

/** How long a child may take to end after SIGTERM before it is killed, ms. */
const GRACE_MS = 10_000;

/** The environment without the daemon's own properties: a test says itself what it wants. */
const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(OPENVIDU|VIDUCT|HTTPS?_PORT|DOMAIN_OR_PUBLIC_IP)/.test(name)));

process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

/**
 * Starts `command` with its output going to the file `log`; with `lines`, its standard output to `child.lines` instead.
 * `child.ended` resolves to words on how it ended.
 */
export function start(command, args, { env = {}, log, lines = false }) {
  const logFile = openSync(log, 'a');
  const child = spawn('setpriv', ['--pdeathsig', 'TERM', '--', command, ...args], {
    env: { ...inherited, ...env },
    stdio: ['pipe', lines ? 'pipe' : logFile, logFile],
  });
  closeSync(logFile);
  children.add(child);
  child.stdin.on('error', () => {}); // it may end before we do
  child.ended = new Promise((resolve) => {
    child.once('error', (error) => resolve(`could not be started: ${error.message}`));
    child.once('exit', (code, signal) => resolve(`ended with ${signal ?? `code ${code}`}`));
  });
  child.ended.then((how) => {
    child.how = how;
    children.delete(child);
  });
  child.lines = [];
  if (lines) createInterface({ input: child.stdout }).on('line', (line) => child.lines.push(line));
  return child;
}

/** Ends a child: SIGTERM, after GRACE_MS SIGKILL. Tells how it ended and how long that took. */
export async function stop(child) {
  const begin = performance.now();
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), GRACE_MS);
  const how = await child.ended;
  clearTimeout(timer);
  return { how, ms: performance.now() - begin };
}

export async function stopAll() {
  await Promise.all([...children].map(stop));
}

/** A TCP port that was free a moment ago. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Rejects after `ms` with `message`; does not keep the process alive. */
export function limit(ms, message) {
  return new Promise((_, reject) => setTimeout(() => reject(new Error(message)), ms).unref());
}

/** Asks `probe` again and again until it gives something truthy, which is returned. */
export async function until(what, probe, ms = 15_000) {
  const end = performance.now() + ms;
  let last;
  for (;;) {
    last = await probe();
    if (last) return last;
    if (performance.now() > end) throw new Error(`waited ${ms} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
