//! Speed of the matrix product at the sizes of ViT-Tiny, one thread: `cargo bench --workspace --bench gemm`.

use std::time::Instant;

use tuwen_gemm::{Mat, Precision, gemm_with};

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
}
