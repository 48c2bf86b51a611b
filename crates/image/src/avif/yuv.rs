//! From brightness and colour differences to red, green and blue, and opacity into it.
//!
//! Colour planes of half the size are interpolated, three parts of the nearer value and one of the
//! farther, as libyuv and libjpeg do it.

use image::RgbaImage;

use super::av1::{Planes, half};
use super::wrong;
use tuwen_files::Result;

/// How values become colours.
pub(super) enum Colours {
    /// The planes are green, blue and red.
    Plain {
        /// Whether the values use all numbers.
        full_range: bool,
    },
    /// Brightness with the shares of red and blue in it.
    Matrix {
        /// Share of red.
        red: f32,
        /// Share of blue.
        blue: f32,
        /// Whether the values use all numbers.
        full_range: bool,
    },
}

impl Colours {
    /// By the container's words (number of the matrix, full range), else by the stream's.
    ///
    /// # Errors
    /// A matrix that is not known.
    pub(super) fn of(planes: &Planes, described: Option<(u16, bool)>) -> Result<Self> {
        let (matrix, full_range) = described.unwrap_or((planes.matrix, planes.full_range));
        // ITU-T H.273, table 4; what is not said (2) is BT.601, as libavif takes it.
        let (red, blue) = match matrix {
            0 if planes.shift == (0, 0) => return Ok(Self::Plain { full_range }),
            1 => (0.2126, 0.0722),
            2 | 5 | 6 => (0.299, 0.114),
            4 => (0.30, 0.11),
            7 => (0.212, 0.087),
            9 => (0.2627, 0.0593),
            _ if planes.planes.len() == 1 => (0.299, 0.114),
            other => return Err(wrong(format!("its colour matrix {other} is not supported"))),
        };
        Ok(Self::Matrix { red, blue, full_range })
    }

    /// The picture, opaque.
    pub(super) fn rgba(&self, planes: &Planes) -> RgbaImage {
        let full_range = match self {
            Self::Plain { full_range } | Self::Matrix { full_range, .. } => *full_range,
        };
        let luma = Scale::of(planes.bits, full_range, false);
        let chroma = Scale::of(planes.bits, full_range, true);
        let width = planes.width as usize;
        let mut out = RgbaImage::new(planes.width, planes.height);
        let (mut u_row, mut v_row) = (vec![0f32; width], vec![0f32; width]);
        for (y, row) in out.rows_mut().enumerate() {
            let bright = &planes.planes[0][y * width..][..width];
            if let [_, u, v] = &planes.planes[..] {
                interpolate(planes, u, y, &mut u_row);
                interpolate(planes, v, y, &mut v_row);
            }
            let colours = u_row.iter().zip(&v_row);
            for ((pixel, &value), (&u, &v)) in row.zip(bright).zip(colours) {
                let value = f32::from(value);
                let rgb = match self {
                    _ if planes.planes.len() == 1 => [luma.unit(value); 3],
                    Self::Plain { .. } => [luma.unit(v), luma.unit(value), luma.unit(u)],
                    Self::Matrix { red, blue, .. } => {
                        let (y, cb, cr) = (luma.unit(value), chroma.unit(u), chroma.unit(v));
                        let (r, b) = (y + 2.0 * (1.0 - red) * cr, y + 2.0 * (1.0 - blue) * cb);
                        [r, (y - red * r - blue * b) / (1.0 - red - blue), b]
                    }
                };
                let [r, g, b] = rgb.map(|value| (value * 255.0).round().clamp(0.0, 255.0) as u8);
                pixel.0 = [r, g, b, 255];
            }
        }
        out
    }
}

/// From a value to 0 … 1, or to -0.5 … 0.5 for differences.
struct Scale {
    zero: f32,
    factor: f32,
}

impl Scale {
    fn of(bits: u32, full_range: bool, difference: bool) -> Self {
        let step = f32::from(1u16 << (bits - 8));
        let most = 256.0 * step - 1.0;
        match (full_range, difference) {
            (true, false) => Self { zero: 0.0, factor: 1.0 / most },
            (true, true) => Self { zero: 128.0 * step, factor: 1.0 / most },
            (false, false) => Self { zero: 16.0 * step, factor: 1.0 / (219.0 * step) },
            (false, true) => Self { zero: 128.0 * step, factor: 1.0 / (224.0 * step) },
        }
    }

    fn unit(&self, value: f32) -> f32 {
        (value - self.zero) * self.factor
    }
}

/// A row of a colour plane at the picture's width.
fn interpolate(planes: &Planes, plane: &[u16], y: usize, out: &mut [f32]) {
    let width = half(planes.width, planes.shift.0) as usize;
    let height = half(planes.height, planes.shift.1) as usize;
    let (near_y, far_y) = neighbours(y, planes.shift.1, height);
    let (near_row, far_row) = (&plane[near_y * width..][..width], &plane[far_y * width..][..width]);
    for (x, out) in out.iter_mut().enumerate() {
        let (near, far) = neighbours(x, planes.shift.0, width);
        let mix = |row: &[u16]| 0.75 * f32::from(row[near]) + 0.25 * f32::from(row[far]);
        *out = 0.75 * mix(near_row) + 0.25 * mix(far_row);
    }
}

/// The value that a place falls into, and the next one on its side.
fn neighbours(place: usize, shift: u32, count: usize) -> (usize, usize) {
    if shift == 0 {
        return (place, place);
    }
    let near = (place / 2).min(count - 1);
    let far =
        if place.is_multiple_of(2) { near.saturating_sub(1) } else { (near + 1).min(count - 1) };
    (near, far)
}

/// Puts the opacity of a picture of its own into a picture of the same size. Colours that were
/// multiplied by it are divided again.
pub(super) fn set_opacity(picture: &mut RgbaImage, alpha: &Planes, premultiplied: bool) {
    let scale = Scale::of(alpha.bits, alpha.full_range, false);
    for (pixel, &value) in picture.pixels_mut().zip(&alpha.planes[0]) {
        let opacity = (scale.unit(f32::from(value)) * 255.0).round().clamp(0.0, 255.0) as u8;
        if premultiplied && opacity > 0 {
            let divided = |c: u8| (u32::from(c) * 255 / u32::from(opacity)).min(255) as u8;
            let [r, g, b, _] = pixel.0.map(divided);
            pixel.0 = [r, g, b, opacity];
        }
        pixel.0[3] = opacity;
    }
}
