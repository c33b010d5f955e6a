import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const { OpenVidu } = createRequire(import.meta.url)('openvidu-node-client');

export default {
  title: 'openvidu-node-client 2.20.2 makes the session, the token and the camera',
  versions: ['2.20.0'],
  async run(context) {
    // The client verifies certificates unless the process says otherwise; this one accepts the daemon's self-signed one.
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
    try {
      const openvidu = new OpenVidu(context.daemon.url, context.daemon.secret);
      const session = await openvidu.createSession();
      const camera = await session.createConnection({ type: 'IPCAM', rtspUri: await context.camera(), onlyPlayWithSubscribers: true });
      const connection = await session.createConnection({ role: 'SUBSCRIBER' });
      const viewer = await context.participant();
      await viewer.join(connection.token);
      const { stream } = await viewer.event('streamCreated');
      assert.equal(stream, camera.publishers[0].streamId);
      await viewer.decodes(stream);
      assert.equal(await session.fetch(), true);
      assert.equal(session.activeConnections.length, 2);
      await session.close();
      await viewer.event('sessionDisconnected', { reason: 'sessionClosedByServer' });
    } finally {
      delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    }
  },
};
