//! Softmax attention over ragged rows (Vaswani et al. 2017, <https://arxiv.org/abs/1706.03762>).

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;
use tuwen_gemm::{Mat, gemm};

use crate::executor;
use crate::math;
use crate::tape::{Back, Tape};
use crate::value::{Slot, Value};

/// Products of a head, or of several, that are worth another thread that waits for them.
const LEAST_SHARED: usize = 1 << 17;

/// The shape of an attention.
#[derive(Clone, Copy, Debug)]
pub struct Attention {
    /// H.
    pub heads: usize,
    /// W, that of all heads together.
    pub width: usize,
    /// Whether a mask hides from each row those behind it.
    pub causal: bool,
}

/// Columns of a value: queries, keys or values, which may lie side by side in one.
#[derive(Clone, Copy, Debug)]
pub struct Part<'v> {
    /// The rows.
    pub of: &'v Value,
    /// The first of W columns.
    pub column: usize,
}

impl<'v> Part<'v> {
    fn elsewhere(self) -> executor::Columns<'v> {
        let of = self.of.elsewhere().expect("values that this tape has made");
        executor::Columns { of, column: self.column }
    }
}

/// Rows that attend to rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// Of the queries.
    pub queries: Range<usize>,
    /// Of keys and values.
    pub keys: Range<usize>,
    /// Where the first query stands among the keys, for the causal mask.
    pub first: usize,
}

impl Sequence {
    /// Rows that attend to each other.
    pub fn itself(rows: Range<usize>) -> Self {
        Self { queries: rows.clone(), keys: rows, first: 0 }
    }

    /// One of these rows attends to all of them.
    pub fn one(query: usize, rows: Range<usize>) -> Self {
        Self { queries: query..query + 1, first: query - rows.start, keys: rows }
    }
}

/// What was attended to: for each sequence (H, queries, keys), rows summing to 1.
pub type AttentionMap = Vec<Vec<f32>>;

/// What passed through an attention of one sequence, forwards and back: explanations are made of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attended {
    /// H.
    pub heads: usize,
    /// (H, queries, keys), rows summing to 1.
    pub map: Vec<f32>,
    /// The gradient of that, (H, queries, keys).
    pub map_gradient: Vec<f32>,
    /// (queries, W).
    pub queries: Vec<f32>,
    /// (keys, W).
    pub keys: Vec<f32>,
    /// (keys, W).
    pub values: Vec<f32>,
    /// The gradient of what was gathered, (queries, W).
    pub gradient: Vec<f32>,
}

/// How the parts lie in memory, without the values.
#[derive(Clone, Copy)]
struct Columns {
    slot: Slot,
    column: usize,
    stride: usize,
}

impl Columns {
    fn of(part: Part<'_>) -> Self {
        Self { slot: part.of.slot(), column: part.column, stride: part.of.width() }
    }

    fn at(&self, row: usize, shift: usize) -> usize {
        row * self.stride + self.column + shift
    }

    fn view<'v>(
        &self,
        values: &'v [f32],
        rows: &Range<usize>,
        shift: usize,
        depth: usize,
    ) -> Mat<'v> {
        Mat::new(&values[self.at(rows.start, shift)..], rows.len(), depth, self.stride)
    }
}

impl Attention {
    fn depth(&self) -> usize {
        self.width / self.heads
    }

    fn scale(&self) -> f32 {
        (self.depth() as f32).powf(-0.5)
    }

    /// The weights of one head, (queries, keys), over the old values of `probs`.
    fn weigh(&self, query: Mat<'_>, key: Mat<'_>, sequence: &Sequence, probs: &mut [f32]) {
        let len = sequence.keys.len();
        gemm(probs, len, query, key.t(), false);
        if self.causal {
            for (at, row) in probs.chunks_exact_mut(len).enumerate() {
                row[sequence.first + at + 1..].fill(f32::NEG_INFINITY);
            }
        }
        math::softmax(probs, len, self.scale());
    }
}

