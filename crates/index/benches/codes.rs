//! Search through codes beside search by f32 alone, of vectors like CLIP's: pictures around centres, a few columns
//! that are large in all of them, and queries of words, which are far from every picture.
//!
//! `cargo bench -p tuwen-index --bench codes [OUT]`: 100,000 x 256 and 1,000,000 x 512, for 1, 8 and 64 queries and
//! one and two threads. With a folder OUT the vectors are written there for `scripts/bench/flat.py`, which times
//! FAISS's `IndexFlatIP` with them. With `--gallery FOLDER` the pictures of that gallery are searched instead, by its own
//! texts.

use std::path::Path;
use std::time::Instant;

use tuwen_index::{Gallery, Modality, Vectors};

const K: usize = 10;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    println!("{}", processor());
    if let [_, folder] = &args[..] {
        return of_gallery(Path::new(folder));
    }
    for (rows, dim) in [(100_000, 256), (1_000_000, 512)] {
        let (values, queries) = like_clip(rows, dim);
        if let Some(out) = args.first().map(Path::new) {
            write(&out.join(format!("{rows}x{dim}.f32")), &values);
            write(&out.join(format!("{rows}x{dim}.queries.f32")), &queries);
        }
        println!("{rows} x {dim}, {}", cosines(&values, &queries, dim));
        measure(&Vectors::in_memory(dim, (0..rows as u64).collect(), values), &queries);
    }
}

/// Real pictures and 64 real texts.
fn of_gallery(folder: &Path) {
    let gallery = Gallery::open(folder).expect("a gallery");
    let vectors = gallery.vectors(Modality::Image).expect("vectors");
    let texts = gallery.all(Modality::Text).expect("texts");
    let every = (texts.len() / 64).max(1);
    let some = texts.iter().step_by(every).cycle().take(64);
    let queries: Vec<f32> =
        some.flat_map(|text| gallery.vector(text.id).expect("its vector")).collect();
    println!("{} pictures of {} values, {} texts", vectors.len(), vectors.dim(), texts.len());
    measure(&vectors, &queries);
}

/// Times of both ways, with codes in memory.
fn measure(vectors: &Vectors, queries: &[f32]) {
    let dim = vectors.dim();
    let pools = [1, 2].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().expect("threads")
    });
    let counts = [1, 8, 64];
    let begun = Instant::now();
    pools[1].install(|| vectors.warm()).expect("codes");
    println!("   codes of all rows made in memory in {:.0} ms, two threads", ms(begun));
    for (pool, count) in pools.iter().flat_map(|pool| counts.map(|count| (pool, count))) {
        let queries = &queries[..count * dim];
        // So long queries have no code and are scored from f32, with the same products.
        let long: Vec<f32> = queries.iter().map(|value| value * 2f32.powi(62)).collect();
        let scan = time(|| drop(pool.install(|| vectors.search_all(&long, K, None))));
        let before = vectors.work();
        let through = time(|| drop(pool.install(|| vectors.search_all(queries, K, None))));
        let after = vectors.work();
        let share = (after.rescored - before.rescored) as f64
            / (after.bounded - before.bounded).max(1) as f64;
        let (threads, of) = (pool.current_num_threads(), count as f64);
        println!(
            "   {threads} threads, {count:2} queries: f32 {:.3} ms a query, codes {:.3} ms ({:.1} times), {:.4} % \
             rescored",
            scan / of,
            through / of,
            scan / through,
            share * 100.0
        );
    }
}

/// The best of several runs, in ms, after one that is not counted: others may use the machine.
fn time(mut run: impl FnMut()) -> f64 {
    run();
    let one = |_| {
        let begun = Instant::now();
        run();
        ms(begun)
    };
    (0..9).map(one).fold(f64::INFINITY, f64::min)
}

fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

/// Rows (N, D) and 64 queries of words, all of length 1. A picture is what pictures have in common, a centre and what
/// is its own; a query is what texts have in common, a centre and its own: cosines are about 0.18, the best 0.35.
fn like_clip(rows: usize, dim: usize) -> (Vec<f32>, Vec<f32>) {
    let mut draw = Draw(7);
    let (pictures, texts) = (common(dim, &mut draw), common(dim, &mut draw));
    let texts: Vec<f32> = texts.iter().zip(&pictures).map(|(t, p)| t + 0.3 * p).collect();
    let texts = unit(texts);
    let centres: Vec<Vec<f32>> = (0..1000).map(|_| draw.unit(dim)).collect();
    let mut make = |common: &[f32], weights: [f32; 3]| {
        let centre = (draw.bits() % 1000) as usize;
        let own = draw.unit(dim);
        let parts = common.iter().zip(&centres[centre]).zip(own);
        let sum = parts.map(|((a, b), c)| weights[0] * a + weights[1] * b + weights[2] * c);
        unit(sum.collect())
    };
    let values = (0..rows).flat_map(|_| make(&pictures, [0.70, 0.45, 0.55])).collect();
    let queries = (0..64).flat_map(|_| make(&texts, [0.70, 0.45, 0.55])).collect();
    (values, queries)
}

/// What all of a kind have in common: a few columns are large, one of them in both kinds.
fn common(dim: usize, draw: &mut Draw) -> Vec<f32> {
    let mut values = draw.unit(dim);
    values[dim / 3] = 0.45;
    values[(draw.bits() % dim as u64) as usize] = 0.6;
    unit(values)
}

fn cosines(values: &[f32], queries: &[f32], dim: usize) -> String {
    let some = &values[..10_000 * dim];
    let mut scores = vec![0.0; 10_000];
    tuwen_index::exact::scores(&queries[..dim], some, dim, &mut scores, 10_000);
    let mean = scores.iter().sum::<f32>() / 10_000.0;
    let best = scores.iter().fold(0f32, |a, b| a.max(*b));
    format!("cosines of a query of words: {mean:.3} on average, {best:.3} at best")
}

fn unit(values: Vec<f32>) -> Vec<f32> {
    let length = values.iter().map(|v| v * v).sum::<f32>().sqrt();
    values.into_iter().map(|v| v / length).collect()
}

/// Seeded numbers: <https://prng.di.unimi.it/splitmix64.c>.
struct Draw(u64);

impl Draw {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A direction, about evenly: sums of four numbers of 16 bits.
    fn unit(&mut self, dim: usize) -> Vec<f32> {
        let four =
            |bits: u64| [0, 16, 32, 48].map(|at| (bits >> at & 0xFFFF) as f32).iter().sum::<f32>();
        unit((0..dim).map(|_| four(self.bits()) / 65_536.0 - 2.0).collect())
    }
}

fn write(path: &Path, values: &[f32]) {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    std::fs::write(path, bytes).expect("written");
}

/// What the system calls this processor.
fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = |key: &str| {
        let line = info.lines().find(|line| line.starts_with(key))?;
        Some(line.split(": ").nth(1)?.to_owned())
    };
    let model = name("model name").unwrap_or("unknown".into());
    format!("{model}, {}", Vectors::instructions())
}
