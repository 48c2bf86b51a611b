//! What a query pays for looking twice at 100 photos, each of 197 rows of 64 values, with 12 words: late
//! interaction, and the matching head as `configs/train` has it.
//!
//!     cargo bench --bench max_sim

use std::time::Instant;

use tuwen_matching::{Heads, HeadsConfig, Itm, Late, Patches, Pooling, first_values, instructions};

const PHOTOS: usize = 100;
const WORDS: usize = 12;
const TIMES: u32 = 50;

fn main() {
    let config = HeadsConfig {
        name: "bench".into(),
        model: "bench".into(),
        patches: 197,
        patch_width: 192,
        word_width: 448,
        dim: 64,
        late: Some(Late { pooling: Pooling::Shares, cosine: 0.0 }),
        itm: Some(Itm { width: 192, layers: 2, heads: 4, mlp: 384, words: 32, cosine: 0.0 }),
    };
    let mut state = 1u32;
    let mut number = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    let weights = first_values(&config, &mut number);
    let heads = Heads::new(config, &weights).expect("weights that fit");
    let mut rows = |len: usize| -> Vec<f32> { (0..len).map(|_| number()).collect() };
    let towers: Vec<Vec<f32>> = (0..PHOTOS).map(|_| rows(197 * 192)).collect();
    let towers: Vec<&[f32]> = towers.iter().map(Vec::as_slice).collect();
    let photos = heads.store(&towers).expect("photos of 197 rows");
    let photos: Vec<&Patches> = photos.iter().collect();
    let question = heads.question(&rows(WORDS * 448));
    let timed = |name: &str, run: &dyn Fn() -> Vec<f32>| {
        let mut times: Vec<f64> = (0..TIMES)
            .map(|_| {
                let start = Instant::now();
                assert_eq!(std::hint::black_box(run()).len(), PHOTOS);
                start.elapsed().as_secs_f64() * 1e3
            })
            .collect();
        times.sort_by(f64::total_cmp);
        let (least, middle) = (times[0], times[times.len() / 2]);
        println!("{name}: median {middle:.2} ms, least {least:.2} ms");
    };
    println!("{PHOTOS} photos, {WORDS} words, {}", instructions());
    timed("late interaction", &|| heads.late(&question, &photos));
    timed("matching", &|| heads.matches(&question, &photos));
}
