//! Logits of all pairs of a batch, and losses of them: values of one number.

use tuwen_gemm::{Mat, gemm};

use crate::math;
use crate::tape::Tape;
use crate::value::Value;

/// Which pairs of rows and columns belong together.
#[derive(Clone, Debug)]
pub struct Pairs {
    /// Row-major; true for a positive pair, false for a negative one, none for one that may be either and does
    /// not count. Every row and column has a positive.
    pub truth: Vec<Option<bool>>,
    /// How many columns there are.
    pub columns: usize,
}

impl Pairs {
    /// Rows as columns.
    #[must_use]
    pub fn transposed(&self) -> Self {
        let rows = self.truth.len() / self.columns.max(1);
        let at = |at: usize| self.truth[at % rows * self.columns + at / rows];
        Self { truth: (0..self.truth.len()).map(at).collect(), columns: rows }
    }

    /// For each row its target spread evenly over its positives, of which `smoothing` goes to all that count.
    fn targets(&self, smoothing: f32) -> Vec<f32> {
        let row = |row: &[Option<bool>]| {
            let count = |wanted: &dyn Fn(&&Option<bool>) -> bool| row.iter().filter(wanted).count();
            let positives = count(&|pair| **pair == Some(true)) as f32;
            let counted = count(&|pair| pair.is_some()) as f32;
            let target = |pair: &Option<bool>| match pair {
                Some(true) => (1.0 - smoothing) / positives + smoothing / counted,
                Some(false) => smoothing / counted,
                None => 0.0,
            };
            row.iter().map(target).collect::<Vec<f32>>()
        };
        self.truth.chunks_exact(self.columns).flat_map(row).collect()
    }
}

impl<'w> Tape<'w> {
    /// Inner products of all rows, (A, B).
    pub fn products(&mut self, a: &Value, b: &Value) -> Value {
        let (rows, columns, width) = (a.rows(), b.rows(), a.width());
        let mut y = self.take(rows * columns);
        let (a_mat, b_mat) = (Mat::new(a, rows, width, width), Mat::new(b, columns, width, width));
        gemm(&mut y.values, columns, a_mat, b_mat.t(), false);
        if !self.records(&[a, b], false) {
            return self.plain(y, columns);
        }
        let (a, b) = (a.clone(), b.clone());
        self.record(y, columns, move |grad, back| {
            let grad = Mat::new(&grad.values, rows, columns, columns);
            if let Some(da) = back.slot(a.slot()) {
                gemm(da, width, grad, Mat::new(&b, columns, width, width), true);
            }
            if let Some(db) = back.slot(b.slot()) {
                gemm(db, width, grad.t(), Mat::new(&a, rows, width, width), true);
            }
        })
    }

    /// Columns as rows.
    pub fn transpose(&mut self, x: &Value) -> Value {
        let (rows, columns) = (x.rows(), x.width());
        let mut y = self.take(x.len());
        transpose(x, columns, &mut y.values);
        if !self.records(&[x], false) {
            return self.plain(y, rows);
        }
        let input = x.slot();
        self.record(y, rows, move |grad, back| {
            let mut dx = back.take(grad.values.len());
            transpose(&grad.values, rows, &mut dx.values);
            if let Some(node) = input.node {
                back.give(node, dx);
            }
        })
    }

    /// `x` times e to the power of `log_scale`, one number.
    pub fn scale(&mut self, x: &Value, log_scale: &Value) -> Value {
        let factor = log_scale[0].exp();
        let mut y = self.take(x.len());
        y.values.iter_mut().zip(&x[..]).for_each(|(y, x)| *y = x * factor);
        if !self.records(&[x, log_scale], false) {
            return self.plain(y, x.width());
        }
        let (x, scale) = (x.clone(), log_scale.slot());
        self.record(y, x.width(), move |mut grad, back| {
            if let Some(dscale) = back.slot(scale) {
                dscale[0] += math::dot(&grad.values, &x) * factor;
            }
            grad.values.iter_mut().for_each(|grad| *grad *= factor);
            back.give_to(&x, grad);
        })
    }

