//! A picture of one channel, as floats.

use tuwen_image::RgbImage;

/// (H, W), row-major.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plane {
    /// W.
    pub width: usize,
    /// H.
    pub height: usize,
    /// H * W.
    pub values: Vec<f32>,
}

impl Plane {
    /// Zeros.
    pub fn zeros(width: usize, height: usize) -> Self {
        Self { width, height, values: vec![0.0; width * height] }
    }

    /// Takes another size; what it holds is then of no meaning.
    pub fn reshape(&mut self, width: usize, height: usize) {
        (self.width, self.height) = (width, height);
        self.values.resize(width * height, 0.0);
    }

    /// Brightness from 0 to 255, rounded as OpenCV's `cvtColor` to 8 bits has it.
    pub fn grey(picture: &RgbImage) -> Self {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let (pixels, _) = picture.as_raw().as_chunks::<3>();
        let grey = |[r, g, b]: &[u8; 3]| {
            let sum = 9798 * u32::from(*r) + 19235 * u32::from(*g) + 3735 * u32::from(*b);
            ((sum + (1 << 14)) >> 15) as f32
        };
        Self { width, height, values: pixels.iter().map(grey).collect() }
    }

    /// One row.
    pub fn row(&self, y: usize) -> &[f32] {
        &self.values[y * self.width..][..self.width]
    }

    /// One value.
    pub fn at(&self, x: usize, y: usize) -> f32 {
        self.values[y * self.width + x]
    }
}