impl<'w> Tape<'w> {
    /// What each query gathers from its sequence, (queries, W); queries that stand in several sequences, as one
    /// that asks all pictures, have a row in each.
    pub fn attention(
        &mut self,
        shape: Attention,
        query: Part<'_>,
        key: Part<'_>,
        value: Part<'_>,
        sequences: &Arc<[Sequence]>,
    ) -> Value {
        let (width, depth) = (shape.width, shape.depth());
        if let Some((executor, _)) = self.there(query.of) {
            let parts = [query, key, value].map(Part::elsewhere);
            let rows = sequences.iter().map(|sequence| sequence.queries.len()).sum();
            let mixed = executor.attention(shape, parts, sequences);
            return self.elsewhere(mixed, rows, width);
        }
        let parts = [query, key, value].map(Columns::of);
        let records = self.records(&[query.of, key.of, value.of], false);
        let keeps = records || self.keeps_maps();
        let rows: usize = sequences.iter().map(|sequence| sequence.queries.len()).sum();
        let mut mixed = self.take(rows * width);
        if !keeps && self.threads() > 1 {
            self.shared_attention(shape, [query, key, value], sequences, &mut mixed.values);
            return self.plain(mixed, width);
        }
        let of_head = |sequence: &Sequence| sequence.queries.len() * sequence.keys.len();
        let all: usize = sequences.iter().map(|sequence| of_head(sequence) * shape.heads).sum();
        let most = sequences.iter().map(of_head).max().unwrap_or(0);
        let mut probs = self.take(if keeps { all } else { most });
        let (mut at, mut done) = (0, 0);
        for sequence in sequences.iter() {
            let (count, len) = (sequence.queries.len(), sequence.keys.len());
            for head in 0..shape.heads {
                let shift = head * depth;
                let place = if keeps { done } else { 0 };
                let probs = &mut probs.values[place..place + count * len];
                let queries = parts[0].view(query.of, &sequence.queries, shift, depth);
                let keys = parts[1].view(key.of, &sequence.keys, shift, depth);
                shape.weigh(queries, keys, sequence, probs);
                let values = parts[2].view(value.of, &sequence.keys, shift, depth);
                let target = &mut mixed.values[at * width + shift..];
                gemm(target, width, Mat::new(probs, count, len, len), values, false);
                done += count * len;
            }
            at += count;
        }
        self.keep_map(|| maps(sequences, shape.heads, &probs.values));
        if !records {
            return self.plain(mixed, width);
        }
        let given = Given {
            shape,
            parts,
            values: [query.of, key.of, value.of].map(Value::detached),
            sequences: Arc::clone(sequences),
            tells: self.tells(),
        };
        self.record(mixed, width, move |grad, back| {
            given.backward(&probs.values, &grad.values, back)
        })
    }
}

impl Tape<'_> {
    /// The same, head by head on all threads, where nothing is kept.
    fn shared_attention(
        &self,
        shape: Attention,
        of: [Part<'_>; 3],
        sequences: &[Sequence],
        mixed: &mut [f32],
    ) {
        let (width, depth) = (shape.width, shape.depth());
        let mut at = 0;
        for sequence in sequences {
            let (count, len) = (sequence.queries.len(), sequence.keys.len());
            let head = |head: usize| {
                let view = |part: usize, rows: &Range<usize>| {
                    Columns::of(of[part]).view(of[part].of, rows, head * depth, depth)
                };
                let (mut probs, mut gathered) = (vec![0.0; count * len], vec![0.0; count * depth]);
                let queries = view(0, &sequence.queries);
                shape.weigh(queries, view(1, &sequence.keys), sequence, &mut probs);
                let probs = Mat::new(&probs, count, len, len);
                gemm(&mut gathered, depth, probs, view(2, &sequence.keys), false);
                gathered
            };
            let least = (LEAST_SHARED / (count * len * depth).max(1)).max(1);
            let heads = (0..shape.heads).into_par_iter().with_min_len(least);
            let gathered: Vec<Vec<f32>> = heads.map(head).collect();
            for (head, gathered) in gathered.iter().enumerate() {
                for (row, gathered) in gathered.chunks_exact(depth).enumerate() {
                    mixed[(at + row) * width + head * depth..][..depth].copy_from_slice(gathered);
                }
            }
            at += count;
        }
    }
}