    /// `x` plus one number.
    pub fn shift(&mut self, x: Value, by: &Value) -> Value {
        let (width, from, shift) = (x.width(), x.node, by.slot());
        let records = self.records(&[&x, by], false);
        let mut y = self.owned(x);
        y.values.iter_mut().for_each(|y| *y += by[0]);
        if !records {
            return self.plain(y, width);
        }
        self.record(y, width, move |grad, back| {
            if let Some(dshift) = back.slot(shift) {
                dshift[0] += grad.values.iter().sum::<f32>();
            }
            if let Some(from) = from {
                back.give(from, grad);
            }
        })
    }

    /// Weighted sum of values of one number.
    pub fn total(&mut self, parts: &[(Value, f32)]) -> Value {
        let mut y = self.zeros(1);
        y.values[0] = parts.iter().map(|(part, weight)| part[0] * weight).sum();
        let inputs: Vec<&Value> = parts.iter().map(|(part, _)| part).collect();
        if !self.records(&inputs, false) {
            return self.plain(y, 1);
        }
        let parts: Vec<_> = parts.iter().map(|(part, weight)| (part.slot(), *weight)).collect();
        self.record(y, 1, move |grad, back| {
            for (slot, weight) in parts {
                if let Some(part) = back.slot(slot) {
                    part[0] += grad.values[0] * weight;
                }
            }
        })
    }

    /// Mean over rows of the cross-entropy of a row's softmax with the distribution that it should have. What has
    /// a target below 0 is left out of its row.
    pub fn cross_entropy(&mut self, logits: &Value, targets: &[f32]) -> Value {
        let (rows, width) = (logits.rows(), logits.width());
        let mut slope = self.take(logits.len());
        let mut sum = 0.0f64;
        let parts = logits.chunks_exact(width).zip(targets.chunks_exact(width));
        for ((logits, targets), slope) in parts.zip(slope.values.chunks_exact_mut(width)) {
            sum += row_loss(logits, targets, slope);
        }
        slope.values.iter_mut().for_each(|slope| *slope /= rows as f32);
        self.lone(logits, (sum / rows as f64) as f32, slope)
    }

    /// Symmetric cross-entropy with several positives, each row's target spread evenly over them (CLIP, Radford
    /// et al. 2021, <https://arxiv.org/abs/2103.00020>; several positives as in ALBEF,
    /// <https://github.com/salesforce/ALBEF/blob/main/models/model_retrieval.py>). `smoothing` moves that share of
    /// each target evenly to all columns that count.
    pub fn contrastive(&mut self, logits: &Value, pairs: &Pairs, smoothing: f32) -> Value {
        let one = |tape: &mut Self, logits: &Value, pairs: &Pairs| {
            let mut targets = pairs.targets(smoothing);
            let masked = targets.iter_mut().zip(&pairs.truth).filter(|(_, pair)| pair.is_none());
            masked.for_each(|(target, _)| *target = -1.0);
            tape.cross_entropy(logits, &targets)
        };
        let forward = one(self, logits, pairs);
        let turned = self.transpose(logits);
        let backward = one(self, &turned, &pairs.transposed());
        self.total(&[(forward, 0.5), (backward, 0.5)])
    }

    /// The distribution of `logits` over a batch imitates that of `wanted`, both ways (affinity mimicking,
    /// TinyCLIP, Wu et al. 2023, <https://arxiv.org/abs/2309.12314>).
    pub fn mimic(&mut self, logits: &Value, wanted: &[f32]) -> Value {
        let width = logits.width();
        let soft = |mut rows: Vec<f32>, width: usize| {
            math::softmax(&mut rows, width, 1.0);
            rows
        };
        let mut across = vec![0.0; wanted.len()];
        transpose(wanted, width, &mut across);
        let forward = self.cross_entropy(logits, &soft(wanted.to_vec(), width));
        let turned = self.transpose(logits);
        let backward = self.cross_entropy(&turned, &soft(across, turned.width()));
        self.total(&[(forward, 0.5), (backward, 0.5)])
    }

