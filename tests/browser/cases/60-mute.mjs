import assert from 'node:assert/strict';
import { until } from '../lib/processes.mjs';

export default {
  title: 'muting is told to the others, and the picture comes back',
  async run(context) {
    const session = await context.session();
    const one = await context.participant();
    const other = await context.participant('2.20.0');
    await one.join(await session.token());
    await other.join(await session.token());
    const stream = await one.publish();
    await other.event('streamCreated', { stream });
    await other.decodes(stream, 5);

    await one.do('muteVideo', false);
    await other.event('streamPropertyChanged', { stream, property: 'videoActive', value: false, reason: 'publishVideo' });
    const options = (await session.show()).connections.content.flatMap((each) => each.publishers ?? [])[0].mediaOptions;
    assert.equal(options.videoActive, false);

    await one.do('muteAudio', false);
    await other.event('streamPropertyChanged', { stream, property: 'audioActive', value: false, reason: 'publishAudio' });
    await one.do('muteVideo', true);
    await other.event('streamPropertyChanged', { stream, property: 'videoActive', value: true });
    await until('the picture is bright again', async () => (await other.do('picture', stream)).some((value) => value > 60));
    await other.moves(stream);
  },
};