fn maps(sequences: &[Sequence], heads: usize, mut probs: &[f32]) -> AttentionMap {
    let one = |sequence: &Sequence| {
        let (own, rest) = probs.split_at(heads * sequence.queries.len() * sequence.keys.len());
        probs = rest;
        own.to_vec()
    };
    sequences.iter().map(one).collect()
}

/// What the backward pass reads.
struct Given {
    shape: Attention,
    parts: [Columns; 3],
    values: [Value; 3],
    sequences: Arc<[Sequence]>,
    tells: bool,
}

impl Given {
    fn backward(&self, probs: &[f32], grad: &[f32], back: &mut Back<'_, '_>) {
        let (shape, depth) = (self.shape, self.shape.depth());
        let (mut dscores, mut told) = (Vec::new(), Vec::new());
        let (mut at, mut done) = (0, 0);
        for sequence in self.sequences.iter() {
            let (count, len) = (sequence.queries.len(), sequence.keys.len());
            if self.tells {
                let (map, gradient) = (&probs[done..], &grad[at * shape.width..]);
                told.push(self.attended(sequence, map, gradient));
            }
            for head in 0..shape.heads {
                let shift = head * depth;
                let probs = &probs[done..done + count * len];
                let grad = Mat::new(&grad[at * shape.width + shift..], count, depth, shape.width);
                let view = |part: usize, rows| {
                    self.parts[part].view(&self.values[part], rows, shift, depth)
                };
                dscores.resize(count * len, 0.0);
                gemm(&mut dscores, len, grad, view(2, &sequence.keys).t(), false);
                if let Some(attended) = told.last_mut() {
                    attended.map_gradient.extend_from_slice(&dscores);
                }
                // Masked positions have probability 0 and so no gradient.
                math::softmax_backward(probs, &mut dscores, len, shape.scale());
                let prob = Mat::new(probs, count, len, len);
                let dscore = Mat::new(&dscores, count, len, len);
                let mut give = |part: usize, row: usize, a: Mat<'_>, b: Mat<'_>| {
                    let columns = &self.parts[part];
                    if let Some(slot) = back.slot(columns.slot) {
                        let start = columns.at(row, shift);
                        gemm(&mut slot[start..], columns.stride, a, b, true);
                    }
                };
                give(0, sequence.queries.start, dscore, view(1, &sequence.keys));
                give(1, sequence.keys.start, dscore.t(), view(0, &sequence.queries));
                give(2, sequence.keys.start, prob.t(), grad);
                done += count * len;
            }
            at += count;
        }
        if self.tells {
            back.tell(told);
        }
    }

    /// What a sequence attended to, still without the gradient of its map; the parts that are handed over begin
    /// with its own.
    fn attended(&self, sequence: &Sequence, map: &[f32], gradient: &[f32]) -> Attended {
        let (heads, width) = (self.shape.heads, self.shape.width);
        let rows = |part: usize, rows: &Range<usize>| -> Vec<f32> {
            let row = |row: usize| &self.values[part][self.parts[part].at(row, 0)..][..width];
            rows.clone().flat_map(row).copied().collect()
        };
        let (count, len) = (sequence.queries.len(), sequence.keys.len());
        Attended {
            heads,
            map: map[..heads * count * len].to_vec(),
            map_gradient: Vec::with_capacity(heads * count * len),
            queries: rows(0, &sequence.queries),
            keys: rows(1, &sequence.keys),
            values: rows(2, &sequence.keys),
            gradient: gradient[..count * width].to_vec(),
        }
    }
}
