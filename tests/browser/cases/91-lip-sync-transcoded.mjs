import { lipSync } from './90-lip-sync.mjs';

// The publisher sends VP8; a viewer that takes only H.264 sees it by way of a transcoder and hears the sound directly.
export default lipSync('flash and beep stay together when the picture is transcoded', { forcedVideoCodec: 'NONE' }, 'H264');
