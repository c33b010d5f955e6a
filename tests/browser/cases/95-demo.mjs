import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launch } from '../lib/browser.mjs';
import { freePort, until } from '../lib/processes.mjs';

const open = (port) =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => socket.destroy() && resolve(true)).once('error', () => resolve(false));
  });

/** A visitor of the demo page: what a person sees and clicks, nothing behind it. */
class Visitor {
  static async arrive(browser, url) {
    const visitor = new Visitor();
    visitor.page = await (await browser.newContext()).newPage();
    await visitor.page.goto(url);
    return visitor;
  }

  tile(name) {
    return this.page.locator('.tile', { has: this.page.locator('.name', { hasText: new RegExp(`^${name}$`) }) });
  }

  /** Waits until the tile is there, plays and shows figures with frames in them. */
  async sees(name) {
    await this.tile(name).and(this.page.locator('.playing')).waitFor({ timeout: 20_000 });
    const figures = this.tile(name).locator('.figures');
    await until(`${name} shows frames`, async () => / [1-9]\d* fps/.test(await figures.textContent()));
    return figures.textContent();
  }

  /** Records for some seconds, everybody sees it, and plays the file back to its end; gives its length and size. */
  async records(seconds) {
    const begin = performance.now();
    await this.page.getByRole('button', { name: 'Record' }).click();
    await this.page.getByText('Live, recording').waitFor({ timeout: 10_000 });
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    await this.page.getByRole('button', { name: 'Stop recording' }).click();
    const video = this.page.locator('#player-video');
    await video.waitFor({ timeout: 15_000 });
    const most = (performance.now() - begin) / 1000;
    const size = ({ poster }) => {
      const picture = Object.assign(new Image(), { src: poster });
      return picture.decode().then(() => [picture.naturalWidth, picture.naturalHeight]).catch(() => undefined);
    };
    assert.deepEqual(await until('the film has its thumbnail', () => video.evaluate(size)), [480, 270]);
    const length = await video.evaluate(async (element) => {
      if (element.readyState < 1) await new Promise((resolve) => element.addEventListener('loadedmetadata', resolve, { once: true }));
      element.muted = true;
      element.currentTime = Math.max(0, element.duration - 1);
      await element.play();
      await new Promise((resolve) => element.addEventListener('ended', resolve, { once: true }));
      return element.duration;
    });
    assert.ok(length > seconds - 1 && length < most + 0.5, `a recording of ${length} s instead of ${seconds} to ${most.toFixed(1)}`);
    return this.page.locator('#player-figures').textContent();
  }
}

/** A browser that trusts nobody: the page explains, the person accepts the certificate, the page goes on by itself. */
async function acceptsCertificate(visitor, address) {
  const { page } = visitor;
  await page.getByRole('heading', { name: 'Trust the box, once' }).waitFor({ timeout: 10_000 });
  const link = page.getByRole('link', { name: 'Open the certificate page' });
  const [warning] = await Promise.all([page.context().waitForEvent('page'), link.click()]);
  await warning.waitForURL(/^chrome-error:/, { timeout: 10_000 });
  await warning.keyboard.type('thisisunsafe'); // what Chromium's warning page takes for "Proceed"
  await warning.waitForURL(address, { timeout: 10_000 });
  await warning.close();
  await visitor.sees('Test camera');
}

export default {
  title: 'the demo: a person watches the camera, shares a webcam, leaves; Ctrl-C leaves nothing behind',
  versions: [null],
  async run(context) {
    const httpsPort = await freePort();
    const demo = context.start('viduct-demo', ['--port', '0', '--page', fileURLToPath(new URL('../../support/demo', import.meta.url))], {
      HTTPS_PORT: String(httpsPort),
      VIDUCT_MEDIA_PORT: '0',
      VIDUCT_STATE_PATH: join(context.results, 'demo-state'),
    });
    const url = await until('the demo prints all its addresses', () => {
      if (demo.how) throw new Error(`the demo ${demo.how}`);
      return demo.lines.some((line) => line.includes('Ctrl-C')) && demo.lines.join('\n').match(/Open\s+(http:\S+)/)?.[1];
    }, 30_000);
    const cameraPort = Number(demo.lines.join('\n').match(/rtsp:\/\/[^:]+:(\d+)/)[1]);

    const one = await Visitor.arrive(context.browser, url);
    context.measured('camera', await one.sees('Test camera'));
    const other = await Visitor.arrive(context.browser, url);
    await other.sees('Test camera');

    await one.page.getByRole('button', { name: 'Share my webcam' }).click();
    context.measured('own webcam', await one.sees('You'));
    context.measured('guest', await other.sees('Guest 1'));
    await context.picture(other.page, 'demo');
    context.measured('recording', await one.records(3));
    await context.picture(one.page, 'recording');
    await one.page.getByRole('button', { name: 'Close' }).click();
    await one.page.getByRole('button', { name: 'Mute' }).click();
    await other.tile('Guest 1').locator('.silent').waitFor({ timeout: 5_000 });
    await one.page.getByRole('button', { name: 'Stop sharing' }).click();
    await other.tile('Guest 1').waitFor({ state: 'detached', timeout: 5_000 });
    await one.page.getByRole('button', { name: 'Leave' }).click();
    await one.page.getByRole('heading', { name: 'You left' }).waitFor({ timeout: 5_000 });
    await one.page.getByRole('button', { name: 'Join again' }).click();
    await one.sees('Test camera');

    const wary = await launch({ trusting: false });
    try {
      await acceptsCertificate(await Visitor.arrive(wary, url), `https://localhost:${httpsPort}/openvidu/accept-certificate`);
    } finally {
      await wary.close();
    }
    for (const { page } of [one, other]) await page.context().close();

    const begin = performance.now();
    demo.kill('SIGINT');
    assert.equal(await demo.ended, 'ended with code 0');
    context.measured('Ctrl-C', `everything ended after ${Math.round(performance.now() - begin)} ms`);
    for (const port of [httpsPort, cameraPort, Number(new URL(url).port)]) assert.equal(await open(port), false, `nothing listens on ${port} any more`);
  },
};
