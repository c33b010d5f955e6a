import assert from 'node:assert/strict';
import { until } from '../lib/processes.mjs';

/** Chromium needs some seconds to see that its media goes nowhere. */
export async function breaks(participant, stream) {
  participant.network.relay.cut();
  return until('the media of the client is broken', async () => (await participant.do('iceState', stream)) === 'disconnected', 30_000);
}

/** The media of the publisher breaks, then that of its viewer; `repair` is what brings their client to notice. */
export async function brokenMedia(context, repair) {
  const session = await context.session();
  const one = await context.participant(context.version, { network: await context.network() });
  const other = await context.participant(context.version, { network: await context.network() });
  const third = await context.participant('2.20.0');
  await one.join(await session.token(), 'one');
  const stream = await one.publish();
  for (const viewer of [other, third]) {
    await viewer.join(await session.token(), 'viewer');
    await viewer.event('streamCreated', { stream });
    await viewer.decodes(stream);
    await viewer.do('mark', stream);
  }
  for (const [name, broken] of [['publisher', one], ['viewer', other]]) {
    const before = await broken.network.asked('reconnectStream');
    await breaks(broken, stream);
    const begin = performance.now();
    await repair(broken);
    await broken.network.asks('reconnectStream', before, 30_000);
    broken.network.relay.mend();
    for (const viewer of [other, third]) {
      await viewer.moves(stream);
      await viewer.hears(stream);
    }
    context.measured(`the ${name}'s media moves again`, `${((performance.now() - begin) / 1000).toFixed(1)} s after it was seen to be broken`);
    // a publisher goes on under its viewers; a viewer's own connection is another one
    assert.equal(await other.do('mark', stream), broken === one);
    assert.equal(await third.do('mark', stream), true);
  }
  for (const viewer of [other, third]) {
    const gone = (await viewer.events()).filter(({ type }) => type === 'streamDestroyed' || type === 'connectionDestroyed');
    assert.deepEqual(gone, []);
  }
  assert.equal((await session.show()).connections.numberOfElements, 3);
}

export default {
  title: 'media that broke with the network comes back when the WebSocket does, and the others notice nothing',
  run: (context) =>
    brokenMedia(context, async (broken) => {
      broken.network.gate.cut();
      await broken.event('reconnecting');
      broken.network.gate.mend();
    }),
};
