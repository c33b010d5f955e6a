import assert from 'node:assert/strict';

/** "Well under a second", on a machine that runs everything on two cores, ms. */
const LIMIT_MS = 900;

export default {
  title: 'a camera with a keyframe every 10 s is seen at once',
  async run(context) {
    const session = await context.session();
    const camera = await session.camera(await context.camera('--gop', '150'), { onlyPlayWithSubscribers: false });

    // The first viewer may have to wait for the camera's start; from then on the cache holds the last keyframe.
    const first = await context.participant();
    await first.join(await session.token({ role: 'SUBSCRIBER' }));
    await first.event('streamCreated', { stream: camera });
    await first.decodes(camera, 30);

    const times = [];
    for (let i = 0; i < 4; i++) {
      const viewer = await context.participant();
      await viewer.join(await session.token({ role: 'SUBSCRIBER' }), '', false);
      await viewer.event('streamCreated', { stream: camera });
      await viewer.do('subscribe', camera);
      await viewer.decodes(camera, 10);
      times.push(Math.round(await viewer.do('firstFrame', camera)));
      await viewer.page.context().close();
    }
    context.measured('first frame after subscribe()', `${times.join(', ')} ms`);
    times.sort((a, b) => a - b);
    assert.ok(times[2] < LIMIT_MS, `most viewers see the first frame within ${LIMIT_MS} ms: ${times}`);
  },
};
