//! Search through codes: one pass over them finds the rows that may be among a query's best, which are then scored
//! from f32.
//!
//! The k best lower bounds of what was seen are a floor: k rows score that much, so a row whose upper bound is below
//! is not among the best. A row whose bound equals the floor may be, by its number, and stays.

use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use rayon::prelude::*;

use super::Ask;
use super::codes::{ABREAST, Bounds, PANELS, Queries, Record, bounds};
use super::scan::{Bits, Scratch, Wanted};
use super::segment::{BLOCK, SegmentBlock};
use crate::topk::{Hit, TopK};
use crate::{Result, exact};

/// Where more than one in so many rows are to be scored from f32, a query is given up: reading all of them in their
/// order is faster.
const GIVE_UP: usize = 8;
/// Rows of which that is not yet known.
const PATIENCE: usize = 2048;
/// Rows that are scored together.
const TOGETHER: usize = 64;

/// A row that may be among the best.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    /// What it scores at most; never "not a number".
    up: f32,
    /// Place among the blocks, and in that block.
    block: u32,
    row: u32,
}

/// The pass of several queries.
struct Pass<'a> {
    blocks: &'a [SegmentBlock<'a>],
    queries: &'a Queries<'a>,
    values: &'a [f32],
    ask: Ask<'a>,
    /// Of each query, of all threads.
    shared: Vec<Shared>,
}

/// What threads tell each other of a query.
#[derive(Debug)]
struct Shared {
    floor: AtomicI32,
    given_up: AtomicBool,
}

/// What a thread has found.
struct Found {
    scratch: Scratch,
    /// Codes from a file.
    codes: Vec<u64>,
    rows: usize,
    /// Rows that were scored from f32, and the lower bounds of others, of each query.
    exact: Vec<TopK>,
    lows: Vec<TopK>,
    candidates: Vec<Vec<Candidate>>,
}

/// What queries found, and what it took.
pub(super) struct Answers {
    /// None where bounds did not help: it must be scanned.
    pub(super) hits: Vec<Option<Vec<Hit>>>,
    pub(super) bounded: u64,
    pub(super) rescored: u64,
}

/// The best of each query.
pub(super) fn search(
    blocks: &[SegmentBlock<'_>],
    queries: &Queries<'_>,
    values: &[f32],
    ask: Ask<'_>,
) -> Result<Answers> {
    let shared = (0..queries.len()).map(|_| Shared::new()).collect();
    let pass = Pass { blocks, queries, values, ask, shared };
    let found = (0..blocks.len())
        .into_par_iter()
        .try_fold(|| pass.nothing(), |mut found, at| pass.block(&mut found, at).map(|()| found));
    let found = found.try_reduce_with(|a, b| Ok(a.and(b))).unwrap_or_else(|| Ok(pass.nothing()))?;
    let Found { rows, exact, lows, candidates, .. } = found;
    let of_queries = exact.into_par_iter().zip(lows).zip(candidates).enumerate();
    let done = of_queries.map(|(query, ((exact, lows), candidates))| {
        let floor = pass.floor(query, &exact, &lows);
        pass.rescore(query, exact, floor, rows, candidates)
    });
    let done: Vec<(Option<Vec<Hit>>, usize)> = done.collect::<Result<_>>()?;
    let rescored = done.iter().map(|(_, count)| *count as u64).sum();
    let hits: Vec<_> = done.into_iter().map(|(hits, _)| hits).collect();
    let through = hits.iter().flatten().count();
    Ok(Answers { hits, bounded: (rows * through) as u64, rescored })
}

impl Shared {
    fn new() -> Self {
        Self { floor: AtomicI32::new(ordered(f32::NEG_INFINITY)), given_up: AtomicBool::new(false) }
    }

    fn given_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }
}

/// The bits of a number in the order of numbers; its own inverse.
fn ordered(value: f32) -> i32 {
    let bits = value.to_bits().cast_signed();
    if bits < 0 { bits ^ i32::MAX } else { bits }
}

fn of_ordered(bits: i32) -> f32 {
    f32::from_bits(if bits < 0 { bits ^ i32::MAX } else { bits }.cast_unsigned())
}

