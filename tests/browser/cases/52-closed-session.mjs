export default {
  title: 'a session closed over REST sends everybody home',
  async run(context) {
    const session = await context.session();
    const one = await context.participant();
    await one.join(await session.token());
    const stream = await one.publish();
    const other = await context.participant('2.20.0');
    await other.join(await session.token());
    await other.event('streamCreated', { stream });

    await session.close();
    for (const each of [one, other]) await each.event('sessionDisconnected', { reason: 'sessionClosedByServer' });
  },
};
