import assert from 'node:assert/strict';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { until } from '../lib/processes.mjs';

const ROUNDS = 10;
/** Rounds before the first measurement: pools fill and code is loaded. */
const WARM = 2;

/** What the daemon has: descriptors by kind, threads, children, resident memory. */
function holdings(pid) {
  const descriptors = {};
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    try {
      const kind = readlinkSync(`/proc/${pid}/fd/${fd}`).split(/[:/[]/)[0] || 'file';
      descriptors[kind] = (descriptors[kind] ?? 0) + 1;
    } catch {
      // closed since it was listed
    }
  }
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const number = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)[1]);
  const tasks = readdirSync(`/proc/${pid}/task`);
  const children = tasks.flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean));
  return { descriptors: JSON.stringify(Object.entries(descriptors).sort()), threads: number('Threads'), children: children.length, rss: number('VmRSS') };
}

/**
 * What it has once nothing has changed for 8 s: connections close when their browsers do, and those take their time; those of this
 * program's own REST calls are kept for some seconds.
 */
function settled(pid) {
  let [last, since] = ['', 0];
  return until('a quiet daemon', () => {
    const now = holdings(pid);
    const seen = JSON.stringify({ ...now, rss: 0, threads: 0 });
    if (seen !== last) [last, since] = [seen, performance.now()];
    return performance.now() - since > 8_000 && now;
  }, 60_000);
}

async function round(context, n) {
  const session = await context.session();
  const [one, other] = [await context.participant(), await context.participant()];
  await one.join(await session.token());
  await other.join(await session.token());
  const stream = await one.publish();
  await other.event('streamCreated', { stream });
  await other.decodes(stream);
  // in turn: they leave, their tabs are closed, their session is
  if (n % 3 === 0) for (const each of [one, other]) await each.do('leave');
  if (n % 3 === 2) await session.close();
  for (const { page } of context.participants.splice(0)) await page.context().close();
  await session.close();
}

export default {
  title: 'browsers that come and go leave nothing behind',
  versions: ['2.20.0'],
  limitMs: 240_000,
  async run(context) {
    const { pid } = context.daemon.child;
    for (let n = 0; n < WARM; n++) await round(context, n);
    const before = await settled(pid);
    for (let n = 0; n < ROUNDS; n++) await round(context, n);
    const same = ({ descriptors, children }) => descriptors === before.descriptors && children === before.children;
    const returned = () => [holdings(pid)].find(same);
    const after = await until('what it had before', returned, 60_000).catch(() => holdings(pid));
    assert.deepEqual([after.descriptors, after.children], [before.descriptors, before.children]);
    assert.ok(Math.abs(after.threads - before.threads) <= 2, `${before.threads} threads before, ${after.threads} after`);
    context.measured('before', JSON.stringify(before));
    context.measured('after', `${JSON.stringify(after)}, ${ROUNDS} rounds later`);
  },
};
