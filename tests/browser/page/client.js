// What a test makes a browser do, and what it can ask: a thin layer over the application interface of openvidu-browser.
// Everything that happens is kept in `client.events`; nothing is judged here.
window.client = (() => {
  const connections = new Map();
  const streams = new Map();
  const subscribers = new Map();
  const firstFrames = new Map();
  const unsubscribed = new Set();
  const events = [];
  let openvidu;
  let session;
  let publisher;

  function note(type, details) {
    events.push({ type, ...details });
    document.getElementById('log').textContent += `${type} ${JSON.stringify(details)}\n`;
  }

  function listen(automatic) {
    session.on('connectionCreated', ({ connection }) => {
      connections.set(connection.connectionId, connection);
      note('connectionCreated', { connection: connection.connectionId, data: connection.data });
    });
    session.on('connectionDestroyed', ({ connection, reason }) => note('connectionDestroyed', { connection: connection.connectionId, reason }));
    session.on('streamCreated', ({ stream }) => {
      streams.set(stream.streamId, stream);
      note('streamCreated', { stream: stream.streamId, video: stream.hasVideo, audio: stream.hasAudio, kind: stream.typeOfVideo });
      if (automatic) subscribe(stream);
    });
    session.on('streamDestroyed', (event) => {
      note('streamDestroyed', { stream: event.stream.streamId, reason: event.reason });
      // the clients' default removes the video of a stream that was unsubscribed a second time, and throws
      if (unsubscribed.has(event.stream.streamId)) event.preventDefault();
    });
    session.on('streamPropertyChanged', ({ stream, changedProperty, newValue, reason }) =>
      note('streamPropertyChanged', { stream: stream.streamId, property: changedProperty, value: newValue, reason }));
    session.on('signal', ({ type, data, from }) => note('signal', { signal: type, data, from: from ? from.connectionId : null }));
    session.on('connectionPropertyChanged', ({ changedProperty, newValue }) =>
      note('connectionPropertyChanged', { property: changedProperty, value: newValue }));
    session.on('sessionDisconnected', ({ reason }) => note('sessionDisconnected', { reason }));
    session.on('reconnecting', () => note('reconnecting', {}));
    session.on('reconnected', () => note('reconnected', {}));
    session.on('exception', ({ name, message }) => note('exception', { name, message }));
  }

  function subscribe(stream) {
    const asked = performance.now();
    const subscriber = session.subscribe(stream, 'videos');
    subscribers.set(stream.streamId, subscriber);
    subscriber.on('videoElementCreated', ({ element }) => {
      element.requestVideoFrameCallback((now) => firstFrames.set(stream.streamId, now - asked));
    });
  }

  // An offer without the video codecs but `codec`, and what repairs it.
  function withOnly(sdp, codec) {
    return sdp.replace(/^m=video [\s\S]*?(?=^m=|(?![\s\S]))/gm, (section) => {
      const of = (pattern) => [...section.matchAll(pattern)].map(([, number]) => number);
      const kept = of(new RegExp(`a=rtpmap:(\\d+) ${codec}/`, 'gi'));
      const repairs = [...section.matchAll(/a=fmtp:(\d+) apt=(\d+)/g)].filter(([, , apt]) => kept.includes(apt)).map(([, number]) => number);
      const numbers = [...kept, ...repairs];
      return section
        .replace(/^(m=video \S+ \S+).*$/m, `$1 ${numbers.join(' ')}`)
        .replace(/^a=(?:rtpmap|fmtp|rtcp-fb):(\d+) .*\r\n/gm, (line, number) => (numbers.includes(number) ? line : ''));
    });
  }

  function streamOf(id) {
    if (publisher && publisher.stream.streamId === id) return publisher.stream;
    return subscribers.get(id).stream;
  }

  function videoOf(id) {
    const manager = publisher && publisher.stream.streamId === id ? publisher : subscribers.get(id);
    return manager.videos[0].video;
  }

  return {
    events,

    async join(token, data, automatic = true) {
      openvidu = new OpenVidu();
      openvidu.enableProdMode();
      session = openvidu.initSession();
      listen(automatic);
      await session.connect(token, data);
      return session.connection.connectionId;
    },

    // From now on this browser knows no other video codec than this one.
    takeOnly(codec) {
      const original = RTCPeerConnection.prototype.createOffer;
      RTCPeerConnection.prototype.createOffer = async function createOffer(...options) {
        const { type, sdp } = await original.apply(this, options);
        return { type, sdp: withOnly(sdp, codec) };
      };
    },

    // `source`: nothing for the fake camera and microphone, or `{video, audio}` tracks of `lipsync`.
    async publish({ loopback = false, source, ...properties } = {}) {
      const wanted = { resolution: '320x240', frameRate: 15, mirror: false, ...properties };
      if (source) Object.assign(wanted, { videoSource: window[source].video, audioSource: window[source].audio });
      publisher = await openvidu.initPublisherAsync('videos', wanted);
      publisher.on('streamDestroyed', ({ reason }) => note('ownStreamDestroyed', { reason }));
      if (loopback) publisher.subscribeToRemote(true);
      await session.publish(publisher);
      return publisher.stream.streamId;
    },

    unpublish: () => session.unpublish(publisher),
    unsubscribe(id) {
      unsubscribed.add(id);
      return session.unsubscribe(subscribers.get(id));
    },
    subscribe: (id) => subscribe(streams.get(id)),
    leave: () => session.disconnect(),
    signal: (data, type) => session.signal({ data, type, to: [] }),
    forceUnpublish: (id) => session.forceUnpublish(streams.get(id)),
    forceDisconnect: (id) => session.forceDisconnect(connections.get(id)),
    muteVideo: (active) => publisher.publishVideo(active),
    muteAudio: (active) => publisher.publishAudio(active),
    firstFrame: (id) => firstFrames.get(id),

    // The counters of one stream that arrives here; zero and null where nothing has arrived.
    async arriving(id) {
      const report = await streamOf(id).getRTCPeerConnection().getStats();
      const all = [...report.values()];
      const video = all.find((s) => s.type === 'inbound-rtp' && s.kind === 'video') ?? {};
      const audio = all.find((s) => s.type === 'inbound-rtp' && s.kind === 'audio') ?? {};
      return {
        codec: report.get(video.codecId)?.mimeType ?? null,
        frames: video.framesDecoded ?? 0,
        keyFrames: video.keyFramesDecoded ?? 0,
        width: video.frameWidth ?? null,
        height: video.frameHeight ?? null,
        lost: video.packetsLost ?? 0,
        audioPackets: audio.packetsReceived ?? 0,
        audioEnergy: audio.totalAudioEnergy ?? 0,
      };
    },

    // What carries one stream: 'udp' or 'tcp'.
    async protocol(id) {
      const report = await streamOf(id).getRTCPeerConnection().getStats();
      const transport = [...report.values()].find((s) => s.type === 'transport');
      return report.get(report.get(transport.selectedCandidatePairId).localCandidateId).protocol;
    },

    iceState: (id) => streamOf(id).getRTCPeerConnection().iceConnectionState,

    // Is the connection of this stream the one that was marked? Marks it.
    mark(id) {
      const connection = streamOf(id).getRTCPeerConnection();
      const { marked = false } = connection;
      connection.marked = true;
      return marked;
    },

    lipsync: (id, beats) => window.lipsync.measure(videoOf(id), beats),

    // The picture in the <video> element, as the brightness of 48 × 27 points.
    picture(id) {
      const canvas = Object.assign(document.createElement('canvas'), { width: 48, height: 27 });
      const context = canvas.getContext('2d');
      context.drawImage(videoOf(id), 0, 0, 48, 27);
      const { data } = context.getImageData(0, 0, 48, 27);
      const points = [];
      for (let i = 0; i < data.length; i += 4) points.push(Math.round(0.3 * data[i] + 0.59 * data[i + 1] + 0.11 * data[i + 2]));
      return points;
    },
  };
})();
