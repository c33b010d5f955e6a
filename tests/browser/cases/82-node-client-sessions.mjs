import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { withNodeClient } from '../lib/node-client.mjs';

/** The client rejects with the status as text. */
const refused = (status, promise) => assert.rejects(promise, (error) => error.message === String(status));

export default {
  title: 'every session and connection call of openvidu-node-client works, and errors are the statuses it documents',
  run: (context) =>
    withNodeClient(context, async (openvidu, { OpenVidu }) => {
      const customSessionId = `api-${context.version.replaceAll('.', '_')}`;
      const properties = {
        customSessionId,
        recordingMode: 'MANUAL',
        mediaMode: 'ROUTED',
        defaultRecordingProperties: { name: 'film', outputMode: 'COMPOSED', resolution: '640x480', frameRate: 15, hasAudio: false },
      };
      const session = await openvidu.createSession(properties);
      assert.equal(session.getSessionId(), customSessionId);
      assert.equal(session.properties.defaultRecordingProperties.resolution, '640x480');
      const same = await openvidu.createSession({ customSessionId });
      assert.equal(same.sessionId, customSessionId, 'a session that exists is taken over');
      await refused(400, openvidu.createSession({ customSessionId: 'not an id' }));
      await refused(400, openvidu.createSession({ forcedVideoCodec: 'AV1' }));
      await refused(401, new OpenVidu(context.daemon.url, 'WRONG').fetch());
      // the first one changes the order of the client's own keys
      await session.fetch();
      assert.equal(await session.fetch(), false, 'nothing has changed');
      await openvidu.fetch();
      assert.equal(await openvidu.fetch(), false);

      // connections that nobody uses yet
      const kurentoOptions = { videoMaxRecvBandwidth: 1000, videoMinSendBandwidth: 100, allowedFilters: ['GStreamerFilter'] };
      const pending = await session.createConnection({ type: 'WEBRTC', role: 'SUBSCRIBER', data: 'server', record: true, kurentoOptions });
      assert.deepEqual([pending.status, pending.connectionProperties.role, pending.connectionProperties.data], ['pending', 'SUBSCRIBER', 'server']);
      assert.deepEqual(pending.connectionProperties.kurentoOptions, kurentoOptions);
      const token = await session.generateToken({ role: 'MODERATOR', data: 'boss' });
      assert.match(token, new RegExp(`^wss://127.0.0.1:${context.daemon.port}\\?sessionId=${customSessionId}&token=tok_[A-Z][A-Za-z0-9]{15}$`));
      const camera = await session.createConnection({ type: 'IPCAM', rtspUri: 'rtsp://192.0.2.9:554/none', data: 'gate', networkCache: 100 });
      assert.equal(camera.status, 'active');
      await refused(400, session.createConnection({ type: 'IPCAM', rtspUri: 'nonsense' }));
      await refused(400, session.createConnection({ role: 'NOBODY' }));
      await session.fetch();
      assert.deepEqual([session.connections.length, session.activeConnections.length], [3, 1]);
      assert.equal(await session.fetch(), false);

      // changes, on a connection that waits and on one that is used
      const updated = await session.updateConnection(pending.connectionId, { role: 'PUBLISHER', record: false });
      assert.deepEqual([updated.connectionProperties.role, updated.connectionProperties.record], ['PUBLISHER', false]);
      // the client keeps a second copy of the role, which it does not change by itself
      await session.fetch();
      assert.equal(await session.fetch(), false);
      await refused(404, session.updateConnection('con_none', { role: 'PUBLISHER' }));
      await refused(400, session.updateConnection(pending.connectionId, { role: 'NOBODY' }));
      const boss = await context.participant();
      const bossId = await boss.join(token);
      const alice = await context.participant();
      assert.equal(await alice.join(pending.token), pending.connectionId);
      await session.updateConnection(pending.connectionId, { role: 'SUBSCRIBER', record: true });
      await alice.event('connectionPropertyChanged', { property: 'role', value: 'SUBSCRIBER' });
      await session.updateConnection(pending.connectionId, { role: 'PUBLISHER' });
      const stream = await alice.publish();
      await boss.decodes(stream);
      assert.equal(await session.fetch(), true);
      const publisher = session.activeConnections.find((c) => c.connectionId === pending.connectionId).publishers[0];
      assert.equal(publisher.streamId, stream);

      const changes = await openvidu.fetchWebRtc();
      assert.equal(changes.changes, true);
      const known = openvidu.activeSessions.find((s) => s.sessionId === customSessionId);
      const { webRtc, localCandidatePair } = known.connections.find((c) => c.connectionId === pending.connectionId).publishers[0];
      assert.match(webRtc.kms.remoteSdp, /^v=0/);
      assert.ok(isIP(localCandidatePair.ipAddress), localCandidatePair.ipAddress);
      assert.equal(localCandidatePair.transport, 'udp');

      // ends
      await refused(405, session.forceUnpublish(camera.publishers[0]));
      await refused(404, session.forceUnpublish('str_CAM_none'));
      await session.forceUnpublish(publisher);
      await boss.event('streamDestroyed', { stream, reason: 'forceUnpublishByServer' });
      await alice.event('ownStreamDestroyed', { reason: 'forceUnpublishByServer' });
      await session.forceDisconnect(pending.connectionId);
      await alice.event('sessionDisconnected', { reason: 'forceDisconnectByServer' });
      await boss.event('connectionDestroyed', { connection: pending.connectionId, reason: 'forceDisconnectByServer' });
      await session.forceDisconnect(camera);
      await refused(404, session.forceDisconnect('con_none'));
      await session.fetch();
      assert.deepEqual(session.activeConnections.map((c) => c.connectionId), [bossId]);
      await session.close();
      await boss.event('sessionDisconnected', { reason: 'sessionClosedByServer' });
      await refused(404, session.close());
      await refused(404, session.fetch());
      await openvidu.fetch();
      assert.ok(openvidu.activeSessions.every((s) => s.sessionId !== customSessionId));
    }),
};
