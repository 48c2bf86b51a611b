//! Keys and values of the rows before, for decoders that make one row at a time.

use std::sync::Arc;

use crate::ops::Sequence;
use crate::tape::Tape;
use crate::value::Value;

/// Rows of several sequences that grow together, each in a place of its own. It is for passes without a backward
/// one: what it holds are constants.
#[derive(Debug)]
pub struct Cache {
    /// (sequences * capacity, W).
    rows: Value,
    sequences: usize,
    capacity: usize,
    len: usize,
}

impl Cache {
    /// Room for `capacity` rows of `width` values in each sequence.
    pub fn new(sequences: usize, capacity: usize, width: usize) -> Self {
        let rows = Tape::forward_only().leaf(vec![0.0; sequences * capacity * width], width, false);
        Self { rows, sequences, capacity, len: 0 }
    }

    /// Rows of each sequence so far.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All rows, those of a sequence in its place.
    pub fn rows(&self) -> &Value {
        &self.rows
    }

    /// Puts as many new rows behind those of each sequence: (sequences * new, W), sequence by sequence.
    ///
    /// # Panics
    /// Where there is no room for them, or their width is another.
    pub fn push(&mut self, new: &Value) {
        let (width, count) = (self.rows.width(), new.rows() / self.sequences.max(1));
        assert_eq!(new.width(), width, "the width of a row");
        assert!(self.len + count <= self.capacity, "room for {} rows", self.capacity);
        let (capacity, len) = (self.capacity, self.len);
        let all = self.rows.values_mut();
        for (place, rows) in
            all.chunks_exact_mut(capacity * width).zip(new.chunks_exact(count * width))
        {
            place[len * width..(len + count) * width].copy_from_slice(rows);
        }
        self.len += count;
    }

    /// Who attends to whom: the last `new` rows of each sequence, which are the queries, to all of its rows so far.
    pub fn sequences(&self, new: usize) -> Arc<[Sequence]> {
        let one = |at: usize| Sequence {
            queries: at * new..(at + 1) * new,
            keys: at * self.capacity..at * self.capacity + self.len,
            first: self.len - new,
        };
        (0..self.sequences).map(one).collect()
    }

    /// Each sequence becomes a copy of sequence `from[i]`, as the beams of a search do.
    pub fn reorder(&mut self, from: &[usize]) {
        let place = self.capacity * self.rows.width();
        let all = from.iter().flat_map(|&at| &self.rows[at * place..(at + 1) * place]).copied();
        let (all, width) = (all.collect(), self.rows.width());
        self.rows = Tape::forward_only().leaf(all, width, false);
        self.sequences = from.len();
    }
}
