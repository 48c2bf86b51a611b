//! The vectors of a gallery as they were when it was opened: segments that are read where a search needs them, and
//! exact search over them.
//!
//! `segment` is one pair of files, `tail` their end, where a writer adds rows, `file` how they are read, `ids` a set of items for filters, `scan` scores rows from f32, `codes` are those
//! rows in 8 bits, by which `through` finds what is worth scoring: what is found is the same, ties and last bits too.
//! `cells` are those rows a third time, in cells, for galleries of many rows: there what is found may miss some of the
//! best, by how many `tune` measures; `plan` says which way a search goes.
//! Rows whose item is gone are tombstones: they stay in the segment until a merge and are never found.

mod cells;
mod codes;
mod file;
mod ids;
mod plan;
mod scan;
mod segment;
mod tail;
mod through;
mod tune;
#[cfg(test)]
mod twin;
mod whole;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use self::cells::Cells;
pub(crate) use self::cells::{Building, build as build_cells, mean_of, path as cells_path};
pub use self::cells::{QueryKind, Widths};
use self::codes::kernel::Kernel;
use self::codes::{Queries, WIDTHS, has_code};
pub(crate) use self::codes::{complete as complete_codes, own};
pub use self::ids::IdSet;
pub use self::plan::{Plan, Way};
pub(crate) use self::segment::{
    BLOCK, Checks, Segment, SegmentBlock, Shape, check_files, read_row,
};
pub(crate) use self::tail::{Row, Tail};
pub use self::tune::{Asked, Recall};
use crate::Result;
use crate::topk::{Hit, TopK};

/// Queries that are scored together.
const TOGETHER: usize = 64;
/// Where more than one in so many rows are wanted, nearly all would be scored from f32.
const MANY: usize = 32;
/// Bytes of codes that are kept in memory at most: those of two million vectors of 512 values. More are read anew
/// for each search.
const MEMORY: usize = 1 << 30;
/// Rows from which on cells are worth their room.
pub(crate) const CELLS_FROM: usize = 100_000;

/// All vectors of one modality.
#[derive(Debug)]
pub struct Vectors {
    dim: usize,
    segments: Vec<Segment>,
    cells: Option<Cells>,
    /// Full blocks of each segment whose rows are in cells, and how many of these rows can be found.
    covered: (Vec<usize>, usize),
    /// The file of cells that cannot be used, and what is wrong with it.
    without: Option<(PathBuf, String)>,
    bounded: AtomicU64,
    rescored: AtomicU64,
}

/// What searches have cost so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// Pairs of a query and a row whose score was bounded by the row's code.
    pub bounded: u64,
    /// Those of them that were scored from f32 afterwards.
    pub rescored: u64,
}

/// What is asked of all queries.
#[derive(Clone, Copy)]
struct Ask<'a> {
    dim: usize,
    k: usize,
    among: Option<&'a IdSet>,
}

impl Vectors {
    pub(crate) fn new(dim: usize, mut segments: Vec<Segment>) -> Self {
        if segments.iter_mut().map(|segment| segment.store().len()).sum::<usize>() > MEMORY {
            segments.iter_mut().for_each(|segment| segment.store().of_file_only());
        }
        let [bounded, rescored] = Default::default();
        let covered = (vec![0; segments.len()], 0);
        Self { dim, segments, cells: None, covered, without: None, bounded, rescored }
    }

    /// With the cells of a file, where there is one and it can be used.
    pub(crate) fn with_cells(mut self, path: PathBuf) -> Self {
        match Cells::open(path.clone(), self.dim, &self.segments) {
            Ok(cells) => {
                let blocks = cells.as_ref().map(|cells| cells.covered(self.segments.len()));
                let blocks = blocks.unwrap_or_else(|| vec![0; self.segments.len()]);
                let rows = blocks.iter().zip(&self.segments);
                let rows = rows.map(|(blocks, segment)| segment.live_before(blocks * BLOCK)).sum();
                (self.cells, self.covered) = (cells, (blocks, rows));
            }
            Err(what) => self.without = Some((path, what)),
        }
        self
    }

