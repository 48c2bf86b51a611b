//! Which part of a picture is resized to what, and how bytes become floats.

use std::borrow::Cow;

use image::imageops::{crop_imm, replace};
use image::{Rgb, RgbImage};
use serde::{Deserialize, Serialize};

use super::Picture;
use super::resize::{Filter, Part};

/// The three ways of the field to make any picture a square.
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
    /// Side of the square in pixels, R.
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

    /// Brings a picture to R x R, still in bytes.
    pub fn fit(&self, picture: &Picture) -> RgbImage {
        self.square(&self.converted(picture))
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
            Geometry::Squash => return whole(0.0, 0.0, width, height),
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
    /// `picture`: R x R. Appends 3 x R x R.
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
mod tests {
    use super::*;

    const GEOMETRIES: [Geometry; 4] =
        [Geometry::Squash, Geometry::CentreCrop, Geometry::TwoToOne, Geometry::Pad];

    fn stripes(width: u32, height: u32) -> Picture {
        Picture::Rgb(RgbImage::from_fn(width, height, |x, y| Rgb([x as u8, y as u8, 0])))
    }

    fn preprocess(geometry: Geometry) -> Preprocess {
        Preprocess { geometry, ..Preprocess::squash(8) }
    }

    #[test]
    fn every_geometry_gives_the_square_for_any_shape() {
        for geometry in GEOMETRIES {
            for (width, height) in [(1, 1), (200, 1), (1, 200), (8, 8), (33, 57)] {
                let fitted = preprocess(geometry).fit(&stripes(width, height));
                assert_eq!(fitted.dimensions(), (8, 8), "{geometry:?} of {width}x{height}");
            }
        }
    }

    /// A picture whose red and green say where a pixel is: the square shows them where the window says.
    #[test]
    fn a_window_is_what_the_square_shows() {
        let crops = [Resize::Side, Resize::Shortest(50), Resize::To(60, 48), Resize::Not];
        let crops = crops.map(|resize| (Geometry::CentreCrop, resize));
        let others = [Geometry::Squash, Geometry::TwoToOne, Geometry::Pad];
        for (geometry, resize) in others.map(|g| (g, Resize::Side)).into_iter().chain(crops) {
            for (width, height) in [(200, 90), (90, 200), (250, 100), (40, 31), (32, 32)] {
                let p = Preprocess { resize, fill: 0, geometry, ..Preprocess::squash(32) };
                let window = p.window(width, height);
                let fitted = p.fit(&stripes(width, height));
                for (u, v) in [(4, 4), (16, 16), (27, 9), (12, 28)] {
                    let x = window.left + (f64::from(u) + 0.5) * window.width / 32.0 - 0.5;
                    let y = window.top + (f64::from(v) + 0.5) * window.height / 32.0 - 0.5;
                    let inside = |at: f64, len: u32| (1.0..f64::from(len) - 2.0).contains(&at);
                    if inside(x, width) && inside(y, height) {
                        let [red, green, _] = fitted.get_pixel(u, v).0.map(f64::from);
                        let close = (red - x).abs() < 2.0 && (green - y).abs() < 2.0;
                        assert!(
                            close,
                            "{geometry:?} {resize:?} {width}x{height} at {u},{v}: {x} {y} is {red} {green}"
                        );
                    }
                }
            }
        }
    }

    /// A line's short edge becomes the square's, and then it is as long as a hundred thousand squares.
    #[test]
    fn lines_cost_no_more_memory_than_other_pictures() {
        for geometry in GEOMETRIES {
            for filter in [Filter::Bicubic, Filter::Nearest] {
                for (width, height) in [(1, 60_000), (60_000, 1)] {
                    let line = RgbImage::from_pixel(width, height, Rgb([7, 77, 177]));
                    let p = Preprocess { filter, ..preprocess(geometry) };
                    let fitted = p.fit(&Picture::Rgb(line.clone()));
                    let shown = fitted.pixels().any(|pixel| pixel.0 == [7, 77, 177]);
                    assert!(shown, "{geometry:?} {filter:?}");
                }
            }
        }
    }

    /// What is computed of the centre alone is what the whole picture has there.
    #[test]
    fn a_centre_is_that_of_the_whole_resized_picture() {
        let sizes = [(90, 31), (31, 90), (33, 57), (8, 40), (40, 8), (7, 7)];
        let filters = [Filter::Nearest, Filter::Bilinear, Filter::Bicubic, Filter::Lanczos];
        for ((width, height), filter) in sizes.into_iter().flat_map(|s| filters.map(|f| (s, f))) {
            for resize in [Resize::Side, Resize::Shortest(13), Resize::To(width, 20)] {
                let p = Preprocess { resize, filter, ..preprocess(Geometry::CentreCrop) };
                let noise = |x: u32, y: u32| ((x * 7919) ^ (y * 104_729)) as u8;
                let rgba = image::RgbaImage::from_fn(width, height, |x, y| {
                    image::Rgba([noise(x, y), noise(y, x), noise(x, 1), noise(3, y)])
                });
                for picture in [stripes(width, height), Picture::Rgba(rgba)] {
                    let to = match resize {
                        Resize::Side => shortest_edge(width, height, 8),
                        Resize::Shortest(side) => shortest_edge(width, height, side),
                        _ => (width, 20),
                    };
                    let whole = p.middle(&picture.resize(to.0, to.1, filter));
                    let centre = p.resized_middle(&picture, to.0, to.1);
                    assert_eq!(centre, whole, "{width}x{height} {resize:?} {filter:?}");
                }
            }
        }
    }

    #[test]
    fn two_to_one_keeps_the_centre() {
        let fitted = preprocess(Geometry::TwoToOne).fit(&stripes(100, 10));
        let reds: Vec<u8> = fitted.rows().next().expect("a row").map(|p| p[0]).collect();
        assert!(reds[0] >= 40 && reds[7] < 60, "{reds:?} lies outside columns 40..60");
        let squashed = preprocess(Geometry::TwoToOne).fit(&stripes(20, 10));
        assert_eq!(squashed, preprocess(Geometry::Squash).fit(&stripes(20, 10)));
    }

    #[test]
    fn what_is_smaller_than_the_square_lies_in_its_middle() {
        let white = Picture::Rgb(RgbImage::from_pixel(16, 8, Rgb([255; 3])));
        let padded = Preprocess { fill: 7, ..preprocess(Geometry::Pad) }.fit(&white);
        let column: Vec<u8> = (0..8).map(|y| padded.get_pixel(3, y)[0]).collect();
        assert_eq!(column, [7, 7, 255, 255, 255, 255, 7, 7]);
        let crop = Preprocess { resize: Resize::Not, ..preprocess(Geometry::CentreCrop) };
        let small = Picture::Rgb(RgbImage::from_pixel(5, 11, Rgb([255; 3])));
        let starts = |centre: Centre| {
            let fitted = Preprocess { centre, ..crop.clone() }.fit(&small);
            (0..8).position(|x| fitted.get_pixel(x, 0)[0] == 255)
        };
        // Three columns are missing: torchvision fills one of them on the left, transformers two.
        assert_eq!([Centre::Even, Centre::First].map(starts), [Some(1), Some(2)]);
        let red = |resize: Resize| {
            let fitted = Preprocess { resize, ..crop.clone() }.fit(&stripes(100, 50));
            fitted.get_pixel(0, 0)[0]
        };
        assert_eq!(red(Resize::Not), 46);
        assert!(red(Resize::To(8, 8)) < 8 && red(Resize::Shortest(16)) > red(Resize::Side));
    }

    #[test]
    fn offsets_round_like_python() {
        assert_eq!([0, 1, 2, 3, 4, 5].map(half_to_even), [0, 0, 1, 2, 2, 2]);
        assert_eq!(shortest_edge(500, 333, 224), (336, 224));
    }

    #[test]
    fn normalise_maps_bytes_to_minus_one_and_one() {
        let mut out = Vec::new();
        let picture = RgbImage::from_fn(8, 8, |_, _| Rgb([0, 255, 51]));
        preprocess(Geometry::Squash).normalise_into(&picture, &mut out);
        assert_eq!((out.len(), out[0], out[64]), (192, -1.0, 1.0));
        assert!((out[128] - -0.6).abs() < 1e-6);
    }
}
