import assert from 'node:assert/strict';
import { SCREENS, looksRight, open } from '../lib/screens.mjs';

export default {
  title: 'the page of the API document shows every operation and asks nobody else',
  versions: [null],
  async run(context) {
    const document = await (async () => {
      const page = await (await context.browser.newContext({ ignoreHTTPSErrors: true })).newPage();
      const answer = await page.goto(`${context.daemon.url}/openvidu/api/openapi.json`);
      const text = await answer.json();
      await page.context().close();
      return text;
    })();
    const operations = Object.values(document.paths).flatMap((path) => Object.values(path));
    for (const screen of SCREENS) {
      const { page, requests, troubles, close } = await open(context, screen, '/openvidu/api/docs');
      await page.locator('#schema-Session').waitFor({ timeout: 20_000 });

      const ids = await page.locator('article.operation').evaluateAll((cards) => cards.map((card) => card.id));
      assert.deepEqual(ids.toSorted(), operations.map((operation) => operation.operationId).toSorted());
      for (const name of Object.keys(document.components.schemas)) assert.equal(await page.locator(`#schema-${name}`).count(), 1, name);
      const text = await page.locator('main').innerText();
      assert.ok(!/undefined|\[object|NaN/.test(text), 'something is not rendered');
      await looksRight(page, screen);

      const curl = await page.locator('#createConnection .curl code').innerText();
      assert.match(curl, /^curl -k -X POST -u "OPENVIDUAPP:\$SECRET" -H 'Content-Type: application\/json' -d '\{.*\}' 'https:/);
      await page.getByRole('searchbox').fill('start recording');
      assert.deepEqual(await page.locator('article.operation:visible').evaluateAll((cards) => cards.map((card) => card.id)), ['startRecording']);
      await page.getByRole('searchbox').fill('');
      await context.picture(page, `api-document-${screen.name}`);

      assert.deepEqual(troubles, []);
      assert.deepEqual(requests, [`${context.daemon.url}/openvidu/api/docs`, `${context.daemon.url}/openvidu/api/openapi.json`]);
      await close();
    }
    context.measured('operations', operations.length);
  },
};
