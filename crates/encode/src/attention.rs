//! Softmax attention over ragged rows, forward and backward.

use std::ops::Range;

use tuwen_gemm::{Mat, gemm};

use crate::math;

/// The shape of a tower's self-attention.
#[derive(Clone, Copy)]
pub(crate) struct Attention {
    pub(crate) heads: usize,
    pub(crate) width: usize,
    /// Whether a causal mask hides from each row those behind it.
    pub(crate) causal: bool,
}

/// Which rows of each sequence a block computes: of the last block only those that the feature is pooled
/// from are needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OutputRows {
    #[default]
    All,
    First,
    Last,
}

impl OutputRows {
    /// The output rows of the sequence at `span`.
    pub(crate) fn of(self, span: &Range<usize>) -> Range<usize> {
        match self {
            Self::All => span.clone(),
            Self::First => span.start..span.start + 1,
            Self::Last => span.end - 1..span.end,
        }
    }
}

/// Sequences whose rows lie one behind the other in one matrix.
#[derive(Clone, Copy)]
pub(crate) struct Sequences<'r> {
    /// The rows of each sequence.
    pub(crate) spans: &'r [Range<usize>],
    pub(crate) output: OutputRows,
}

impl Attention {
    fn depth(&self) -> usize {
        self.width / self.heads
    }

    fn scale(&self) -> f32 {
        (self.depth() as f32).powf(-0.5)
    }

    /// `rows` of query, key or value (`part` 0, 1, 2) of one head.
    fn part<'q>(&self, qkv: &'q [f32], rows: Range<usize>, part: usize, head: usize) -> Mat<'q> {
        let start = rows.start * 3 * self.width + part * self.width + head * self.depth();
        Mat::new(&qkv[start..], rows.len(), self.depth(), 3 * self.width)
    }

    /// From (rows, 3W) to (output rows, W) in `mixed`, and the attention weights of each sequence,
    /// (H, output rows, L), in `probs`.
    pub(crate) fn forward(
        &self,
        qkv: &[f32],
        Sequences { spans, output }: Sequences<'_>,
        mixed: &mut Vec<f32>,
        probs: &mut Vec<Vec<f32>>,
    ) {
        let rows: usize = spans.iter().map(|span| output.of(span).len()).sum();
        mixed.resize(rows * self.width, 0.0);
        probs.resize_with(spans.len(), Vec::new);
        let mut at = 0;
        for (span, probs) in spans.iter().zip(probs) {
            let (len, queries) = (span.len(), output.of(span));
            let count = queries.len();
            probs.resize(self.heads * count * len, 0.0);
            for (head, probs) in probs.chunks_exact_mut(count * len).enumerate() {
                let query = self.part(qkv, queries.clone(), 0, head);
                gemm(probs, len, query, self.part(qkv, span.clone(), 1, head).t(), false);
                if self.causal {
                    for (row, query) in probs.chunks_exact_mut(len).zip(queries.clone()) {
                        row[query - span.start + 1..].fill(f32::NEG_INFINITY);
                    }
                }
                math::softmax(probs, len, self.scale());
                let target = &mut mixed[at * self.width + head * self.depth()..];
                let value = self.part(qkv, span.clone(), 2, head);
                gemm(target, self.width, Mat::new(probs, count, len, len), value, false);
            }
            at += count;
        }
    }

    /// The gradient of (rows, 3W) from that of [`Attention::forward`]'s result, (output rows, W).
    pub(crate) fn backward(
        &self,
        qkv: &[f32],
        probs: &[Vec<f32>],
        Sequences { spans, output }: Sequences<'_>,
        grad: &[f32],
    ) -> Vec<f32> {
        let stride = 3 * self.width;
        let mut dqkv = vec![0.0; qkv.len()];
        let mut dscores = Vec::new();
        let mut first = 0;
        for (span, probs) in spans.iter().zip(probs) {
            let (len, queries) = (span.len(), output.of(span));
            let count = queries.len();
            for (head, probs) in probs.chunks_exact(count * len).enumerate() {
                let part = |index, rows: &Range<usize>| self.part(qkv, rows.clone(), index, head);
                let from = first * self.width + head * self.depth();
                let grad = Mat::new(&grad[from..], count, self.depth(), self.width);
                let prob = Mat::new(probs, count, len, len);
                dscores.resize(count * len, 0.0);
                gemm(&mut dscores, len, grad, part(2, span).t(), false);
                // Masked positions have probability 0 and so no gradient.
                math::softmax_backward(probs, &mut dscores, len, self.scale());
                let dscore = Mat::new(&dscores, count, len, len);
                let at = |part: usize, rows: &Range<usize>| {
                    rows.start * stride + part * self.width + head * self.depth()
                };
                gemm(&mut dqkv[at(0, &queries)..], stride, dscore, part(1, span), false);
                gemm(&mut dqkv[at(1, span)..], stride, dscore.t(), part(0, &queries), false);
                gemm(&mut dqkv[at(2, span)..], stride, prob.t(), grad, false);
            }
            first += count;
        }
        dqkv
    }
}
