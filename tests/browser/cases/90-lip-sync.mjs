import assert from 'node:assert/strict';

/** How much worse than inside one page flash and beep may drift apart, ms. People notice sound that is 45 ms early or 125 ms late. */
const LIMIT_MS = 80;
/** Beats until the receiver's buffers have settled, and beats that count. */
const SETTLE = 4;
const COUNT = 6;

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** A case: publisher and viewer in a session with these properties; `only` is the one video codec that the viewer takes, if it is one. */
export const lipSync = (title, properties, only) => ({
  title,
  versions: ['2.20.0'],
  async run(context) {
    const session = await context.session(properties);
    const one = await context.participant();
    const other = await context.participant();
    if (only) await other.do('takeOnly', only);
    await one.join(await session.token());
    await other.join(await session.token({ role: 'SUBSCRIBER' }));

    await one.page.evaluate(() => window.lipsync.begin());
    const baseline = await one.page.evaluate((beats) => window.lipsync.baseline(beats), SETTLE + COUNT);
    const stream = await one.publish({ source: 'lipsync' });
    await other.event('streamCreated', { stream });
    const { codec } = await other.decodes(stream);
    if (only) assert.equal(codec, `video/${only}`);
    const through = await other.do('lipsync', stream, SETTLE + COUNT);

    assert.ok(baseline.length >= COUNT && through.length >= COUNT, `enough beats were seen and heard: ${baseline.length}, ${through.length}`);
    const [alone, box] = [baseline, through].map((all) => median(all.slice(-COUNT)));
    context.measured('picture minus sound', `${box.toFixed(0)} ms through the box, ${alone.toFixed(0)} ms inside one page`);
    assert.ok(Math.abs(box - alone) < LIMIT_MS, `the box adds ${(box - alone).toFixed(0)} ms`);
  },
});

export default lipSync('flash and beep of a publisher stay together');
