// Starting, stopping and playing back a recording of the session. Knows nothing of streams.

/** Pause between two looks whether the file is finished, ms. */
const POLL_MS = 300;

async function call(path, method) {
  const answer = await fetch(path, { method });
  if (!answer.ok) throw new Error(`The box refused: ${await answer.text()}`);
  return answer.json();
}

/** Events: `changed` whenever it begins or ends, whoever asked for it. */
export class Recorder extends EventTarget {
  /** Id of the running recording. */
  #id;

  get running() {
    return this.#id !== undefined;
  }

  /** Somebody started it. */
  began(id) {
    this.#set(id);
  }

  /** It ended, or this page does not know any more. */
  ended() {
    this.#set(undefined);
  }

  async start() {
    this.#set((await call('recording', 'POST')).id);
  }

  /** Stops it; gives the recording as soon as its file can be played. */
  async stop() {
    const id = this.#id;
    let recording = await call(`recording/${id}`, 'POST');
    this.#set(undefined);
    while (recording.status === 'stopped') {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      recording = await call(`recording/${id}`, 'GET');
    }
    if (recording.status !== 'ready') throw new Error('The recording failed; the log of the box says why.');
    return recording;
  }

  #set(id) {
    if (id === this.#id) return;
    this.#id = id;
    this.dispatchEvent(new Event('changed'));
  }
}

const $ = (id) => document.getElementById(id);

/** Shows a finished recording to the person. */
export function play({ id, url, name, duration, size }) {
  $('player-title').textContent = `Recording ${name}`;
  $('player-figures').textContent = `${duration.toFixed(1)} s · ${(size / 1e6).toFixed(1)} MB`;
  $('player-video').poster = new URL(`${id}.jpg`, url);
  $('player-video').src = url;
  $('player-file').href = url;
  $('player').showModal();
}

$('player-close').addEventListener('click', () => $('player').close());
$('player').addEventListener('close', () => $('player-video').removeAttribute('src'));
