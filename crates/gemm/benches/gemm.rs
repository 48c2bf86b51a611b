//! Speed of the matrix product at the sizes of ViT-Tiny, one thread: `cargo bench --workspace --bench gemm`.

use std::time::Instant;

use tuwen_gemm::{Mat, gemm};

fn main() {
    for (m, k, n) in
        [(800, 192, 768), (800, 768, 192), (800, 192, 576), (192, 800, 768), (197, 64, 197)]
    {
        let (a, b) = (vec![0.5; m * k], vec![0.5; k * n]);
        let mut c = vec![0.0; m * n];
        let mut best = f64::MAX;
        for _ in 0..30 {
            let start = Instant::now();
            gemm(&mut c, n, Mat::new(&a, m, k, k), Mat::new(&b, n, k, k).t(), false);
            best = best.min(start.elapsed().as_secs_f64());
        }
        println!("{m} x {k} x {n}: {:.0} GFLOPS", 2e-9 * (m * k * n) as f64 / best);
    }
}
