import assert from 'node:assert/strict';
import { SCREENS, looksRight, open } from '../lib/screens.mjs';

export default {
  title: 'the first page of the box leads a person on and asks nobody else',
  versions: [null],
  async run(context) {
    for (const screen of SCREENS) {
      const { page, requests, troubles, close } = await open(context, screen, '/');
      await looksRight(page, screen);
      assert.match(await page.locator('main').innerText(), /OPENVIDUAPP/);
      await context.picture(page, `first-page-${screen.name}`);
      assert.deepEqual([troubles, requests], [[], [`${context.daemon.url}/`]]);
      const links = await page.locator('a').evaluateAll((all) => all.map((link) => link.href));
      assert.equal(links.length, 3);
      for (const link of links) assert.equal((await page.goto(link)).status(), 200, link);
      await close();
    }
  },
};
