//! All of the files read: some rows of them, evenly chosen, and whether they are as they were written.

use std::path::PathBuf;

use rayon::prelude::*;

use super::segment::{BLOCK, Segment, SegmentBlock};
use super::{Vectors, has_code};
use crate::{Error, Result};

/// Blocks that are read before somebody is asked whether to go on.
const BLOCKS: usize = 256;

impl Vectors {
    /// About so many rows that can be found, evenly chosen, at most one of each block: items and vectors (N, D).
    ///
    /// # Errors
    /// A block whose checksum does not fit.
    pub fn sample(&self, count: usize) -> Result<(Vec<u64>, Vec<f32>)> {
        let blocks = self.blocks();
        let every = (blocks.len().div_ceil(count.max(1))).max(1);
        // Of small galleries several of a block.
        let each = count.div_ceil(blocks.len().max(1)).clamp(1, BLOCK);
        let chosen: Vec<_> = blocks.into_iter().step_by(every).collect();
        let one = |(at, &SegmentBlock { segment, block }): (usize, &SegmentBlock<'_>)| {
            let (mut buffer, mut rows) = (Vec::new(), Vec::new());
            let ids = segment.ids(block)?;
            let values = segment.values(block, &mut buffer)?;
            let step = (ids.len() / each).max(1);
            for place in (at * 37 % step..ids.len()).step_by(step) {
                let row = &values[place * self.dim..][..self.dim];
                if segment.is_alive(block * BLOCK + place) && has_code(row) {
                    rows.push((ids[place], row.to_vec()));
                }
            }
            Ok(rows)
        };
        let rows: Result<Vec<Vec<_>>> = chosen.par_iter().enumerate().map(one).collect();
        let rows: Vec<_> = rows?.into_iter().flatten().take(count).collect();
        let values = rows.iter().flat_map(|(_, row)| row).copied().collect();
        Ok((rows.into_iter().map(|(id, _)| id).collect(), values))
    }

    /// Hands over every row that can be found, in the order of the files: its item and its vector (D).
    ///
    /// # Errors
    /// A block whose checksum does not fit, or what `take` says.
    pub fn each<E: From<Error>>(
        &self,
        mut take: impl FnMut(u64, &[f32]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut buffer = Vec::new();
        for SegmentBlock { segment, block } in self.blocks() {
            let ids = segment.ids(block)?;
            let rows = segment.values(block, &mut buffer)?.chunks_exact(self.dim);
            for (at, (id, row)) in ids.iter().zip(rows).enumerate() {
                if segment.is_alive(block * BLOCK + at) {
                    take(*id, row)?;
                }
            }
        }
        Ok(())
    }

    /// Reads all blocks, codes and cells; files that are not as they were written, what is wrong, and whether they are
    /// derived from others.
    pub(crate) fn verify(&self, goes_on: &dyn Fn(f32) -> bool) -> Vec<(PathBuf, String, bool)> {
        let mut wrong: Vec<(PathBuf, String, bool)> = Vec::new();
        let mut say = |path: PathBuf, what: String, derived: bool| {
            // The first of each file.
            if !wrong.iter().any(|(other, ..)| *other == path) {
                wrong.push((path, what, derived));
            }
        };
        let blocks = self.blocks();
        for (at, some) in blocks.chunks(BLOCKS).enumerate() {
            if !goes_on((at * BLOCKS) as f32 / blocks.len() as f32) {
                break;
            }
            let read = |&SegmentBlock { segment, block }: &SegmentBlock<'_>| -> Result<()> {
                segment.ids(block)?;
                segment.values(block, &mut Vec::new())?;
                let _ = segment.codes(block, &mut Vec::new());
                Ok(())
            };
            let failed: Vec<Error> =
                some.par_iter().filter_map(|block| read(block).err()).collect();
            for error in failed {
                match error {
                    Error::DamagedSegment { path, what } => say(path, what, false),
                    Error::Segment { path, source } => say(path, source.to_string(), false),
                    _ => {}
                }
            }
        }
        for path in self.damaged_codes() {
            say(path, "a checksum of its codes does not fit".into(), true);
        }
        for path in self.segments.iter().filter_map(Segment::lacking_codes) {
            say(path.to_path_buf(), "it lacks codes of some rows".into(), true);
        }
        if let Some(Err(what)) = self.cells.as_ref().map(super::cells::Cells::verify) {
            self.cells.iter().for_each(|cells| say(cells.path().to_path_buf(), what.clone(), true));
        }
        if let Some((path, what)) = &self.without {
            say(path.clone(), what.clone(), true);
        }
        wrong
    }
}
