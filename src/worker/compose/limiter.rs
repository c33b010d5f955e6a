//! Keeps sound within full scale: each source's before it is mixed, and the mix before it is encoded. Pure.
//!
//! A source is clipped: it is louder only when its decoder is led astray (it goes on after lost packets, or the stream is broken),
//! and may then be so by a factor of ten for a moment. Nobody else's voice shall suffer for that.
//!
//! The mix goes through a peak limiter: two who speak loudly at once are louder than a file can say. Its gain falls at the sample
//! that needs it and comes back slowly, so the form of the waves stays, other than with clipping. An encoder that is given more than
//! full scale changes the loudness of whole frames by its own lights (avenc_aac halves it).
//!
//! Samples are 32-bit little-endian floats, left and right in turn.

use super::writer::AUDIO_RATE;

/// Samples of one moment, left and right: both get the same gain, or voices would wander.
const CHANNELS: usize = 2;
/// The loudest that comes out: 1 dB below full scale is left for what an encoder adds (EBU R 128).
const CEILING: f32 = 0.89;
/// What remains of the envelope after a sample: it falls to 1/e in 100 ms.
const RELEASE: f32 = 1.0 - 10.0 / AUDIO_RATE as f32;

/// Would [`clip`] change these samples of a source? If not, they need not be written.
pub fn is_clipped(samples: &[u8]) -> bool {
    exceed(samples, 1.0)
}

/// Clips the samples of a source in place; what is no number is silence.
pub fn clip(samples: &mut [u8]) {
    for bytes in samples.as_chunks_mut().0 {
        let sample = f32::from_le_bytes(*bytes);
        *bytes = if sample.is_nan() { 0.0 } else { sample.clamp(-1.0, 1.0) }.to_le_bytes();
    }
}

/// Is one of the samples louder than `most`, or no number?
fn exceed(samples: &[u8], most: f32) -> bool {
    samples.as_chunks().0.iter().any(|bytes| !(-most..=most).contains(&f32::from_le_bytes(*bytes)))
}

/// The limiter of one recording's sound.
#[derive(Default, Debug)]
pub struct Limiter {
    /// How loud it was lately; above the ceiling the gain is less than one.
    envelope: f32,
}

impl Limiter {
    /// Would [`Limiter::limit`] change these samples? If not, they need not be written.
    pub fn changes(&self, samples: &[u8]) -> bool {
        self.envelope > CEILING || exceed(samples, CEILING)
    }

    /// Limits samples in place: sums of what was clipped.
    pub fn limit(&mut self, samples: &mut [u8]) {
        for frame in samples.as_chunks_mut().0.chunks_exact_mut(CHANNELS) {
            let loudest = frame.iter().map(|bytes| f32::from_le_bytes(*bytes).abs()).fold(0.0, f32::max);
            self.envelope = loudest.max(self.envelope * RELEASE);
            let gain = if self.envelope > CEILING { CEILING / self.envelope } else { 1.0 };
            for bytes in frame {
                *bytes = (f32::from_le_bytes(*bytes) * gain).to_le_bytes();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn to_bytes(sound: &[(f32, f32)]) -> Vec<u8> {
        sound.iter().flat_map(|(left, right)| [left.to_le_bytes(), right.to_le_bytes()]).flatten().collect()
    }

    fn from_bytes(bytes: &[u8]) -> Vec<(f32, f32)> {
        let samples: Vec<f32> = bytes.as_chunks().0.iter().map(|sample| f32::from_le_bytes(*sample)).collect();
        samples.chunks_exact(CHANNELS).map(|frame| (frame[0], frame[1])).collect()
    }

    /// What comes out, in pieces of `piece` frames, for `(left, right)`.
    fn limited(sound: &[(f32, f32)], piece: usize) -> Vec<(f32, f32)> {
        let mut limiter = Limiter::default();
        let pieces = sound.chunks(piece).flat_map(|piece| {
            let mut bytes = to_bytes(piece);
            if limiter.changes(&bytes) {
                limiter.limit(&mut bytes);
            }
            from_bytes(&bytes)
        });
        pieces.collect()
    }

    fn tone(loudness: f32, count: usize) -> Vec<(f32, f32)> {
        (0..count).map(|at| loudness * (at as f32 / 48_000.0 * 440.0 * std::f32::consts::TAU).sin()).map(|s| (s, s / 2.0)).collect()
    }

    #[test]
    fn what_fits_is_not_touched() {
        let sound = tone(0.88, 4800);
        assert_eq!(limited(&sound, 1920), sound);
    }

    #[test]
    fn what_is_too_loud_keeps_its_form_and_its_place() {
        let sound = tone(3.0, 9600);
        let out = limited(&sound, 1920);
        // from the first crest on the gain is nearly the same
        let gains: Vec<f32> =
            sound.iter().zip(&out).skip(100).filter(|((was, _), _)| was.abs() > 0.1).map(|((was, _), (is, _))| is / was).collect();
        assert!(gains.iter().all(|gain| (0.295..0.305).contains(gain)), "{:?}", gains.iter().copied().reduce(f32::max));
        assert!(out.iter().all(|(left, right)| (left / 2.0 - right).abs() < 1e-6));
    }

    #[test]
    fn the_loudness_comes_back_within_a_fifth_of_a_second() {
        let sound: Vec<(f32, f32)> = tone(2.0, 4800).into_iter().chain(tone(0.1, 9600)).collect();
        let out = limited(&sound, 1920);
        assert_eq!(out[4800 + 4800..], sound[4800 + 4800..]);
        assert!(out[4900].0.abs() < sound[4900].0.abs() * 0.6);
    }

    #[test]
    fn a_source_is_clipped_and_what_is_no_number_is_silence() {
        let sound = [(0.5, -1.0), (f32::NAN, 1.01), (f32::INFINITY, f32::MIN), (-12.0, 1.0)];
        let mut bytes = to_bytes(&sound);
        assert!(is_clipped(&bytes) && is_clipped(&bytes[8..12]) && !is_clipped(&bytes[..8]));
        clip(&mut bytes);
        assert_eq!(from_bytes(&bytes), [(0.5, -1.0), (0.0, 1.0), (1.0, -1.0), (-1.0, 1.0)]);
        assert!(!is_clipped(&bytes));
    }

    proptest! {
        #[test]
        fn nothing_is_louder_than_the_ceiling(sound in prop::collection::vec((-100.0f32..100.0, -2.0f32..2.0), 1..400), piece in 1usize..50) {
            for (left, right) in limited(&sound, piece) {
                prop_assert!(left.abs() <= CEILING * 1.000_001 && right.abs() <= CEILING * 1.000_001, "{left} {right}");
            }
        }

        #[test]
        fn pieces_make_no_difference(sound in prop::collection::vec((-2.0f32..2.0, -2.0f32..2.0), 1..400), piece in 1usize..50) {
            let together = limited(&sound, sound.len());
            for (one, other) in limited(&sound, piece).iter().zip(together) {
                prop_assert!((one.0 - other.0).abs() < 1e-4 && (one.1 - other.1).abs() < 1e-4, "{one:?} {other:?}");
            }
        }
    }
}
