//! One query's look into cells: signs of all rows of the nearest cells, codes of four bits of those that may be among
//! the best, f32 of what is left.

use tuwen_simd::simd;

use super::code::{FOUR_BITS, block_len};
use super::kernel::{BLOCK_ROWS, Kernel, Sums};
use super::query::{Near, Query};
use super::{Cells, Damaged, QueryKind};
use crate::topk::{Hit, TopK};
use crate::vectors::scan::Bits;
use crate::vectors::segment::{BLOCK, Segment};
use crate::vectors::{Ask, IdSet};
use crate::{Result, exact};

/// How many standard deviations of an estimate from four bits a row may be from it; chosen with drawn vectors
/// like those of `docs/scale.md`.
const CODES_MARGIN: f32 = 2.5;
/// Rows that are scored from f32 before others are left out by what these score.
const FIRST: usize = 16;

/// What a search in cells found.
pub(crate) struct Looked {
    pub(crate) hits: Vec<Hit>,
    pub(crate) rows: usize,
    pub(crate) rescored: usize,
}

/// A row that may be among the best.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    up: f32,
    place: u32,
    check: u32,
}

/// A query on its way.
struct Look<'a> {
    cells: &'a Cells,
    segments: &'a [Segment],
    query: Query,
    ask: Ask<'a>,
    kernel: Kernel,
    lows: TopK,
    floor: f32,
    candidates: Vec<Candidate>,
    rows: usize,
    buffer: Vec<u64>,
}

impl Cells {
    /// The best rows for a query (D) that are in the nearest cells. `depth` is of how many hits of all rows these are the best. Nothing where the file is damaged, or
    /// where fewer were found.
    ///
    /// # Errors
    /// A segment is damaged.
    pub(in crate::vectors) fn search(
        &self,
        segments: &[Segment],
        values: &[f32],
        ask: Ask<'_>,
        depth: f64,
        width: Option<usize>,
    ) -> Result<Option<Looked>> {
        let query = Query::new(self, values);
        let mut near = query.cells(self);
        let width = width.unwrap_or_else(|| self.widths.of(query.kind(self), depth));
        let width = width.clamp(1.min(near.len()), near.len());
        let better = |a: &Near, b: &Near| b.key.total_cmp(&a.key).then(a.cell.cmp(&b.cell));
        if width < near.len() {
            near.select_nth_unstable_by(width, better);
        }
        let (first, rest) = near.split_at_mut(width);
        first.sort_unstable_by(better);
        let mut look = Look {
            cells: self,
            segments,
            query,
            ask,
            kernel: Kernel::best(),
            lows: TopK::new(ask.k),
            floor: f32::NEG_INFINITY,
            candidates: Vec::new(),
            rows: 0,
            buffer: Vec::new(),
        };
        if !look.all(first)? {
            return Ok(None);
        }
        if look.lows.floor().is_none() {
            // Too few: the filter's rows are elsewhere.
            rest.sort_unstable_by(better);
            for some in rest.chunks(width.max(1)) {
                if !look.all(some)? {
                    return Ok(None);
                }
                if look.lows.floor().is_some() {
                    break;
                }
            }
        }
        let looked = look.end(values)?;
        // Fewer than there may be: a file that makes no sense, though its checksums fit.
        Ok(Some(looked).filter(|looked| looked.hits.len() == ask.k))
    }

    /// Words or a picture.
    pub(crate) fn kind(&self, values: &[f32]) -> QueryKind {
        Query::new(self, values).kind(self)
    }
}

