// The session as openvidu-browser shows it: joining, the streams of others, the own one. Knows nothing of the page.

/** What can go wrong when a webcam is asked for, in words for a person. */
const WEBCAM_ERRORS = {
  DEVICE_ACCESS_DENIED: 'The browser was not allowed to use the camera. Allow it in the address bar and try again.',
  DEVICE_ALREADY_IN_USE: 'Another program is using the camera.',
  NO_INPUT_SOURCE_SET: 'This computer has neither a camera nor a microphone.',
  INPUT_VIDEO_DEVICE_NOT_FOUND: 'This computer has no camera.',
  INPUT_VIDEO_DEVICE_GENERIC_ERROR: 'The camera could not be opened.',
  OPENVIDU_PERMISSION_DENIED: 'This connection may watch, but not publish.',
};

/** Events: `stream` {manager, name, own}, `gone` {id}, `changed` {id}, `live` {live}, false
 * while the connection is lost, `recording` {id}, undefined when it stopped, `ended` {reason}. */
export class Room extends EventTarget {
  #openvidu = new window.OpenVidu();
  #session;
  #publisher;

  async join() {
    const token = await this.#token();
    this.#openvidu.enableProdMode();
    this.#session = this.#openvidu.initSession();
    this.#session.on('streamCreated', ({ stream }) => this.#watch(stream));
    this.#session.on('streamDestroyed', ({ stream }) => this.#tell('gone', { id: stream.streamId }));
    this.#session.on('streamPropertyChanged', ({ stream }) => this.#tell('changed', { id: stream.streamId }));
    this.#session.on('recordingStarted', ({ id }) => this.#tell('recording', { id }));
    this.#session.on('recordingStopped', () => this.#tell('recording', { id: undefined }));
    this.#session.on('reconnecting', () => this.#tell('live', { live: false }));
    this.#session.on('reconnected', () => this.#tell('live', { live: true }));
    this.#session.on('sessionDisconnected', ({ reason }) => this.#tell('ended', { reason }));
    await this.#session.connect(token);
    this.#tell('live', { live: true });
  }

  leave() {
    this.#session?.disconnect();
  }

  /** Publishes the webcam, with the microphone if there is one. Throws an Error whose text is for a person. */
  async share() {
    if (!navigator.mediaDevices) {
      throw new Error('Browsers lend the camera only to pages on localhost or with https. Open this page on the machine that runs the demo.');
    }
    try {
      const kinds = (await navigator.mediaDevices.enumerateDevices()).map(({ kind }) => kind);
      if (!kinds.includes('videoinput')) throw { name: 'INPUT_VIDEO_DEVICE_NOT_FOUND' };
      const publisher = await this.#openvidu.initPublisherAsync(undefined, {
        audioSource: kinds.includes('audioinput') ? undefined : false,
        resolution: '640x360',
        frameRate: 30,
        mirror: true,
      });
      this.#publisher = publisher;
      publisher.once('streamDestroyed', ({ stream, reason }) => {
        this.#publisher = undefined;
        this.#tell('gone', { id: stream.streamId });
        if (reason !== 'unpublish' && reason !== 'disconnect') this.#tell('unshared', { reason });
      });
      await this.#session.publish(publisher);
      this.#tell('stream', { manager: publisher, name: 'You', own: true });
    } catch (error) {
      this.#publisher?.stream.disposeMediaStream();
      this.#publisher = undefined;
      throw new Error(WEBCAM_ERRORS[error.name] ?? `Publishing failed: ${error.message ?? error}`, { cause: error });
    }
  }

  async unshare() {
    if (this.#publisher) await this.#session.unpublish(this.#publisher);
  }

  get sharing() {
    return this.#publisher !== undefined;
  }

  get microphone() {
    return this.#publisher?.stream.audioActive ?? false;
  }

  set microphone(active) {
    this.#publisher.publishAudio(active);
  }

  get picture() {
    return this.#publisher?.stream.videoActive ?? false;
  }

  set picture(active) {
    this.#publisher.publishVideo(active);
  }

  async #token() {
    const answer = await fetch('token', { method: 'POST' });
    if (!answer.ok) throw new Error(`The demo gave no token: ${await answer.text()}`);
    return (await answer.json()).token;
  }

  #watch(stream) {
    const manager = this.#session.subscribe(stream, undefined, (error) => {
      if (error) this.#tell('gone', { id: stream.streamId });
    });
    this.#tell('stream', { manager, name: nameOf(stream.connection), own: false });
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** The data that the token was made with; a client's own data comes before it, parted by `%/%`. */
function nameOf({ data, connectionId }) {
  return (data ?? '').split('%/%').at(-1) || connectionId;
}
