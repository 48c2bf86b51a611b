//! Which part of a picture is resized to what, and how bytes become floats.

mod grid;

use std::borrow::Cow;

use image::imageops::{crop_imm, replace};
use image::{Rgb, RgbImage};
use serde::{Deserialize, Serialize};
use tuwen_files::Result;

use super::Picture;
use super::decode::{Limits, decode_then};
use super::resize::{Filter, Part};
pub use grid::{Budget, Grid};

/// The ways of the field to make any picture a square, and one that keeps its shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Geometry {
    /// Stretch to the square (Chinese-CLIP).
    Squash,
    /// Shortest edge to the size, then the centre (OpenAI CLIP, torchvision's rounding).
    CentreCrop,
    /// Beyond 2:1 cut the long side to 2:1 around the centre, then stretch (Taidi paper).
    TwoToOne,
    /// Longest edge to the size, in the middle of a square of one grey (open_clip's `longest`).
    Pad,
    /// No square: as many patches as a budget has room for, in about the picture's own shape.
    Grid(Grid),
}

/// What a picture is resized to before the centre is cut out of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resize {
    /// The shortest edge to R.
    #[default]
    Side,
    /// The shortest edge to so many pixels.
    Shortest(u32),
    /// Stretched to width and height.
    To(u32, u32),
    /// It stays as it is.
    Not,
}

/// Where the centre is, when it lies between two pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Centre {
    /// At the even one (torchvision, so OpenAI's and open_clip's pipelines).
    #[default]
    Even,
    /// At the first one (transformers).
    First,
}

/// When a picture with a palette or transparency becomes RGB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToRgb {
    /// Before it is resized, on white paper.
    #[default]
    First,
    /// Afterwards, dropping transparency: what OpenAI's and cn_clip's pipelines do.
    Last,
}

/// Everything between a decoded picture and a model's pixels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocess {
    /// Side of the square in pixels, R; with [`Geometry::Grid`] that of the square that the positions are for.
    pub size: u32,
    /// How any picture becomes that square.
    pub geometry: Geometry,
    /// With [`Geometry::CentreCrop`]: what is done before.
    #[serde(default, skip_serializing_if = "is_default")]
    pub resize: Resize,
    /// Where the centre of an odd margin is.
    #[serde(default, skip_serializing_if = "is_default")]
    pub centre: Centre,
    /// The grey around a picture that does not fill the square.
    #[serde(default, skip_serializing_if = "is_default")]
    pub fill: u8,
    /// Interpolation.
    pub filter: Filter,
    /// When palettes and transparency become RGB.
    #[serde(default, skip_serializing_if = "is_default")]
    pub to_rgb: ToRgb,
    /// Per channel, of values in 0..1.
    pub mean: [f32; 3],
    /// Per channel, of values in 0..1.
    pub std: [f32; 3],
}