    pub(crate) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    pub(crate) fn cells_mut(&mut self) -> Option<&mut Cells> {
        self.cells.as_mut()
    }

    /// Vectors in memory, (N, D), with their ids.
    ///
    /// # Panics
    /// When the numbers of ids and rows differ.
    pub fn in_memory(dim: usize, ids: Vec<u64>, values: Vec<f32>) -> Self {
        assert_eq!(values.len(), ids.len() * dim, "a row for each id");
        Self::new(dim, vec![Segment::in_memory(dim, ids, values)])
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
        if !queries.is_empty() && self.other_way(k, among).is_none() {
            let ask = Ask { dim: self.dim, k, among };
            if let Some(found) = self.in_cells(queries, ask, None)? {
                return Ok(found);
            }
        }
        self.search_all_exact(queries, k, among)
    }

    /// As [`Self::search_all`], and for certain the best.
    ///
    /// # Errors
    /// As [`Self::search`].
    ///
    /// # Panics
    /// As there.
    pub fn search_all_exact(
        &self,
        queries: &[f32],
        k: usize,
        among: Option<&IdSet>,
    ) -> Result<Vec<Vec<Hit>>> {
        assert_eq!(queries.len() % self.dim, 0, "a query of another width");
        let ask = Ask { dim: self.dim, k, among };
        let blocks = self.blocks();
        let some = |queries: &[f32]| self.search_some(&blocks, queries, ask, Kernel::best());
        let all = queries.chunks(TOGETHER * self.dim).map(some).collect::<Result<Vec<_>>>()?;
        Ok(all.into_iter().flatten().collect())
    }

    /// The files of codes in which something was damaged, of those that were read: rows of such blocks are found
    /// without codes, and whoever puts the gallery in order next (`Gallery::finish`) writes these anew.
    pub fn damaged_codes(&self) -> Vec<PathBuf> {
        self.segments.iter().filter_map(Segment::damaged_codes).map(Path::to_path_buf).collect()
    }

    /// The file of cells that is not as it was written, and what is wrong with it: searches are exact without it.
    pub fn damaged_cells(&self) -> Option<(&Path, &str)> {
        let opened = self.cells.as_ref().and_then(|cells| Some((cells.path(), cells.wrong()?)));
        opened.or_else(|| self.without.as_ref().map(|(path, what)| (path.as_path(), what.as_str())))
    }

    /// How many cells there are, how many rows are in them, and how many of them searches look into.
    pub fn cells(&self) -> Option<(usize, usize, Widths)> {
        let cells = self.cells.as_ref()?;
        Some((cells.count(), self.covered.1, cells.widths()))
    }

    /// Whether all of the file of cells is as it was written.
    pub fn has_whole_cells(&self) -> bool {
        self.cells.as_ref().is_some_and(|cells| cells.verify().is_ok())
    }

    /// Reads what the first search would have to wait for: codes and items' numbers, with their checksums. Codes that
    /// no writer has made yet are made in memory.
    ///
    /// # Errors
    /// A block whose checksum does not fit.
    pub fn warm(&self) -> Result<()> {
        self.blocks()
            .into_par_iter()
            .try_for_each(|SegmentBlock { segment, block }| segment.warm(block))
    }

    /// What searches have cost since these vectors were opened.
    pub fn work(&self) -> Work {
        let [bounded, rescored] =
            [&self.bounded, &self.rescored].map(|count| count.load(Ordering::Relaxed));
        Work { bounded, rescored }
    }

