//! Search through codes against its slow twin, which scores every row and sorts: the same hits, bits and order.

use super::*;
use crate::exact;

/// Seeded numbers: <https://prng.di.unimi.it/splitmix64.c>.
struct Draw(u64);

impl Draw {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.bits() % end as u64) as usize
    }

    /// About normal.
    fn value(&mut self) -> f32 {
        (0..4).map(|_| (self.bits() >> 40) as f32 / (1u64 << 24) as f32 - 0.5).sum()
    }

    fn vector(&mut self, dim: usize) -> Vec<f32> {
        (0..dim).map(|_| self.value()).collect()
    }
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Nothing in common.
    Random,
    /// Around a few centres, with columns that are large in every vector.
    Clustered,
    /// A few vectors many times.
    Duplicates,
    /// The larger its number, the better a row: bounds prune little until the end.
    Rising,
    Zeros,
    Tiny,
    Subnormal,
    Huge,
    /// Random ones, among them rows without a code: huge, infinite, not a number.
    Wild,
}

const KINDS: [Kind; 9] = [
    Kind::Random,
    Kind::Clustered,
    Kind::Duplicates,
    Kind::Rising,
    Kind::Zeros,
    Kind::Tiny,
    Kind::Subnormal,
    Kind::Huge,
    Kind::Wild,
];

/// Rows (N, D), and queries (Q, D) of the same kind.
fn vectors(kind: Kind, rows: usize, queries: usize, dim: usize, draw: &mut Draw) -> [Vec<f32>; 2] {
    let centres: Vec<Vec<f32>> = (0..7).map(|_| draw.vector(dim)).collect();
    let mut one = |at: usize| -> Vec<f32> {
        let centre = &centres[draw.below(7)];
        let some = draw.vector(dim);
        let times = |by: f32| some.iter().map(|v| v * by).collect();
        match kind {
            Kind::Random => some,
            Kind::Clustered => {
                let large = |c: usize| if c % 50 == 3 { 9.0 } else { 0.0 };
                let value = |(c, (centre, v)): (usize, (&f32, &f32))| centre + 0.2 * v + large(c);
                centre.iter().zip(&some).enumerate().map(value).collect()
            }
            Kind::Duplicates => centre.clone(),
            Kind::Rising => some.iter().map(|v| 0.1 * v + at as f32 / rows as f32).collect(),
            Kind::Zeros => vec![[0.0, -0.0][at % 2]; dim],
            Kind::Tiny => times(1e-30),
            Kind::Subnormal => times(1e-43),
            Kind::Huge => times(1e17),
            Kind::Wild => match draw.below(97) {
                0 => times(1e30),
                1 => times(f32::INFINITY),
                2 => vec![f32::NAN; dim],
                3 => vec![3e38; dim],
                _ => some,
            },
        }
    };
    [rows, queries].map(|count| (0..count).flat_map(&mut one).collect())
}

/// Every row scored, all sorted.
fn sorted(vectors: &[f32], query: &[f32], dim: usize, among: Option<&IdSet>) -> Vec<Hit> {
    let mut scores = vec![0.0; vectors.len() / dim];
    let count = scores.len();
    exact::scores(query, vectors, dim, &mut scores, count);
    let hits = scores.into_iter().enumerate().map(|(id, score)| Hit { id: id as u64, score });
    let wanted = |hit: &Hit| among.is_none_or(|set| set.contains(hit.id)) && !hit.score.is_nan();
    let mut hits: Vec<Hit> = hits.filter(wanted).collect();
    hits.sort();
    hits
}

fn bits(hits: &[Hit]) -> Vec<(u64, u32)> {
    hits.iter().map(|hit| (hit.id, hit.score.to_bits())).collect()
}

