//! What a picture is cut into: patches, squares of several patches, or superpixels (SLIC).

use tuwen_image::RgbImage;

use crate::pieces;

/// Each pixel of a picture belongs to one region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Regions {
    /// Width and height in pixels.
    size: [usize; 2],
    of: Vec<u32>,
    count: usize,
}

/// Lloyd's iterations of SLIC, as its paper has them.
const ITERATIONS: usize = 10;
/// How much nearness counts beside colour, m.
const COMPACTNESS: f32 = 10.0;

impl Regions {
    /// A grid of `across` x `across` squares over `side` x `side` pixels, numbered line by line.
    ///
    /// # Panics
    /// When there are none, or more than pixels.
    pub fn grid(side: usize, across: usize) -> Self {
        Self::over([side, side], across)
    }

    /// A grid of `across` x `across` equal cells over a picture of any shape, numbered line by line.
    ///
    /// # Panics
    /// When there are none, or more than pixels along a side.
    pub fn of_picture(picture: &RgbImage, across: usize) -> Self {
        Self::over([picture.width() as usize, picture.height() as usize], across)
    }

    fn over(size: [usize; 2], across: usize) -> Self {
        let [width, height] = size;
        assert!((1..=width.min(height)).contains(&across), "{across} of {width} x {height}");
        let cell = |p: usize| p / width * across / height * across + p % width * across / width;
        let of = (0..width * height).map(|p| cell(p) as u32).collect();
        Self { size, of, count: across * across }
    }

