//! Which precision this processor multiplies faster, by trying.

use std::time::{Duration, Instant};

use super::{Mat, Packed, Precision};

/// Of the products that are tried: a few tokens through a layer of a base model.
const ROWS: usize = 96;
const WIDTH: usize = 768;
/// The fastest of so many counts, since other programs only make it slower.
const TIMES: usize = 5;

impl Precision {
    /// How many times as fast as products of f32 those of this precision are here, on one thread; none where the
    /// processor does not multiply it. It takes some 10 ms.
    pub fn measured_gain(self) -> Option<f32> {
        if !self.is_here() {
            return None;
        }
        let values: Vec<f32> = (0..WIDTH * WIDTH).map(|at| (at % 251) as f32 / 251.0).collect();
        let matrix = Mat::new(&values, WIDTH, WIDTH, WIDTH);
        let rows = Mat::new(&values, ROWS, WIDTH, WIDTH);
        let packed = [Self::F32, self].map(|precision| Packed::with(precision, matrix));
        let mut fastest = [Duration::MAX; 2];
        let mut out = vec![0.0; ROWS * WIDTH];
        for _ in 0..TIMES {
            for (fastest, packed) in fastest.iter_mut().zip(&packed) {
                let began = Instant::now();
                packed.multiply(&mut out, WIDTH, rows);
                *fastest = (*fastest).min(began.elapsed());
            }
        }
        Some(fastest[0].as_secs_f32() / fastest[1].as_secs_f32().max(1e-9))
    }
}