#[test]
fn the_same_hits_bits_and_order_as_sorting_whatever_the_vectors_and_the_processor() {
    let mut draw = Draw(1);
    for kind in KINDS {
        for (rows, queries, dim) in [(3000, 5, 64), (2100, 1, 70), (1500, 2, 301)] {
            let [values, asked] = vectors(kind, rows, queries, dim, &mut draw);
            let vectors = Vectors::in_memory(dim, (0..rows as u64).collect(), values.clone());
            vectors.warm().expect("codes in memory");
            let half: IdSet = (0..rows as u64).filter(|_| draw.below(2) == 0).collect();
            let few: IdSet = (0..rows as u64).filter(|_| draw.below(30) == 0).collect();
            for among in [None, Some(&half), Some(&few)] {
                let all: Vec<_> =
                    asked.chunks_exact(dim).map(|q| sorted(&values, q, dim, among)).collect();
                for k in [1, 2, 10, 1 + draw.below(rows / MANY), rows / 2, rows] {
                    for kernel in Kernel::all() {
                        let ask = Ask { dim, k, among };
                        let found = vectors
                            .search_some(&vectors.blocks(), &asked, ask, kernel)
                            .expect("hits");
                        assert_eq!(found.len(), queries);
                        for (found, all) in found.iter().zip(&all) {
                            let wanted = &all[..k.min(all.len())];
                            let what = format!("{kind:?} {rows} x {dim}, {k} by {}", kernel.name());
                            assert_eq!(bits(found), bits(wanted), "{what}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn a_hundred_queries_share_passes_and_most_rows_are_never_scored() {
    let (rows, dim, mut draw) = (20_000, 128, Draw(2));
    for (kind, share) in [(Kind::Random, 10), (Kind::Clustered, 10)] {
        let [values, asked] = vectors(kind, rows, 100, dim, &mut draw);
        let vectors = Vectors::in_memory(dim, (0..rows as u64).collect(), values.clone());
        vectors.warm().expect("codes in memory");
        let found = vectors.search_all(&asked, 10, None).expect("hits");
        assert_eq!(found.len(), 100);
        for (found, query) in found.iter().zip(asked.chunks_exact(dim)) {
            assert_eq!(bits(found), bits(&sorted(&values, query, dim, None)[..10]), "{kind:?}");
        }
        let Work { bounded, rescored } = vectors.work();
        assert!(bounded >= 95 * (rows as u64 / 256 * 256), "{kind:?}: {bounded} bounded");
        assert!(rescored * share < bounded, "{kind:?}: {rescored} of {bounded} were rescored");
    }
}

#[test]
fn codes_are_made_when_a_block_is_read_for_the_second_time() {
    let (rows, dim, mut draw) = (4096, 64, Draw(3));
    let [values, asked] = vectors(Kind::Random, rows, 1, dim, &mut draw);
    let vectors = Vectors::in_memory(dim, (0..rows as u64).collect(), values.clone());
    let wanted = &sorted(&values, &asked, dim, None)[..5];
    for (time, bounded) in [0, 0, rows as u64].into_iter().enumerate() {
        assert_eq!(bits(&vectors.search(&asked, 5, None).expect("hits")), bits(wanted));
        assert_eq!(vectors.work().bounded, bounded, "search {time}");
    }
}

#[test]
fn bounds_hold_for_every_row() {
    let (rows, mut draw) = (BLOCK, Draw(4));
    for kind in KINDS {
        for dim in [64, 77, 768, 2048] {
            let [values, asked] = vectors(kind, rows, 3, dim, &mut draw);
            let asked: Vec<f32> = asked
                .chunks_exact(dim)
                .filter(|query| has_code(query))
                .flatten()
                .copied()
                .collect();
            let vectors = Vectors::in_memory(dim, (0..rows as u64).collect(), values.clone());
            vectors.warm().expect("codes in memory");
            let mut buffer = Vec::new();
            let record = vectors.segments[0].codes(0, &mut buffer).expect("a record");
            let queries = Queries::new(&asked, dim, Kernel::best());
            for (at, query) in asked.chunks_exact(dim).enumerate() {
                let mut scores = [0.0; BLOCK];
                exact::scores(query, &values, dim, &mut scores, BLOCK);
                let terms = queries.terms(at, record);
                for (panel, scores) in scores.chunks_exact(64).enumerate() {
                    let (mut sums, rows) = ([[0; 64]; 2], record.panel(panel));
                    queries.sums(at, rows, &mut sums);
                    let mut found = codes::Bounds { up: [0.0; 64], low: [0.0; 64] };
                    assert!(codes::bounds(&sums, rows, terms, f32::NEG_INFINITY, &mut found));
                    for ((score, up), low) in scores.iter().zip(found.up).zip(found.low) {
                        let outside = *score > up || *score < low;
                        assert!(!outside, "{kind:?}, {dim}: {score} is not in {low}..{up}");
                    }
                }
            }
        }
    }
}
