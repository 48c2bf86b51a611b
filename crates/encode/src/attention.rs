//! Softmax attention over ragged rows, forward and backward.

use std::ops::Range;

use tuwen_gemm::{Mat, gemm};

use crate::math;

/// How a tower attends.
#[derive(Clone, Copy)]
pub(crate) struct Attention {
    pub(crate) heads: usize,
    pub(crate) width: usize,
    /// Whether a row sees only those before it, and itself.
    pub(crate) causal: bool,
}

/// Which rows of each sequence leave the last block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Leave {
    #[default]
    All,
    First,
    Last,
}

impl Leave {
    /// The rows that leave, of a sequence's.
    pub(crate) fn of(self, span: &Range<usize>) -> Range<usize> {
        match self {
            Self::All => span.clone(),
            Self::First => span.start..span.start + 1,
            Self::Last => span.end - 1..span.end,
        }
    }
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

    /// From (rows, 3W) to (rows that leave, W), and the attention weights of each sequence:
    /// (H, rows that leave, L).
    pub(crate) fn forward(
        &self,
        qkv: &[f32],
        (spans, leave): (&[Range<usize>], Leave),
        mixed: &mut Vec<f32>,
        probs: &mut Vec<Vec<f32>>,
    ) {
        let rows: usize = spans.iter().map(|span| leave.of(span).len()).sum();
        mixed.resize(rows * self.width, 0.0);
        probs.resize_with(spans.len(), Vec::new);
        let mut at = 0;
        for (span, probs) in spans.iter().zip(probs) {
            let (len, asking) = (span.len(), leave.of(span));
            let count = asking.len();
            probs.resize(self.heads * count * len, 0.0);
            for (head, probs) in probs.chunks_exact_mut(count * len).enumerate() {
                let query = self.part(qkv, asking.clone(), 0, head);
                gemm(probs, len, query, self.part(qkv, span.clone(), 1, head).t(), false);
                if self.causal {
                    for (row, asks) in probs.chunks_exact_mut(len).zip(asking.clone()) {
                        row[asks - span.start + 1..].fill(f32::NEG_INFINITY);
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

    /// The gradient of (rows, 3W) from that of [`Attention::forward`]'s result, (rows that leave, W).
    pub(crate) fn backward(
        &self,
        (qkv, probs): (&[f32], &[Vec<f32>]),
        (spans, leave): (&[Range<usize>], Leave),
        grad: &[f32],
    ) -> Vec<f32> {
        let stride = 3 * self.width;
        let mut dqkv = vec![0.0; qkv.len()];
        let mut dscores = Vec::new();
        let mut first = 0;
        for (span, probs) in spans.iter().zip(probs) {
            let (len, asking) = (span.len(), leave.of(span));
            let count = asking.len();
            for (head, probs) in probs.chunks_exact(count * len).enumerate() {
                let part = |index, rows: &Range<usize>| self.part(qkv, rows.clone(), index, head);
                let from = first * self.width + head * self.depth();
                let grad = Mat::new(&grad[from..], count, self.depth(), self.width);
                let prob = Mat::new(probs, count, len, len);
                dscores.resize(count * len, 0.0);
                gemm(&mut dscores, len, grad, part(2, span).t(), false);
                // A row's hidden neighbours have probability 0 and so no gradient.
                math::softmax_backward(probs, &mut dscores, len, self.scale());
                let dscore = Mat::new(&dscores, count, len, len);
                let at = |part: usize, rows: &Range<usize>| {
                    rows.start * stride + part * self.width + head * self.depth()
                };
                gemm(&mut dqkv[at(0, &asking)..], stride, dscore, part(1, span), false);
                gemm(&mut dqkv[at(1, span)..], stride, dscore.t(), part(0, &asking), false);
                gemm(&mut dqkv[at(2, span)..], stride, prob.t(), grad, false);
            }
            first += count;
        }
        dqkv
    }
}
