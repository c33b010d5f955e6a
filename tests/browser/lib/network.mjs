// The network between one participant and the box, which a test can cut: a gate for its WebSocket and a relay for its media. The page
// is told nothing; `throughRelay` runs in it before anything else and changes what its browser says and hears, not the client.
import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';
import { until } from './processes.mjs';

/** A TCP port that leads to another one of this machine. */
class Gate {
  #sockets = new Set();
  #open = true;

  async start(target) {
    this.server = createServer((near) => {
      if (!this.#open) return near.destroy();
      const far = connect(target, '127.0.0.1');
      for (const [one, other] of [[near, far], [far, near]]) {
        this.#sockets.add(one);
        one.pipe(other);
        one.on('error', () => {}); // a cut is one
        one.on('close', () => {
          this.#sockets.delete(one);
          other.destroy();
        });
      }
    });
    await new Promise((resolve, reject) => this.server.once('error', reject).listen(0, '127.0.0.1', resolve));
    this.port = this.server.address().port;
    return this;
  }

  cut() {
    this.#open = false;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend() {
    this.#open = true;
  }

  stop() {
    this.cut();
    this.server.close();
  }
}

/** A UDP port that leads to another one of this machine, with a port of its own for each who sends to it. */
class Relay {
  #ways = new Map();
  #open = true;
  /** Which datagrams of the box get lost. */
  loses = () => false;

  async start(target) {
    this.near = createSocket('udp4');
    this.near.on('message', (datagram, { address, port }) => {
      if (this.#open) this.#way(address, port, target).send(datagram, target, '127.0.0.1');
    });
    await new Promise((resolve, reject) => this.near.once('error', reject).bind(0, '127.0.0.1', resolve));
    this.port = this.near.address().port;
    return this;
  }

  #way(address, port) {
    const from = `${address}:${port}`;
    if (!this.#ways.has(from)) {
      const far = createSocket('udp4');
      far.on('message', (datagram) => this.#open && !this.loses(datagram) && this.near.send(datagram, port, address));
      this.#ways.set(from, far);
    }
    return this.#ways.get(from);
  }

  cut() {
    this.#open = false;
  }

  mend() {
    this.#open = true;
  }

  stop() {
    for (const far of this.#ways.values()) far.close();
    this.near.close();
  }
}

/** In the page: the box is where the relay is, and does not learn where the browser is. What is asked of the box is in `asked`. */
function throughRelay(port) {
  window.asked = [];
  const { send } = WebSocket.prototype;
  WebSocket.prototype.send = function (text) {
    const message = JSON.parse(text);
    window.asked.push(message.method);
    for (const offer of ['sdpOffer', 'sdpString']) {
      if (message.params?.[offer]) message.params[offer] = message.params[offer].replace(/^a=candidate:.*\r\n/gm, '');
    }
    if (message.params?.candidate) message.params.candidate = '';
    return send.call(this, JSON.stringify(message));
  };
  const { setRemoteDescription } = RTCPeerConnection.prototype;
  RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }, ...rest) {
    const udp = sdp.replace(/^a=candidate:\S+ \d tcp .*\r\n/gim, '');
    return setRemoteDescription.call(this, { type, sdp: udp.replace(/^(a=candidate:\S+ \d udp \d+) \S+ \d+/gim, `$1 127.0.0.1 ${port}`) }, ...rest);
  };
}

export class Network {
  static async to(daemon) {
    const network = new Network();
    network.gate = await new Gate().start(daemon.port);
    network.relay = await new Relay().start(daemon.mediaPort);
    return network;
  }

  /** Puts a page behind it, before it loads anything. */
  async before(page) {
    this.page = page;
    await page.addInitScript(throughRelay, this.relay.port);
  }

  /** A token that leads through the gate. */
  through(token) {
    return token.replace(/:\d+\?/, `:${this.gate.port}?`);
  }

  /** How often the page has asked the box for `method`. */
  asked(method) {
    return this.page.evaluate((wanted) => window.asked.filter((asked) => asked === wanted).length, method);
  }

  /** Waits until the page asks for `method` once more than `before`. */
  asks(method, before, ms) {
    return until(`the client asks for ${method}`, async () => (await this.asked(method)) > before, ms);
  }

  stop() {
    this.gate.stop();
    this.relay.stop();
  }
}
