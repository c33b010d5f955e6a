import assert from 'node:assert/strict';
import { join } from 'node:path';
import { beeps, flashes } from '../lib/film.mjs';

/** How far apart the two may be in the film, ms: people notice sound that is 45 ms early (ITU-R BT.1359). */
const LIMIT_MS = 40;
/** Seconds that are recorded, and beats in them that must be found. */
const SECONDS = 12;
const LEAST = 7;
/** Films that are made at most. A browser that has to share its processor captures late, now sound and now pictures; a fault of the
 * recording is in every film. */
const TAKES = 3;

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** Records a while and measures how late each flash is against its beep, ms. */
async function apart(context, session) {
  // a fine grid of pictures: it rounds the moment of a flash
  const { id, name, duration } = await session.record(SECONDS, { resolution: '320x240', frameRate: 50 });
  const film = join(context.daemon.state, 'recordings', id, `${name}.mp4`);
  const [seen, heard] = await Promise.all([flashes(film), beeps(film)]);
  const nearest = (flash) => heard.map((beep) => (flash - beep) * 1000).sort((a, b) => Math.abs(a) - Math.abs(b))[0];
  // further than half a second apart they belong to different beats
  const late = seen.map(nearest).filter((ms) => Math.abs(ms) < 500);
  context.measured('film', `${duration} s, ${seen.length} flashes, ${heard.length} beeps`);
  context.measured('picture minus sound', `${late.map((ms) => ms.toFixed(0)).join(' ')} ms, median ${median(late)?.toFixed(0)} ms`);
  assert.ok(late.length >= LEAST, `${late.length} beats with a flash and a beep in ${duration} s`);
  return late;
}

export default {
  title: 'flash and beep of a publisher are together in the recording',
  versions: ['2.20.0'],
  async run(context) {
    const session = await context.session();
    const one = await context.participant();
    await one.join(await session.token());
    await one.page.evaluate(() => window.lipsync.begin());
    await one.publish({ source: 'lipsync' });
    const takes = [];
    do {
      takes.push(await apart(context, session));
    } while (Math.abs(median(takes.at(-1))) > LIMIT_MS && takes.length < TAKES);
    const told = takes.map((take) => take.map((ms) => ms.toFixed(0)).join(' ')).join('; ');
    assert.ok(Math.abs(median(takes.at(-1))) <= LIMIT_MS, `flash and beep are so many ms apart: ${told}`);
  },
};
