//! Pillow's resize, bit for bit: antialiased, separable, 22-bit fixed-point coefficients, the
//! horizontal pass first and 8 bits between the passes.
//!
//! Source: Pillow 12.0 `src/libImaging/Resample.c`
//! (<https://github.com/python-pillow/Pillow/blob/12.0.0/src/libImaging/Resample.c>).
//! Pillow 13 takes the vertical pass first for tall pictures and differs; scores of the field
//! were made before it.

use std::borrow::Cow;
use std::f64::consts::PI;
use std::ops::Range;

use image::imageops::crop_imm;
use image::{ImageBuffer, Pixel, RgbImage};
use serde::{Deserialize, Serialize};
use tuwen_simd::simd;

const PRECISION_BITS: u32 = 22;
/// Rows of one horizontal block: with 3 channels, 48 products share one coefficient.
const ROWS: usize = 16;
const LANES: usize = 3 * ROWS;
/// Bytes of one vertical strip.
const STRIP: usize = 64;

/// The interpolation kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Filter {
    /// The one nearest pixel.
    Nearest,
    /// The mean of what a pixel covers.
    Box,
    /// Triangle of half-width 1.
    Bilinear,
    /// A raised cosine over a sinc, half-width 1.
    Hamming,
    /// Cubic convolution with a = -0.5, half-width 2.
    Bicubic,
    /// A sinc under a wider one, half-width 3.
    Lanczos,
}

impl Filter {
    /// All of them, by the numbers that Pillow gives them (`PIL.Image.Resampling`).
    pub const PILLOW: [Self; 6] =
        [Self::Nearest, Self::Lanczos, Self::Bilinear, Self::Bicubic, Self::Box, Self::Hamming];

    fn support(self) -> f64 {
        match self {
            Self::Nearest | Self::Box => 0.5,
            Self::Bilinear | Self::Hamming => 1.0,
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
        }
    }

    fn weight(self, at: f64) -> f64 {
        let x = at.abs();
        match self {
            // The one that is not symmetric: a border belongs to the pixel on its left.
            Self::Nearest | Self::Box if at > -0.5 && at <= 0.5 => 1.0,
            Self::Bilinear if x < 1.0 => 1.0 - x,
            Self::Hamming if x == 0.0 => 1.0,
            Self::Hamming if x < 1.0 => {
                let x = x * PI;
                // Pillow's constants are single.
                x.sin() / x * (f64::from(0.54f32) + f64::from(0.46f32) * x.cos())
            }
            Self::Bicubic if x < 1.0 => ((-0.5 + 2.0) * x - (-0.5 + 3.0)) * x * x + 1.0,
            Self::Bicubic if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5,
            Self::Lanczos if (-3.0..3.0).contains(&at) => sinc(at) * sinc(at / 3.0),
            _ => 0.0,
        }
    }
}

fn sinc(x: f64) -> f64 {
    let x = x * PI;
    if x == 0.0 { 1.0 } else { x.sin() / x }
}

/// A picture whose longer side is `side` at most; one that is smaller stays as it is.
///
/// ```
/// use tuwen_image::{RgbImage, shrink};
///
/// assert_eq!(shrink(&RgbImage::new(1000, 500), 320).dimensions(), (320, 160));
/// assert_eq!(shrink(&RgbImage::new(90, 20), 320).dimensions(), (90, 20));
/// assert_eq!(shrink(&RgbImage::new(3, 9000), 320).dimensions(), (1, 320));
/// ```
pub fn shrink(picture: &RgbImage, side: u32) -> RgbImage {
    let (width, height) = picture.dimensions();
    let longer = width.max(height);
    if longer <= side {
        return picture.clone();
    }
    let scaled = |length: u32| {
        let exact = u64::from(length) * u64::from(side) / u64::from(longer);
        (exact as u32).max(1)
    };
    resize(picture, scaled(width), scaled(height), Filter::Bicubic)
}

/// For each output position: where its taps start, how many there are, and their weights.
struct Taps {
    bounds: Vec<(usize, usize)>,
    weights: Vec<i32>,
    stride: usize,
}

