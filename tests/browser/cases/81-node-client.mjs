import assert from 'node:assert/strict';
import { withNodeClient } from '../lib/node-client.mjs';

export default {
  title: 'openvidu-node-client makes the session, the token and the camera',
  run: (context) =>
    withNodeClient(context, async (openvidu) => {
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
    }),
};
