// A recording in a browser, whichever it is: it loads, is as long as REST says, and every seek shows the very picture.
import assert from 'node:assert/strict';

const FPS = 25;
/** Where to look, s: forwards, backwards, within a group of pictures and across. */
const PLACES = [4.5, 0.3, 2.96, 3.0, 1.1, 4.9, 2.02];

/** In the page: shows the film; gives its length, s. */
async function load(source) {
  const video = Object.assign(document.createElement('video'), { src: source, muted: true, preload: 'auto' });
  document.body.replaceChildren(video);
  await new Promise((resolve, reject) => {
    video.addEventListener('loadeddata', resolve, { once: true });
    video.addEventListener('error', () => reject(new Error(video.error.message)), { once: true });
  });
  return video.duration;
}

/** In the page: seeks; gives the time of the picture that is shown, and the picture as the brightness of 32 × 18 points. */
function look(place) {
  return new Promise((resolve, reject) => {
    const video = document.querySelector('video');
    setTimeout(() => reject(new Error(`nothing shown at ${place} s`)), 10_000);
    video.requestVideoFrameCallback((_, { mediaTime }) => {
      const canvas = Object.assign(document.createElement('canvas'), { width: 32, height: 18 });
      const drawing = canvas.getContext('2d');
      drawing.drawImage(video, 0, 0, 32, 18);
      const { data } = drawing.getImageData(0, 0, 32, 18);
      resolve({ mediaTime, picture: [...data].filter((_, i) => i % 4 === 1) });
    });
    video.currentTime = place;
  });
}

/** A recording of the test camera that can be sought in. */
export async function recorded(context) {
  const session = await context.session();
  await session.camera(await context.camera(), { onlyPlayWithSubscribers: false });
  return session.record(5, { resolution: '640x360', frameRate: FPS });
}

/** `page` visits (`goto(url)`) and calls (`evaluate(function, argument)`). */
export async function checkSeeks(page, { url, duration }, context) {
  // a page of the box itself: only to its own origin may a canvas show its pixels
  await page.goto(`${context.daemon.url}/openvidu/accept-certificate`);
  const length = await page.evaluate(load, url);
  assert.ok(Math.abs(length - duration) < 0.05, `the browser says ${length} s, REST ${duration} s`);

  const seen = new Map();
  // there and back; the last place is not sought twice in a row, for then no new picture is shown
  for (const place of [...PLACES, ...PLACES.slice(0, -1).reverse()]) {
    const { mediaTime, picture } = await page.evaluate(look, place);
    assert.ok(Math.abs(mediaTime - place) <= 1 / FPS + 0.001, `the picture of ${mediaTime} s at ${place} s`);
    assert.deepEqual(picture, seen.get(place) ?? picture, `the same picture each time at ${place} s`);
    seen.set(place, picture);
  }
  assert.ok(new Set([...seen.values()].map(String)).size > PLACES.length / 2, 'the pictures differ from place to place');
  context.measured('length', `${length.toFixed(2)} s, ${PLACES.length * 2 - 1} seeks`);
}