impl Pass<'_> {
    fn nothing(&self) -> Found {
        let count = self.queries.len();
        Found {
            scratch: Scratch::telling(),
            codes: Vec::new(),
            rows: 0,
            exact: vec![TopK::new(self.ask.k); count],
            lows: vec![TopK::new(self.ask.k); count],
            candidates: vec![Vec::new(); count],
        }
    }

    /// What a query's best score at least, as far as anybody knows.
    fn floor(&self, query: usize, exact: &TopK, lows: &TopK) -> f32 {
        let own = exact.floor().into_iter().chain(lows.floor());
        let own = own.fold(f32::NEG_INFINITY, f32::max);
        let before = self.shared[query].floor.fetch_max(ordered(own), Ordering::Relaxed);
        own.max(of_ordered(before))
    }

    /// Looks at one block.
    fn block(&self, found: &mut Found, at: usize) -> Result<()> {
        let SegmentBlock { segment, block } = self.blocks[at];
        let wanted = Wanted::of(segment, block, self.ask.among)?;
        if wanted.count() == 0 {
            return Ok(());
        }
        let mut buffer = std::mem::take(&mut found.codes);
        let record = match wanted.is_sparse(BLOCK) {
            true => None,
            false => segment.codes(block, &mut buffer),
        };
        match record {
            Some(record) => {
                found.rows += wanted.count();
                self.bound(found, at, wanted, record);
                self.give_up(found);
            }
            None => found.scratch.score(segment, block, wanted, self.values, &mut found.exact)?,
        }
        found.codes = buffer;
        Ok(())
    }

    /// Keeps the rows of a block that may be among a query's best.
    fn bound(&self, found: &mut Found, at: usize, wanted: Wanted, record: Record<'_>) {
        let count = self.queries.len();
        let terms: Vec<_> = (0..count).map(|query| self.queries.terms(query, record)).collect();
        let mut sums = [[0; 64]; 2 * ABREAST];
        let mut limits = Bounds { up: [0.0; 64], low: [0.0; 64] };
        for panel in 0..PANELS {
            let (mask, rows) = (wanted.0[panel], record.panel(panel));
            for first in (0..count).step_by(ABREAST) {
                let some = first..(first + ABREAST).min(count);
                if mask == 0 || some.clone().all(|query| self.shared[query].given_up()) {
                    continue;
                }
                self.queries.sums(first, rows, &mut sums[..2 * some.len()]);
                for query in some {
                    let Found { exact, lows, candidates, .. } = &mut *found;
                    let (exact, lows) = (&exact[query], &mut lows[query]);
                    let mut floor = self.floor(query, exact, lows);
                    let pair = [sums[2 * (query - first)], sums[2 * (query - first) + 1]];
                    if !bounds(&pair, rows, terms[query], floor, &mut limits) {
                        continue;
                    }
                    for bit in Bits(mask) {
                        let (up, low) = (limits.up[bit], limits.low[bit]);
                        if up < floor {
                            continue;
                        }
                        let up = if up.is_nan() { f32::INFINITY } else { up };
                        let row = (64 * panel + bit) as u32;
                        candidates[query].push(Candidate { up, block: at as u32, row });
                        lows.push(Hit { id: u64::from(row), score: low });
                        floor = lows.floor().map_or(floor, |low| low.max(floor));
                    }
                }
            }
        }
    }

    /// Gives up queries of which too many rows may be among the best.
    fn give_up(&self, found: &mut Found) {
        let most = (found.rows / GIVE_UP).max(PATIENCE);
        for query in 0..self.queries.len() {
            if found.candidates[query].len() > most {
                let floor = self.floor(query, &found.exact[query], &found.lows[query]);
                found.candidates[query].retain(|candidate| candidate.up >= floor);
                if found.candidates[query].len() > most {
                    self.shared[query].given_up.store(true, Ordering::Relaxed);
                    found.candidates[query].clear();
                }
            }
        }
    }

    /// Scores a query's candidates from f32, the most promising first; how many there were.
    fn rescore(
        &self,
        query: usize,
        exact: TopK,
        floor: f32,
        rows: usize,
        mut candidates: Vec<Candidate>,
    ) -> Result<(Option<Vec<Hit>>, usize)> {
        candidates.retain(|candidate| candidate.up >= floor);
        if self.shared[query].given_up() || candidates.len() > (rows / GIVE_UP).max(PATIENCE) {
            return Ok((None, 0));
        }
        candidates.sort_unstable_by(|a, b| b.up.total_cmp(&a.up));
        let (first, rest) = candidates.split_at(candidates.len().min(self.ask.k.max(TOGETHER)));
        let mut top = exact;
        for some in first.chunks(TOGETHER) {
            self.score(query, some, &mut top)?;
        }
        let floor = top.floor().unwrap_or(f32::NEG_INFINITY);
        let rest = &rest[..rest.partition_point(|candidate| candidate.up >= floor)];
        let scored = rest.par_chunks(TOGETHER).try_fold(
            || TopK::new(self.ask.k),
            |mut top, some| self.score(query, some, &mut top).map(|()| top),
        );
        let merge = |mut a: TopK, b: TopK| {
            a.merge(b);
            Ok(a)
        };
        if let Some(others) = scored.try_reduce_with(merge) {
            top.merge(others?);
        }
        Ok((Some(top.into_sorted()), first.len() + rest.len()))
    }

    /// Offers candidates, scored from f32.
    fn score(&self, query: usize, some: &[Candidate], top: &mut TopK) -> Result<()> {
        let dim = self.ask.dim;
        let mut rows = Vec::with_capacity(some.len() * dim);
        for candidate in some {
            let SegmentBlock { segment, block } = self.blocks[candidate.block as usize];
            segment.row(block, candidate.row as usize, &mut rows)?;
        }
        let mut scores = [0.0; TOGETHER];
        exact::scores(
            self.queries.values(query),
            &rows,
            dim,
            &mut scores[..some.len()],
            some.len(),
        );
        for (candidate, score) in some.iter().zip(scores) {
            let SegmentBlock { segment, block } = self.blocks[candidate.block as usize];
            top.push(Hit { id: segment.ids(block)?[candidate.row as usize], score });
        }
        Ok(())
    }
}

impl Found {
    /// Both as one.
    fn and(mut self, other: Self) -> Self {
        self.rows += other.rows;
        self.exact.iter_mut().zip(other.exact).for_each(|(top, other)| top.merge(other));
        self.lows.iter_mut().zip(other.lows).for_each(|(top, other)| top.merge(other));
        self.candidates.iter_mut().zip(other.candidates).for_each(|(all, more)| all.extend(more));
        self
    }
}
