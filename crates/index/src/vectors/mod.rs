//! The vectors of a gallery as they were when it was opened: segments that are mapped, not copied, and exact
//! search over them.
//!
//! `segment` is one pair of files, `ids` a set of items for filters. Rows whose item is gone are tombstones:
//! they stay in the segment until a merge and are never found.

mod ids;
mod segment;

use rayon::prelude::*;

pub use self::ids::IdSet;
pub(crate) use self::segment::{BLOCK, Checks, Segment, Tail, check_files, read_row};
use crate::topk::{Hit, TopK};
use crate::{Result, exact};

/// Queries that are scored together.
const TOGETHER: usize = 64;
/// Where fewer than one in so many rows of a block are asked for, these are scored alone.
const SPARSE: usize = 4;

/// All vectors of one modality.
#[derive(Debug)]
pub struct Vectors {
    dim: usize,
    segments: Vec<Segment>,
}

impl Vectors {
    pub(crate) fn new(dim: usize, segments: Vec<Segment>) -> Self {
        Self { dim, segments }
    }

    /// Vectors in memory, (N, D), with their ids.
    ///
    /// # Panics
    /// When the numbers of ids and rows differ.
    pub fn in_memory(dim: usize, ids: Vec<u64>, values: Vec<f32>) -> Self {
        assert_eq!(values.len(), ids.len() * dim, "a row for each id");
        Self { dim, segments: vec![Segment::in_memory(dim, ids, values)] }
    }

