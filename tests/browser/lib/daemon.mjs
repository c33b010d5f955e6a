// The daemon under test: started with its own state folder and ports, asked over its REST API as an application would.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, start, stop, until } from './processes.mjs';

const SECRET = 'browser-tests';
const agent = new Agent({ rejectUnauthorized: false, keepAlive: true });

export class Daemon {
  secret = SECRET;

  get url() {
    return `https://127.0.0.1:${this.port}`;
  }

  static async start(binary, log) {
    if (!existsSync(binary)) throw new Error(`${binary} is missing: run "make build" first`);
    const daemon = new Daemon();
    daemon.port = await freePort();
    daemon.state = mkdtempSync(join(tmpdir(), 'viduct-browser-'));
    daemon.child = start(binary, [], {
      log,
      env: {
        OPENVIDU_SECRET: SECRET,
        DOMAIN_OR_PUBLIC_IP: '127.0.0.1',
        HTTPS_PORT: String(daemon.port),
        VIDUCT_MEDIA_PORT: '0',
        VIDUCT_STATE_PATH: daemon.state,
        OPENVIDU_RECORDING: 'true',
        OPENVIDU_RECORDING_PATH: join(daemon.state, 'recordings'),
        OPENVIDU_RECORDING_PUBLIC_ACCESS: 'true',
        VIDUCT_LOOPBACK_CANDIDATES: 'true',
        VIDUCT_CAMERA_ALLOW_LOOPBACK: 'true',
      },
    });
    try {
      await daemon.ready(log);
    } catch (error) {
      await daemon.stop();
      throw error;
    }
    return daemon;
  }

  async ready(log) {
    this.mediaPort = await until('the daemon names its media port', () => {
      if (this.child.how) throw new Error(`the daemon ${this.child.how}, see ${log}`);
      return Number(/ is ready at .*media (\d+)\)/.exec(readFileSync(log, 'utf8'))?.[1]);
    });
    await until('the daemon answers GET health with 200', async () => {
      if (this.child.how) throw new Error(`the daemon ${this.child.how}, see ${log}`);
      return (await this.call('GET', 'health').catch(() => ({}))).status === 200;
    });
  }

  async stop() {
    const ended = await stop(this.child);
    agent.destroy();
    rmSync(this.state, { recursive: true, force: true });
    return ended;
  }

  /** One REST call: `{status, body}`, the body parsed when there is one. */
  call(method, path, body) {
    return new Promise((resolve, reject) => {
      const text = body === undefined ? undefined : JSON.stringify(body);
      const call = request(
        {
          agent,
          method,
          host: '127.0.0.1',
          port: this.port,
          path: `/openvidu/api/${path}`,
          auth: `OPENVIDUAPP:${SECRET}`,
          headers: text === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) },
          timeout: 10_000,
        },
        (answer) => {
          const parts = [];
          answer.on('data', (part) => parts.push(part));
          answer.on('end', () => {
            const received = Buffer.concat(parts).toString();
            resolve({ status: answer.statusCode, body: received === '' ? undefined : JSON.parse(received) });
          });
        },
      );
      call.on('timeout', () => call.destroy(new Error(`${method} ${path}: no answer within 10 s`)));
      call.on('error', reject);
      call.end(text);
    });
  }

  async expect(method, path, body) {
    const answer = await this.call(method, path, body);
    if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  async session(properties = {}) {
    const { id } = await this.expect('POST', 'sessions', properties);
    return new Session(this, id);
  }
}

class Session {
  constructor(daemon, id) {
    this.daemon = daemon;
    this.id = id;
  }

  /** A token for one participant. */
  async token(properties = {}) {
    return (await this.daemon.expect('POST', `sessions/${this.id}/connection`, properties)).token;
  }

  /** Adds an RTSP camera; gives the id of its stream. */
  async camera(rtspUri, properties = {}) {
    const connection = await this.daemon.expect('POST', `sessions/${this.id}/connection`, { type: 'IPCAM', rtspUri, ...properties });
    return connection.publishers[0].streamId;
  }

  /** Records for some seconds; gives the finished recording. */
  async record(seconds, properties = {}) {
    const { id } = await this.daemon.expect('POST', 'recordings/start', { session: this.id, ...properties });
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    await this.daemon.expect('POST', `recordings/stop/${id}`);
    return until('the recording is ready', async () => {
      const recording = await this.daemon.expect('GET', `recordings/${id}`);
      return recording.status === 'ready' && recording;
    });
  }

  /** The session as REST shows it, or undefined when it is gone. */
  async show() {
    const { status, body } = await this.daemon.call('GET', `sessions/${this.id}`);
    return status === 200 ? body : undefined;
  }

  close() {
    return this.daemon.call('DELETE', `sessions/${this.id}`);
  }
}
