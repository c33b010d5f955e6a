import assert from 'node:assert/strict';

export default {
  title: 'a signal reaches everybody, its sender too, with type and sender',
  async run(context) {
    const session = await context.session();
    const one = await context.participant();
    const other = await context.participant('2.20.0');
    const sender = await one.join(await session.token());
    await other.join(await session.token({ role: 'SUBSCRIBER' }));
    await one.event('connectionCreated', {});

    await one.do('signal', 'Grüße, "box"', 'chat');
    for (const receiver of [one, other]) {
      const { from } = await receiver.event('signal', { signal: 'signal:chat', data: 'Grüße, "box"' });
      assert.equal(from, sender);
    }
  },
};