    /// Number of vectors that can be found.
    pub fn len(&self) -> usize {
        self.segments.iter().map(Segment::live).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Width of a vector, D.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The `k` rows with the largest inner product with `query` (D), best first, ties by id; with `among` only
    /// rows of these items, and always `k` of them where there are so many.
    ///
    /// # Errors
    /// A block whose checksum does not fit.
    ///
    /// # Panics
    /// When the query has another width.
    pub fn search(&self, query: &[f32], k: usize, among: Option<&IdSet>) -> Result<Vec<Hit>> {
        Ok(self.search_all(query, k, among)?.pop().unwrap_or_default())
    }

    /// The same for several queries (Q, D), which share the reading.
    ///
    /// # Errors
    /// As [`Self::search`].
    ///
    /// # Panics
    /// As there.
    pub fn search_all(
        &self,
        queries: &[f32],
        k: usize,
        among: Option<&IdSet>,
    ) -> Result<Vec<Vec<Hit>>> {
        assert_eq!(queries.len() % self.dim, 0, "a query of another width");
        let some = |queries: &[f32]| self.search_some(queries, k, among);
        let all = queries.chunks(TOGETHER * self.dim).map(some).collect::<Result<Vec<_>>>()?;
        Ok(all.into_iter().flatten().collect())
    }

    fn search_some(
        &self,
        queries: &[f32],
        k: usize,
        among: Option<&IdSet>,
    ) -> Result<Vec<Vec<Hit>>> {
        let count = queries.len() / self.dim;
        let blocks: Vec<(&Segment, usize)> = self
            .segments
            .iter()
            .flat_map(|segment| (0..segment.blocks()).map(move |block| (segment, block)))
            .collect();
        let empty = || Ok((Scratch::default(), vec![TopK::new(k); count]));
        let scored = blocks.into_par_iter().try_fold(
            || (Scratch::default(), vec![TopK::new(k); count]),
            |(mut scratch, mut tops), (segment, block)| {
                scratch.score(segment, block, (queries, self.dim), among, &mut tops)?;
                Ok((scratch, tops))
            },
        );
        let merge = |(scratch, mut all): (Scratch, Vec<TopK>), (_, others): (_, Vec<TopK>)| {
            all.iter_mut().zip(others).for_each(|(top, other)| top.merge(other));
            Ok((scratch, all))
        };
        let (_, tops) = scored.try_reduce_with(merge).unwrap_or_else(empty)?;
        Ok(tops.into_iter().map(TopK::into_sorted).collect())
    }
}

/// What a thread needs for one block.
#[derive(Default)]
struct Scratch {
    wanted: Vec<usize>,
    rows: Vec<f32>,
    scores: Vec<f32>,
}

impl Scratch {
    /// Offers the rows of a block that are alive and asked for to each query's best.
    fn score(
        &mut self,
        segment: &Segment,
        block: usize,
        (queries, dim): (&[f32], usize),
        among: Option<&IdSet>,
        tops: &mut [TopK],
    ) -> Result<()> {
        let ids = segment.ids(block)?;
        let first = block * BLOCK;
        let asked = |at: &usize| {
            segment.is_alive(first + at) && among.is_none_or(|set| set.contains(ids[*at]))
        };
        self.wanted.clear();
        self.wanted.extend((0..ids.len()).filter(asked));
        if self.wanted.is_empty() {
            return Ok(());
        }
        let values = segment.values(block)?;
        let sparse = self.wanted.len() * SPARSE < ids.len();
        let rows = if sparse {
            self.rows.clear();
            let row = |&at: &usize| &values[at * dim..][..dim];
            self.wanted.iter().for_each(|at| self.rows.extend_from_slice(row(at)));
            &self.rows[..]
        } else {
            values
        };
        let width = rows.len() / dim;
        self.scores.resize(tops.len() * width, 0.0);
        exact::scores(queries, rows, dim, &mut self.scores, width);
        for (top, scores) in tops.iter_mut().zip(self.scores.chunks_exact(width)) {
            for (place, &at) in self.wanted.iter().enumerate() {
                let score = scores[if sparse { place } else { at }];
                top.push(Hit { id: ids[at], score });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(row: usize, column: usize) -> f32 {
        ((row * 31 + column * 17) % 23) as f32 - 11.0
    }

    fn sorted(query: &[f32], rows: impl Iterator<Item = usize>) -> Vec<Hit> {
        let score = |row: usize| query.iter().enumerate().map(|(c, q)| q * value(row, c)).sum();
        let mut all: Vec<Hit> = rows.map(|row| Hit { id: row as u64, score: score(row) }).collect();
        all.sort();
        all
    }

    #[test]
    fn equals_sorting_all_scores_also_of_some_items_and_of_several_queries() {
        let (dim, rows) = (70, 5000);
        let values = (0..rows).flat_map(|row| (0..dim).map(move |column| value(row, column)));
        let vectors = Vectors::in_memory(dim, (0..rows as u64).collect(), values.collect());
        let query = |of: usize| -> Vec<f32> { (0..dim).map(|column| value(of, column)).collect() };
        let found = vectors.search(&query(3), 100, None).expect("hits");
        assert_eq!(found, sorted(&query(3), 0..rows)[..100]);
        for step in [2, 7, 400, 6000] {
            let among: IdSet = (0..rows as u64).step_by(step).collect();
            let found = vectors.search(&query(5), 30, Some(&among)).expect("hits");
            let wanted = sorted(&query(5), (0..rows).step_by(step));
            assert_eq!(found, wanted[..wanted.len().min(30)], "every {step}th");
        }
        // Filters that go with the query and against it, of every width.
        let ranked = sorted(&query(5), 0..rows);
        for share in [1000, 100, 10, 2] {
            let some = rows / share;
            for among in [&ranked[..some], &ranked[rows - some..]] {
                let set: IdSet = among.iter().map(|hit| hit.id).collect();
                let found = vectors.search(&query(5), 30, Some(&set)).expect("hits");
                assert_eq!(found, among[..some.min(30)], "1 of {share}");
            }
        }
        let queries: Vec<f32> = (0..100).flat_map(query).collect();
        let all = vectors.search_all(&queries, 3, None).expect("hits");
        for (of, found) in all.iter().enumerate() {
            assert_eq!(*found, sorted(&query(of), 0..rows)[..3], "query {of}");
        }
    }
}
