//! The sound of the test camera: a beep of 0.1 s at 1 kHz that begins exactly on each second, silence between. Pure.

/// Pitch in Hz.
const PITCH: usize = 1000;

/// `count` samples of S16LE at `rate` Hz (a multiple of ten), from sample `from` on.
pub fn samples(rate: usize, from: usize, count: usize) -> Vec<u8> {
    let sample = |at: usize| match at % rate < rate / 10 {
        true => ((at as f64 * PITCH as f64 / rate as f64 * std::f64::consts::TAU).sin() * 20_000.0) as i16,
        false => 0,
    };
    (from..from + count).flat_map(|at| sample(at).to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_second_begins_with_a_beep() {
        for rate in [8_000, 48_000] {
            let bytes = samples(rate, 0, 2 * rate);
            let loud: Vec<bool> = bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]).unsigned_abs() > 3000).collect();
            for second in [0, rate] {
                assert!(loud[second..second + rate / 1000].contains(&true));
                assert!(!loud[second + rate / 10..second + rate].contains(&true));
            }
            // what is cut anywhere goes on as if it were not
            assert_eq!(bytes[2 * 777..2 * 1777], samples(rate, 777, 1000));
        }
    }
}
