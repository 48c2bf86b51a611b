//! A block scored from f32: all of its rows, or those that are asked for where they are few.

use rayon::prelude::*;

use super::segment::{BLOCK, Segment, SegmentBlock};
use super::{Ask, IdSet};
use crate::topk::{Hit, TopK};
use crate::{Result, exact};

/// Where fewer than one in so many rows of a block are asked for, these are scored alone.
const SPARSE: usize = 4;

/// Rows of a block, a bit for each.
#[derive(Clone, Copy)]
pub(super) struct Wanted(pub(super) [u64; BLOCK / 64]);

impl Wanted {
    /// Those that are alive and asked for.
    pub(super) fn of(segment: &Segment, block: usize, among: Option<&IdSet>) -> Result<Self> {
        let mut wanted = segment.alive(block);
        if let Some(among) = among {
            for (at, id) in segment.ids(block)?.iter().enumerate() {
                wanted[at / 64] &= !(u64::from(!among.contains(*id)) << (at % 64));
            }
        }
        Ok(Self(wanted))
    }

    pub(super) fn count(self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether so few of a block's rows are asked for that they are scored alone.
    pub(super) fn is_sparse(self, rows: usize) -> bool {
        self.count() * SPARSE < rows
    }

    /// The rows' places, in their order.
    pub(super) fn places(self) -> impl Iterator<Item = usize> {
        self.0
            .into_iter()
            .enumerate()
            .flat_map(|(at, word)| Bits(word).map(move |bit| 64 * at + bit))
    }
}

/// The bits of a word that are set.
pub(super) struct Bits(pub(super) u64);

impl Iterator for Bits {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let bit = self.0.trailing_zeros() as usize;
        self.0 &= self.0.checked_sub(1)?;
        Some(bit)
    }
}

/// What a thread needs for one block.
#[derive(Default)]
pub(super) struct Scratch {
    /// Whether blocks that are read as a whole are told so, because they have no codes.
    tells: bool,
    /// A block from a file.
    block: Vec<f32>,
    rows: Vec<f32>,
    scores: Vec<f32>,
}

impl Scratch {
    /// One that tells blocks that they were read, so that they get codes.
    pub(super) fn telling() -> Self {
        Self { tells: true, ..Self::default() }
    }

    /// Offers the rows of a block that are wanted to each query's best.
    pub(super) fn score(
        &mut self,
        segment: &Segment,
        block: usize,
        wanted: Wanted,
        queries: &[f32],
        tops: &mut [TopK],
    ) -> Result<()> {
        if wanted.count() == 0 {
            return Ok(());
        }
        let (ids, dim) = (segment.ids(block)?, segment.dim());
        let sparse = wanted.is_sparse(ids.len());
        self.rows.clear();
        let rows = if sparse && segment.has_single_rows(block) {
            wanted.places().try_for_each(|at| segment.row(block, at, &mut self.rows))?;
            &self.rows[..]
        } else {
            let values = segment.values(block, &mut self.block)?;
            if !sparse && self.tells {
                segment.was_read(block, values);
            }
            match sparse {
                true => {
                    let places = wanted.places();
                    places.for_each(|at| self.rows.extend_from_slice(&values[at * dim..][..dim]));
                    &self.rows[..]
                }
                false => values,
            }
        };
        let width = rows.len() / dim;
        self.scores.resize(tops.len() * width, 0.0);
        exact::scores(queries, rows, dim, &mut self.scores, width);
        for (top, scores) in tops.iter_mut().zip(self.scores.chunks_exact(width)) {
            for (place, at) in wanted.places().enumerate() {
                let score = scores[if sparse { place } else { at }];
                top.push(Hit { id: ids[at], score });
            }
        }
        Ok(())
    }
}

/// The best of each query (Q, D), all rows scored from f32.
pub(super) fn all(
    blocks: &[SegmentBlock<'_>],
    queries: &[f32],
    ask: Ask<'_>,
) -> Result<Vec<Vec<Hit>>> {
    let count = queries.len() / ask.dim;
    let empty = || (Scratch::default(), vec![TopK::new(ask.k); count]);
    let scored = blocks.par_iter().try_fold(
        empty,
        |(mut scratch, mut tops), &SegmentBlock { segment, block }| {
            let wanted = Wanted::of(segment, block, ask.among)?;
            scratch.score(segment, block, wanted, queries, &mut tops)?;
            Ok((scratch, tops))
        },
    );
    let merge = |(scratch, mut all): (Scratch, Vec<TopK>), (_, others): (_, Vec<TopK>)| {
        all.iter_mut().zip(others).for_each(|(top, other)| top.merge(other));
        Ok((scratch, all))
    };
    let (_, tops) = scored.try_reduce_with(merge).unwrap_or_else(|| Ok(empty()))?;
    Ok(tops.into_iter().map(TopK::into_sorted).collect())
}