    /// The sigmoid loss of SigLIP (Zhai et al. 2023, <https://arxiv.org/abs/2303.15343>): each pair is its own
    /// yes-or-no question. The mean over rows of their sums.
    pub fn sigmoid(&mut self, logits: &Value, pairs: &Pairs) -> Value {
        let rows = logits.rows() as f32;
        let mut slope = self.take(logits.len());
        let mut sum = 0.0f64;
        let parts = logits.iter().zip(&pairs.truth).zip(&mut slope.values);
        for ((logit, pair), slope) in parts {
            let Some(pair) = pair else {
                *slope = 0.0;
                continue;
            };
            let sign = if *pair { 1.0 } else { -1.0 };
            let x = logit * sign;
            // log(1 + e^-x) without an overflow.
            sum += f64::from((-x).max(0.0) + (-x.abs()).exp().ln_1p());
            *slope = -sign / (1.0 + x.exp()) / rows;
        }
        self.lone(logits, (sum / f64::from(rows)) as f32, slope)
    }

    /// The hardest negative of each row and column must be `margin` less alike than its own pair (VSE++,
    /// Faghri et al. 2018, <https://arxiv.org/abs/1707.05612>), as a mean over rows and columns. Row i belongs to
    /// column i, and what belongs together is nobody's negative.
    pub fn triplet(&mut self, scores: &Value, pairs: &Pairs, margin: f32) -> Value {
        let count = scores.rows();
        let mut slope = self.zeros(scores.len());
        let mut sum = 0.0;
        let at = |row: usize, column: usize| row * count + column;
        for own in 0..count {
            for across in [false, true] {
                let place = |other: usize| if across { at(other, own) } else { at(own, other) };
                let cost = |other: usize| scores[place(other)] - scores[at(own, own)] + margin;
                let negatives =
                    (0..count).filter(|&other| pairs.truth[place(other)] == Some(false));
                let hardest = negatives.max_by(|&a, &b| cost(a).total_cmp(&cost(b)));
                let Some(hardest) = hardest.filter(|&other| cost(other) > 0.0) else { continue };
                sum += cost(hardest) / count as f32;
                slope.values[place(hardest)] += 1.0 / count as f32;
                slope.values[at(own, own)] -= 1.0 / count as f32;
            }
        }
        self.lone(scores, sum, slope)
    }

    /// A number and its slope for each value of `x`.
    fn lone(&mut self, x: &Value, number: f32, slope: crate::value::Buffer) -> Value {
        let mut y = self.take(1);
        y.values[0] = number;
        let Some(node) = x.node.filter(|_| self.records(&[x], false)) else {
            return self.plain(y, 1);
        };
        self.record(y, 1, move |grad, back| {
            let mut slope = slope;
            slope.values.iter_mut().for_each(|slope| *slope *= grad.values[0]);
            back.give(node, slope);
        })
    }
}

/// Cross-entropy of a row, and its slope for each logit; targets below 0 are left out.
fn row_loss(logits: &[f32], targets: &[f32], slope: &mut [f32]) -> f64 {
    let counted = || logits.iter().zip(targets).filter(|(_, target)| **target >= 0.0);
    let largest = counted().fold(f32::NEG_INFINITY, |most, (logit, _)| most.max(*logit));
    let sum: f32 = counted().map(|(logit, _)| (logit - largest).exp()).sum();
    let all: f32 = counted().map(|(_, target)| target).sum();
    let log = largest + sum.ln();
    let pairs = logits.iter().zip(targets).zip(slope);
    for ((logit, target), slope) in pairs {
        *slope = if *target < 0.0 { 0.0 } else { (logit - log).exp() * all - target };
    }
    counted().map(|(logit, target)| f64::from(target * (log - logit))).sum()
}

/// Rows of `columns` into columns.
fn transpose(x: &[f32], columns: usize, out: &mut [f32]) {
    let rows = x.len() / columns.max(1);
    for (row, values) in x.chunks_exact(columns.max(1)).enumerate() {
        values.iter().enumerate().for_each(|(column, value)| out[column * rows + row] = *value);
    }
}
