// A recorded film, measured by ffmpeg: when it flashes, when it beeps. Times are seconds of the film.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
const RATE = 48_000;
/** Luma of a flash; the picture is black else. */
const WHITE = 128;
/** A beep is louder than this, and follows so many seconds of silence. */
const LOUD = 0.05;
const SILENCE = 0.3;

/** When the middle of the picture turns white. */
export async function flashes(film) {
  const middle = 'crop=iw/10:ih/10,signalstats';
  const shown = ['-show_entries', 'frame=pts_time:frame_tags=lavfi.signalstats.YAVG', '-of', 'csv=p=0'];
  const { stdout } = await run('ffprobe', ['-v', 'error', '-f', 'lavfi', '-i', `movie=${film},${middle}`, ...shown], { maxBuffer: 1 << 26 });
  const pictures = stdout.trim().split('\n').map((line) => line.split(',').map(Number));
  const isWhite = ([, luma]) => luma > WHITE;
  return pictures.filter((picture, i) => i > 0 && isWhite(picture) && !isWhite(pictures[i - 1])).map(([time]) => time);
}

/** When sound begins after silence. */
export async function beeps(film) {
  const { stdout } = await run('ffmpeg', ['-v', 'error', '-i', film, '-vn', '-ac', '1', '-ar', String(RATE), '-f', 'f32le', '-'], {
    encoding: 'buffer',
    maxBuffer: 1 << 28,
  });
  const samples = new Float32Array(stdout.buffer.slice(stdout.byteOffset, stdout.byteOffset + stdout.byteLength));
  const begins = [];
  let quietSince = 0;
  samples.forEach((value, at) => {
    if (Math.abs(value) < LOUD) return;
    if (at - quietSince > SILENCE * RATE) begins.push(at / RATE);
    quietSince = at;
  });
  return begins;
}
