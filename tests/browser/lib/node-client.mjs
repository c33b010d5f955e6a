// An application's side: an unmodified release of openvidu-node-client, talking to the daemon under test.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
/** Release of openvidu-node-client by the openvidu-browser it belongs to. */
const PACKAGES = { '2.18.0': 'openvidu-node-client-2.18', '2.20.0': 'openvidu-node-client-2.20' };

/** Calls `use` with the client library and one client of it. The library reports every fetch on the console; here it is silent. */
export async function withNodeClient(context, use) {
  const library = require(PACKAGES[context.version]);
  const { log, warn } = console;
  // The client verifies certificates unless the process says otherwise; this one accepts the daemon's self-signed one.
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
  Object.assign(console, { log() {}, warn() {} });
  try {
    return await use(new library.OpenVidu(context.daemon.url, context.daemon.secret), library);
  } finally {
    Object.assign(console, { log, warn });
    delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
  }
}
