import { checkSeeks, recorded } from '../lib/seeks.mjs';

export default {
  title: 'a recording plays in the browser and every seek shows the very picture',
  versions: [null],
  async run(context) {
    const recording = await recorded(context);
    const page = await (await context.browser.newContext({ ignoreHTTPSErrors: true })).newPage();
    try {
      await checkSeeks(page, recording, context);
    } finally {
      await page.context().close();
    }
  },
};
