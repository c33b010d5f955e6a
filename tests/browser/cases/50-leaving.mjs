import assert from 'node:assert/strict';
import { until } from '../lib/processes.mjs';

export default {
  title: 'unsubscribe, unpublish and leave are told to the others; the last one ends the session',
  async run(context) {
    const session = await context.session();
    const one = await context.participant();
    const other = await context.participant('2.20.0');
    const connection = await one.join(await session.token(), 'one');
    await other.join(await session.token(), 'other');
    const stream = await one.publish();
    await other.event('streamCreated', { stream });
    await other.decodes(stream, 5);

    const subscribers = async () => (await session.show()).connections.content.flatMap((each) => each.subscribers ?? []);
    assert.deepEqual((await subscribers()).map((each) => each.streamId), [stream]);
    await other.do('unsubscribe', stream);
    await until('REST shows no subscriber any more', async () => (await subscribers()).length === 0);

    await one.do('unpublish');
    await other.event('streamDestroyed', { stream, reason: 'unpublish' });
    await one.event('ownStreamDestroyed', { reason: 'unpublish' });

    await one.do('leave');
    await other.event('connectionDestroyed', { connection, reason: 'disconnect' });
    await one.event('sessionDisconnected', { reason: 'disconnect' });
    await other.do('leave');
    await until('the session is gone', async () => (await session.show()) === undefined);
  },
};
