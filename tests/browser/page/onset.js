// Tells when sound begins after silence: posts the time of the audio context, in seconds.
class Onset extends AudioWorkletProcessor {
  constructor() {
    super();
    this.quietSince = 0;
  }

  process([input]) {
    const samples = input[0];
    if (!samples) return true;
    const loud = samples.findIndex((value) => Math.abs(value) > 0.05);
    if (loud < 0) return true;
    const at = currentTime + loud / sampleRate;
    if (at - this.quietSince > 0.3) this.port.postMessage(at);
    this.quietSince = currentTime + samples.length / sampleRate;
    return true;
  }
}
registerProcessor('onset', Onset);
