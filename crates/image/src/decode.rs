//! Encoded bytes to an upright 8-bit picture. The format is recognised by content, never by extension.

use std::borrow::Cow;
use std::io::{Cursor, Read};
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, RgbImage};

use super::budget::{Permit, permit};
use super::reduced::{self, Decoding};
use super::{FileType, Picture, Preprocess, avif, clean, file_type, tiff};
use tuwen_files::error::PICTURES;
use tuwen_files::{Error, Result, file};

/// Longest side, more than any JPEG has: a line of so many pixels becomes as many rows of a model's width while it is
/// resized.
const SIDE: u32 = 1 << 16;

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

impl Limits {
    /// Refuses a picture beyond them, and one without pixels.
    pub(super) fn check(self, width: u32, height: u32) -> Result<()> {
        if width.max(height) > SIDE {
            return Err(Error::TooLong { width, height, limit: SIDE });
        }
        if u64::from(width) * u64::from(height) > self.pixels {
            return Err(Error::TooManyPixels { width, height, limit: self.pixels });
        }
        if width == 0 || height == 0 {
            return Err(Error::Picture(format!("a picture of {width}x{height} has no pixels")));
        }
        Ok(())
    }
}

/// Reads the bytes of a picture's file.
///
/// # Errors
/// It is no regular file, cannot be read, or is larger than `limits.bytes`.
pub fn read_file(path: &Path, limits: Limits) -> Result<Vec<u8>> {
    let file = file::open(path)?;
    let size = file.metadata().map_err(|e| Error::io(path, e))?.len();
    let mut bytes = Vec::new();
    if size <= limits.bytes {
        // A file that grows meanwhile is read up to the limit.
        let mut file = file.take(limits.bytes + 1);
        file.read_to_end(&mut bytes).map_err(|e| Error::io(path, e))?;
    }
    match size.max(bytes.len() as u64) {
        bytes if bytes > limits.bytes => Err(Error::TooManyBytes { bytes, limit: limits.bytes }),
        _ => Ok(bytes),
    }
}

/// Reads and decodes one file.
///
/// # Errors
/// As [`read_file`] and [`decode`].
pub fn decode_file(path: &Path, limits: Limits) -> Result<Picture> {
    decode(&read_file(path, limits)?, limits)
}

/// Decodes JPEG, PNG, WebP, GIF (first frame), BMP, TIFF or AVIF: EXIF orientation applied, CMYK,
/// 16-bit and grey converted.
///
/// # Errors
/// Empty, unknown, corrupt or truncated bytes, a format that is not read, or a header beyond `limits`.
///
/// # Examples
/// ```
/// use tuwen_image::{Limits, Preprocess, RgbImage, decode, encode_png};
///
/// let file = encode_png(&RgbImage::new(64, 48));
/// let picture = decode(&file, Limits::default())?;
/// assert_eq!(picture.dimensions(), (64, 48));
/// let square = Preprocess::squash(32).fit(&picture);
/// assert_eq!(square.dimensions(), (32, 32));
/// # Ok::<(), tuwen_files::Error>(())
/// ```
pub fn decode(bytes: &[u8], limits: Limits) -> Result<Picture> {
    Ok(decode_within_budget(bytes, limits, None)?.0.picture)
}

/// Decodes and hands the picture over while its part of the memory budget is held: for many pictures on
/// many threads. `then` must neither decode another picture nor run work on other threads.
///
/// # Errors
/// As [`decode`].
pub fn decode_then<T>(bytes: &[u8], limits: Limits, then: impl FnOnce(Picture) -> T) -> Result<T> {
    let (Decoded { picture, .. }, permit) = decode_within_budget(bytes, limits, None)?;
    let value = then(picture);
    drop(permit);
    Ok(value)
}

/// A picture, and how large its file says that it is.
pub struct Decoded {
    /// The pixels, upright.
    pub picture: Picture,
    /// Width and height of the file's picture, upright: of `picture` as well where all pixels were decoded.
    pub size: (u32, u32),
}

/// As [`decode_then`], for a model that may do with fewer pixels.
///
/// # Errors
/// As [`decode`].
pub fn decode_for<T>(
    bytes: &[u8],
    limits: Limits,
    preprocess: &Preprocess,
    decoding: Decoding,
    then: impl FnOnce(Decoded) -> T,
) -> Result<T> {
    let preprocess = Some(preprocess).filter(|_| decoding == Decoding::Reduced);
    let (decoded, permit) = decode_within_budget(bytes, limits, preprocess)?;
    let value = then(decoded);
    drop(permit);
    Ok(value)
}

