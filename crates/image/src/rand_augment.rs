//! RandAugment (Cubuk et al. 2020, <https://arxiv.org/abs/1909.13719>) with the operations that image-text
//! models are fine-tuned with (ALBEF, BLIP: no colour is inverted, for captions name colours),
//! <https://github.com/salesforce/ALBEF/blob/main/dataset/randaugment.py>.

use image::{Rgb, RgbImage};
use serde::{Deserialize, Serialize};

use crate::rng::Rng;

/// How many operations, and how strong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandAugment {
    /// Operations for each picture; 0 for none. ALBEF takes 2.
    pub operations: usize,
    /// From 0 to 10. ALBEF takes 7.
    pub magnitude: f32,
}

/// Grey that fills what comes from outside.
const FILL: Rgb<u8> = Rgb([128; 3]);

impl RandAugment {
    /// Varies a picture in place.
    pub fn apply(&self, picture: &mut RgbImage, rng: &mut Rng) {
        let strength = self.magnitude / 10.0;
        for _ in 0..self.operations {
            let signed = if rng.chance(0.5) { strength } else { -strength };
            match rng.below(10) {
                0 => {}
                1 => auto_contrast(picture),
                2 => equalise(picture),
                3 => brightness(picture, 0.1 + 1.8 * strength),
                4 => sharpen(picture, 0.1 + 1.8 * strength),
                // Up to 0.3, as far as the angle of 17 degrees.
                5 => affine(picture, [1.0, 0.3 * signed, 0.0, 0.0, 1.0, 0.0]),
                6 => affine(picture, [1.0, 0.0, 0.0, 0.3 * signed, 1.0, 0.0]),
                7 => shift(picture, [signed, 0.0]),
                8 => shift(picture, [0.0, signed]),
                _ => {
                    let (sin, cos) = (30.0 * signed).to_radians().sin_cos();
                    affine(picture, [cos, -sin, 0.0, sin, cos, 0.0]);
                }
            }
        }
    }
}

/// A table for each channel's values.
fn look_up(picture: &mut RgbImage, tables: &[[u8; 256]; 3]) {
    for pixel in picture.pixels_mut() {
        for (value, table) in pixel.0.iter_mut().zip(tables) {
            *value = table[usize::from(*value)];
        }
    }
}

fn histograms(picture: &RgbImage) -> [[usize; 256]; 3] {
    let mut counts = [[0; 256]; 3];
    for pixel in picture.pixels() {
        for (count, value) in counts.iter_mut().zip(pixel.0) {
            count[usize::from(value)] += 1;
        }
    }
    counts
}

/// Each channel from its darkest to its brightest value.
fn auto_contrast(picture: &mut RgbImage) {
    let tables = histograms(picture).map(|counts| {
        let low = counts.iter().position(|&n| n > 0).unwrap_or(0);
        let high = counts.iter().rposition(|&n| n > 0).unwrap_or(255);
        std::array::from_fn(|value| match high > low {
            true => (value.saturating_sub(low) * 255 / (high - low)).min(255) as u8,
            false => value as u8,
        })
    });
    look_up(picture, &tables);
}

/// Each channel's values equally often.
fn equalise(picture: &mut RgbImage) {
    let tables = histograms(picture).map(|counts| {
        let last = counts.iter().rposition(|&n| n > 0).map_or(0, |at| counts[at]);
        let step = (counts.iter().sum::<usize>() - last) / 255;
        let mut before = step / 2;
        let mut table: [u8; 256] = std::array::from_fn(|value| value as u8);
        for (entry, count) in table.iter_mut().zip(counts) {
            // With fewer pixels than values the table stays.
            *entry = before.checked_div(step).map_or(*entry, |value| value.min(255) as u8);
            before += count;
        }
        table
    });
    look_up(picture, &tables);
}

fn brightness(picture: &mut RgbImage, factor: f32) {
    let table = std::array::from_fn(|value| (value as f32 * factor).clamp(0.0, 255.0) as u8);
    look_up(picture, &[table; 3]);
}

