//! The picture of the test camera, drawn as raw I420 frames: no font, no plug-in, the same bytes everywhere. Pure.
//!
//! A texture scrolls, a band of fresh noise at the bottom keeps the encoder at its bit rate, a clock (`mm:ss.t`) runs in the
//! middle. The upper left corner ([`flash_area`]) is black, and white for the first 0.1 s of each second.

use super::options::Video;

/// Luma of black and of white.
pub const BLACK: u8 = 16;
pub const WHITE: u8 = 235;

/// Width and height in px of the corner that flashes.
pub fn flash_area(width: usize, height: usize) -> (usize, usize) {
    (width / 4, height / 4)
}

/// Does frame number `frame` flash?
pub fn flashes(frame: usize, fps: usize) -> bool {
    frame % fps < fps.div_ceil(10)
}

/// Draws the frames of one camera, one after the other, at any number.
#[derive(Debug)]
pub struct Painter {
    width: usize,
    height: usize,
    fps: usize,
    /// Rows are cut out of these at a moving (texture) or random (noise) place.
    texture: Vec<u8>,
    noise: Vec<u8>,
}

impl Painter {
    pub fn new(video: &Video) -> Painter {
        let (width, height) = (video.width, video.height);
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let texture = (0..2 * width).map(|x| 60 + ((x * 7) % width * 100 / width) as u8).collect();
        let noise = (0..16 * width).map(|_| 100 + (random.next() % 56) as u8).collect();
        Painter { width, height, fps: video.fps, texture, noise }
    }

    /// The frame `frame`, planes Y, U, V.
    pub fn paint(&self, frame: usize) -> Vec<u8> {
        let (width, height) = (self.width, self.height);
        let mut y_plane = Vec::with_capacity(width * height * 3 / 2);
        let noise_from = height - height / 8;
        let mut random = Random(frame as u64 + 1);
        for y in 0..height {
            let (source, at) = match y < noise_from {
                true => (&self.texture, (frame * 4 + y / 8 * 5) % width),
                false => (&self.noise, random.next() as usize % (15 * width)),
            };
            y_plane.extend_from_slice(&source[at..at + width]);
        }
        self.flash(frame, &mut y_plane);
        self.clock(frame, &mut y_plane);
        for plane in [0, 1] {
            for y in 0..height / 2 {
                // four bands of colour that drift down
                let band = (y * 8 / height + frame / self.fps + plane * 2) % 4;
                y_plane.resize(y_plane.len() + width / 2, 104 + 16 * band as u8);
            }
        }
        y_plane
    }

    fn flash(&self, frame: usize, y_plane: &mut [u8]) {
        let (width, height) = flash_area(self.width, self.height);
        let luma = if flashes(frame, self.fps) { WHITE } else { BLACK };
        self.fill(y_plane, 0, 0, width, height, luma);
    }

    /// `mm:ss.t` in seven segments on a black field.
    fn clock(&self, frame: usize, y_plane: &mut [u8]) {
        let seconds = frame / self.fps;
        let tenth = frame % self.fps * 10 / self.fps;
        let signs = [seconds / 600 % 10, seconds / 60 % 10, COLON, seconds / 10 % 6, seconds % 10, POINT, tenth];
        let unit = self.width / 64;
        let (left, top) = (self.width / 2 - signs.len() * 3 * unit, self.height / 2 - 5 * unit);
        self.fill(y_plane, left - unit, top - unit, (signs.len() * 6 + 1) * unit, 11 * unit, BLACK);
        for (place, sign) in signs.into_iter().enumerate() {
            for &(x, y, w, h) in segments(sign) {
                self.fill(y_plane, left + (place * 6 + x) * unit, top + y * unit, w * unit, h * unit, WHITE);
            }
        }
    }

    fn fill(&self, y_plane: &mut [u8], x: usize, y: usize, w: usize, h: usize, luma: u8) {
        for row in y_plane.chunks_exact_mut(self.width).skip(y).take(h) {
            row[x..(x + w).min(self.width)].fill(luma);
        }
    }
}

const COLON: usize = 10;
const POINT: usize = 11;

type Rectangle = (usize, usize, usize, usize);

/// A sign as rectangles (x, y, width, height) on a field 5 wide and 9 high.
fn segments(sign: usize) -> &'static [Rectangle] {
    const TOP: Rectangle = (0, 0, 5, 1);
    const MIDDLE: Rectangle = (0, 4, 5, 1);
    const BOTTOM: Rectangle = (0, 8, 5, 1);
    const LEFT_UP: Rectangle = (0, 0, 1, 5);
    const LEFT_DOWN: Rectangle = (0, 4, 1, 5);
    const RIGHT_UP: Rectangle = (4, 0, 1, 5);
    const RIGHT_DOWN: Rectangle = (4, 4, 1, 5);
    match sign {
        0 => &[TOP, BOTTOM, LEFT_UP, LEFT_DOWN, RIGHT_UP, RIGHT_DOWN],
        1 => &[RIGHT_UP, RIGHT_DOWN],
        2 => &[TOP, RIGHT_UP, MIDDLE, LEFT_DOWN, BOTTOM],
        3 => &[TOP, RIGHT_UP, MIDDLE, RIGHT_DOWN, BOTTOM],
        4 => &[LEFT_UP, MIDDLE, RIGHT_UP, RIGHT_DOWN],
        5 => &[TOP, LEFT_UP, MIDDLE, RIGHT_DOWN, BOTTOM],
        6 => &[TOP, LEFT_UP, LEFT_DOWN, MIDDLE, RIGHT_DOWN, BOTTOM],
        7 => &[TOP, RIGHT_UP, RIGHT_DOWN],
        8 => &[TOP, MIDDLE, BOTTOM, LEFT_UP, LEFT_DOWN, RIGHT_UP, RIGHT_DOWN],
        9 => &[TOP, MIDDLE, BOTTOM, LEFT_UP, RIGHT_UP, RIGHT_DOWN],
        COLON => &[(2, 2, 1, 1), (2, 6, 1, 1)],
        _ => &[(2, 8, 1, 1)],
    }
}

/// xorshift: the same noise on each machine.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_have_the_right_size_move_and_flash_on_the_second() {
        for video in [Video::default(), Video::bench(1), Video { width: 64, height: 64, ..Video::default() }] {
            let painter = Painter::new(&video);
            let frames: Vec<Vec<u8>> = (0..video.fps + 1).map(|frame| painter.paint(frame)).collect();
            assert!(frames.iter().all(|frame| frame.len() == video.width * video.height * 3 / 2));
            assert!(frames.windows(2).all(|pair| pair[0] != pair[1]));
            let white = frames.iter().map(|frame| frame[0] == WHITE).collect::<Vec<_>>();
            assert!(white[0] && white[video.fps] && !white[video.fps / 2] && !white[video.fps - 1], "{white:?}");
        }
    }
}
