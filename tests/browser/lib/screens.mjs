// The box's own pages as people open them: on a phone in the dark, and at a desk.
import assert from 'node:assert/strict';

/** The widths of a phone and of a desk, in CSS pixels. */
export const SCREENS = [
  { name: 'phone', width: 390, height: 844, colorScheme: 'dark' },
  { name: 'desk', width: 1280, height: 900, colorScheme: 'light' },
];

/** Opens a page of the box without credentials. Gives it, and what it asks for and complains of from now on. */
export async function open(context, { width, height, colorScheme }, path) {
  const shown = await context.browser.newContext({ ignoreHTTPSErrors: true, viewport: { width, height }, colorScheme });
  const page = await shown.newPage();
  const requests = [];
  const troubles = [];
  page.on('request', (request) => request.url().startsWith('data:') || requests.push(request.url()));
  page.on('console', (message) => message.type() === 'error' && troubles.push(message.text()));
  page.on('pageerror', (error) => troubles.push(error.message));
  await page.goto(`${context.daemon.url}${path}`);
  return { page, requests, troubles, close: () => shown.close() };
}

/** The page is as dark as the person wants it, and no wider than the screen. */
export async function looksRight(page, { name, colorScheme }) {
  const [red] = (await page.evaluate(() => getComputedStyle(document.body).backgroundColor)).match(/\d+/g);
  assert.equal(Number(red) < 128, colorScheme === 'dark', `the ground of the ${colorScheme} page`);
  const [wide, inner] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(wide <= inner, `the page of a ${name} is ${wide} px wide on ${inner}`);
}
