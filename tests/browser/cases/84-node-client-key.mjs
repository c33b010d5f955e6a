import assert from 'node:assert/strict';
import { withNodeClient } from '../lib/node-client.mjs';

/** The client rejects with the status as text. */
const refused = (status, promise) => assert.rejects(promise, (error) => error.message === String(status));

export default {
  title: 'openvidu-node-client works with an API key in place of the secret, as far as the key reaches',
  run: (context) =>
    withNodeClient(context, async (owner, { OpenVidu }) => {
      const suffix = context.version.replaceAll('.', '_');
      const [own, foreign, name] = [`own-${suffix}`, `foreign-${suffix}`, `key-${suffix}`];
      const authorization = `Basic ${Buffer.from(`OPENVIDUAPP:${context.daemon.secret}`).toString('base64')}`;
      const keys = (method, path = '', body = undefined) =>
        fetch(`${context.daemon.url}/openvidu/api/keys${path}`, {
          method,
          headers: { authorization, 'content-type': 'application/json' },
          body: body && JSON.stringify(body),
        });
      const { key } = await (await keys('POST', '', { name, scope: `session:${own}` })).json();
      const other = await owner.createSession({ customSessionId: foreign });
      const openvidu = new OpenVidu(context.daemon.url, key);

      const session = await openvidu.createSession({ customSessionId: own });
      const connection = await session.createConnection({ role: 'SUBSCRIBER' });
      assert.match(connection.token, /&token=tok_[A-Z][A-Za-z0-9]{15}$/);
      await openvidu.fetch();
      assert.deepEqual(openvidu.activeSessions.map(({ sessionId }) => sessionId), [own]);
      const viewer = await context.participant();
      await viewer.join(connection.token);
      await refused(403, openvidu.createSession({ customSessionId: foreign }));
      await refused(403, openvidu.createSession());
      await refused(404, openvidu.startRecording(foreign));

      assert.equal((await keys('DELETE', `/${name}`)).status, 204);
      await refused(401, openvidu.fetch());
      await other.close();
      await owner.fetch();
      await owner.activeSessions.find(({ sessionId }) => sessionId === own).close();
    }),
};
