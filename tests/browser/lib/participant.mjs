// A participant: one page of one browser with one release of openvidu-browser. Node's side of page/client.js.
import assert from 'node:assert/strict';
import { until } from './processes.mjs';

export class Participant {
  constructor(page, version, network) {
    this.page = page;
    this.version = version;
    this.network = network;
    this.console = [];
    page.on('console', (message) => this.console.push(`${message.type()} ${message.text()}`));
    page.on('pageerror', (error) => this.console.push(`uncaught ${error.stack}`));
  }

  /** Calls `client.<what>(...args)` in the page. */
  do(what, ...args) {
    return this.page.evaluate(([name, list]) => window.client[name](...list), [what, args]);
  }

  join(token, data = '', automatic = true) {
    return this.do('join', this.network?.through(token) ?? token, data, automatic);
  }

  publish(options = {}) {
    return this.do('publish', options);
  }

  events() {
    return this.page.evaluate(() => window.client.events);
  }

  /** Waits for an event of this type whose fields equal `fields`. */
  async event(type, fields = {}, ms = 15_000) {
    const fits = (event) => event.type === type && Object.entries(fields).every(([key, value]) => event[key] === value);
    return until(`${type} ${JSON.stringify(fields)}`, async () => (await this.events()).find(fits), ms);
  }

  /** Waits until `frames` more frames of the stream were decoded; gives the counters and the frames per second. */
  async decodes(stream, frames = 20) {
    const first = await this.do('arriving', stream);
    const begin = performance.now();
    const last = await until(`${frames} frames of ${stream} decoded by openvidu-browser ${this.version}`, async () => {
      const now = await this.do('arriving', stream);
      return now.frames >= first.frames + frames && now;
    });
    return { ...last, rate: ((last.frames - first.frames) * 1000) / (performance.now() - begin) };
  }

  /** Waits until the picture in <video> has changed at several points, twice in a row; gives the share of points that changed. */
  async moves(stream) {
    let before = await this.do('picture', stream);
    const shares = [];
    await until(`the picture of ${stream} moves`, async () => {
      const now = await this.do('picture', stream);
      const changed = now.filter((value, i) => Math.abs(value - before[i]) > 24).length / now.length;
      before = now;
      if (changed > 0.002) shares.push(changed);
      return shares.length >= 2;
    });
    return Math.max(...shares);
  }

  /** Waits until more audio packets with sound in them have arrived; gives the counters. A muted element measures no sound. */
  async hears(stream, { muted = false } = {}) {
    const first = await this.do('arriving', stream);
    return until(`sound of ${stream}`, async () => {
      const now = await this.do('arriving', stream);
      return now.audioPackets > first.audioPackets + 20 && (muted || now.audioEnergy > first.audioEnergy) && now;
    });
  }

  /** Nothing went wrong inside the page. */
  calm() {
    assert.deepEqual(this.console.filter((line) => line.startsWith('uncaught')), []);
  }
}
