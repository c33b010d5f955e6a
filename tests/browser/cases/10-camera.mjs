import assert from 'node:assert/strict';

export default {
  title: 'a camera is seen and heard live',
  async run(context) {
    const session = await context.session();
    const camera = await session.camera(await context.camera(), { onlyPlayWithSubscribers: false, data: 'gate' });
    const viewer = await context.participant();
    await viewer.join(await session.token({ role: 'SUBSCRIBER' }), 'viewer');

    const created = await viewer.event('streamCreated', { stream: camera });
    assert.equal(created.kind, 'IPCAM');
    const { codec, rate, width, height, keyFrames } = await viewer.decodes(camera);
    assert.equal(codec, 'video/H264');
    assert.ok(keyFrames >= 1);
    assert.deepEqual([width, height], [640, 360]);
    const moved = await viewer.moves(camera);
    const { audioPackets } = await viewer.hears(camera);
    context.measured('video', `${codec} ${width}x${height}, ${rate.toFixed(1)} frames/s, ${(moved * 100).toFixed(1)} % of the picture moved`);
    context.measured('audio', `${audioPackets} packets`);
    context.measured('first frame', `${Math.round(await viewer.do('firstFrame', camera))} ms after subscribe()`);
  },
};
