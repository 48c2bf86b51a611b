//! A map as colours over its picture, in the picture's own resolution.

use tuwen_image::{RgbImage, Window};

use crate::cividis::CIVIDIS;

/// The colour of a share from 0 to 1.
pub fn colour(share: f32) -> [u8; 3] {
    let at = (share.clamp(0.0, 1.0) * 255.0).round() as usize;
    let [_, red, green, blue] = CIVIDIS[at].to_be_bytes();
    [red, green, blue]
}

/// The least and the largest value; of equal ones, both are the same. Values that are no numbers are left out.
pub fn range(values: &[f32]) -> [f32; 2] {
    let numbers = values.iter().copied().filter(|value| value.is_finite());
    let [low, high] = numbers
        .fold([f32::INFINITY, f32::NEG_INFINITY], |[low, high], v| [low.min(v), high.max(v)]);
    if low > high { [0.0; 2] } else { [low, high] }
}

/// Where a value lies between two others, 0 where these are the same.
pub fn share(value: f32, [low, high]: [f32; 2]) -> f32 {
    if high > low { ((value - low) / (high - low)).clamp(0.0, 1.0) } else { 0.0 }
}

/// Where 0 lies between the least and the largest value: None where all are on one side of it.
pub fn zero([low, high]: [f32; 2]) -> Option<f32> {
    (low < 0.0 && high > 0.0).then(|| share(0.0, [low, high]))
}

/// A map over the square that a model sees of a picture.
#[derive(Clone, Copy, Debug)]
pub struct Map<'m> {
    /// Values along a side.
    pub across: usize,
    /// (across, across), line by line.
    pub values: &'m [f32],
    /// The square in the picture, [`tuwen_image::Preprocess::window`].
    pub window: Window,
}

impl Map<'_> {
    /// The value at a pixel of the picture, between the middles of the map's squares; None outside of what the model
    /// sees.
    pub fn at(&self, x: u32, y: u32) -> Option<f32> {
        let place = |at: u32, start: f64, length: f64| {
            let share = (f64::from(at) + 0.5 - start) / length;
            (0.0..1.0).contains(&share).then_some(share * self.across as f64 - 0.5)
        };
        let across = place(x, self.window.left, self.window.width)?;
        let down = place(y, self.window.top, self.window.height)?;
        let cut = |at: f64| {
            let at = at.clamp(0.0, self.across as f64 - 1.0);
            let first = at.floor() as usize;
            (first, (first + 1).min(self.across - 1), (at - first as f64) as f32)
        };
        let ((left, right, fx), (upper, lower, fy)) = (cut(across), cut(down));
        let line = |y: usize| {
            let row = &self.values[y * self.across..];
            row[left] * (1.0 - fx) + row[right] * fx
        };
        Some(line(upper) * (1.0 - fy) + line(lower) * fy)
    }

    /// The picture in grey under the map's colours, `opaque` of 1; what the model does not see is dark.
    pub fn over(&self, picture: &RgbImage, opaque: f32) -> RgbImage {
        let range = range(self.values);
        let mut out = picture.clone();
        for (x, y, pixel) in out.enumerate_pixels_mut() {
            let [r, g, b] = pixel.0.map(f32::from);
            let grey = 0.299 * r + 0.587 * g + 0.114 * b;
            pixel.0 = match self.at(x, y) {
                Some(value) => colour(share(value, range))
                    .map(|c| (grey * (1.0 - opaque) + f32::from(c) * opaque).round() as u8),
                None => [(grey * 0.3) as u8; 3],
            };
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tuwen_image::{Geometry, Preprocess};

    #[test]
    fn colours_go_from_dark_to_light_in_equal_steps() {
        let grey = |share: f32| {
            let [r, g, b] = colour(share).map(f32::from);
            0.299 * r + 0.587 * g + 0.114 * b
        };
        for step in 0..20 {
            let by = grey((step + 1) as f32 / 20.0) - grey(step as f32 / 20.0);
            assert!((4.0..16.0).contains(&by), "step {step}: {by}");
        }
        assert_eq!((colour(-1.0), colour(f32::NAN)), (colour(0.0), colour(0.0)));
    }

    /// Where a model cuts the sides of a wide picture off, the map lies over the middle alone.
    #[test]
    fn a_map_lies_where_the_model_looked() {
        let crop = Preprocess { geometry: Geometry::CentreCrop, ..Preprocess::squash(16) };
        let values = [0.0, 1.0, 2.0, 3.0];
        let map = Map { across: 2, values: &values, window: crop.window(300, 100) };
        assert_eq!(map.at(99, 50), None);
        assert_eq!(map.at(200, 50), None);
        assert_eq!((map.at(100, 0), map.at(199, 99)), (Some(0.0), Some(3.0)));
        let middle = map.at(149, 49).expect("inside");
        assert!((middle - 1.5).abs() < 0.05, "{middle}");
        let shown = map.over(&RgbImage::from_pixel(300, 100, [200; 3].into()), 1.0);
        assert_eq!(shown.get_pixel(10, 10).0, [60; 3]);
        assert_eq!(shown.get_pixel(100, 0).0, colour(0.0));
        assert_eq!(shown.get_pixel(199, 99).0, colour(1.0));
    }

    #[test]
    fn zero_is_marked_where_values_lie_on_both_sides_of_it() {
        assert_eq!(zero([-1.0, 3.0]), Some(0.25));
        assert_eq!((zero([0.0, 1.0]), zero([-2.0, -1.0]), zero([0.0; 2])), (None, None, None));
    }

    #[test]
    fn a_flat_map_and_no_numbers_have_a_colour() {
        let window = Preprocess::squash(16).window(8, 8);
        for values in [[2.0; 4], [f32::NAN; 4]] {
            let map = Map { across: 2, values: &values, window };
            let shown = map.over(&RgbImage::new(8, 8), 1.0);
            assert_eq!(shown.get_pixel(3, 3).0, colour(0.0));
        }
        assert_eq!(range(&[f32::NAN, 1.0, f32::INFINITY, -2.0]), [-2.0, 1.0]);
    }
}
