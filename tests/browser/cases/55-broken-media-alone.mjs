import { brokenMedia } from './54-broken-media.mjs';

export default {
  title: 'media that broke alone is brought back by the clients that see to it themselves',
  versions: ['2.18.0'],
  run: (context) => brokenMedia(context, async () => {}),
};