    /// The instructions by which codes are multiplied on this processor.
    pub fn instructions() -> &'static str {
        Kernel::best().name()
    }

    fn blocks(&self) -> Vec<SegmentBlock<'_>> {
        self.blocks_behind(&vec![0; self.segments.len()])
    }

    /// Blocks behind so many of each segment.
    fn blocks_behind(&self, first: &[usize]) -> Vec<SegmentBlock<'_>> {
        let of = |(segment, first): (_, &usize)| {
            (*first..Segment::blocks(segment)).map(move |block| SegmentBlock { segment, block })
        };
        self.segments.iter().zip(first).flat_map(of).collect()
    }

    /// From the nearest cells, so many where somebody says it, and exactly from rows that are in none. Nothing where the
    /// cells are damaged.
    fn in_cells(
        &self,
        queries: &[f32],
        ask: Ask<'_>,
        width: Option<usize>,
    ) -> Result<Option<Vec<Vec<Hit>>>> {
        let Some(cells) = self.cells.as_ref().filter(|cells| cells.wrong().is_none()) else {
            return Ok(None);
        };
        let left = ask.among.map_or(self.len(), IdSet::len);
        let depth = self.depth(ask.k, left);
        let one = |query: &[f32]| match has_code(query) {
            true => cells.search(&self.segments, query, ask, depth, width),
            false => Ok(None),
        };
        let looked: Vec<_> = match queries.len() == self.dim {
            true => vec![one(queries)?],
            false => queries.par_chunks(self.dim).map(one).collect::<Result<_>>()?,
        };
        if cells.wrong().is_some() {
            return Ok(None);
        }
        let rest = self.blocks_behind(&self.covered.0);
        let others = match rest.is_empty() {
            true => vec![Vec::new(); looked.len()],
            false => {
                let some = |queries: &[f32]| self.search_some(&rest, queries, ask, Kernel::best());
                let all =
                    queries.chunks(TOGETHER * self.dim).map(some).collect::<Result<Vec<_>>>()?;
                all.into_iter().flatten().collect()
            }
        };
        let mut found = Vec::with_capacity(looked.len());
        for (at, (looked, others)) in looked.into_iter().zip(others).enumerate() {
            let Some(looked) = looked else {
                let query = &queries[at * self.dim..][..self.dim];
                found.extend(self.search_all_exact(query, ask.k, ask.among)?);
                continue;
            };
            self.bounded.fetch_add(looked.rows as u64, Ordering::Relaxed);
            self.rescored.fetch_add(looked.rescored as u64, Ordering::Relaxed);
            let mut top = TopK::new(ask.k);
            looked.hits.into_iter().chain(others).for_each(|hit| top.push(hit));
            found.push(top.into_sorted());
        }
        Ok(Some(found))
    }

    /// Through codes where these help, and the other queries from f32.
    fn search_some(
        &self,
        blocks: &[SegmentBlock<'_>],
        queries: &[f32],
        ask: Ask<'_>,
        kernel: Kernel,
    ) -> Result<Vec<Vec<Hit>>> {
        let rows = blocks.len() * BLOCK;
        let query = |at: usize| &queries[at * self.dim..][..self.dim];
        let mut found: Vec<Option<Vec<Hit>>> = vec![None; queries.len() / self.dim];
        if WIDTHS.contains(&self.dim) && ask.k.saturating_mul(MANY) <= rows.min(self.len()) {
            let coded: Vec<usize> = (0..found.len()).filter(|&at| has_code(query(at))).collect();
            let values: Vec<f32> = coded.iter().flat_map(|&at| query(at)).copied().collect();
            let coded_queries = Queries::new(&values, self.dim, kernel);
            let answers = through::search(blocks, &coded_queries, &values, ask)?;
            self.bounded.fetch_add(answers.bounded, Ordering::Relaxed);
            self.rescored.fetch_add(answers.rescored, Ordering::Relaxed);
            coded.into_iter().zip(answers.hits).for_each(|(at, hits)| found[at] = hits);
        }
        let rest: Vec<usize> = (0..found.len()).filter(|&at| found[at].is_none()).collect();
        let values: Vec<f32> = rest.iter().flat_map(|&at| query(at)).copied().collect();
        if !rest.is_empty() {
            let hits = scan::all(blocks, &values, ask)?;
            rest.into_iter().zip(hits).for_each(|(at, hits)| found[at] = Some(hits));
        }
        Ok(found.into_iter().map(|hits| hits.expect("found by one way or the other")).collect())
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
