// Runs the browser tests one after another: every case with every release of openvidu-browser, against one daemon.
//   node run.mjs [TEXT...]      only the cases whose title contains one of the texts
// Ends with the line `N passed, N failed`; logs, page consoles and screenshots of failures are in target/browser-tests.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { launch } from './lib/browser.mjs';
import { Daemon } from './lib/daemon.mjs';
import { serveFiles } from './lib/files.mjs';
import { Network } from './lib/network.mjs';
import { Participant } from './lib/participant.mjs';
import { limit, start, stop, stopAll, until } from './lib/processes.mjs';

const VERSIONS = ['2.18.0', '2.20.0'];
/** So many cases may fail for want of a processor: each runs once more, and has to pass then. More are a fault. */
const SECOND_TRIES = 2;
/** A case that takes longer has failed, ms, unless it names a limit of its own. */
const CASE_LIMIT_MS = 90_000;

const here = fileURLToPath(new URL('.', import.meta.url));
const target = join(process.env.CARGO_TARGET_DIR ?? join(here, '../../target'));
const release = join(target, 'release');
const results = join(target, 'browser-tests');

/** What a case gets: the daemon, cameras, participants, and `measured` for what is worth reading. */
class Context {
  constructor(shared, version) {
    Object.assign(this, shared);
    this.version = version;
    this.participants = [];
    this.sessions = [];
    this.children = [];
    this.networks = [];
    this.measurements = [];
  }

  async session(properties) {
    const session = await this.daemon.session(properties);
    this.sessions.push(session);
    return session;
  }

  /** A program of this repository that ends with the case at the latest; its output is in `lines`, its errors in a log. */
  start(program, args, env) {
    const child = start(join(this.release, program), args, { env, log: join(this.results, `${program}.log`), lines: true });
    this.children.push(child);
    return child;
  }

  /** An RTSP camera of its own; gives its address. */
  async camera(...options) {
    const camera = this.start('viduct-test-camera', ['--port', '0', '--path', '/cam', ...options]);
    return until('the test camera prints its address', () => {
      if (camera.how) throw new Error(`the test camera ${camera.how}`);
      return camera.lines[0]?.trim();
    });
  }

  /** A network that leads to the daemon and can be cut. */
  async network() {
    const network = await Network.to(this.daemon);
    this.networks.push(network);
    return network;
  }

  /** A browser of its own with the release under test, or with another; in the common process or in another; behind `network` if there
   * is one. */
  async participant(version = this.version, { browser = this.browser, network } = {}) {
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    const participant = new Participant(await context.newPage(), version, network);
    this.participants.push(participant);
    await network?.before(participant.page);
    await participant.page.goto(`${this.files.url}/page?version=${version}`);
    return participant;
  }

  measured(name, value) {
    this.measurements.push(`${name} ${value}`);
  }

  /** A screenshot that is worth keeping also when all is well. */
  picture(page, name) {
    return page.screenshot({ path: join(this.results, `${name}.png`) });
  }

  async keep(title) {
    const name = title.replace(/[^a-z0-9.]+/gi, '-');
    for (const [i, { page, console: lines }] of this.participants.entries()) {
      writeFileSync(join(results, `${name}-${i}.log`), `${lines.join('\n')}\n`);
      await page.screenshot({ path: join(results, `${name}-${i}.png`), timeout: 5_000 }).catch(() => {});
    }
  }

  async end() {
    for (const { page } of this.participants) await page.context().close().catch(() => {});
    for (const session of this.sessions) await session.close().catch(() => {});
    for (const child of this.children) await stop(child);
    for (const network of this.networks) network.stop();
  }
}

async function runCase(test, shared, version, title) {
  const context = new Context(shared, version);
  const begin = performance.now();
  try {
    if (test.lacks?.()) throw new Error(`REFUSED: not to be skipped in CI: ${test.lacks()}`);
    const limitMs = test.limitMs ?? CASE_LIMIT_MS;
    await Promise.race([test.run(context), limit(limitMs, `not done after ${limitMs} ms`)]);
    for (const participant of context.participants) participant.calm();
    const seconds = ((performance.now() - begin) / 1000).toFixed(1);
    console.log(`PASS  ${title}  (${seconds} s)${context.measurements.map((line) => `\n        ${line}`).join('')}`);
    return true;
  } catch (error) {
    await context.keep(title);
    console.log(`FAIL  ${title}\n${(error.stack ?? String(error)).replace(/^/gm, '        ')}`);
    return false;
  } finally {
    await context.end();
  }
}

/** A case may need what this machine lacks. That is said by name; in CI it is a failure. */
function isSkipped(test, title) {
  const lacks = test.lacks?.();
  if (lacks && process.env.CI !== 'true') console.log(`SKIPPED: ${title} (${lacks})`);
  return lacks && process.env.CI !== 'true';
}

async function selectCases(filters) {
  const cases = [];
  for (const file of readdirSync(join(here, 'cases')).sort()) {
    const { default: test } = await import(`./cases/${file}`);
    for (const version of test.versions ?? VERSIONS) {
      const title = version ? `${test.title} [${version}]` : test.title;
      if (filters.length === 0 || filters.some((text) => title.includes(text))) cases.push({ test, version, title });
    }
  }
  return cases;
}

async function main(filters) {
  const cases = await selectCases(filters);
  rmSync(results, { recursive: true, force: true });
  mkdirSync(results, { recursive: true });
  const daemonLog = join(results, 'daemon.log');
  let passed = 0;
  let failed = 0;
  const count = (good) => (good ? passed++ : failed++);

  const shared = { release, results };
  try {
    shared.files = await serveFiles();
    shared.daemon = await Daemon.start(join(release, 'viduct'), daemonLog);
    shared.browser = await launch();
    const again = [];
    for (const { test, version, title } of cases) {
      if (isSkipped(test, title)) continue;
      if (await runCase(test, shared, version, title)) count(true);
      else again.push({ test, version, title });
    }
    for (const { test, version, title } of again) {
      const passes = again.length <= SECOND_TRIES && (await runCase(test, shared, version, title));
      if (passes) console.log(`SECOND TRY: case ${title}`);
      count(passes);
    }
  } catch (error) {
    console.log(`FAIL  the run itself\n        ${error.stack}`);
    count(false);
  } finally {
    await shared.browser?.close().catch(() => {});
    if (shared.daemon) {
      const { how, ms } = await shared.daemon.stop();
      const clean = how === 'ended with code 0';
      console.log(`${clean ? 'PASS' : 'FAIL'}  the daemon ends cleanly on SIGTERM  (${how} after ${Math.round(ms)} ms)`);
      count(clean);
    }
    await stopAll();
    await shared.files?.stop();
  }
  if (failed > 0) console.log(`\nlast lines of ${daemonLog}:\n${tail(daemonLog, 40)}`);
  console.log(`\n${passed} passed, ${failed} failed`);
  return failed === 0 && passed > 0;
}

function tail(file, lines) {
  try {
    return readFileSync(file, 'utf8').split('\n').slice(-lines).join('\n');
  } catch {
    return '(none)';
  }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, async () => {
    await stopAll();
    process.exit(1);
  });
}

process.exit((await main(process.argv.slice(2))) ? 0 : 1);
