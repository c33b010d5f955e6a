//! Media that can be measured: pictures that flash while their sound beeps, and the film they end up in.
//!
//! A source's picture tells when it was captured: its brightness rises over two seconds ([`RAMP`]), it is white for the first
//! 0.1 s of each second, and its texture moves. Its sound beeps at the same moments, at a pitch of its own, over a quiet tone
//! that tells whether there is sound at all. [`source`] makes them as RTP packets, [`film`] measures a file.

pub mod film;
pub mod source;

/// Luma of a picture at the beginning and at the end of its two seconds.
pub const RAMP: (f64, f64) = (40.0, 140.0);
/// Luma of a flash.
pub const WHITE: u8 = 235;
/// The brightness begins anew after this time, in ns.
pub const PERIOD: u64 = 2_000_000_000;

/// Pitch of source number `number`'s beeps, in Hz.
pub fn beep_hz(number: usize) -> f64 {
    (number + 2) as f64 * 500.0
}

/// Pitch of its quiet tone, in Hz; no beep has it.
pub fn tone_hz(number: usize) -> f64 {
    (number + 12) as f64 * 500.0
}
