import assert from 'node:assert/strict';

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export default {
  title: 'a WebSocket that is cut comes back, nothing is missed, and after a long cut its client is out',
  async run(context) {
    const session = await context.session();
    const one = await context.participant(context.version, { network: await context.network() });
    const other = await context.participant('2.20.0', { network: await context.network() });
    const connection = await one.join(await session.token(), 'one');
    await other.join(await session.token(), 'other');
    const stream = await one.publish();
    await other.event('streamCreated', { stream });
    await other.decodes(stream);

    for (const [cut, talker] of [[one, other], [other, one]]) {
      const begin = performance.now();
      cut.network.gate.cut();
      await cut.event('reconnecting');
      await talker.do('signal', `missed by ${cut.version}?`, 'cut');
      // the length of the cut is what is tested
      await pause(2_000);
      cut.network.gate.mend();
      await cut.event('reconnected');
      await cut.event('signal', { data: `missed by ${cut.version}?` });
      context.measured(`${cut.version} is back after`, `${((performance.now() - begin) / 1000).toFixed(1)} s`);
      await other.moves(stream);
    }
    for (const { network } of [one, other]) assert.equal(await network.asked('reconnectStream'), 0, 'media was never touched');
    const said = (events) => events.filter(({ type }) => type === 'connectionDestroyed' || type === 'streamDestroyed');
    assert.deepEqual(said(await other.events()), []);

    one.network.gate.cut();
    const begin = performance.now();
    const { reason } = await other.event('connectionDestroyed', { connection }, 30_000);
    assert.equal(reason, 'networkDisconnect');
    context.measured('given up after', `${((performance.now() - begin) / 1000).toFixed(1)} s`);
    one.network.gate.mend();
    await one.event('sessionDisconnected', { reason: 'networkDisconnect' }, 30_000);
  },
};
