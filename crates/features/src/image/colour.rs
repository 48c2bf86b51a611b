//! Colour histograms: the share of a picture's pixels in each box of a colour space, 1 in all. Colours are converted as
//! scikit-image converts them (`rgb2hsv`, `rgb2lab` with D65).

use tuwen_image::RgbImage;

/// A colour space with its boxes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Space {
    /// Hue, saturation and value in 16 x 4 x 4 boxes.
    Hsv,
    /// L*, a*, b* in 4 x 8 x 8 boxes; a* and b* from -100 to 100.
    Lab,
}

impl Space {
    /// Boxes along each axis.
    pub fn boxes(self) -> [usize; 3] {
        match self {
            Self::Hsv => [16, 4, 4],
            Self::Lab => [4, 8, 8],
        }
    }
}

/// The histogram: 256 shares, the last axis fastest.
pub fn histogram(picture: &RgbImage, space: Space) -> Vec<f32> {
    let [a, b, c] = space.boxes();
    let mut counts = vec![0u32; a * b * c];
    let linear = linear();
    for [r, g, b_] in picture.as_raw().as_chunks::<3>().0 {
        let colour = match space {
            Space::Hsv => hsv([*r, *g, *b_]),
            Space::Lab => lab([*r, *g, *b_].map(|value| linear[usize::from(value)])),
        };
        let place = |at: usize, boxes: usize| ((colour[at] * boxes as f64) as usize).min(boxes - 1);
        counts[(place(0, a) * b + place(1, b)) * c + place(2, c)] += 1;
    }
    let all = f64::from(counts.iter().sum::<u32>().max(1));
    counts.iter().map(|&count| (f64::from(count) / all) as f32).collect()
}

/// Each from 0 to 1.
fn hsv(rgb: [u8; 3]) -> [f64; 3] {
    let [r, g, b] = rgb.map(|value| f64::from(value) / 255.0);
    let (most, least) = (r.max(g).max(b), r.min(g).min(b));
    let reach = most - least;
    if reach == 0.0 {
        return [0.0, 0.0, most];
    }
    let hue = if r == most {
        (g - b) / reach
    } else if g == most {
        2.0 + (b - r) / reach
    } else {
        4.0 + (r - g) / reach
    };
    [(hue / 6.0).rem_euclid(1.0), reach / most, most]
}

/// Light of each 8-bit value, sRGB's curve taken away.
fn linear() -> [f64; 256] {
    std::array::from_fn(|value| {
        let value = value as f64 / 255.0;
        match value > 0.04045 {
            true => ((value + 0.055) / 1.055).powf(2.4),
            false => value / 12.92,
        }
    })
}

/// L* from 0 to 100, a* and b* from -100 to 100, each brought to 0 to 1.
fn lab([r, g, b]: [f64; 3]) -> [f64; 3] {
    let x = 0.412_453 * r + 0.357_58 * g + 0.180_423 * b;
    let y = 0.212_671 * r + 0.715_16 * g + 0.072_169 * b;
    let z = 0.019_334 * r + 0.119_193 * g + 0.950_227 * b;
    let curve = |value: f64| match value > 0.008_856 {
        true => value.cbrt(),
        false => 7.787 * value + 16.0 / 116.0,
    };
    let [x, y, z] = [curve(x / 0.950_47), curve(y), curve(z / 1.088_83)];
    let (lightness, a, b) = (116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z));
    [lightness / 100.0, (a + 100.0) / 200.0, (b + 100.0) / 200.0].map(|v| v.clamp(0.0, 1.0))
}
