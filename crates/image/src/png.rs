//! Pictures as PNG.

use std::io::Cursor;

use image::{ImageFormat, RgbImage};

/// A picture as the bytes of a PNG.
pub fn encode_png(picture: &RgbImage) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    picture.write_to(&mut out, ImageFormat::Png).expect("an RGB picture, into memory");
    out.into_inner()
}
