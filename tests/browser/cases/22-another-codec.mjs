import assert from 'node:assert/strict';

/** From subscribe() to the first frame, the transcoder's start included: a few seconds on a machine that runs everything on two cores, ms. */
const LIMIT_MS = 6000;

export default {
  title: 'a browser without H.264 sees a camera all the same',
  async run(context) {
    const session = await context.session();
    const camera = await session.camera(await context.camera(), { onlyPlayWithSubscribers: false });
    const viewers = [];
    for (const codec of ['VP8', null]) {
      const viewer = await context.participant();
      if (codec) await viewer.do('takeOnly', codec);
      await viewer.join(await session.token({ role: 'SUBSCRIBER' }));
      await viewer.event('streamCreated', { stream: camera });
      viewers.push(viewer);
    }
    const [without, other] = viewers;
    const { codec, rate, width, height } = await without.decodes(camera, 40);
    assert.equal(codec, 'video/VP8');
    assert.deepEqual([width, height], [640, 360], 'the size is that of the camera');
    const moved = await without.moves(camera);
    await without.hears(camera);
    assert.equal((await other.decodes(camera)).codec, 'video/H264', 'who takes the camera itself gets it');
    const first = Math.round(await without.do('firstFrame', camera));
    context.measured('transcoded', `${codec} ${width}x${height}, ${rate.toFixed(1)} frames/s, ${(moved * 100).toFixed(1)} % of the picture moved`);
    context.measured('first frame', `${first} ms after subscribe(), the transcoder's start included`);
    assert.ok(first < LIMIT_MS);
  },
};
