//! Pictures of 8 bits: halved step by step and blurred in fixed point, as OpenCV does it bit for bit.

use crate::image::sift::mirrored;

/// (H, W), row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Bytes {
    /// W.
    pub width: usize,
    /// H.
    pub height: usize,
    /// H * W.
    pub values: Vec<u8>,
}

impl Bytes {
    /// One value.
    pub fn at(&self, x: usize, y: usize) -> i32 {
        i32::from(self.values[y * self.width + x])
    }

    /// One value, of the picture mirrored at its edges.
    pub fn beyond(&self, x: isize, y: isize) -> i32 {
        self.at(mirrored(x, self.width), mirrored(y, self.height))
    }

    /// OpenCV's `resize(…, INTER_LINEAR_EXACT)`: weights of 8 bits.
    pub fn resized(&self, width: usize, height: usize) -> Self {
        let (across, down) = (weights(self.width, width), weights(self.height, height));
        let row = |y: usize| -> Vec<u32> {
            let row = &self.values[y * self.width..][..self.width];
            let value = |&(a, b, by): &(usize, usize, u32)| {
                (256 - by) * u32::from(row[a]) + by * u32::from(row[b])
            };
            across.iter().map(value).collect()
        };
        let rows: Vec<Vec<u32>> = (0..self.height).map(row).collect();
        let mut values = Vec::with_capacity(width * height);
        for (a, b, by) in down {
            let pairs = rows[a].iter().zip(&rows[b]);
            values.extend(pairs.map(|(a, b)| (((256 - by) * a + by * b + (1 << 15)) >> 16) as u8));
        }
        Self { width, height, values }
    }

    /// OpenCV's `GaussianBlur(…, (7, 7), 2)`.
    pub fn blurred(&self) -> Self {
        const KERNEL: [u32; 7] = [18, 34, 48, 56, 48, 34, 18];
        let (width, height) = (self.width, self.height);
        let mut rows = Vec::with_capacity(width * height);
        for row in self.values.chunks_exact(width) {
            for x in 0..width {
                let place = |at: usize| match (x + at).checked_sub(3).filter(|x| *x < width) {
                    Some(x) => x,
                    None => mirrored((x + at) as isize - 3, width),
                };
                let each = KERNEL.iter().enumerate();
                rows.push(each.map(|(at, by)| by * u32::from(row[place(at)])).sum::<u32>());
            }
        }
        let mut values = Vec::with_capacity(width * height);
        for y in 0..height {
            let starts: [usize; 7] =
                std::array::from_fn(|at| mirrored((y + at) as isize - 3, height) * width);
            for x in 0..width {
                let each = KERNEL.iter().zip(starts);
                let sum: u32 = each.map(|(by, start)| by * rows[start + x]).sum();
                values.push(((sum + (1 << 15)) >> 16) as u8);
            }
        }
        Self { width, height, values }
    }
}

/// For each place the two that it lies between and how much the second counts, of 256.
fn weights(from: usize, to: usize) -> Vec<(usize, usize, u32)> {
    let scale = from as f64 / to as f64;
    let weight = |at: usize| {
        let place = (at as f64 + 0.5) * scale - 0.5;
        let first = place.floor();
        let by = ((place - first) * 256.0).round_ties_even() as u32;
        let inside = |at: f64| at.clamp(0.0, (from - 1) as f64) as usize;
        (inside(first), inside(first + 1.0), by)
    };
    (0..to).map(weight).collect()
}
