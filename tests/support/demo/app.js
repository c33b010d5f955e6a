// Wires the page: asks the demo where the box is, sees to its certificate, joins, and connects buttons with the room.
import { Recorder, play } from './recorder.js';
import { Room } from './room.js';
import * as tiles from './tiles.js';

const $ = (id) => document.getElementById(id);
/** Pause between two looks whether the certificate is accepted by now, ms. */
const CERTIFICATE_POLL_MS = 1500;
const NOTICE_MS = 8000;

let room;
/** Is the connection to the box up? */
let live = false;
const recorder = new Recorder();

function status(state, text) {
  $('status').dataset.state = state;
  $('status').textContent = text;
}

function showLive(up) {
  live = up;
  if (!up) status('wait', 'Reconnecting');
  else if (recorder.running) status('record', 'Live, recording');
  else status('live', 'Live');
}

/** Shows words instead of the grid; without arguments, the grid again. */
function card({ title, text = '', link, again, hint = '' } = {}) {
  $('card').hidden = title === undefined;
  $('grid').hidden = title !== undefined;
  if (title === undefined) return;
  $('card-title').textContent = title;
  $('card-text').textContent = text;
  $('card-hint').textContent = hint;
  $('card-link').hidden = !link;
  if (link) Object.assign($('card-link'), { href: link.href, textContent: link.text });
  $('card-again').hidden = !again;
  if (again) Object.assign($('card-again'), { textContent: again, onclick: start });
}

let noticeTimer;
function notice(text) {
  $('notice').textContent = text;
  $('notice').hidden = false;
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => ($('notice').hidden = true), NOTICE_MS);
}

/** Can this browser talk to the box? It cannot while the self-signed certificate is not accepted. */
async function reachable(url) {
  try {
    await fetch(url, { mode: 'no-cors', cache: 'no-store', signal: AbortSignal.timeout(5000) });
    return true;
  } catch {
    return false;
  }
}

async function seeToCertificate(url) {
  if (await reachable(url)) return;
  status('wait', 'One step first');
  card({
    title: 'Trust the box, once',
    text: 'It made its own certificate when it first started, and your browser wants to hear from you before it talks to it.',
    link: { href: url, text: 'Open the certificate page' },
    hint: 'Choose “Advanced”, then “Proceed”, and come back: this page goes on by itself.',
  });
  do {
    await new Promise((resolve) => setTimeout(resolve, CERTIFICATE_POLL_MS));
  } while (!(await reachable(url)));
}

function controls() {
  const sharing = room?.sharing ?? false;
  label('share', sharing ? 'Stop sharing' : 'Share my webcam', sharing ? 'stop' : 'camera');
  $('share').classList.toggle('primary', !sharing);
  for (const id of ['microphone', 'picture']) $(id).hidden = !sharing;
  toggle('microphone', !room?.microphone, 'Unmute', 'Mute');
  toggle('picture', !room?.picture, 'Show picture', 'Pause picture');
  toggle('record', recorder.running, 'Stop recording', 'Record');
}

function label(id, text, icon) {
  $(id).querySelector('span').textContent = text;
  if (icon) $(id).querySelector('use').setAttribute('href', `icons.svg#${icon}`);
}

function toggle(id, pressed, whenPressed, otherwise) {
  $(id).setAttribute('aria-pressed', pressed);
  label(id, pressed ? whenPressed : otherwise);
}

function listen() {
  room.addEventListener('live', ({ detail }) => showLive(detail.live));
  room.addEventListener('stream', ({ detail }) => tiles.add(detail));
  room.addEventListener('gone', ({ detail }) => { tiles.remove(detail.id); controls(); });
  room.addEventListener('changed', ({ detail }) => tiles.refresh(detail.id));
  room.addEventListener('unshared', ({ detail }) => notice(`Your webcam is no longer published (${detail.reason}).`));
  room.addEventListener('recording', ({ detail }) => (detail.id ? recorder.began(detail.id) : recorder.ended()));
  room.addEventListener('ended', ({ detail }) => ended(detail.reason));
}

const ENDINGS = {
  disconnect: { title: 'You left', text: 'The camera goes on without you.' },
  networkDisconnect: { title: 'The connection was lost', text: 'The box did not answer any more. Is the demo still running?' },
  sessionClosedByServer: { title: 'The session was closed', text: 'The box ended it.' },
};

function ended(reason) {
  live = false;
  recorder.ended();
  tiles.clear();
  $('bar').hidden = true;
  status(reason === 'disconnect' ? 'wait' : 'bad', 'Not connected');
  card({ ...(ENDINGS[reason] ?? { title: 'The session ended', text: `Reason: ${reason}.` }), again: 'Join again' });
}

async function start() {
  status('wait', 'Connecting');
  card();
  try {
    const about = await (await fetch('about')).json();
    await seeToCertificate(about.certificate);
    card();
    status('wait', 'Joining');
    room = new Room();
    listen();
    await room.join();
    $('bar').hidden = false;
    controls();
  } catch (error) {
    status('bad', 'Not connected');
    card({ title: 'That did not work', text: error.message ?? String(error), again: 'Try again', hint: 'The terminal that runs the demo may say more.' });
  }
}

/** A button that must not be pressed again before its work is done. */
function onClick(id, work) {
  $(id).addEventListener('click', async () => {
    $(id).disabled = true;
    try {
      await work();
    } catch (error) {
      notice(error.message ?? String(error));
    } finally {
      $(id).disabled = false;
      controls();
    }
  });
}

onClick('share', () => (room.sharing ? room.unshare() : room.share()));
onClick('microphone', () => (room.microphone = !room.microphone));
onClick('picture', () => (room.picture = !room.picture));
onClick('record', async () => (recorder.running ? play(await recorder.stop()) : recorder.start()));
onClick('leave', () => room.leave());
$('sound').addEventListener('click', () => {
  const on = $('sound').getAttribute('aria-pressed') !== 'true';
  toggle('sound', on, 'Sound off', 'Sound on');
  tiles.setSilent(!on);
});
recorder.addEventListener('changed', () => {
  controls();
  if (live) showLive(true);
});
window.addEventListener('pagehide', () => room?.leave());

start();
