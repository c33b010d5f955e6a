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
  return { descriptors: JSON.stringify(descriptors), threads: number('Threads'), children: children.length, rss: number('VmRSS') };
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
  async run(context) {
    const { pid } = context.daemon.child;
    for (let n = 0; n < WARM; n++) await round(context, n);
    const before = await until('a quiet daemon', () => holdings(pid));
    for (let n = 0; n < ROUNDS; n++) await round(context, n);
    const after = await until('its descriptors return', () => {
      const now = holdings(pid);
      return now.descriptors === before.descriptors && now.children === before.children && Math.abs(now.threads - before.threads) <= 2 && now;
    });
    context.measured('before', JSON.stringify(before));
    context.measured('after', `${JSON.stringify(after)}, ${ROUNDS} rounds later`);
  },
};