impl Taps {
    /// Those of the positions `of` of `to`.
    fn new(filter: Filter, from: usize, to: usize, of: Range<u32>) -> Self {
        let scale = from as f64 / to as f64;
        let filter_scale = scale.max(1.0);
        let support = filter.support() * filter_scale;
        let stride = support.ceil() as usize * 2 + 1;
        let mut bounds = Vec::with_capacity(of.len());
        let mut weights = vec![0; of.len() * stride];
        let mut row = vec![0f64; stride];
        for (place, at) in of.enumerate() {
            let centre = (f64::from(at) + 0.5) * scale;
            let first = (centre - support + 0.5).max(0.0) as usize;
            let last = ((centre + support + 0.5) as usize).min(from);
            let count = last - first;
            let mut sum = 0.0;
            for (tap, value) in row[..count].iter_mut().enumerate() {
                // Multiplied by the inverse, as Pillow does: a division rounds differently.
                *value =
                    filter.weight(((tap + first) as f64 - centre + 0.5) * (1.0 / filter_scale));
                sum += *value;
            }
            for (tap, value) in row[..count].iter().enumerate() {
                let share = if sum == 0.0 { *value } else { value / sum };
                let fixed = share * f64::from(1u32 << PRECISION_BITS);
                weights[place * stride + tap] = (fixed + 0.5f64.copysign(share)) as i32;
            }
            bounds.push((first, count));
        }
        Self { bounds, weights, stride }
    }

    fn at(&self, position: usize) -> (usize, &[i32]) {
        let (first, count) = self.bounds[position];
        (first, &self.weights[position * self.stride..][..count])
    }

    /// The input positions that any of them reads; from now on counted from the first of these.
    fn cut(&mut self) -> Range<usize> {
        let first = self.bounds.iter().map(|&(first, _)| first).min().unwrap_or(0);
        let end = self.bounds.iter().map(|&(first, count)| first + count).max().unwrap_or(0);
        self.bounds.iter_mut().for_each(|(start, _)| *start -= first);
        first..end
    }
}

/// A rectangle of what a picture is resized to, all of it inside: what lies outside is not computed, so that a line of
/// a million pixels, whose short edge becomes a square's, costs no more than others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// Width and height of the whole.
    pub whole: (u32, u32),
    pub left: u32,
    pub top: u32,
    /// Above 0.
    pub width: u32,
    /// Above 0.
    pub height: u32,
}

impl Part {
    /// All of it.
    pub fn whole(width: u32, height: u32) -> Self {
        Self { whole: (width, height), left: 0, top: 0, width, height }
    }

    fn columns(&self) -> Range<u32> {
        self.left..self.left + self.width
    }

    fn rows(&self) -> Range<u32> {
        self.top..self.top + self.height
    }
}

/// Resizes to `width` x `height`, equal to Pillow 12.0's `Image.resize((width, height), filter)`
/// on an RGB image.
///
/// # Panics
/// When `width` or `height` is 0.
///
/// # Examples
/// ```
/// use tuwen_image::{Filter, RgbImage, resize};
///
/// let grey = RgbImage::from_pixel(40, 30, [90, 90, 90].into());
/// let small = resize(&grey, 4, 3, Filter::Bicubic);
/// assert_eq!(small, RgbImage::from_pixel(4, 3, [90, 90, 90].into()));
/// ```
pub fn resize(source: &RgbImage, width: u32, height: u32, filter: Filter) -> RgbImage {
    assert!(width > 0 && height > 0, "cannot resize to {width}x{height}");
    resize_part(source, Part::whole(width, height), filter)
}

/// The same of a part of the result.
pub(super) fn resize_part(source: &RgbImage, part: Part, filter: Filter) -> RgbImage {
    if filter == Filter::Nearest {
        return nearest(source, part);
    }
    let (own, (width, height)) = (source.dimensions(), part.whole);
    let mut taps = Taps::new(filter, own.1 as usize, height as usize, part.rows());
    // Rows that the vertical pass reads; without one those that stay.
    let rows = match height == own.1 {
        true => part.top as usize..(part.top + part.height) as usize,
        false => taps.cut(),
    };
    let mut picture = match rows.len() == own.1 as usize {
        true => Cow::Borrowed(source),
        false => {
            let (top, count) = (rows.start as u32, rows.len() as u32);
            Cow::Owned(crop_imm(source, 0, top, own.0, count).to_image())
        }
    };
    if width != own.0 {
        let taps = Taps::new(filter, own.0 as usize, width as usize, part.columns());
        let mut out = RgbImage::new(part.width, picture.height());
        run(Pass::Horizontal, &picture, &mut out, &taps);
        picture = Cow::Owned(out);
    } else if part.width != width {
        let kept = crop_imm(&*picture, part.left, 0, part.width, picture.height()).to_image();
        picture = Cow::Owned(kept);
    }
    if height != own.1 {
        let mut out = RgbImage::new(part.width, part.height);
        run(Pass::Vertical, &picture, &mut out, &taps);
        picture = Cow::Owned(out);
    }
    picture.into_owned()
}

