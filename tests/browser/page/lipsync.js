// Flash and beep: `lipsync.begin()` makes a picture that turns white and a tone that sounds at the same moment, once a second;
// `lipsync.measure()` tells how far apart they are where they are shown.
window.lipsync = {
  async begin() {
    const context = new AudioContext();
    await context.resume();
    const tone = new OscillatorNode(context, { frequency: 880 });
    const gate = new GainNode(context, { gain: 0 });
    const out = new MediaStreamAudioDestinationNode(context);
    tone.connect(gate).connect(out);
    tone.start();

    const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 240 });
    const brush = canvas.getContext('2d');
    let sounding = false;
    let frame = 0;
    const draw = () => {
      const on = performance.now() % 1000 < 200;
      if (on !== sounding) gate.gain.setValueAtTime(on ? 0.8 : 0, context.currentTime);
      sounding = on;
      brush.fillStyle = on ? '#fff' : '#000';
      brush.fillRect(0, 0, 320, 240);
      brush.fillStyle = on ? '#ccc' : '#333';
      brush.fillRect((frame++ * 7) % 320, 200, 20, 20); // something moves, so every frame is a new one
    };
    this.timer = setInterval(draw, 20);
    this.video = canvas.captureStream(30).getVideoTracks()[0];
    this.audio = out.stream.getAudioTracks()[0];
  },

  /** The same within this page, from one RTCPeerConnection to another: what browser and measurement add by themselves. */
  async baseline(beats) {
    const here = new RTCPeerConnection();
    const there = new RTCPeerConnection();
    here.onicecandidate = ({ candidate }) => there.addIceCandidate(candidate);
    there.onicecandidate = ({ candidate }) => here.addIceCandidate(candidate);
    const stream = new MediaStream([this.audio, this.video]);
    for (const track of stream.getTracks()) here.addTrack(track, stream);
    const video = Object.assign(document.createElement('video'), { autoplay: true });
    document.getElementById('videos').append(video);
    there.ontrack = ({ streams }) => (video.srcObject = streams[0]);

    await here.setLocalDescription();
    await there.setRemoteDescription(here.localDescription);
    await there.setLocalDescription();
    await here.setRemoteDescription(there.localDescription);
    const differences = await this.measure(video, beats);
    here.close();
    there.close();
    video.remove();
    return differences;
  },

  /** Shows the stream of `video` for `beats` flashes; gives flash minus beep in ms for each (positive: the picture is late). */
  async measure(video, beats) {
    const context = new AudioContext();
    await context.resume();
    await context.audioWorklet.addModule('/onset.js');
    const onset = new AudioWorkletNode(context, 'onset');
    const source = new MediaStreamAudioSourceNode(context, { mediaStream: video.srcObject });
    source.connect(onset);

    const beeps = [];
    onset.port.onmessage = ({ data: at }) => {
      const { contextTime, performanceTime } = context.getOutputTimestamp();
      beeps.push(performanceTime + (at - contextTime) * 1000);
    };

    const flashes = [];
    const point = Object.assign(document.createElement('canvas'), { width: 1, height: 1 }).getContext('2d', { willReadFrequently: true });
    let dark = false;
    const look = (_, { expectedDisplayTime }) => {
      point.drawImage(video, 150, 100, 20, 20, 0, 0, 1, 1);
      const white = point.getImageData(0, 0, 1, 1).data[0] > 128;
      if (white && dark) flashes.push(expectedDisplayTime);
      dark = !white;
      video.requestVideoFrameCallback(look);
    };
    video.requestVideoFrameCallback(look);

    const end = performance.now() + (beats + 6) * 1000;
    while ((flashes.length < beats || beeps.length < beats) && performance.now() < end) await new Promise((r) => setTimeout(r, 100));
    await context.close();
    // Each flash with the beep nearest to it; further than half a second apart they belong to different beats.
    return flashes
      .map((flash) => beeps.map((beep) => flash - beep).sort((a, b) => Math.abs(a) - Math.abs(b))[0])
      .filter((difference) => Math.abs(difference) < 500);
  },
};