    /// About `wanted` superpixels of one colour each: SLIC (Achanta et al. 2012, k-means over colour and place), each
    /// then one connected piece.
    pub fn slic(picture: &RgbImage, wanted: usize) -> Self {
        let size = [picture.width() as usize, picture.height() as usize];
        let [width, height] = size;
        let lab: Vec<[f32; 3]> = picture.pixels().map(|pixel| lab(pixel.0)).collect();
        // As nearly squares as the picture's shape allows.
        let usual = ((width * height) as f32 / wanted.max(1) as f32).sqrt();
        let [across, down] =
            size.map(|side| (side as f32 / usual).round().clamp(1.0, side as f32) as usize);
        let [wide, high] = [width as f32 / across as f32, height as f32 / down as f32];
        let step = wide.max(high);
        let start = |at: usize| {
            let (y, x) = (at / across, at % across);
            let (y, x) = ((y as f32 + 0.5) * high, (x as f32 + 0.5) * wide);
            let colour = lab[(y as usize).min(height - 1) * width + (x as usize).min(width - 1)];
            [colour[0], colour[1], colour[2], x, y]
        };
        let mut centres: Vec<[f32; 5]> = (0..across * down).map(start).collect();
        let mut of = vec![0u32; width * height];
        for _ in 0..ITERATIONS {
            assign(&lab, size, step, &centres, &mut of);
            let mut sums = vec![[0.0f32; 6]; centres.len()];
            for (pixel, &region) in of.iter().enumerate() {
                let colour = lab[pixel];
                let (x, y) = ((pixel % width) as f32, (pixel / width) as f32);
                let parts = [colour[0], colour[1], colour[2], x, y, 1.0];
                sums[region as usize].iter_mut().zip(parts).for_each(|(sum, part)| *sum += part);
            }
            for (centre, sum) in centres.iter_mut().zip(&sums).filter(|(_, sum)| sum[5] > 0.0) {
                *centre = [0, 1, 2, 3, 4].map(|at| sum[at] / sum[5]);
            }
        }
        let (of, count) = pieces::regions(size, &of, centres.len(), (wide * high / 4.0) as usize);
        Self { size, of, count }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Width and height in pixels.
    pub fn size(&self) -> [usize; 2] {
        self.size
    }

    /// The region of each pixel, line by line.
    pub fn of(&self) -> &[u32] {
        &self.of
    }

    /// A value of each region at each of its pixels, (height, width).
    pub fn spread(&self, values: &[f32]) -> Vec<f32> {
        self.of.iter().map(|&region| values[region as usize]).collect()
    }
}

/// Each pixel to the nearest centre whose window of twice the step it lies in.
fn assign(lab: &[[f32; 3]], size: [usize; 2], step: f32, centres: &[[f32; 5]], of: &mut [u32]) {
    let mut nearest = vec![f32::INFINITY; of.len()];
    let weight = (COMPACTNESS / step).powi(2);
    for (region, centre) in centres.iter().enumerate() {
        let range = |middle: f32, side: usize| {
            let first = (middle - step).floor().max(0.0) as usize;
            first..((middle + step).ceil() as usize + 1).min(side)
        };
        for y in range(centre[4], size[1]) {
            for x in range(centre[3], size[0]) {
                let pixel = y * size[0] + x;
                let colour: f32 = (0..3).map(|c| (lab[pixel][c] - centre[c]).powi(2)).sum();
                let place = (x as f32 - centre[3]).powi(2) + (y as f32 - centre[4]).powi(2);
                let distance = colour + weight * place;
                if distance < nearest[pixel] {
                    (nearest[pixel], of[pixel]) = (distance, region as u32);
                }
            }
        }
    }
}

/// CIE L*a*b* of an sRGB colour, white point D65.
fn lab(rgb: [u8; 3]) -> [f32; 3] {
    let [r, g, b] = rgb.map(|byte| {
        let value = f32::from(byte) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    });
    let x = (0.412_456_4 * r + 0.357_576_1 * g + 0.180_437_5 * b) / 0.950_47;
    let y = 0.212_672_9 * r + 0.715_152_2 * g + 0.072_175 * b;
    let z = (0.019_333_9 * r + 0.119_192 * g + 0.950_304_1 * b) / 1.088_83;
    let f = |t: f32| if t > 0.008_856 { t.cbrt() } else { 7.787 * t + 16.0 / 116.0 };
    [116.0 * f(y) - 16.0, 500.0 * (f(x) - f(y)), 200.0 * (f(y) - f(z))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_numbers_its_squares_line_by_line() {
        let grid = Regions::grid(4, 2);
        assert_eq!(grid.of(), [0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3, 2, 2, 3, 3]);
        let wide = Regions::of_picture(&RgbImage::new(4, 2), 2);
        assert_eq!(wide.of(), [0, 0, 1, 1, 2, 2, 3, 3]);
        // A side that the squares do not divide: each has pixels.
        let odd = Regions::grid(7, 3);
        assert!((0..9).all(|region| odd.of().contains(&region)));
    }

    #[test]
    fn superpixels_follow_colours_and_are_connected() {
        let picture = RgbImage::from_fn(60, 60, |x, _| match x {
            0..23 => [200, 30, 30].into(),
            _ => [20, 60, 200].into(),
        });
        let found = Regions::slic(&picture, 16);
        assert!((8..=30).contains(&found.count()), "{}", found.count());
        for region in 0..found.count() as u32 {
            let pixels: Vec<usize> =
                (0..3600).filter(|&pixel| found.of()[pixel] == region).collect();
            assert!(!pixels.is_empty());
            let red = pixels.iter().filter(|&&pixel| pixel % 60 < 23).count();
            assert!(red == 0 || red == pixels.len(), "region {region} is of two colours");
        }
        let wide = RgbImage::from_fn(90, 30, |x, _| [(x / 30 * 100) as u8, 0, 0].into());
        let found = Regions::slic(&wide, 3);
        assert_eq!((found.size(), found.count()), ([90, 30], 3));
        let flat = Regions::slic(&RgbImage::from_pixel(32, 32, [9; 3].into()), 1);
        assert_eq!(flat.count(), 1);
    }

    /// As many as were asked for, about, of about one size, also where no two neighbours have one colour.
    #[test]
    fn superpixels_are_as_many_as_asked_and_none_is_half_the_picture() {
        let mut rng = tuwen_image::rng::Rng::new(&[7]);
        let mut byte = |least: f32, most: f32| rng.range(least, most) as u8;
        let noise = RgbImage::from_fn(224, 224, |_, _| [0; 3].map(|_| byte(0.0, 255.0)).into());
        // A meadow under a sky, with a house.
        let meadow = RgbImage::from_fn(224, 224, |x, y| match y {
            0..90 => [120, 160, 220].into(),
            _ if (80..140).contains(&x) && y < 150 => [150, 60, 50].into(),
            _ => [byte(10.0, 120.0), byte(60.0, 200.0), byte(0.0, 80.0)].into(),
        });
        let flat = RgbImage::from_pixel(224, 224, [90; 3].into());
        for (name, picture) in [("noise", noise), ("meadow", meadow), ("flat", flat)] {
            for wanted in [16, 49, 100] {
                let found = Regions::slic(&picture, wanted);
                let mut sizes = vec![0usize; found.count()];
                found.of().iter().for_each(|&region| sizes[region as usize] += 1);
                let [usual, largest] = [224 * 224 / wanted, *sizes.iter().max().expect("some")];
                let named = format!("{name}, {wanted} wanted: {sizes:?}");
                assert!((wanted * 3 / 4..=wanted * 3 / 2).contains(&found.count()), "{named}");
                assert!(largest < 4 * usual, "{named}");
                assert!(sizes.iter().all(|&size| size >= usual / 4), "{named}");
            }
        }
    }

    #[test]
    fn white_is_white_in_lab() {
        let [l, a, b] = lab([255; 3]);
        assert!((l - 100.0).abs() < 0.1 && a.abs() < 0.1 && b.abs() < 0.1, "{l} {a} {b}");
    }
}
