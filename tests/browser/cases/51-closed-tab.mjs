export default {
  title: 'a closed tab is noticed, and the others are told why',
  async run(context) {
    const session = await context.session();
    const one = await context.participant();
    const other = await context.participant('2.20.0');
    const connection = await one.join(await session.token());
    await other.join(await session.token());
    const stream = await one.publish();
    await other.event('streamCreated', { stream });

    const begin = performance.now();
    await one.page.close({ runBeforeUnload: false });
    await other.event('streamDestroyed', { stream }, 30_000);
    const { reason } = await other.event('connectionDestroyed', { connection }, 30_000);
    context.measured('told after', `${((performance.now() - begin) / 1000).toFixed(1)} s, reason ${reason}`);
  },
};
