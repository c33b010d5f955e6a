/** A camera with a keyframe every 10 s, and viewers that come between two of them. */

/**
 * A session with such a camera and a first viewer, who may have had to wait for the camera's start: from then on the box holds
 * the last keyframe. Gives the session and the camera's stream.
 */
export async function longGop(context) {
  const session = await context.session();
  const camera = await session.camera(await context.camera('--gop', '150'), { onlyPlayWithSubscribers: false });
  const first = await context.participant();
  await first.join(await session.token({ role: 'SUBSCRIBER' }));
  await first.event('streamCreated', { stream: camera });
  await first.decodes(camera, 30);
  return { session, camera };
}

/** How long after subscribe() a viewer who joins now had its first frame, ms; the viewer leaves again. */
export async function firstFrame(viewer, { session, camera }) {
  await viewer.join(await session.token({ role: 'SUBSCRIBER' }), '', false);
  await viewer.event('streamCreated', { stream: camera });
  await viewer.do('subscribe', camera);
  await viewer.decodes(camera, 10);
  const took = Math.round(await viewer.do('firstFrame', camera));
  await viewer.page.context().close();
  return took;
}
