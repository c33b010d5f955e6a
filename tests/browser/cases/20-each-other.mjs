import assert from 'node:assert/strict';

/** Two browsers of different releases publish into one session and watch each other. */
export function eachOther(title, properties, codec) {
  return {
    title,
    async run(context) {
      const session = await context.session(properties);
      const one = await context.participant();
      const other = await context.participant('2.20.0');
      await one.join(await session.token(), 'one');
      await other.join(await session.token(), 'other');

      const streamOfOne = await one.publish();
      const streamOfOther = await other.publish();
      for (const [watcher, stream] of [[one, streamOfOther], [other, streamOfOne]]) {
        await watcher.event('streamCreated', { stream });
        const seen = await watcher.decodes(stream);
        assert.equal(seen.codec, codec);
        const moved = await watcher.moves(stream);
        const { audioPackets } = await watcher.hears(stream);
        context.measured(
          `${watcher.version} watches`,
          `${seen.codec} ${seen.width}x${seen.height}, ${seen.rate.toFixed(1)} frames/s, ${(moved * 100).toFixed(1)} % moved, ${audioPackets} audio packets, ` +
            `first frame ${Math.round(await watcher.do('firstFrame', stream))} ms after subscribe()`,
        );
      }
    },
  };
}

export default eachOther('two browsers see and hear each other, VP8', {}, 'video/VP8');