/// Away from (above 1) or towards a smoothed copy; the edge stays.
fn sharpen(picture: &mut RgbImage, factor: f32) {
    let old = picture.clone();
    let (width, height) = old.dimensions();
    for y in 1..height.saturating_sub(1) {
        for x in 1..width.saturating_sub(1) {
            for channel in 0..3 {
                let at =
                    |dx: u32, dy: u32| f32::from(old.get_pixel(x + dx - 1, y + dy - 1).0[channel]);
                let around: f32 = (0..9).map(|i| at(i % 3, i / 3)).sum();
                let smooth = (around + 4.0 * at(1, 1)) / 13.0;
                let value = smooth + factor * (at(1, 1) - smooth);
                picture.get_pixel_mut(x, y).0[channel] = value.clamp(0.0, 255.0) as u8;
            }
        }
    }
}

/// By a share of the side, of up to a tenth.
fn shift(picture: &mut RgbImage, by: [f32; 2]) {
    let (width, height) = picture.dimensions();
    let [x, y] = [by[0] * 0.1 * width as f32, by[1] * 0.1 * height as f32];
    affine(picture, [1.0, 0.0, x, 0.0, 1.0, y]);
}

/// Each pixel from where the matrix, around the middle, says; between pixels the nearest.
fn affine(picture: &mut RgbImage, matrix: [f32; 6]) {
    let old = picture.clone();
    let (width, height) = old.dimensions();
    let middle = [(width as f32 - 1.0) / 2.0, (height as f32 - 1.0) / 2.0];
    for (x, y, pixel) in picture.enumerate_pixels_mut() {
        let [dx, dy] = [x as f32 - middle[0], y as f32 - middle[1]];
        let from_x = matrix[0] * dx + matrix[1] * dy + matrix[2] + middle[0];
        let from_y = matrix[3] * dx + matrix[4] * dy + matrix[5] + middle[1];
        let (from_x, from_y) = (from_x.round(), from_y.round());
        let inside =
            from_x >= 0.0 && from_y >= 0.0 && from_x < width as f32 && from_y < height as f32;
        *pixel = if inside { *old.get_pixel(from_x as u32, from_y as u32) } else { FILL };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> RgbImage {
        RgbImage::from_fn(20, 20, |x, y| Rgb([(60 + x * 3) as u8, (80 + y * 2) as u8, 100]))
    }

    #[test]
    fn contrast_spreads_and_equalising_flattens() {
        let mut spread = picture();
        auto_contrast(&mut spread);
        let reds: Vec<u8> = spread.pixels().map(|pixel| pixel.0[0]).collect();
        assert_eq!((reds.iter().min(), reds.iter().max()), (Some(&0), Some(&255)));
        assert!(spread.pixels().all(|pixel| pixel.0[2] == 100), "one value stays");
        let mut flat = RgbImage::from_fn(100, 100, |x, y| *picture().get_pixel(x / 5, y / 5));
        equalise(&mut flat);
        let steps: Vec<u8> = (0..20).map(|x| flat.get_pixel(5 * x, 0).0[0]).collect();
        assert!(steps.windows(2).all(|pair| (12..=14).contains(&(pair[1] - pair[0]))), "{steps:?}");
    }

    #[test]
    fn shapes_move_and_the_rest_is_grey() {
        let mut moved = picture();
        affine(&mut moved, [1.0, 0.0, 5.0, 0.0, 1.0, 0.0]);
        assert_eq!(moved.get_pixel(0, 3), picture().get_pixel(5, 3));
        assert_eq!(moved.get_pixel(19, 3), &FILL);
        let mut turned = picture();
        affine(&mut turned, [0.0, -1.0, 0.0, 1.0, 0.0, 0.0]);
        assert_eq!(turned.get_pixel(0, 0), picture().get_pixel(19, 0), "a quarter turn");
        let mut same = picture();
        sharpen(&mut same, 1.0);
        assert_eq!(same, picture());
    }

    #[test]
    fn every_operation_happens_and_the_seed_decides() {
        let augment = RandAugment { operations: 2, magnitude: 7.0 };
        let vary = |seed| {
            let mut picture = picture();
            augment.apply(&mut picture, &mut Rng::new(&[seed]));
            picture
        };
        assert_eq!(vary(4), vary(4));
        let different = (0..50).filter(|&seed| vary(seed) != picture()).count();
        assert!(different > 40, "{different} of 50");
    }
}
