//! AVIF: boxes (`container`) around AV1 pictures, which rav1d decodes (`av1`), and their colours (`yuv`).
//!
//! As libavif does it for Pillow: the colour description of the container counts before that of the
//! stream, transfer functions and primaries are left alone, EXIF's orientation is not looked at because
//! the container has its own. Single pictures and grids of tiles; of a sequence its still picture.

mod av1;
mod bytes;
mod container;
mod yuv;

use std::borrow::Cow;

use image::metadata::Orientation;
use image::{DynamicImage, GenericImage, RgbaImage};

use self::av1::Decoder;
use self::container::{Container, Grid, Shown, Size};
use self::yuv::Colours;
use super::budget::{Permit, permit};
use super::decode::{Limits, upright};
use super::{FileType, Picture, file_type};
use tuwen_files::{Error, Result};

/// Bytes a pixel while it is decoded: planes of 16 bits, those of the decoder, and the result twice.
const BYTES: u64 = 24;

/// Whether a file that [`kind`] takes for a picture is one of this container.
pub(super) fn is_avif(bytes: &[u8]) -> bool {
    bytes.get(4..8) == Some(b"ftyp") && file_type(bytes) == FileType::Picture
}

/// See [`super::decode`].
pub(super) fn decode(bytes: &[u8], limits: Limits) -> Result<(Picture, Permit)> {
    let file = Container::of(bytes)?;
    let item = file.picture();
    let shown = file.shown(item)?;
    let grid = file.grid(item)?;
    let Size { width, height } = grid.as_ref().map_or(shown.size, |grid| grid.size);
    limits.check(width, height)?;
    let permit = permit(BYTES * u64::from(width) * u64::from(height));
    let rgba = match &grid {
        Some(grid) => tiles(&file, item, grid, &shown, limits)?,
        None => single(&file, item, &shown)?,
    };
    let mut picture = match file.alpha_of(item) {
        Some(_) => DynamicImage::ImageRgba8(rgba),
        None => DynamicImage::ImageRgb8(DynamicImage::ImageRgba8(rgba).into_rgb8()),
    };
    picture.apply_orientation(match shown.quarters {
        1 => Orientation::Rotate270,
        2 => Orientation::Rotate180,
        3 => Orientation::Rotate90,
        _ => Orientation::NoTransforms,
    });
    let mirrored = match shown.mirror {
        Some(0) => Orientation::FlipVertical,
        Some(_) => Orientation::FlipHorizontal,
        None => Orientation::NoTransforms,
    };
    Ok((upright(picture, mirrored, false), permit))
}

/// The TIFF of the file's EXIF, behind the length of what stands before it.
pub(super) fn exif(bytes: &[u8]) -> Option<Cow<'_, [u8]>> {
    let file = Container::of(bytes).ok()?;
    let content = file.bytes(file.of_kind(b"Exif")?).ok()?;
    let skip = u32::from_be_bytes(*content.first_chunk()?) as usize;
    let start = skip.checked_add(4).filter(|&start| start <= content.len())?;
    Some(match content {
        Cow::Borrowed(content) => Cow::Borrowed(&content[start..]),
        Cow::Owned(content) => Cow::Owned(content[start..].to_vec()),
    })
}

fn wrong(what: impl std::fmt::Display) -> Error {
    Error::Picture(format!("AVIF: {what}"))
}

fn single(file: &Container<'_>, item: u32, shown: &Shown) -> Result<RgbaImage> {
    let mut rgba = opaque(file, item, shown, shown.size)?;
    if let Some(alpha) = file.alpha_of(item) {
        let planes = Decoder::new(shown.size)?.decode(&file.bytes(alpha)?)?;
        if (planes.width, planes.height) != rgba.dimensions() {
            return Err(wrong("the opacity has another size than the picture"));
        }
        yuv::set_opacity(&mut rgba, &planes, file.is_premultiplied(item));
    }
    Ok(rgba)
}

/// The colours of one item, at most of a size.
fn opaque(file: &Container<'_>, item: u32, shown: &Shown, largest: Size) -> Result<RgbaImage> {
    let planes = Decoder::new(largest)?.decode(&file.bytes(item)?)?;
    Ok(Colours::of(&planes, shown.colours)?.rgba(&planes))
}

fn tiles(
    file: &Container<'_>,
    item: u32,
    grid: &Grid,
    shown: &Shown,
    limits: Limits,
) -> Result<RgbaImage> {
    if file.alpha_of(item).is_some() {
        return Err(wrong("a grid with opacity is not read; convert it to PNG first"));
    }
    let Size { width, height } = grid.size;
    let mut canvas = RgbaImage::new(width, height);
    for (at, &tile) in (0u32..).zip(&grid.tiles) {
        let (column, row) = (at % grid.columns, at / grid.columns);
        let own = file.shown(tile)?;
        limits.check(own.size.width, own.size.height)?;
        let described = Shown { colours: shown.colours.or(own.colours), ..own };
        let tile = opaque(file, tile, &described, described.size)?;
        let (left, top) = (column.saturating_mul(tile.width()), row.saturating_mul(tile.height()));
        // The last column and row may stand out of the picture.
        let inside_x = tile.width().min(width.saturating_sub(left));
        let inside_y = tile.height().min(height.saturating_sub(top));
        if inside_x > 0 && inside_y > 0 {
            let part = image::imageops::crop_imm(&tile, 0, 0, inside_x, inside_y);
            canvas.copy_from(&*part, left, top).map_err(wrong)?;
        }
    }
    Ok(canvas)
}
