//! Random variations of a picture for training: crop and resize, flip, colour jitter, RandAugment, erasing.

use image::RgbImage;
use image::imageops::flip_horizontal_in_place;
use serde::{Deserialize, Serialize};

use super::{Picture, Preprocess, RandAugment};
use crate::rng::Rng;

/// What may vary. The defaults vary nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Augment {
    /// Smallest share of the area a random crop keeps; 0 switches cropping off.
    pub crop_scale: f32,
    /// How much wider or higher than the picture a crop may be: 1 for not at all; 0 stands for 4/3.
    pub crop_ratio: f32,
    /// Probability of mirroring left and right.
    pub flip: f32,
    /// Largest relative change of brightness, contrast and saturation, such as 0.3.
    pub colour: f32,
    /// Random operations behind these.
    pub rand_augment: RandAugment,
    /// Probability that a rectangle of 2% to 33% of the picture becomes noise (Zhong et al. 2020,
    /// <https://arxiv.org/abs/1708.04896>).
    pub erase: f32,
}

impl Augment {
    /// A varied R x R picture, the same for the same state of `rng`.
    pub fn apply(&self, picture: &Picture, preprocess: &Preprocess, rng: &mut Rng) -> RgbImage {
        let mut out = if self.crop_scale > 0.0 {
            let ratio = if self.crop_ratio == 0.0 { 4.0 / 3.0 } else { self.crop_ratio };
            random_resized_crop(picture, self.crop_scale, ratio, preprocess, rng)
        } else {
            preprocess.fit(picture)
        };
        if rng.chance(self.flip) {
            flip_horizontal_in_place(&mut out);
        }
        if self.colour > 0.0 {
            let mut factor = || rng.range(1.0 - self.colour, 1.0 + self.colour);
            jitter(&mut out, factor(), factor(), factor());
        }
        self.rand_augment.apply(&mut out, rng);
        if self.erase > 0.0 && rng.chance(self.erase) {
            erase(&mut out, rng);
        }
        out
    }
}

/// A rectangle of noise, its aspect between 0.3 and 3.3.
fn erase(picture: &mut RgbImage, rng: &mut Rng) {
    let (width, height) = picture.dimensions();
    for _ in 0..10 {
        let area = (width * height) as f32 * rng.range(0.02, 0.33);
        let aspect = rng.range(0.3f32.ln(), 3.3f32.ln()).exp();
        let w = (area * aspect).sqrt().round() as u32;
        let h = (area / aspect).sqrt().round() as u32;
        if (1..width).contains(&w) && (1..height).contains(&h) {
            let left = rng.below((width - w + 1) as usize) as u32;
            let top = rng.below((height - h + 1) as usize) as u32;
            for y in top..top + h {
                for x in left..left + w {
                    picture.get_pixel_mut(x, y).0 = [(); 3].map(|()| rng.below(256) as u8);
                }
            }
            return;
        }
    }
}

/// torchvision's `RandomResizedCrop`: ten tries at an area and an aspect.
fn random_resized_crop(
    picture: &Picture,
    smallest: f32,
    ratio: f32,
    preprocess: &Preprocess,
    rng: &mut Rng,
) -> RgbImage {
    let (width, height) = picture.dimensions();
    let area = width as f32 * height as f32;
    for _ in 0..10 {
        let target = area * rng.range(smallest, 1.0);
        let aspect = rng.range(-ratio.ln(), ratio.ln()).exp();
        let w = (target * aspect).sqrt().round() as u32;
        let h = (target / aspect).sqrt().round() as u32;
        if (1..=width).contains(&w) && (1..=height).contains(&h) {
            let left = rng.below((width - w + 1) as usize) as u32;
            let top = rng.below((height - h + 1) as usize) as u32;
            return preprocess.fit_part(picture, [left, top, w, h]);
        }
    }
    preprocess.fit(picture)
}

/// Brightness multiplies, contrast moves away from the mean grey, saturation from each pixel's.
fn jitter(picture: &mut RgbImage, brightness: f32, contrast: f32, saturation: f32) {
    let grey =
        |p: &[u8]| 0.299 * f32::from(p[0]) + 0.587 * f32::from(p[1]) + 0.114 * f32::from(p[2]);
    let samples = picture.as_flat_samples_mut().samples;
    let total: f64 = samples.chunks_exact(3).map(|p| f64::from(grey(p))).sum();
    let mean = brightness * (total / (samples.len() / 3) as f64) as f32;
    for pixel in samples.chunks_exact_mut(3) {
        let own = grey(pixel) * brightness;
        for value in pixel {
            let saturated = own + saturation * (f32::from(*value) * brightness - own);
            *value = (mean + contrast * (saturated - mean)).round().clamp(0.0, 255.0) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn same_stream_same_picture_and_other_stream_another() {
        let picture = RgbImage::from_fn(64, 48, |x, y| Rgb([x as u8 * 3, y as u8 * 5, 90]));
        let picture = Picture::Rgb(picture);
        let preprocess = Preprocess::squash(32);
        let augment =
            Augment { crop_scale: 0.5, flip: 0.5, colour: 0.3, erase: 0.5, ..Augment::default() };
        let vary = |seed| augment.apply(&picture, &preprocess, &mut Rng::new(&[seed]));
        assert_eq!(vary(1), vary(1));
        assert_ne!(vary(1), vary(2));
        assert_eq!(
            Augment::default().apply(&picture, &preprocess, &mut Rng::new(&[1])),
            preprocess.fit(&picture)
        );
    }
}
