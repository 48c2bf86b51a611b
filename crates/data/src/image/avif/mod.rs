//! AVIF: the container by `zenavif-parse`, its AV1 pictures by rav1d (`av1`), their colours by `yuv`.
//!
//! As libavif does it for Pillow: the colour description of the container counts before that of the
//! stream, transfer functions and primaries are left alone, EXIF's orientation is not looked at because
//! the container has its own. Single pictures, grids of tiles and the first frame of a sequence.

mod av1;
mod yuv;

use std::borrow::Cow;

use image::metadata::Orientation;
use image::{DynamicImage, GenericImage, RgbaImage};
use zenavif_parse::{AV1Metadata, AvifParser, ColorInformation, DecodeConfig, Unstoppable};

use self::av1::Decoder;
use self::yuv::Colours;
use super::budget::{Permit, permit};
use super::decode::{Limits, upright};
use super::{Kind, Picture, kind};
use crate::{Error, Result};

/// Tiles of a grid; a container may have 65,536.
const TILES: u32 = 1024;
/// Bytes a pixel while it is decoded: planes of 16 bits, those of references, and the result twice.
const BYTES: u64 = 24;

/// Whether a file that [`kind`] takes for a picture is one of this container.
pub(super) fn is_avif(bytes: &[u8]) -> bool {
    bytes.get(4..8) == Some(b"ftyp") && kind(bytes) == Kind::Picture
}

/// See [`super::decode`].
pub(super) fn decode(bytes: &[u8], limits: Limits) -> Result<(Picture, Permit)> {
    let megapixels = u32::try_from(limits.pixels.div_ceil(1_000_000)).unwrap_or(u32::MAX);
    let config = DecodeConfig::default()
        .with_peak_memory_limit(2 * limits.bytes)
        .with_total_megapixels_limit(megapixels)
        .with_max_animation_frames(1 << 16)
        .with_max_grid_tiles(TILES)
        .lenient(true);
    let file = AvifParser::from_bytes_with_config(bytes, &config, &Unstoppable).map_err(wrong)?;
    let (width, height) = dimensions(&file)?;
    limits.check(width, height)?;
    let permit = permit(BYTES * u64::from(width) * u64::from(height));
    let rgba = match file.grid_config() {
        Some(_) => grid(&file, (width, height), limits)?,
        None => single(&file, limits)?,
    };
    let rgba = clean_aperture(&file, rgba)?;
    let mut picture = match file.alpha_data() {
        Some(_) => DynamicImage::ImageRgba8(rgba),
        None => DynamicImage::ImageRgb8(DynamicImage::ImageRgba8(rgba).into_rgb8()),
    };
    picture.apply_orientation(match file.rotation().map_or(0, |rotation| rotation.angle) {
        90 => Orientation::Rotate270,
        180 => Orientation::Rotate180,
        270 => Orientation::Rotate90,
        _ => Orientation::NoTransforms,
    });
    let mirrored = match file.mirror().map(|mirror| mirror.axis) {
        Some(0) => Orientation::FlipVertical,
        Some(_) => Orientation::FlipHorizontal,
        None => Orientation::NoTransforms,
    };
    Ok((upright(picture, mirrored, false), permit))
}

fn wrong(what: impl std::fmt::Display) -> Error {
    Error::Picture(format!("AVIF: {what}"))
}

/// The stream of the picture, or of a sequence's first frame.
fn stream<'a>(file: &'a AvifParser<'_>) -> Result<Cow<'a, [u8]>> {
    match file.primary_data() {
        Ok(data) if !data.is_empty() => Ok(data),
        _ => Ok(file.frame(0).map_err(wrong)?.data),
    }
}

/// Width and height, as the headers claim.
fn dimensions(file: &AvifParser<'_>) -> Result<(u32, u32)> {
    let size = |data: &[u8]| -> Result<(u32, u32)> {
        let header = AV1Metadata::parse_av1_bitstream(data).map_err(wrong)?;
        Ok((header.max_frame_width.get(), header.max_frame_height.get()))
    };
    let Some(grid) = file.grid_config() else { return size(&stream(file)?) };
    let (width, height) = size(&file.tile_data(0).map_err(wrong)?)?;
    let all = |given: u32, one: u32, count: u8| match given {
        0 => one.saturating_mul(u32::from(count)),
        given => given,
    };
    Ok((all(grid.output_width, width, grid.columns), all(grid.output_height, height, grid.rows)))
}

/// The container's description of colours, where it has one: matrix and whether the range is full.
fn described(file: &AvifParser<'_>) -> Option<(u16, bool)> {
    match file.color_info() {
        Some(&ColorInformation::Nclx { matrix_coefficients, full_range, .. }) => {
            Some((matrix_coefficients, full_range))
        }
        _ => None,
    }
}

fn single(file: &AvifParser<'_>, limits: Limits) -> Result<RgbaImage> {
    let decoder = Decoder::new(limits.pixels)?;
    let planes = decoder.decode(&stream(file)?)?;
    let colours = Colours::of(&planes, described(file))?;
    let mut rgba = colours.rgba(&planes);
    drop(planes);
    if let Some(data) = file.alpha_data() {
        let alpha = Decoder::new(limits.pixels)?.decode(&data.map_err(wrong)?)?;
        if (alpha.width, alpha.height) != rgba.dimensions() {
            return Err(wrong("the opacity has another size than the picture"));
        }
        yuv::set_opacity(&mut rgba, &alpha, file.premultiplied_alpha());
    }
    Ok(rgba)
}

fn grid(file: &AvifParser<'_>, (width, height): (u32, u32), limits: Limits) -> Result<RgbaImage> {
    if file.alpha_data().is_some() {
        return Err(wrong("a grid with opacity is not read; convert it to PNG first"));
    }
    let columns = file.grid_config().map_or(1, |grid| u32::from(grid.columns).max(1));
    let mut canvas = RgbaImage::new(width, height);
    for index in 0..file.grid_tile_count() {
        let decoder = Decoder::new(limits.pixels)?;
        let planes = decoder.decode(&file.tile_data(index).map_err(wrong)?)?;
        let tile = Colours::of(&planes, described(file))?.rgba(&planes);
        let at = u32::try_from(index).map_err(wrong)?;
        let left = (at % columns).saturating_mul(tile.width());
        let top = (at / columns).saturating_mul(tile.height());
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

/// A part of the picture that alone is to be shown would change what is embedded; nobody writes it, and
/// Pillow does not obey it.
fn clean_aperture(file: &AvifParser<'_>, rgba: RgbaImage) -> Result<RgbaImage> {
    let Some(part) = file.clean_aperture() else { return Ok(rgba) };
    let whole = (
        u64::from(part.width_n) == u64::from(rgba.width()) * u64::from(part.width_d),
        u64::from(part.height_n) == u64::from(rgba.height()) * u64::from(part.height_d),
    );
    match whole {
        (true, true) => Ok(rgba),
        _ => Err(wrong("it is to be cropped (clap), which is not done; convert it to PNG first")),
    }
}
