// The grid: one tile a stream, with its name and its figures. Knows nothing of sessions.

const grid = document.getElementById('grid');
const template = document.getElementById('tile');
const tiles = new Map();
let silent = true;

export function add({ manager, name, own }) {
  const { stream } = manager;
  const element = template.content.firstElementChild.cloneNode(true);
  const video = element.querySelector('video');
  element.querySelector('.name').textContent = name;
  element.setAttribute('aria-label', own ? 'Your own picture' : `Live picture of ${name}`);
  video.addEventListener('playing', () => element.classList.add('playing'));

  remove(stream.streamId);
  tiles.set(stream.streamId, { element, video, stream, own, before: undefined });
  grid.append(element);
  manager.addVideoElement(video);
  video.muted = own || silent;
  refresh(stream.streamId);
  arrange();
}

export function remove(id) {
  tiles.get(id)?.element.remove();
  tiles.delete(id);
  arrange();
}

export function clear() {
  for (const id of [...tiles.keys()]) remove(id);
}

/** Shows what is muted. */
export function refresh(id) {
  const tile = tiles.get(id);
  if (!tile) return;
  const { hasAudio, audioActive, hasVideo, videoActive } = tile.stream;
  tile.element.querySelector('.silent').hidden = !hasAudio || audioActive !== false;
  tile.element.querySelector('.paused').hidden = !hasVideo || videoActive !== false;
}

/** Sound of all others on or off; browsers allow it only after a click. */
export function setSilent(value) {
  silent = value;
  for (const { video, own } of tiles.values()) video.muted = own || silent;
}

/** As many columns as make the tiles largest: as square a grid as the count allows. */
function arrange() {
  const columns = Math.max(1, Math.ceil(Math.sqrt(tiles.size)));
  grid.style.setProperty('--columns', columns);
  grid.style.setProperty('--rows', Math.max(1, Math.ceil(tiles.size / columns)));
}

/** Size, frames per second, codec and bitrate since the last look, as text. */
async function measure(tile) {
  const connection = tile.stream.getRTCPeerConnection();
  if (!connection) return '';
  const report = await connection.getStats();
  const kind = tile.own ? 'outbound-rtp' : 'inbound-rtp';
  const now = [...report.values()].find((entry) => entry.type === kind && entry.kind === 'video');
  const before = tile.before;
  tile.before = now;
  if (!now?.frameWidth || !before) return '';
  const seconds = (now.timestamp - before.timestamp) / 1000;
  const rate = (key) => Math.max(0, (now[key] - before[key]) / seconds);
  const frames = Math.round(rate(tile.own ? 'framesEncoded' : 'framesDecoded'));
  const mbits = (rate(tile.own ? 'bytesSent' : 'bytesReceived') * 8) / 1e6;
  const codec = report.get(now.codecId)?.mimeType.split('/')[1] ?? '';
  return `${now.frameWidth} × ${now.frameHeight} · ${frames} fps · ${codec.replace('H264', 'H.264')} · ${mbits.toFixed(1)} Mbit/s`;
}

setInterval(async () => {
  for (const tile of tiles.values()) {
    const text = await measure(tile).catch(() => '');
    if (text) tile.element.querySelector('.figures').textContent = text;
  }
}, 1000);