/// Pillow's `ImagingScaleAffine`: places are summed up, not multiplied, which rounds differently.
pub(super) fn nearest<P: Pixel<Subpixel = u8>>(
    picture: &ImageBuffer<P, Vec<u8>>,
    part: Part,
) -> RgbImage {
    let places = |from: u32, to: u32, of: Range<u32>| -> Vec<u32> {
        let step = f64::from(from) / f64::from(to);
        let mut place = step * 0.5;
        let next = |_| {
            let here = place;
            place += step;
            (here as u32).min(from - 1)
        };
        (0..of.end).map(next).skip(of.start as usize).collect()
    };
    let columns = places(picture.width(), part.whole.0, part.columns());
    let rows = places(picture.height(), part.whole.1, part.rows());
    RgbImage::from_fn(part.width, part.height, |x, y| {
        picture.get_pixel(columns[x as usize], rows[y as usize]).to_rgb()
    })
}

#[derive(Clone, Copy)]
enum Pass {
    Horizontal,
    Vertical,
}

simd! {
    /// Runs a pass, for the widest vectors at hand.
    fn run(pass: Pass, source: &RgbImage, out: &mut RgbImage, taps: &Taps) {
        match pass {
            Pass::Horizontal => horizontal(source, out, taps),
            Pass::Vertical => vertical(source, out, taps),
        }
    }
}

/// Sixteen rows at a time, interleaved so that one coefficient meets 48 neighbouring bytes.
#[inline(always)]
fn horizontal(source: &RgbImage, out: &mut RgbImage, taps: &Taps) {
    let (from, to) = (source.width() as usize, out.width() as usize);
    let mut block = vec![0u8; from * LANES];
    let rows_in = source.as_raw().chunks(from * 3 * ROWS);
    let rows_out = out.as_flat_samples_mut().samples.chunks_mut(to * 3 * ROWS);
    for (rows, targets) in rows_in.zip(rows_out) {
        for (row, pixels) in rows.chunks_exact(from * 3).enumerate() {
            for (lanes, pixel) in block.chunks_exact_mut(LANES).zip(pixels.chunks_exact(3)) {
                lanes[row] = pixel[0];
                lanes[ROWS + row] = pixel[1];
                lanes[2 * ROWS + row] = pixel[2];
            }
        }
        for x in 0..to {
            let (first, weights) = taps.at(x);
            let mut sums = [1i32 << (PRECISION_BITS - 1); LANES];
            for (lanes, &weight) in block[first * LANES..].chunks_exact(LANES).zip(weights) {
                for (sum, &value) in sums.iter_mut().zip(lanes) {
                    *sum += i32::from(value) * weight;
                }
            }
            for (row, pixels) in targets.chunks_exact_mut(to * 3).enumerate() {
                for channel in 0..3 {
                    pixels[x * 3 + channel] = clip(sums[channel * ROWS + row]);
                }
            }
        }
    }
}

#[inline(always)]
fn vertical(source: &RgbImage, out: &mut RgbImage, taps: &Taps) {
    let bytes = source.width() as usize * 3;
    let rows_in = source.as_raw();
    let rows_out = out.as_flat_samples_mut().samples.chunks_exact_mut(bytes);
    for (y, target) in rows_out.enumerate() {
        let (first, weights) = taps.at(y);
        for (strip, values) in target.chunks_mut(STRIP).enumerate() {
            let mut sums = [1i32 << (PRECISION_BITS - 1); STRIP];
            let start = first * bytes + strip * STRIP;
            for (row, &weight) in weights.iter().enumerate() {
                let line = &rows_in[start + row * bytes..][..values.len()];
                for (sum, &value) in sums.iter_mut().zip(line) {
                    *sum += i32::from(value) * weight;
                }
            }
            for (value, &sum) in values.iter_mut().zip(&sums) {
                *value = clip(sum);
            }
        }
    }
}

#[inline(always)]
fn clip(sum: i32) -> u8 {
    (sum >> PRECISION_BITS).clamp(0, 255) as u8
}
