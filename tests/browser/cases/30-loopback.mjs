export default {
  title: 'a publisher that asks for it gets its own stream back',
  async run(context) {
    const session = await context.session();
    const one = await context.participant();
    await one.join(await session.token());
    const stream = await one.publish({ loopback: true });
    const { codec, rate } = await one.decodes(stream);
    const moved = await one.moves(stream);
    // the client mutes the element of its own stream
    const { audioPackets } = await one.hears(stream, { muted: true });
    context.measured('comes back', `${codec}, ${rate.toFixed(1)} frames/s, ${(moved * 100).toFixed(1)} % moved, ${audioPackets} audio packets`);
  },
};
