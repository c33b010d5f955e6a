//! The layout BEST_FIT: equal cells in rows, as many columns as show the pictures largest.

use super::{Rect, even};

/// Shape of the pictures the grid is chosen for, width to height; most cameras have it.
const PICTURE: (u64, u64) = (16, 9);

/// The cells for `count` pictures on a canvas of `width` × `height` px (even), row by row. One cell is the canvas; a last row that
/// is not full stands in the middle. No cell overlaps another.
pub fn best_fit(count: usize, width: u32, height: u32) -> Vec<Rect> {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    // of the grids with so many rows the one with the fewest columns; of grids that show pictures equally large the widest
    let full = (1..=count).filter(|columns| *columns == 1 || count.div_ceil(columns - 1) > count.div_ceil(*columns));
    let Some(columns) = full.max_by(|a, b| shown(*a, count, width, height).compare(shown(*b, count, width, height))) else {
        return Vec::new();
    };
    let rows = count.div_ceil(columns);
    let (cell_width, cell_height) = (even(width / columns), even(height / rows));
    let top = even((height - rows * cell_height) / 2);
    (0..count)
        .map(|index| {
            let (row, column) = (index / columns, index % columns);
            let in_row = columns.min(count - row * columns);
            let left = even((width - in_row * cell_width) / 2);
            Rect { x: left + column * cell_width, y: top + row * cell_height, width: cell_width, height: cell_height }
        })
        .collect()
}

/// Width of a picture in a cell, as an exact fraction: cells of different grids often show it at the same size.
#[derive(Clone, Copy)]
struct Shown {
    over: u64,
    under: u64,
}

impl Shown {
    fn compare(self, other: Shown) -> std::cmp::Ordering {
        (u128::from(self.over) * u128::from(other.under)).cmp(&(u128::from(other.over) * u128::from(self.under)))
    }
}

/// How wide a picture is shown in a grid of so many columns.
fn shown(columns: u32, count: u32, width: u32, height: u32) -> Shown {
    let (columns, rows) = (u64::from(columns), u64::from(count.div_ceil(columns)));
    let (wide, high) = PICTURE;
    let over = (u64::from(width) * high * rows).min(u64::from(height) * wide * columns);
    Shown { over, under: columns * rows * high }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rect(x: u32, y: u32, width: u32, height: u32) -> Rect {
        Rect { x, y, width, height }
    }

    #[test]
    fn known_grids() {
        let table: [(usize, u32, u32, &[Rect]); 8] = [
            (3, 1000, 200, &[rect(2, 0, 332, 200), rect(334, 0, 332, 200), rect(666, 0, 332, 200)]),
            (0, 1280, 720, &[]),
            (1, 1280, 720, &[rect(0, 0, 1280, 720)]),
            (1, 720, 1280, &[rect(0, 0, 720, 1280)]),
            (2, 1280, 720, &[rect(0, 0, 640, 720), rect(640, 0, 640, 720)]),
            (2, 720, 1280, &[rect(0, 0, 720, 640), rect(0, 640, 720, 640)]),
            (3, 1280, 720, &[rect(0, 0, 640, 360), rect(640, 0, 640, 360), rect(320, 360, 640, 360)]),
            (
                5,
                640,
                360,
                &[rect(2, 0, 212, 180), rect(214, 0, 212, 180), rect(426, 0, 212, 180), rect(108, 180, 212, 180), rect(320, 180, 212, 180)],
            ),
        ];
        for (count, width, height, expected) in table {
            assert_eq!(best_fit(count, width, height), expected, "{count} on {width}x{height}");
        }
    }

    #[test]
    fn columns_and_rows_grow_with_the_number() {
        let table = [(4, 640, 360), (6, 426, 360), (7, 426, 240), (9, 426, 240), (12, 320, 240), (16, 320, 180), (25, 256, 144)];
        for (count, width, height) in table {
            let cells = best_fit(count, 1280, 720);
            assert_eq!((cells[0].width, cells[0].height), (width, height), "{count}");
        }
    }

    proptest! {
        #[test]
        fn cells_are_equal_even_inside_and_apart(count in 1usize..65, width in 64u32..2000, height in 64u32..2000) {
            let (width, height) = (even(width), even(height));
            let cells = best_fit(count, width, height);
            prop_assert_eq!(cells.len(), count);
            prop_assert_eq!(&cells, &best_fit(count, width, height));
            for (index, cell) in cells.iter().enumerate() {
                prop_assert!(cell.x + cell.width <= width && cell.y + cell.height <= height);
                prop_assert!([cell.x, cell.y, cell.width, cell.height].iter().all(|number| number % 2 == 0));
                prop_assert_eq!((cell.width, cell.height), (cells[0].width, cells[0].height));
                for other in &cells[..index] {
                    let beside = other.x + other.width <= cell.x || cell.x + cell.width <= other.x;
                    let above = other.y + other.height <= cell.y || cell.y + cell.height <= other.y;
                    prop_assert!(beside || above, "{:?} {:?}", other, cell);
                }
            }
        }

        #[test]
        fn one_fills_the_canvas(width in 1u32..2000, height in 1u32..2000) {
            prop_assert_eq!(best_fit(1, 2 * width, 2 * height), [rect(0, 0, 2 * width, 2 * height)]);
        }
    }
}
