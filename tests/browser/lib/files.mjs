// The page of the tests and the published bundles of openvidu-browser, over plain HTTP on loopback (a secure context for browsers).
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';

const root = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

const FILES = {
  '/page': [root('page/index.html'), 'text/html; charset=utf-8'],
  '/client.js': [root('page/client.js'), 'text/javascript'],
  '/lipsync.js': [root('page/lipsync.js'), 'text/javascript'],
  '/onset.js': [root('page/onset.js'), 'text/javascript'],
  '/2.18.0.js': [root('node_modules/openvidu-browser-2.18/static/js/openvidu-browser-2.18.0.min.js'), 'text/javascript'],
  '/2.20.0.js': [root('node_modules/openvidu-browser-2.20/static/js/openvidu-browser-2.20.0.min.js'), 'text/javascript'],
};

export async function serveFiles() {
  const server = createServer(async (request, response) => {
    const file = FILES[new URL(request.url, 'http://localhost').pathname];
    if (!file) return response.writeHead(404).end();
    try {
      const text = await readFile(file[0]);
      response.writeHead(200, { 'Content-Type': file[1], 'Cache-Control': 'no-store' }).end(text);
    } catch (error) {
      response.writeHead(500).end(String(error));
    }
  });
  await new Promise((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    stop: () => new Promise((resolve) => { server.close(resolve); server.closeAllConnections?.(); }),
  };
}
