import assert from 'node:assert/strict';

/** The widths of a phone and of a desk, in CSS pixels. */
const SCREENS = [
  { name: 'phone', width: 390, height: 844, colorScheme: 'dark' },
  { name: 'desk', width: 1280, height: 900, colorScheme: 'light' },
];

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
    for (const { name, width, height, colorScheme } of SCREENS) {
      const shown = await context.browser.newContext({ ignoreHTTPSErrors: true, viewport: { width, height }, colorScheme });
      const page = await shown.newPage();
      const requests = [];
      const troubles = [];
      page.on('request', (request) => requests.push(request.url()));
      page.on('console', (message) => message.type() === 'error' && troubles.push(message.text()));
      page.on('pageerror', (error) => troubles.push(error.message));
      await page.goto(`${context.daemon.url}/openvidu/api/docs`);
      await page.locator('#schema-Session').waitFor({ timeout: 20_000 });

      const ids = await page.locator('article.operation').evaluateAll((cards) => cards.map((card) => card.id));
      assert.deepEqual(ids.toSorted(), operations.map((operation) => operation.operationId).toSorted());
      for (const name of Object.keys(document.components.schemas)) assert.equal(await page.locator(`#schema-${name}`).count(), 1, name);
      const text = await page.locator('main').innerText();
      assert.ok(!/undefined|\[object|NaN/.test(text), 'something is not rendered');
      // the colour of a dark page is dark
      const [red] = (await page.evaluate(() => getComputedStyle(document.body).backgroundColor)).match(/\d+/g);
      assert.equal(Number(red) < 128, colorScheme === 'dark', `the ground of the ${colorScheme} page`);
      const [wide, inner] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(wide <= inner, `the page of a ${name} is ${wide} px wide on ${inner}`);

      const curl = await page.locator('#createConnection .curl code').innerText();
      assert.match(curl, /^curl -k -X POST -u "OPENVIDUAPP:\$SECRET" -H 'Content-Type: application\/json' -d '\{.*\}' 'https:/);
      await page.getByRole('searchbox').fill('start recording');
      assert.deepEqual(await page.locator('article.operation:visible').evaluateAll((cards) => cards.map((card) => card.id)), ['startRecording']);
      await page.getByRole('searchbox').fill('');
      await context.picture(page, `api-document-${name}`);

      assert.deepEqual(troubles, []);
      const own = requests.filter((url) => !url.startsWith('data:'));
      assert.deepEqual(own, [`${context.daemon.url}/openvidu/api/docs`, `${context.daemon.url}/openvidu/api/openapi.json`]);
      await shown.close();
    }
    context.measured('operations', operations.length);
  },
};