/// `reduced_for` is whom fewer pixels are enough for.
fn decode_within_budget(
    bytes: &[u8],
    limits: Limits,
    reduced_for: Option<&Preprocess>,
) -> Result<(Decoded, Permit)> {
    if bytes.is_empty() {
        return Err(Error::Picture("the file is empty".into()));
    }
    match file_type(bytes) {
        FileType::Unsupported(kind) => return Err(Error::Unsupported { kind }),
        FileType::Picture if avif::is_avif(bytes) => {
            let (picture, permit) = avif::decode(bytes, limits)?;
            return Ok((Decoded { size: picture.dimensions(), picture }, permit));
        }
        _ => {}
    }
    let Ok(format) = image::guess_format(bytes) else {
        return Err(Error::Picture(format!("unknown format; {PICTURES} are read")));
    };
    let bytes = match format {
        ImageFormat::Jpeg => clean::jpeg(bytes).map_err(|what| Error::Picture(what.into()))?,
        ImageFormat::Png => clean::png(bytes),
        _ => Cow::Borrowed(bytes),
    };
    let picture = |e: image::ImageError| Error::Picture(format!("{format:?}: {e}"));
    if let Some((width, height)) = claimed(format, &bytes) {
        limits.check(width, height)?;
    }
    let mut reader = ImageReader::with_format(Cursor::new(&*bytes), format);
    reader.limits(allocation(limits.bytes));
    let mut decoder = reader.into_decoder().map_err(picture)?;
    let (width, height) = decoder.dimensions();
    limits.check(width, height)?;
    let (pixels, encoded) = (u64::from(width) * u64::from(height), decoder.total_bytes());
    // As much again for a decoder's own buffers, strips and tiles.
    decoder.set_limits(allocation(2 * encoded + (64 << 20))).map_err(picture)?;
    // The result has up to 4 bytes a pixel, and turning it makes a copy.
    let permit = permit(encoded + 4 * pixels);
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let (own_width, own_height) = match is_on_its_side(orientation) {
        true => (height, width),
        false => (width, height),
    };
    let divisor = reduced_for.filter(|_| format == ImageFormat::Jpeg);
    let divisor = divisor.map_or(1, |of| reduced::divisor(of, own_width, own_height));
    let small = (divisor > 1).then(|| reduced::jpeg(&bytes, width, height, divisor)).flatten();
    let decoded = match small {
        Some(small) => small,
        None => DynamicImage::from_decoder(decoder).map_err(picture)?,
    };
    let picture = upright(decoded, orientation, is_indexed(format, &bytes));
    Ok((Decoded { picture, size: (own_width, own_height) }, permit))
}

/// Width and height that a PNG claims: its decoder says of the largest ones no more than that memory ends.
fn claimed(format: ImageFormat, bytes: &[u8]) -> Option<(u32, u32)> {
    let number = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let has_header = format == ImageFormat::Png && bytes.get(12..16) == Some(b"IHDR");
    has_header.then(|| Some((number(16)?, number(20)?))).flatten()
}

/// Whether width and height change places when it is turned upright.
fn is_on_its_side(orientation: Orientation) -> bool {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(orientation, Rotate90 | Rotate90FlipH | Rotate270 | Rotate270FlipH)
}

fn allocation(bytes: u64) -> image::Limits {
    let mut limits = image::Limits::no_limits();
    limits.max_alloc = Some(bytes);
    limits
}

/// The picture in 8 bits a channel, turned as its camera was held.
pub(super) fn upright(decoded: DynamicImage, how: Orientation, indexed: bool) -> Picture {
    // Converted first: half the bytes to turn where the file has 16 bits.
    if indexed || decoded.color().has_alpha() {
        let mut turned = DynamicImage::ImageRgba8(decoded.into_rgba8());
        turned.apply_orientation(how);
        let rgba = turned.into_rgba8();
        return if indexed { Picture::Palette(rgba) } else { Picture::Rgba(rgba) };
    }
    let mut turned = DynamicImage::ImageRgb8(decoded.into_rgb8());
    turned.apply_orientation(how);
    Picture::Rgb(turned.into_rgb8())
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
        ImageFormat::Tiff => tiff::is_indexed(bytes),
        _ => false,
    }
}

/// Whether the entries of a colour table, `step` bytes each, are (0, 0, 0), (1, 1, 1), …
fn is_grey_ramp(bytes: &[u8], start: usize, entries: usize, step: usize) -> bool {
    let table = bytes.get(start..).unwrap_or(&[]).chunks_exact(step).take(entries);
    let mut colours = table.enumerate();
    colours.all(|(index, colour)| colour[..3].iter().all(|&c| usize::from(c) == index))
}
