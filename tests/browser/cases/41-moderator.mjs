export default {
  title: 'a moderator unpublishes and evicts another',
  async run(context) {
    const session = await context.session();
    const boss = await context.participant();
    const other = await context.participant('2.20.0');
    await boss.join(await session.token({ role: 'MODERATOR' }));
    const id = await other.join(await session.token());
    const stream = await other.publish();
    await boss.decodes(stream);

    await boss.do('forceUnpublish', stream);
    await boss.event('streamDestroyed', { stream, reason: 'forceUnpublishByUser' });
    await other.event('ownStreamDestroyed', { reason: 'forceUnpublishByUser' });
    await boss.do('forceDisconnect', id);
    await other.event('sessionDisconnected', { reason: 'forceDisconnectByUser' });
    await boss.event('connectionDestroyed', { connection: id, reason: 'forceDisconnectByUser' });
  },
};
