//! JPEG with fewer pixels: where a model takes few, the cosine transform gives each 8 x 8 as 4 x 4, 2 x 2 or one,
//! without the others. That is faster, and not quite what Pillow's resize makes of all of them.

use image::{DynamicImage, GrayImage, RgbImage};
use jpeg_decoder::{Decoder, PixelFormat};

use super::Preprocess;

/// How a picture's pixels are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Decoding {
    /// All of them, as Pillow does.
    #[default]
    Exact,
    /// Of a JPEG no more than a multiple of what the model takes.
    Reduced,
}

/// Along each side at least so many times the pixels that the model takes are decoded.
const MARGIN: f64 = 2.0;
/// Parts of a side that can be had.
const PARTS: [u32; 3] = [8, 4, 2];

/// By how much the sides of a picture of `width` x `height` may be divided for a model.
pub(super) fn divisor(preprocess: &Preprocess, width: u32, height: u32) -> u32 {
    let window = preprocess.window(width, height);
    let shrinks = window.width.min(window.height) / f64::from(preprocess.size);
    PARTS.into_iter().find(|&part| shrinks >= MARGIN * f64::from(part)).unwrap_or(1)
}

/// A JPEG of `width` x `height` with its sides divided; nothing where that cannot be had, for all pixels to be decoded.
pub(super) fn jpeg(bytes: &[u8], width: u32, height: u32, divisor: u32) -> Option<DynamicImage> {
    let side = |all: u32| u16::try_from(all.div_ceil(divisor)).ok();
    let mut decoder = Decoder::new(bytes);
    // It divides by no more than leaves what is asked for.
    let (width, height) = decoder.scale(side(width)?, side(height)?).ok()?;
    let pixels = decoder.decode().ok()?;
    let (width, height) = (u32::from(width), u32::from(height));
    match decoder.info()?.pixel_format {
        PixelFormat::RGB24 => RgbImage::from_raw(width, height, pixels).map(Into::into),
        PixelFormat::L8 => GrayImage::from_raw(width, height, pixels).map(Into::into),
        _ => None,
    }
}
