//! Each word with each part, where a method says so: a row for each word, the picture's lines one behind the other.

use tuwen_explain::Explanation;
use tuwen_explain::faithful::resized;
use tuwen_explain::render::{colour, range, share};
use tuwen_image::RgbImage;

/// Pixels of a part, at least.
const LEAST: u32 = 2;
/// Between two lines of the picture.
const GAP: u32 = 3;

/// The matrix without its words.
pub struct Matrix {
    /// Rows of `row` pixels, the last of them white.
    pub picture: RgbImage,
    /// Parts along a side of the picture: fewer than the map has where there is no room for all.
    across: usize,
    ends: [f32; 2],
}

impl Matrix {
    /// `width` pixels wide; None where the method says nothing of words and parts.
    pub fn drawn(found: &Explanation, width: u32, row: u32) -> Option<Self> {
        let parts = found.across * found.across;
        let pairs = found.pairs.as_deref().filter(|pairs| !pairs.is_empty() && parts > 0)?;
        let needed = |across: &usize| {
            let across = *across as u32;
            across * across * LEAST + (across - 1) * GAP
        };
        let across = (1..=found.across).rev().find(|across| needed(across) <= width).unwrap_or(1);
        let rows: Vec<Vec<f32>> =
            pairs.chunks_exact(parts).map(|own| resized(own, found.across, across)).collect();
        let ends = range(&rows.concat());
        let line = (width - (across as u32 - 1) * GAP) as f32 / across as f32;
        let part = |x: u32| {
            let at = (x as f32 / (line + GAP as f32)) as usize;
            let inside = x as f32 - at as f32 * (line + GAP as f32);
            (inside < line).then(|| at * across + (inside / line * across as f32) as usize)
        };
        let parts: Vec<Option<usize>> = (0..width).map(part).collect();
        let picture = RgbImage::from_fn(width, row * rows.len() as u32, |x, y| {
            match parts[x as usize].filter(|_| y % row + 1 < row) {
                Some(part) => colour(share(rows[(y / row) as usize][part], ends)).into(),
                None => [255; 3].into(),
            }
        });
        Some(Self { picture, across, ends })
    }

    /// What its colours and columns are.
    pub fn legend(&self) -> String {
        let [low, high] = self.ends;
        format!(
            "Each word with each of {0} x {0} parts, the picture's {0} lines one behind the other, from {low:.4} (dark) to \
             {high:.4} (bright):",
            self.across
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tuwen_explain::Method;

    fn found(across: usize, pairs: Option<Vec<f32>>) -> Explanation {
        Explanation {
            method: Method::Fixlip,
            words_by: Method::Fixlip,
            score: 0.0,
            across,
            map: vec![0.0; across * across],
            words: Vec::new(),
            pairs,
            r2: None,
            r2_left_out: None,
            calls: [0; 2],
            notes: Vec::new(),
        }
    }

    #[test]
    fn a_row_is_a_word_and_lines_of_the_picture_stand_apart() {
        let pairs = vec![0.0, 1.0, 2.0, 3.0, 3.0, 2.0, 1.0, 0.0];
        let matrix = Matrix::drawn(&found(2, Some(pairs)), 43, 5).expect("a matrix");
        assert_eq!(matrix.picture.dimensions(), (43, 10));
        let at = |x, y| matrix.picture.get_pixel(x, y).0;
        let of = |value: f32| colour(value / 3.0);
        assert_eq!([at(0, 0), at(19, 0), at(23, 0), at(42, 3)], [0.0, 1.0, 2.0, 3.0].map(of));
        assert_eq!([at(0, 5), at(42, 8)], [3.0, 0.0].map(of));
        assert_eq!([at(20, 0), at(22, 3), at(0, 4), at(42, 9)], [[255; 3]; 4]);
        assert!(matrix.legend().contains("2 x 2 parts") && matrix.legend().contains("3.0000"));
    }

    /// 14 x 14 parts are 392 pixels and more.
    #[test]
    fn where_there_is_no_room_parts_are_put_together() {
        let pairs: Vec<f32> = (0..196).map(|part| (part % 14) as f32).collect();
        let matrix = Matrix::drawn(&found(14, Some(pairs)), 240, 5).expect("a matrix");
        assert!(matrix.legend().contains("10 x 10"), "{}", matrix.legend());
        assert!(Matrix::drawn(&found(3, None), 240, 5).is_none());
    }
}
