//! Pure geometry: where the cells of a grid are, and where a picture is in its cell.
//!
//! The daemon checks with it, the composer draws with it. All positions and sizes are even: pictures are I420, whose chroma
//! planes have half the size.

mod best_fit;
mod letterbox;

pub use best_fit::best_fit;
pub use letterbox::letterbox;

/// A rectangle in px; `x` and `y` are its upper left corner.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Rect {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

/// The next even number below.
fn even(number: u32) -> u32 {
    number & !1
}
