import assert from 'node:assert/strict';
import { withNodeClient } from '../lib/node-client.mjs';
import { until } from '../lib/processes.mjs';

/** The client rejects with the status as text. */
const refused = (status, promise) => assert.rejects(promise, (error) => error.message === String(status));

export default {
  title: 'every recording call of openvidu-node-client works',
  run: (context) =>
    withNodeClient(context, async (openvidu) => {
      const customSessionId = `films-${context.version.replaceAll('.', '_')}`;
      const session = await openvidu.createSession({ customSessionId });
      await refused(404, openvidu.startRecording('nobody'));
      await refused(406, openvidu.startRecording(customSessionId));
      await session.createConnection({ type: 'IPCAM', rtspUri: await context.camera(), onlyPlayWithSubscribers: true });
      await refused(422, openvidu.startRecording(customSessionId, { hasAudio: false, hasVideo: false }));
      await refused(422, openvidu.startRecording(customSessionId, { outputMode: 'COMPOSED', resolution: '5000x5000' }));

      const first = await openvidu.startRecording(customSessionId, { name: 'film', resolution: '640x480', frameRate: 15 });
      assert.deepEqual([first.id, first.status, first.properties.name], [customSessionId, 'started', 'film']);
      await refused(409, openvidu.startRecording(customSessionId, 'again'));
      await refused(409, openvidu.deleteRecording(first.id));
      await session.fetch();
      assert.equal(session.recording, true);
      const stopped = await openvidu.stopRecording(first.id);
      assert.ok(['stopped', 'ready'].includes(stopped.status), stopped.status);
      await refused(404, openvidu.stopRecording(first.id));
      const ready = await until('the recording is ready', async () => {
        const recording = await openvidu.getRecording(first.id);
        return recording.status === 'ready' && recording;
      });
      assert.ok(ready.size > 0 && ready.url.endsWith(`/openvidu/recordings/${first.id}/film.mp4`), ready.url);

      const second = await openvidu.startRecording(customSessionId, 'other');
      assert.notEqual(second.id, first.id);
      await openvidu.stopRecording(second.id);
      const mine = (await openvidu.listRecordings()).filter((r) => r.sessionId === customSessionId).map((r) => r.id);
      assert.deepEqual(mine, [second.id, first.id], 'newest first');
      for (const id of mine) await openvidu.deleteRecording(id);
      await refused(404, openvidu.getRecording(first.id));
      await refused(404, openvidu.deleteRecording(first.id));
      await session.close();
    }),
};
