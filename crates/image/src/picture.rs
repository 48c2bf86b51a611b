//! A decoded picture in the colours of its file, because resizing depends on them.

use std::borrow::Cow;

use ::image::imageops::crop_imm;
use ::image::{Rgb, RgbImage, RgbaImage};

use super::resize::{Filter, Part, nearest, resize_part};

/// A decoded picture.
#[derive(Clone, Debug)]
pub enum Picture {
    /// Grey or coloured.
    Rgb(RgbImage),
    /// With transparency.
    Rgba(RgbaImage),
    /// Of a palette, or of one bit: there is no colour between two entries.
    Palette(RgbaImage),
}

impl Picture {
    /// Width and height in pixels.
    pub fn dimensions(&self) -> (u32, u32) {
        match self {
            Self::Rgb(picture) => picture.dimensions(),
            Self::Rgba(picture) | Self::Palette(picture) => picture.dimensions(),
        }
    }

    /// The picture on white paper.
    pub fn over_white(&self) -> Cow<'_, RgbImage> {
        let rgba = match self {
            Self::Rgb(picture) => return Cow::Borrowed(picture),
            Self::Rgba(picture) | Self::Palette(picture) => picture,
        };
        let mut rgb = RgbImage::new(rgba.width(), rgba.height());
        for (from, to) in rgba.pixels().zip(rgb.pixels_mut()) {
            let alpha = u32::from(from[3]);
            let blend = |c: u8| ((u32::from(c) * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
            *to = Rgb([blend(from[0]), blend(from[1]), blend(from[2])]);
        }
        Cow::Owned(rgb)
    }

    /// The picture on white paper, without a copy where it has no transparency.
    pub fn into_rgb(self) -> RgbImage {
        match self {
            Self::Rgb(picture) => picture,
            other => other.over_white().into_owned(),
        }
    }

    /// The picture without its transparency, in its own size.
    pub(super) fn opaque(&self) -> RgbImage {
        match self {
            Self::Rgb(picture) => picture.clone(),
            Self::Rgba(picture) | Self::Palette(picture) => opaque(picture),
        }
    }

    /// A part of it.
    pub(super) fn crop(&self, left: u32, top: u32, width: u32, height: u32) -> Self {
        match self {
            Self::Rgb(p) => Self::Rgb(crop_imm(p, left, top, width, height).to_image()),
            Self::Rgba(p) => Self::Rgba(crop_imm(p, left, top, width, height).to_image()),
            Self::Palette(p) => Self::Palette(crop_imm(p, left, top, width, height).to_image()),
        }
    }

    /// Resizes in its own colours and then drops transparency, equal to Pillow 12.0's
    /// `resize((width, height), filter).convert("RGB")`: a palette by the nearest pixel, transparent
    /// colours multiplied by their opacity.
    pub(super) fn resize(&self, width: u32, height: u32, filter: Filter) -> RgbImage {
        self.resize_part(Part::whole(width, height), filter)
    }

    /// The same of a part of the result.
    pub(super) fn resize_part(&self, part: Part, filter: Filter) -> RgbImage {
        match self {
            Self::Rgb(picture) => resize_part(picture, part, filter),
            Self::Palette(picture) => nearest(picture, part),
            Self::Rgba(picture) if filter == Filter::Nearest => nearest(picture, part),
            // Pillow returns such a picture as it is.
            Self::Rgba(picture) if picture.dimensions() == part.whole => {
                resize_part(&opaque(picture), part, filter)
            }
            Self::Rgba(picture) => premultiplied(picture, part, filter),
        }
    }
}

fn opaque(picture: &RgbaImage) -> RgbImage {
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [r, g, b, _] = picture.get_pixel(x, y).0;
        Rgb([r, g, b])
    })
}

/// Colours and opacity are independent channels, so the three-channel resize does for both.
fn premultiplied(picture: &RgbaImage, part: Part, filter: Filter) -> RgbImage {
    let (mut colours, mut alphas) = (opaque(picture), opaque(picture));
    for ((from, colour), alpha) in
        picture.pixels().zip(colours.pixels_mut()).zip(alphas.pixels_mut())
    {
        // Pillow's MULDIV255.
        let by_alpha = |c: u8| {
            let product = u32::from(c) * u32::from(from[3]) + 128;
            (((product >> 8) + product) >> 8) as u8
        };
        *colour = Rgb([by_alpha(from[0]), by_alpha(from[1]), by_alpha(from[2])]);
        *alpha = Rgb([from[3]; 3]);
    }
    let mut out = resize_part(&colours, part, filter);
    let alphas = resize_part(&alphas, part, filter);
    for (colour, alpha) in out.pixels_mut().zip(alphas.pixels()) {
        let alpha = u32::from(alpha[0]);
        if alpha != 0 && alpha != 255 {
            let divided = |c: u8| (255 * u32::from(c) / alpha).min(255) as u8;
            *colour = Rgb(colour.0.map(divided));
        }
    }
    out
}
