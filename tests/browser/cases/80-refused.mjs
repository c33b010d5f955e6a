import assert from 'node:assert/strict';

export default {
  title: 'a used token and a subscriber that publishes are refused in words',
  async run(context) {
    const session = await context.session();
    const one = await context.participant();
    const token = await session.token({ role: 'SUBSCRIBER' });
    await one.join(token);

    const again = await context.participant();
    const refusal = await again.page.evaluate((used) => window.client.join(used).catch((error) => ({ code: error.code, message: error.message })), token);
    assert.equal(refusal.code, 401);
    assert.match(refusal.message, /token/i);

    const denied = await one.page.evaluate(() => window.client.publish().catch((error) => ({ name: error.name })));
    assert.equal(denied.name, 'OPENVIDU_PERMISSION_DENIED');
  },
};
