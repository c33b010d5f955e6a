// Headless Firefox as Debian ships it. Playwright drives only Firefoxes of its own making, so this speaks WebDriver BiDi itself
// (https://w3c.github.io/webdriver-bidi): one session, one tab, pages visited and functions called in them.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import WebSocket from 'ws';
import { freePort, limit, start, stop, until } from './processes.mjs';

/** How long the browser may take for one command, ms. */
const COMMAND_LIMIT_MS = 60_000;

/** Sound is nobody's business here, and a test asks nobody whether a page may play. */
const PREFERENCES = `user_pref('media.autoplay.default', 0);
user_pref('app.update.enabled', false);
user_pref('datareporting.policy.dataSubmissionEnabled', false);
user_pref('browser.shell.checkDefaultBrowser', false);
`;

/** Where Firefox is, or undefined. */
export function findFirefox() {
  return process.env.FIREFOX ?? ['/usr/bin/firefox-esr', '/usr/bin/firefox'].find(existsSync);
}

export class Firefox {
  #next = 1;
  #waiting = new Map();

  /** A browser that accepts every certificate, with one empty tab. */
  static async start(log) {
    const firefox = new Firefox();
    firefox.home = mkdtempSync(join(tmpdir(), 'viduct-firefox-'));
    writeFileSync(join(firefox.home, 'user.js'), PREFERENCES);
    const port = await freePort();
    const args = ['--headless', '--no-remote', '--profile', firefox.home, '--remote-debugging-port', String(port)];
    firefox.child = start(findFirefox(), args, { log, env: { HOME: firefox.home } });
    try {
      await until('Firefox listens for WebDriver BiDi', async () => {
        if (firefox.child.how) throw new Error(`Firefox ${firefox.child.how}, see ${log}`);
        return firefox.#connect(`ws://127.0.0.1:${port}/session`);
      }, COMMAND_LIMIT_MS);
      const { capabilities } = await firefox.#command('session.new', { capabilities: { alwaysMatch: { acceptInsecureCerts: true } } });
      firefox.version = capabilities.browserVersion;
      firefox.tab = (await firefox.#command('browsingContext.getTree', {})).contexts[0].context;
    } catch (error) {
      await firefox.stop();
      throw error;
    }
    return firefox;
  }

  /** True when connected, false when nobody listens yet. */
  #connect(url) {
    return new Promise((resolve) => {
      const socket = new WebSocket(url);
      socket.once('open', () => {
        this.socket = socket;
        resolve(true);
      });
      socket.on('message', (text) => this.#hear(JSON.parse(text)));
      socket.on('error', () => resolve(false));
      socket.on('close', () => {
        for (const { reject, method } of this.#waiting.values()) reject(new Error(`${method}: Firefox hung up`));
        this.#waiting.clear();
      });
    });
  }

  #hear(message) {
    const asked = this.#waiting.get(message.id);
    if (!asked) return; // an event
    this.#waiting.delete(message.id);
    if (message.type === 'success') asked.resolve(message.result);
    else asked.reject(new Error(`${asked.method}: ${message.error}: ${message.message}`));
  }

  #command(method, params) {
    const id = this.#next++;
    const answer = new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject, method });
      this.socket.send(JSON.stringify({ id, method, params }));
    });
    return Promise.race([answer, limit(COMMAND_LIMIT_MS, `${method}: no answer within ${COMMAND_LIMIT_MS} ms`)]);
  }

  async goto(url) {
    await this.#command('browsingContext.navigate', { context: this.tab, url, wait: 'complete' });
  }

  /** Calls `what(argument)` in the page; argument and result are what JSON can carry. Rejects with what it throws. */
  async evaluate(what, argument) {
    const { type, result, exceptionDetails } = await this.#command('script.callFunction', {
      functionDeclaration: `async (text) => JSON.stringify(await (${what})(JSON.parse(text)) ?? null)`,
      arguments: [{ type: 'string', value: JSON.stringify(argument ?? null) }],
      target: { context: this.tab },
      awaitPromise: true,
    });
    if (type !== 'success') throw new Error(exceptionDetails.text);
    return JSON.parse(result.value);
  }

  async stop() {
    this.socket?.close();
    await stop(this.child);
    rmSync(this.home, { recursive: true, force: true, maxRetries: 5 });
  }
}
