import { join } from 'node:path';
import { Firefox, findFirefox } from '../lib/firefox.mjs';
import { checkSeeks, recorded } from '../lib/seeks.mjs';

export default {
  title: 'a recording plays in Firefox and every seek shows the very picture',
  versions: [null],
  lacks: () => (findFirefox() ? undefined : 'no Firefox was found; FIREFOX may name its path'),
  async run(context) {
    const recording = await recorded(context);
    const firefox = await Firefox.start(join(context.results, 'firefox.log'));
    try {
      context.measured('Firefox', firefox.version);
      await checkSeeks(firefox, recording, context);
    } finally {
      await firefox.stop();
    }
  },
};
