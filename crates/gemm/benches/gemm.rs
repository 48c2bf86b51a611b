//! Speed of the matrix product at the sizes of ViT-Tiny, one thread: `cargo bench --workspace --bench gemm`.

use std::borrow::Cow;
use std::time::Instant;

use tuwen_gemm::{Mat, Packed, Precision, Quantised, gemm_with};

fn main() {
    for (m, k, n) in
        [(800, 192, 768), (800, 768, 192), (800, 192, 576), (192, 800, 768), (197, 64, 197)]
    {
        let (a, b) = (vec![0.5; m * k], vec![0.5; k * n]);
        let mut c = vec![0.0; m * n];
        for precision in [Precision::F32, Precision::Bf16] {
            if !precision.is_here() {
                continue;
            }
            let mut best = f64::MAX;
            for _ in 0..30 {
                let start = Instant::now();
                let (a, b) = (Mat::new(&a, m, k, k), Mat::new(&b, n, k, k).t());
                gemm_with(precision, &mut c, n, a, b, false);
                best = best.min(start.elapsed().as_secs_f64());
            }
            let speed = 2e-9 * (m * k * n) as f64 / best;
            println!("{m} x {k} x {n} in {precision:?}: {speed:.0} GFLOPS");
        }
    }
    quantised();
}

/// Factors packed as f32 against those of 8 bits where they lie, at the sizes of the built-in text tower; the
/// factors of twelve layers in turn, which no cache holds as f32.
fn quantised() {
    for (m, k, n) in
        [(11, 384, 1152), (11, 1536, 384), (200, 384, 1536), (800, 384, 1536), (800, 1536, 384)]
    {
        let a = vec![0.5; m * k];
        let a = Mat::new(&a, m, k, k);
        let mut c = vec![0.0; m * n];
        let (bytes, floats) = (vec![3u8; n * k], vec![0.5; n * k]);
        let packed: Vec<Packed> =
            (0..12).map(|_| Packed::new(Mat::new(&floats, n, k, k).t())).collect();
        let quantised: Vec<Quantised<'_>> =
            (0..12).map(|_| Quantised::new(Cow::Owned(bytes.clone()), vec![0.5; n])).collect();
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for _ in 0..if m > 100 { 9 } else { 200 } {
            let start = Instant::now();
            packed.iter().for_each(|packed| packed.multiply(&mut c, n, a));
            before.push(start.elapsed().as_secs_f64());
            let start = Instant::now();
            quantised.iter().for_each(|factor| factor.multiply_columns(&mut c, n, a, 0..n));
            after.push(start.elapsed().as_secs_f64());
        }
        let speed = |mut seconds: Vec<f64>| {
            seconds.sort_by(f64::total_cmp);
            12.0 * 2e-9 * (m * k * n) as f64 / seconds[seconds.len() / 2]
        };
        println!(
            "{m} x {k} x {n}: packed {:.0}, of 8 bits {:.0} GFLOPS",
            speed(before),
            speed(after)
        );
    }
}
