//! A picture in its cell: as large as it fits, its shape kept, in the middle.

use super::{Rect, even};

/// Smallest side of a picture in px.
const SMALLEST: u32 = 2;

/// Where a picture of `width` × `height` (any unit, only its shape matters) is in `cell`. It has the cell's full width or its
/// full height. A picture without a shape fills the cell.
pub fn letterbox(width: u32, height: u32, cell: Rect) -> Rect {
    if width == 0 || height == 0 {
        return cell;
    }
    let wider = u64::from(width) * u64::from(cell.height) >= u64::from(height) * u64::from(cell.width);
    let (shown_width, shown_height) = match wider {
        true => (cell.width, side(cell.width, height, width, cell.height)),
        false => (side(cell.height, width, height, cell.width), cell.height),
    };
    Rect {
        x: cell.x + even((cell.width - shown_width) / 2),
        y: cell.y + even((cell.height - shown_height) / 2),
        width: shown_width,
        height: shown_height,
    }
}

/// `full * over / under`, to the nearest even number that is no longer than `limit`.
fn side(full: u32, over: u32, under: u32, limit: u32) -> u32 {
    let halves = (u64::from(full) * u64::from(over) + u64::from(under)) / (2 * u64::from(under));
    u32::try_from(2 * halves).unwrap_or(u32::MAX).max(SMALLEST).min(limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_pictures() {
        let cell = Rect { x: 640, y: 0, width: 640, height: 720 };
        let table = [
            (1280, 720, (640, 180, 640, 360)),
            (640, 720, (640, 0, 640, 720)),
            (640, 480, (640, 120, 640, 480)),
            (720, 1280, (756, 0, 406, 720)),
            (1, 10_000, (958, 0, 2, 720)),
            (10_000, 1, (640, 358, 640, 2)),
            (0, 9, (640, 0, 640, 720)),
        ];
        for (width, height, (x, y, shown_width, shown_height)) in table {
            assert_eq!(letterbox(width, height, cell), Rect { x, y, width: shown_width, height: shown_height }, "{width}x{height}");
        }
    }

    proptest! {
        #[test]
        fn it_is_inside_even_and_fills_one_direction(width: u16, height: u16, x in 0u32..500, y in 0u32..500, w in 1u32..1000, h in 1u32..1000) {
            let cell = Rect { x: 2 * x, y: 2 * y, width: 2 * w, height: 2 * h };
            let shown = letterbox(width.into(), height.into(), cell);
            prop_assert!(shown.x >= cell.x && shown.y >= cell.y);
            prop_assert!(shown.x + shown.width <= cell.x + cell.width && shown.y + shown.height <= cell.y + cell.height);
            prop_assert!(shown.width == cell.width || shown.height == cell.height);
            prop_assert!([shown.x, shown.y, shown.width, shown.height].iter().all(|number| number % 2 == 0));
            if width > 0 && height > 0 && shown.width > 2 && shown.height > 2 {
                let (width, height) = (f64::from(width), f64::from(height));
                // Rounding may let the picture touch all four sides: then only the side that was rounded is near its exact length.
                let height_off = f64::from(shown.width) * height / width - f64::from(shown.height);
                let width_off = f64::from(shown.height) * width / height - f64::from(shown.width);
                let off = match (shown.width == cell.width, shown.height == cell.height) {
                    (true, false) => height_off.abs(),
                    (false, true) => width_off.abs(),
                    _ => height_off.abs().min(width_off.abs()),
                };
                prop_assert!(off <= 1.001, "{} px off", off);
            }
        }
    }
}
