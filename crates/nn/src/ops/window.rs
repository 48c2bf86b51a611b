//! Which pixels of a square each pixel of a result is made of: that of a convolution's kernel, or of a pooling.

use std::ops::Range;

/// A rectangle that moves over a square of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its rows and columns.
    pub kernel: [usize; 2],
    /// Pixels from one place to the next, in both directions.
    pub stride: usize,
    /// What lies around the square.
    pub padding: Padding,
}

/// What lies around a square of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// So many rows above and below, and columns left and right.
    Around([usize; 2]),
    /// As many as make the result as large as the square divided by the stride; an odd one lies below and to the
    /// right (TensorFlow's `SAME`).
    Same,
}

/// One row of pixels of one of the pictures.
#[derive(Clone, Copy)]
pub(super) struct Line {
    pub(super) picture: usize,
    pub(super) row: usize,
}

/// One row of a window at one place.
pub(super) struct Segment {
    /// How many of its pixels lie before the square.
    pub(super) before: usize,
    /// Those that lie in it, among the pixels of all pictures.
    pub(super) pixels: Range<usize>,
    /// How many lie behind it.
    pub(super) behind: usize,
}

impl Window {
    /// A square of an odd side around each pixel.
    pub fn around(side: usize, stride: usize) -> Self {
        Self { kernel: [side; 2], stride, padding: Padding::Around([side / 2; 2]) }
    }

    /// Side of the result of a square.
    ///
    /// # Panics
    /// Where it is no square, the window does not fit, or could lie beside the square.
    pub fn side_of(&self, side: usize) -> usize {
        match self.padding {
            Padding::Same => side.div_ceil(self.stride),
            Padding::Around(around) => {
                let along = |axis: usize| {
                    let whole = side + 2 * around[axis];
                    let fits = whole >= self.kernel[axis] && around[axis] < self.kernel[axis];
                    assert!(fits, "a window of {:?} on {side} pixels", self.kernel);
                    (whole - self.kernel[axis]) / self.stride + 1
                };
                assert_eq!(along(0), along(1), "a square of results");
                along(0)
            }
        }
    }

    /// Whether each pixel of the result is made of the one at its place.
    pub(super) fn is_pixel(&self) -> bool {
        self.kernel == [1, 1] && self.stride == 1
    }

    /// How many pixels it has.
    pub(super) fn area(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// The lines of the results of pictures.
    pub(super) fn lines(&self, pictures: usize, side: usize) -> Vec<Line> {
        let rows = self.side_of(side);
        (0..pictures).flat_map(|picture| (0..rows).map(move |row| Line { picture, row })).collect()
    }

    /// Tells for each pixel of some lines of the result, and for each row of the window at its place, which pixels of
    /// the square these are.
    pub(super) fn each(&self, side: usize, lines: &[Line], mut tell: impl FnMut(Segment)) {
        let [rows, columns] = self.kernel;
        let [above, left] = self.first(side);
        for &Line { picture, row } in lines {
            for column in 0..self.side_of(side) {
                let start = column * self.stride;
                // Places in the square with its border, which begins `left` before it.
                let inside =
                    start.clamp(left, left + side)..(start + columns).clamp(left, left + side);
                for y in row * self.stride..row * self.stride + rows {
                    if !(above..above + side).contains(&y) {
                        tell(Segment { before: columns, pixels: 0..0, behind: 0 });
                        continue;
                    }
                    let line = (picture * side + y - above) * side;
                    tell(Segment {
                        before: inside.start - start.min(inside.start),
                        pixels: line + inside.start - left..line + inside.end - left,
                        behind: (start + columns) - inside.end.max(start),
                    });
                }
            }
        }
    }

    /// Rows and columns of the border before the square.
    fn first(&self, side: usize) -> [usize; 2] {
        match self.padding {
            Padding::Around(around) => around,
            Padding::Same => self.kernel.map(|kernel| {
                let covered = (side.div_ceil(self.stride) - 1) * self.stride + kernel;
                covered.saturating_sub(side) / 2
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a window of one place after the other sees of the line 1, 2, 3, …, with 0 around.
    fn seen(window: Window, side: usize) -> Vec<Vec<usize>> {
        let mut found = Vec::new();
        window.each(side, &[Line { picture: 0, row: 0 }], |segment| {
            let mut row = vec![0; segment.before];
            row.extend(segment.pixels.map(|at| at + 1));
            row.resize(row.len() + segment.behind, 0);
            found.push(row);
        });
        found
    }

    #[test]
    fn a_window_sees_zeros_around_the_square() {
        let three = Window { kernel: [1, 3], stride: 1, padding: Padding::Around([0, 1]) };
        assert_eq!(seen(three, 3), [[0, 1, 2], [1, 2, 3], [2, 3, 0]]);
        let wide = Window { kernel: [1, 5], stride: 1, padding: Padding::Around([0, 2]) };
        assert_eq!(seen(wide, 2), [[0, 0, 1, 2, 0], [0, 1, 2, 0, 0]]);
        // The rows above the first one are outside.
        let square = Window::around(3, 2);
        assert_eq!(square.side_of(4), 2);
        assert_eq!(seen(square, 4)[..3], [[0, 0, 0], [0, 1, 2], [0, 5, 6]]);
    }

    #[test]
    fn the_odd_zero_of_tensorflow_lies_behind() {
        let same =
            |kernel: usize, stride| Window { kernel: [1, kernel], stride, padding: Padding::Same };
        assert_eq!(seen(same(3, 2), 4), [[1, 2, 3], [3, 4, 0]]);
        assert_eq!(seen(same(3, 2), 5), [[0, 1, 2], [2, 3, 4], [4, 5, 0]]);
        assert_eq!(seen(same(1, 2), 5), [[1], [3], [5]]);
        assert_eq!(same(5, 2).side_of(7), 4);
    }
}