impl Look<'_> {
    /// Looks into cells; whether the file is as it was written.
    fn all(&mut self, near: &[Near]) -> Result<bool> {
        let mut buffer = Vec::new();
        for one in near {
            let Ok(signs) = self.cells.signs(one.cell as usize, &mut buffer) else {
                return Ok(false);
            };
            if !self.cell(one.cell as usize, signs)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn cell(&mut self, cell: usize, signs: &[u8]) -> Result<bool> {
        let (width, rows) =
            (self.query.tables.len() / 4, self.cells.head.places[cell].rows as usize);
        let (centre, blocks) = signs.split_at(4 * width);
        let base = self.query.with(bytemuck::cast_slice(centre));
        let mut sums: Sums = [0; BLOCK_ROWS];
        self.rows += rows;
        for (at, block) in blocks.chunks_exact(block_len(width)).enumerate() {
            let (factors, codes) = block.split_at(8 * BLOCK_ROWS);
            self.kernel.signs(codes, &self.query.tables, &mut sums);
            let there = match rows - BLOCK_ROWS * at {
                some @ 0..BLOCK_ROWS => (1 << some) - 1,
                _ => u64::MAX,
            };
            let Query { along, step, .. } = self.query;
            let numbers = [base, along, step, self.query.signs_start(), self.floor];
            let reaching = reaching(&sums, bytemuck::cast_slice(factors), numbers) & there;
            if reaching == 0 {
                continue;
            }
            for row in Bits(reaching) {
                let mean = bytemuck::cast_slice::<u8, f32>(factors)[BLOCK_ROWS + row];
                if self.row(cell, BLOCK_ROWS * at + row, base + along * mean)?.is_err() {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Looks at a row's code of four bits, where the row is there and asked for.
    fn row(&mut self, cell: usize, at: usize, base: f32) -> Result<Result<(), Damaged>> {
        let row = match self.cells.row(cell, at, &mut self.buffer) {
            Ok(row) => row,
            Err(damaged) => return Ok(Err(damaged)),
        };
        let head = row.head();
        let Some((segment, number)) = self.cells.place(head.place as usize) else {
            let what = format!("row {at} of cell {cell} is at place {}", head.place);
            return Ok(Err(self.cells.is_damaged(what)));
        };
        let Some(segment) = segment.map(|at| &self.segments[at]) else { return Ok(Ok(())) };
        if !segment.is_alive(number) || !is_among(segment, number, self.ask.among)? {
            return Ok(Ok(()));
        }
        let sum = self.kernel.nibbles(row.codes(), &self.query.bytes) as f32;
        let factor = row.factor();
        let estimate = base + factor * self.query.scale * (sum - self.query.middle);
        let error = CODES_MARGIN * FOUR_BITS * factor * self.query.length;
        if estimate + error >= self.floor {
            let (up, low) = (estimate + error, estimate - error);
            self.candidates.push(Candidate { up, place: head.place, check: head.check });
            self.lows.push(Hit { id: u64::from(head.place), score: low });
            self.floor = self.lows.floor().unwrap_or(self.floor);
        }
        Ok(Ok(()))
    }

    /// Scores the candidates from f32, the most promising first.
    fn end(self, values: &[f32]) -> Result<Looked> {
        let Self { mut candidates, floor, rows, ask, .. } = self;
        candidates.retain(|candidate| candidate.up >= floor);
        candidates.sort_unstable_by(|a, b| b.up.total_cmp(&a.up).then(a.place.cmp(&b.place)));
        let (mut top, mut rescored, mut some) = (TopK::new(ask.k), 0, Vec::new());
        let (mut at, mut scores) = (0, vec![0.0; FIRST.max(ask.k)]);
        while at < candidates.len() {
            let floor = top.floor().unwrap_or(f32::NEG_INFINITY);
            let count = if rescored == 0 { FIRST.max(ask.k) } else { FIRST };
            let next = &candidates[at..candidates.len().min(at + count)];
            let next = &next[..next.partition_point(|candidate| candidate.up >= floor)];
            if next.is_empty() {
                break;
            }
            some.clear();
            let mut ids = Vec::with_capacity(next.len());
            for candidate in next {
                let (segment, number) =
                    self.cells.place(candidate.place as usize).expect("looked at before");
                let segment = &self.segments[segment.expect("looked at before")];
                segment.known_row(number, candidate.check, &mut some)?;
                ids.push(segment.ids(number / BLOCK)?[number % BLOCK]);
            }
            exact::scores(values, &some, ask.dim, &mut scores[..next.len()], next.len());
            for (id, &score) in ids.into_iter().zip(&scores) {
                top.push(Hit { id, score });
            }
            rescored += next.len();
            at += next.len();
        }
        Ok(Looked { hits: top.into_sorted(), rows, rescored })
    }
}

impl Cells {
    /// Segment and row of a place; nothing where there is none, and no segment where that is gone.
    fn place(&self, place: usize) -> Option<(Option<usize>, usize)> {
        let stamp = self.starts.partition_point(|&start| start <= place).checked_sub(1)?;
        let segment = self.segments.get(stamp)?;
        Some((*segment, place - self.starts[stamp]))
    }
}

fn is_among(segment: &Segment, row: usize, among: Option<&IdSet>) -> Result<bool> {
    let Some(among) = among else { return Ok(true) };
    Ok(among.contains(segment.ids(row / BLOCK)?[row % BLOCK]))
}

simd! {
    /// Which rows of a block may reach the floor: their factors and parts along the mean, (2, 64), and the query's
    /// numbers: the centre's score, its part along the mean, a table's step and start, the floor.
    fn reaching(sums: &Sums, factors: &[f32], numbers: [f32; 5]) -> u64 {
        let [base, along, step, start, floor] = numbers;
        let (factors, means) = factors.split_at(BLOCK_ROWS);
        let mut ups = [0f32; BLOCK_ROWS];
        let rows = factors.iter().zip(means).zip(sums);
        for (up, ((factor, mean), sum)) in ups.iter_mut().zip(rows) {
            let sum = step.mul_add(f32::from(*sum), start);
            *up = factor.mul_add(sum, along.mul_add(*mean, base));
        }
        let mut bytes = [0u8; 8];
        for (byte, ups) in bytes.iter_mut().zip(ups.as_chunks::<8>().0) {
            for (at, up) in ups.iter().enumerate() {
                *byte |= u8::from(*up >= floor) << at;
            }
        }
        u64::from_le_bytes(bytes)
    }
}
