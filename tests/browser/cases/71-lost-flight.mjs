import assert from 'node:assert/strict';
import { firstFrame, longGop } from '../lib/long-gop.mjs';

/** Far less than the 10 s between two keyframes of the camera, and what a busy machine may add, ms. */
const LIMIT_MS = 2_500;

/** RFC 7983, RFC 5761 §4. */
const isMedia = (datagram) => datagram[0] >= 128 && datagram[0] < 192 && !(datagram[1] >= 192 && datagram[1] < 224);

/** What of the box's datagrams is lost, by name; each is a filter of its own with a count. */
const LOSSES = {
  'the last flight of the handshake': () => {
    let lost = 0;
    // DTLS 1.2: it begins with ChangeCipherSpec
    return (datagram) => datagram[0] === 20 && lost++ === 0;
  },
  'the first three packets of media': () => {
    const lost = [];
    return (datagram) => isMedia(datagram) && lost.length < 3 && lost.push(datagram) > 0;
  },
};

export default {
  title: 'a camera with a keyframe every 10 s is seen at once although the first datagrams are lost',
  async run(context) {
    const scene = await longGop(context);
    for (const [name, loss] of Object.entries(LOSSES)) {
      const network = await context.network();
      const losing = loss();
      let lost = 0;
      network.relay.loses = (datagram) => {
        const gone = losing(datagram);
        lost += gone ? 1 : 0;
        return gone;
      };
      const took = await firstFrame(await context.participant(undefined, { network }), scene);
      context.measured(`first frame after subscribe() without ${name}`, `${took} ms`);
      assert.ok(lost > 0, `${name}: something was lost`);
      assert.ok(took < LIMIT_MS, `without ${name} the first frame came after ${took} ms`);
    }
  },
};
