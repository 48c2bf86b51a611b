//! Encoded bytes to an upright 8-bit picture. The format is recognised by content, never by extension.

use std::io::Cursor;
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, RgbImage};

use super::Picture;
use crate::{Error, Result};

/// How large a picture may be before it is refused: a few kilobytes can claim gigabytes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest width x height.
    pub pixels: u64,
    /// Largest encoded file.
    pub bytes: u64,
}

impl Default for Limits {
    /// 100 megapixels, 256 MiB.
    fn default() -> Self {
        Self { pixels: 100_000_000, bytes: 256 << 20 }
    }
}

/// Reads and decodes one file.
///
/// # Errors
/// The file cannot be read, is larger than `limits.bytes`, or [`decode`] refuses it.
pub fn decode_file(path: &Path, limits: Limits) -> Result<Picture> {
    let bytes = std::fs::metadata(path).map_err(|e| Error::io(path, e))?.len();
    if bytes > limits.bytes {
        return Err(Error::TooManyBytes { bytes, limit: limits.bytes });
    }
    decode(&std::fs::read(path).map_err(|e| Error::io(path, e))?, limits)
}

/// Decodes JPEG, PNG, WebP, GIF (first frame), BMP or TIFF: EXIF orientation applied, CMYK, 16-bit
/// and grey converted.
///
/// # Errors
/// Empty, unknown, corrupt or truncated bytes, or a header beyond `limits`.
pub fn decode(bytes: &[u8], limits: Limits) -> Result<Picture> {
    if bytes.is_empty() {
        return Err(Error::Picture("the file is empty".into()));
    }
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|e| Error::Picture(e.to_string()))?;
    let Some(format) = reader.format() else {
        return Err(Error::Picture(
            "unknown format; JPEG, PNG, WebP, GIF, BMP and TIFF are read".into(),
        ));
    };
    if format == ImageFormat::Jpeg && !jpeg_is_complete(bytes) {
        return Err(Error::Picture("the JPEG is truncated: its end marker is missing".into()));
    }
    let mut allocation = image::Limits::default();
    // 8 bytes a pixel is the widest decoder output (RGBA, 16 bits); as much again for its buffers.
    allocation.max_alloc = Some(limits.pixels.saturating_mul(16));
    reader.limits(allocation);
    let picture = |e: image::ImageError| Error::Picture(format!("{format:?}: {e}"));
    let mut decoder = reader.into_decoder().map_err(picture)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > limits.pixels {
        return Err(Error::TooManyPixels { width, height, limit: limits.pixels });
    }
    if width == 0 || height == 0 {
        return Err(Error::Picture(format!("a picture of {width}x{height} has no pixels")));
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut decoded = DynamicImage::from_decoder(decoder).map_err(picture)?;
    decoded.apply_orientation(orientation);
    Ok(if is_indexed(format, bytes) {
        Picture::Palette(decoded.into_rgba8())
    } else if decoded.color().has_alpha() {
        Picture::Rgba(decoded.into_rgba8())
    } else {
        Picture::Rgb(decoded.into_rgb8())
    })
}

/// Encodes a picture as JPEG.
///
/// # Panics
/// When a side is beyond 65,535 pixels.
pub fn encode_jpeg(picture: &RgbImage, quality: u8) -> Vec<u8> {
    let mut out = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut out, quality);
    picture.write_with_encoder(encoder).expect("an RGB picture of a legal size, into memory");
    out
}

/// Whether the file has a palette or one bit for each pixel, as Pillow sees it: a palette that is
/// the greys in their order counts as grey.
fn is_indexed(format: ImageFormat, bytes: &[u8]) -> bool {
    let byte = |at: usize| bytes.get(at).copied().unwrap_or(0);
    match format {
        // IHDR: bit depth, colour type.
        ImageFormat::Png => byte(25) == 3 || (byte(25) == 0 && byte(24) == 1),
        ImageFormat::Gif => {
            let entries = 2usize << (byte(10) & 7);
            byte(10) & 0x80 == 0 || !is_grey_ramp(bytes, 13, entries, 3)
        }
        ImageFormat::Bmp => {
            let bits = byte(28);
            let used = [46, 47, 48, 49].map(byte);
            let entries = match u32::from_le_bytes(used) as usize {
                0 => 1usize << bits.min(8),
                used => used,
            };
            bits == 1 || (bits <= 8 && !is_grey_ramp(bytes, 14 + usize::from(byte(14)), entries, 4))
        }
        ImageFormat::Tiff => super::tiff::is_indexed(bytes),
        _ => false,
    }
}

/// Whether the entries of a colour table, `step` bytes each, are (0, 0, 0), (1, 1, 1), …
fn is_grey_ramp(bytes: &[u8], start: usize, entries: usize, step: usize) -> bool {
    let table = bytes.get(start..).unwrap_or(&[]).chunks_exact(step).take(entries);
    let mut colours = table.enumerate();
    colours.all(|(index, colour)| colour[..3].iter().all(|&c| usize::from(c) == index))
}

/// Whether the end marker FFD9 follows the first scan. The decoder is lenient and would fill the
/// missing part with grey; inside a scan FF is always escaped, so the marker cannot be data.
fn jpeg_is_complete(bytes: &[u8]) -> bool {
    let mut at = 2;
    while at + 4 <= bytes.len() {
        if bytes[at] != 0xff {
            return false;
        }
        match bytes[at + 1] {
            0xff => at += 1,
            0xda => return bytes[at..].windows(2).any(|pair| pair == [0xff, 0xd9]),
            0x01 | 0xd0..=0xd8 => at += 2,
            _ => at += 2 + usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]])),
        }
    }
    false
}
