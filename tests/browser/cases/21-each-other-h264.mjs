import { eachOther } from './20-each-other.mjs';

export default eachOther('two browsers see and hear each other, H.264 forced', { forcedVideoCodec: 'H264' }, 'video/H264');
