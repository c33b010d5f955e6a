import assert from 'node:assert/strict';
import { launch } from '../lib/browser.mjs';

export default {
  title: 'a browser that may not use UDP publishes and watches over TCP',
  async run(context) {
    const session = await context.session();
    const camera = await session.camera(await context.camera(), { onlyPlayWithSubscribers: false });
    // the policy of a company whose firewall lets no UDP out
    const browser = await launch({ flags: ['--webrtc-ip-handling-policy=disable_non_proxied_udp'] });
    try {
      const barred = await context.participant(context.version, { browser });
      await barred.join(await session.token(), 'barred');
      await barred.event('streamCreated', { stream: camera });
      const { codec, rate } = await barred.decodes(camera);
      const protocol = await barred.do('protocol', camera);
      assert.equal(protocol, 'tcp');
      context.measured('video', `${codec}, ${rate.toFixed(1)} frames/s over ${protocol}`);

      const own = await barred.publish();
      const viewer = await context.participant();
      await viewer.join(await session.token({ role: 'SUBSCRIBER' }), 'viewer');
      await viewer.event('streamCreated', { stream: own });
      await viewer.decodes(own);
      assert.deepEqual([await barred.do('protocol', own), await viewer.do('protocol', own)], ['tcp', 'udp']);
    } finally {
      await browser.close();
    }
  },
};
