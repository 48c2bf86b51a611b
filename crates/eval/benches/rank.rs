//! Ranking every query exactly, 50,000 x 50,000 x 512, and the first five for 5,000 queries:
//! `cargo bench --workspace --bench rank`. `scripts/bench/rank.py` times numpy beside it.

use std::time::Instant;

use tuwen_eval::{Ranking, rank_all};

fn vectors(count: usize, dim: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut draw = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    (0..count * dim).map(|_| draw()).collect()
}

fn main() {
    let dim = 512;
    let gallery = vectors(50_000, dim, 1);
    for (queries, top) in [(5_000, 5), (50_000, 10)] {
        let asked = vectors(queries, dim, 2);
        let truth: Vec<Vec<usize>> = (0..queries).map(|query| vec![query]).collect();
        let start = Instant::now();
        let ranked = rank_all(&asked, &gallery, dim, &truth, Ranking { top, ..Ranking::default() });
        let seconds = start.elapsed().as_secs_f64();
        let gflops = 2e-9 * (queries * 50_000 * dim) as f64 / seconds;
        println!(
            "{queries} x 50,000 x {dim}: {seconds:.2} s, {gflops:.0} GFLOPS ({} ranked)",
            ranked.len()
        );
    }
}
