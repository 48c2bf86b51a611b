//! Speed of the matrix product at the sizes of ViT-Tiny, one thread: `cargo bench --workspace --bench gemm`.

use std::time::Instant;

use tuwen_gemm::{ByteRows, Mat, Packed, PackedBytes, Precision, gemm_with};

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
    bytes();
}

/// Factors packed as f32 against those of bytes, at the sizes of the built-in towers; the factors of twelve layers in
/// turn, which no cache holds as f32. Rounding the left factor counts.
fn bytes() {
    for (m, k, n) in [
        (11, 384, 1152),
        (11, 1536, 384),
        (200, 384, 1536),
        (788, 192, 576),
        (788, 192, 768),
        (788, 768, 192),
        (788, 768, 3072),
    ] {
        let a = vec![0.5; m * k];
        let a = Mat::new(&a, m, k, k);
        let mut c = vec![0.0; m * n];
        let (bytes, floats) = (vec![3u8; n * k], vec![0.5; n * k]);
        let packed: Vec<Packed> =
            (0..12).map(|_| Packed::new(Mat::new(&floats, n, k, k).t())).collect();
        let of_bytes: Vec<PackedBytes> =
            (0..12).map(|_| PackedBytes::new(&bytes, vec![0.5; n])).collect();
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for _ in 0..if m > 100 { 30 } else { 200 } {
            let start = Instant::now();
            packed.iter().for_each(|packed| packed.multiply(&mut c, n, a));
            before.push(start.elapsed().as_secs_f64());
            let start = Instant::now();
            for factor in &of_bytes {
                factor.multiply_columns(&mut c, n, &ByteRows::new(a), 0..n);
            }
            after.push(start.elapsed().as_secs_f64());
        }
        let speed = |seconds: Vec<f64>| {
            12.0 * 2e-9 * (m * k * n) as f64 / seconds.into_iter().fold(f64::MAX, f64::min)
        };
        println!(
            "{m} x {k} x {n}: f32 {:.0} GFLOPS, bytes {:.0} GOPS",
            speed(before),
            speed(after)
        );
    }
}