/// A rectangle in a picture's own pixels, which may reach beyond it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// From the picture's left edge.
    pub left: f64,
    /// From its upper edge.
    pub top: f64,
    /// Above 0.
    pub width: f64,
    /// Above 0.
    pub height: f64,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Preprocess {
    /// Stretched to `size`, values in -1..1: what ViT and SigLIP are trained on.
    pub fn squash(size: u32) -> Self {
        Self {
            size,
            geometry: Geometry::Squash,
            resize: Resize::Side,
            centre: Centre::Even,
            fill: 0,
            filter: Filter::Bicubic,
            to_rgb: ToRgb::First,
            mean: [0.5; 3],
            std: [0.5; 3],
        }
    }

    /// Brings a picture to R x R, or to the size of its grid, still in bytes.
    pub fn fit(&self, picture: &Picture) -> RgbImage {
        self.square(&self.converted(picture))
    }

    /// A file's picture as R x R; its part of the memory budget is held until then.
    ///
    /// # Errors
    /// As [`decode`](crate::decode()).
    pub fn decode(&self, bytes: &[u8], limits: Limits) -> Result<RgbImage> {
        decode_then(bytes, limits, |picture| self.fit(&picture))
    }

    /// Stretches a part, [left, top, width, height], to R x R.
    pub(super) fn fit_part(&self, picture: &Picture, part: [u32; 4]) -> RgbImage {
        let part = picture.crop(part[0], part[1], part[2], part[3]);
        self.converted(&part).resize(self.size, self.size, self.filter)
    }

    /// The picture in the colours that it is resized in.
    fn converted<'p>(&self, picture: &'p Picture) -> Cow<'p, Picture> {
        match (self.to_rgb, picture) {
            (ToRgb::Last, _) | (_, Picture::Rgb(_)) => Cow::Borrowed(picture),
            _ => Cow::Owned(Picture::Rgb(picture.over_white().into_owned())),
        }
    }

    fn square(&self, picture: &Picture) -> RgbImage {
        let (size, (width, height)) = (self.size, picture.dimensions());
        match self.geometry {
            Geometry::Squash => picture.resize(size, size, self.filter),
            Geometry::Grid(grid) => {
                let (width, height) = grid.pixels(width, height);
                picture.resize(width, height, self.filter)
            }
            Geometry::CentreCrop => {
                let (width, height) = match self.resize {
                    Resize::Side => shortest_edge(width, height, size),
                    Resize::Shortest(side) => shortest_edge(width, height, side),
                    Resize::To(width, height) => (width, height),
                    Resize::Not => return self.middle(&picture.opaque()),
                };
                self.resized_middle(picture, width, height)
            }
            Geometry::Pad => {
                let (width, height) = longest_edge(width, height, size);
                self.resized_middle(picture, width, height)
            }
            Geometry::TwoToOne => {
                let keep_width = width.min(height.saturating_mul(2));
                let keep_height = height.min(width.saturating_mul(2));
                if (keep_width, keep_height) == (width, height) {
                    return picture.resize(size, size, self.filter);
                }
                let left = (width - keep_width) / 2;
                let top = (height - keep_height) / 2;
                picture.crop(left, top, keep_width, keep_height).resize(size, size, self.filter)
            }
        }
    }

    /// The part of a picture of `width` x `height` that [`Self::fit`] shows in its square, in the picture's own pixels; it
    /// reaches beyond the picture where the square is filled.
    pub fn window(&self, width: u32, height: u32) -> Window {
        let whole = |left, top, width: u32, height: u32| Window {
            left,
            top,
            width: f64::from(width),
            height: f64::from(height),
        };
        let resized = match self.geometry {
            Geometry::Squash | Geometry::Grid(_) => return whole(0.0, 0.0, width, height),
            Geometry::TwoToOne => {
                let keep_width = width.min(height.saturating_mul(2));
                let keep_height = height.min(width.saturating_mul(2));
                let (left, top) = ((width - keep_width) / 2, (height - keep_height) / 2);
                return whole(f64::from(left), f64::from(top), keep_width, keep_height);
            }
            Geometry::Pad => longest_edge(width, height, self.size),
            Geometry::CentreCrop => match self.resize {
                Resize::Side => shortest_edge(width, height, self.size),
                Resize::Shortest(side) => shortest_edge(width, height, side),
                Resize::To(width, height) => (width, height),
                Resize::Not => (width, height),
            },
        };
        let along = |own: u32, resized: u32| {
            let scale = f64::from(own) / f64::from(resized.max(1));
            let (cut, filled) = self.margins(resized);
            ((f64::from(cut) - f64::from(filled)) * scale, f64::from(self.size) * scale)
        };
        let ((left, across), (top, down)) = (along(width, resized.0), along(height, resized.1));
        Window { left, top, width: across, height: down }
    }

    /// What is cut off at the start of an axis so long, and what is filled there.
    fn margins(&self, len: u32) -> (u32, u32) {
        let size = self.size;
        match self.centre {
            Centre::Even => (half_to_even(len.saturating_sub(size)), size.saturating_sub(len) / 2),
            Centre::First => (len.saturating_sub(size) / 2, size.saturating_sub(len).div_ceil(2)),
        }
    }

    /// The centre of R x R of a picture that is resized to `width` x `height`; only that is computed.
    fn resized_middle(&self, picture: &Picture, width: u32, height: u32) -> RgbImage {
        let ((left, _), (top, _)) = (self.margins(width), self.margins(height));
        let (across, down) = (width.min(self.size), height.min(self.size));
        let part = Part { whole: (width, height), left, top, width: across, height: down };
        self.filled(picture.resize_part(part, self.filter), width, height)
    }

    /// The centre of R x R.
    fn middle(&self, picture: &RgbImage) -> RgbImage {
        let (size, (width, height)) = (self.size, picture.dimensions());
        let ((left, _), (top, _)) = (self.margins(width), self.margins(height));
        let part = crop_imm(picture, left, top, width.min(size), height.min(size));
        self.filled(part.to_image(), width, height)
    }

    /// The centre of a picture of `width` x `height` in a square; what lies outside the picture is filled.
    fn filled(&self, part: RgbImage, width: u32, height: u32) -> RgbImage {
        if part.dimensions() == (self.size, self.size) {
            return part;
        }
        let ((_, before), (_, above)) = (self.margins(width), self.margins(height));
        let mut square = RgbImage::from_pixel(self.size, self.size, Rgb([self.fill; 3]));
        replace(&mut square, &part, i64::from(before), i64::from(above));
        square
    }

    /// Bytes to normalised floats, appended to `out` channel by channel.
    ///
    /// # Shapes
    /// `picture`: R x R, appends 3 x R x R; of any shape (H, W), appends 3 x H x W.
    pub fn normalise_into(&self, picture: &RgbImage, out: &mut Vec<f32>) {
        for channel in 0..3 {
            let scale = 1.0 / (255.0 * self.std[channel]);
            let shift = self.mean[channel] / self.std[channel];
            let bytes = picture.as_raw().iter().skip(channel).step_by(3);
            out.extend(bytes.map(|&byte| f32::from(byte) * scale - shift));
        }
    }
}

/// torchvision's `Resize(int)`: the long side is truncated.
fn shortest_edge(width: u32, height: u32, size: u32) -> (u32, u32) {
    let scaled = |long: u32, short: u32| {
        let scaled = u64::from(size) * u64::from(long) / u64::from(short);
        u32::try_from(scaled).unwrap_or(u32::MAX)
    };
    if width <= height { (size, scaled(height, width)) } else { (scaled(width, height), size) }
}

/// open_clip's `ResizeKeepRatio` with `longest` 1: the short side is rounded, halves to the even
/// neighbour; a line keeps a pixel.
fn longest_edge(width: u32, height: u32, size: u32) -> (u32, u32) {
    let ratio = f64::from(width.max(height)) / f64::from(size);
    let scaled = |side: u32| ((f64::from(side) / ratio).round_ties_even() as u32).clamp(1, size);
    (scaled(width), scaled(height))
}

/// torchvision's `CenterCrop` offset: Python rounds halves to the even neighbour.
fn half_to_even(excess: u32) -> u32 {
    let half = excess / 2;
    half + u32::from(excess % 2 == 1 && half % 2 == 1)
}

#[cfg(test)]
mod tests;
