//! Contrastive losses over a batch of picture and text embeddings.
//!
//! Texts of one picture are never each other's negatives: the targets mark every pair that shares
//! a picture id or the very same text as positive (ALBEF's `pos_idx`,
//! <https://github.com/salesforce/ALBEF/blob/main/models/model_retrieval.py>).

use burn::tensor::activation::{log_sigmoid, log_softmax, softmax};
use burn::tensor::{Device, Tensor, TensorData};

/// The targets of a loss over all pairs of a batch: which are positives, and a mask of those that count.
#[derive(Clone, Debug)]
pub struct Targets {
    /// (rows, columns), 1 for a positive pair and 0 for a negative one.
    positives: Tensor<2>,
    /// The mask, (rows, columns): 0 for a pair that may be either and is left out; none where all count.
    counted: Option<Tensor<2>>,
}

impl Targets {
    /// # Shapes
    /// `pairs`: rows * columns of `shape`; true for a positive pair, false for a negative one, none for one
    /// that is masked. Every row and column has a positive.
    pub fn new(pairs: &[Option<bool>], shape: [usize; 2], device: &Device) -> Self {
        let tensor = |flag: &dyn Fn(&Option<bool>) -> bool| {
            let flags: Vec<f32> = pairs.iter().map(|pair| f32::from(flag(pair))).collect();
            Tensor::<2>::from_data(TensorData::new(flags, shape), device)
        };
        let all = pairs.iter().all(Option::is_some);
        Self {
            positives: tensor(&|pair| *pair == Some(true)),
            counted: (!all).then(|| tensor(&|pair| pair.is_some())),
        }
    }

    fn transpose(self) -> Self {
        Self { positives: self.positives.transpose(), counted: self.counted.map(Tensor::transpose) }
    }

    /// Values of pairs, 0 for those that are masked.
    fn only_counted(&self, values: Tensor<2>) -> Tensor<2> {
        match &self.counted {
            Some(counted) => values * counted.clone(),
            None => values,
        }
    }
}

/// Symmetric cross-entropy with several positives, each row's target spread evenly over them.
///
/// ```
/// use tuwen_model::burn::tensor::{Device, Tensor};
/// use tuwen_model::loss::{Targets, contrastive};
///
/// let device = Device::flex();
/// let pairs = [Some(true), Some(false), Some(false), Some(true)];
/// let loss = |a: [[f32; 2]; 2]| {
///     let b = Tensor::from_floats([[1.0, 0.0], [0.0, 1.0]], &device);
///     let targets = Targets::new(&pairs, [2, 2], &device);
///     let log_scale = Tensor::from_floats([3.0], &device);
///     contrastive(Tensor::from_floats(a, &device), b, log_scale, targets, 0.0).into_scalar::<f32>()
/// };
/// assert!(loss([[1.0, 0.0], [0.0, 1.0]]) < loss([[0.0, 1.0], [1.0, 0.0]]), "right pairs, wrong pairs");
/// ```
///
/// # Shapes
/// `a`, `b`: (B, D) unit vectors; `log_scale`: (1); `targets`: (B, B). Returns (1).
/// `smoothing` moves that share of each target evenly to all columns that count.
pub fn contrastive(
    a: Tensor<2>,
    b: Tensor<2>,
    log_scale: Tensor<1>,
    targets: Targets,
    smoothing: f64,
) -> Tensor<1> {
    let logits = a.matmul(b.transpose()) * log_scale.exp().unsqueeze::<2>();
    let forward = cross_entropy(logits.clone(), targets.clone(), smoothing);
    let backward = cross_entropy(logits.transpose(), targets.transpose(), smoothing);
    (forward + backward) / 2.0
}

fn cross_entropy(logits: Tensor<2>, targets: Targets, smoothing: f64) -> Tensor<1> {
    /// Below any logit, so that its exponential is 0.
    const NOTHING: f64 = -1e4;
    let [rows, columns] = logits.dims();
    let Targets { positives, counted } = targets;
    let count = positives.clone().sum_dim(1);
    let targets = positives / count * (1.0 - smoothing);
    match counted {
        None => (targets + smoothing / columns as f64) * log_softmax(logits, 1),
        Some(counted) => {
            let share = counted.clone() / counted.clone().sum_dim(1) * smoothing;
            let logits = logits + (counted.clone() * -1.0 + 1.0) * NOTHING;
            (targets + share) * log_softmax(logits, 1) * counted
        }
    }
    .sum()
        / -(rows as f64)
}

/// The sigmoid loss of SigLIP (<https://arxiv.org/abs/2303.15343>): each pair is its own
/// yes-or-no question.
///
/// # Shapes
/// As [`contrastive`]; `bias`: (1).
pub fn sigmoid(
    a: Tensor<2>,
    b: Tensor<2>,
    log_scale: Tensor<1>,
    bias: Tensor<1>,
    targets: Targets,
) -> Tensor<1> {
    let [rows, _] = a.dims();
    let logits = a.matmul(b.transpose()) * log_scale.exp().unsqueeze::<2>() + bias.unsqueeze::<2>();
    let signs = targets.positives.clone() * 2.0 - 1.0;
    targets.only_counted(log_sigmoid(logits * signs)).sum() / -(rows as f64)
}

/// The hardest negative of each row and column must be `margin` less alike than its own pair (VSE++,
/// Faghri et al. 2018, <https://arxiv.org/abs/1707.05612>), as a mean over rows and columns.
///
/// # Shapes
/// As [`contrastive`]; row i belongs to column i, and what belongs together is nobody's negative. Returns
/// (1).
pub fn triplet(a: Tensor<2>, b: Tensor<2>, targets: Targets, margin: f64) -> Tensor<1> {
    let [rows, _] = a.dims();
    let own = (a.clone() * b.clone()).sum_dim(1);
    let scores = a.matmul(b.transpose());
    let hardest = |scores: Tensor<2>, targets: Targets| {
        let negatives = targets.only_counted(targets.positives.clone() * -1.0 + 1.0);
        let cost = (scores - own.clone() + margin).clamp_min(0.0) * negatives;
        cost.max_dim(1).sum() / rows as f64
    };
    let forward = hardest(scores.clone(), targets.clone());
    forward + hardest(scores.transpose(), targets.transpose())
}

/// The student's distribution over a batch imitates the teacher's, both ways (affinity mimicking,
/// TinyCLIP, Wu et al. 2023, <https://arxiv.org/abs/2309.12314>).
///
/// # Shapes
/// `logits`, `teacher`: (B, B), scaled. Returns (1).
pub fn mimic(logits: Tensor<2>, teacher: Tensor<2>) -> Tensor<1> {
    let one = |logits: Tensor<2>, teacher: Tensor<2>| imitate(logits, softmax(teacher, 1));
    (one(logits.clone(), teacher.clone()) + one(logits.transpose(), teacher.transpose())) / 2.0
}

/// Cross-entropy of a row's distribution with the one it should have.
///
/// # Shapes
/// `logits`, `targets`: (B, C), targets summing to 1. Returns (1).
pub fn imitate(logits: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    let [rows, _] = logits.dims();
    (targets * log_softmax(logits, 1)).sum() / -(rows as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows 0 and 1 belong to columns 0 and 1; whether row 0 belongs to column 2, nobody knows.
    #[test]
    fn a_pair_that_does_not_count_changes_nothing() {
        let device = Device::flex();
        let tensor = |rows: &[[f32; 2]]| {
            let flat: Vec<f32> = rows.iter().flatten().copied().collect();
            Tensor::<2>::from_data(TensorData::new(flat, [rows.len(), 2]), &device)
        };
        let a = tensor(&[[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]]);
        let scale = || Tensor::<1>::from_floats([1.5], &device);
        let pair = |row: usize, column: usize| match (row, column) {
            (0, 2) => None,
            _ => Some(row == column),
        };
        let all: Vec<Option<bool>> = (0..9).map(|at| pair(at / 3, at % 3)).collect();
        let targets = || Targets::new(&all, [3, 3], &device);
        let losses = |last: [f32; 2]| {
            let b = || tensor(&[[0.8, 0.6], [0.0, 1.0], last]);
            let bias = Tensor::<1>::from_floats([-1.0], &device);
            [
                contrastive(a.clone(), b(), scale(), targets(), 0.1),
                sigmoid(a.clone(), b(), scale(), bias, targets()),
                triplet(a.clone(), b(), targets(), 0.2),
            ]
            .map(|loss| loss.into_scalar::<f32>())
        };
        // By hand, without the pair: rows of 2, 3 and 3, columns of 3, 3 and 2.
        let by_hand = |last: [f32; 2]| {
            let b = [[0.8f32, 0.6], [0.0, 1.0], last];
            let a = [[1.0f32, 0.0], [0.6, 0.8], [0.0, 1.0]];
            let logit = |r: usize, c: usize| 1.5f32.exp() * (a[r][0] * b[c][0] + a[r][1] * b[c][1]);
            let entropy = |own: f32, others: &[f32]| {
                let sum: f32 = others.iter().map(|logit| logit.exp()).sum();
                let logs: Vec<f32> = others.iter().map(|logit| logit - sum.ln()).collect();
                let smooth = logs.iter().sum::<f32>() / logs.len() as f32;
                -(0.9 * (own - sum.ln()) + 0.1 * smooth)
            };
            let mut total = 0.0;
            for at in 0..3 {
                let row: Vec<f32> =
                    (0..3).filter(|&c| (at, c) != (0, 2)).map(|c| logit(at, c)).collect();
                let column: Vec<f32> =
                    (0..3).filter(|&r| (r, at) != (0, 2)).map(|r| logit(r, at)).collect();
                total += entropy(logit(at, at), &row) + entropy(logit(at, at), &column);
            }
            total / 6.0
        };
        for last in [[0.0, 1.0], [0.6, 0.8], [-0.6, 0.8]] {
            let (found, wanted) = (losses(last)[0], by_hand(last));
            assert!((found - wanted).abs() < 1e-4, "{found} is not {wanted}");
        }
        // Moving column 2 towards row 0 alone would raise these if the pair counted.
        assert!(losses([1.0, 0.0])[2] > 0.0 && losses([1.0, 0.0])[1].is_finite());
    }
}
