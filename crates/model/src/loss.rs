//! Contrastive losses over a batch of picture and text embeddings.
//!
//! Texts of one picture are never each other's negatives: the targets mark every pair that shares
//! a picture id or the very same text as positive (ALBEF's `pos_idx`,
//! <https://github.com/salesforce/ALBEF/blob/main/models/model_retrieval.py>).

use burn::tensor::activation::{log_sigmoid, log_softmax, softmax};
use burn::tensor::{Device, Tensor, TensorData};

/// Which pairs belong together.
///
/// # Shapes
/// `rows` and `columns` hold (picture id, text id) of each row and column. Returns (rows, columns)
/// of 0 and 1.
pub fn positives(rows: &[(u64, u64)], columns: &[(u64, u64)], device: &Device) -> Tensor<2> {
    let related = |a: &(u64, u64), b: &(u64, u64)| f32::from(a.0 == b.0 || a.1 == b.1);
    let flags = rows.iter().flat_map(|row| columns.iter().map(move |column| related(row, column)));
    let data = TensorData::new(flags.collect::<Vec<f32>>(), [rows.len(), columns.len()]);
    Tensor::from_data(data, device)
}

/// Symmetric cross-entropy with several positives, each row's target spread evenly over them.
///
/// # Shapes
/// `a`, `b`: (B, D) unit vectors; `log_scale`: (1); `positives`: (B, B). Returns (1).
/// `smoothing` moves that share of each target evenly to all columns.
pub fn contrastive(
    a: Tensor<2>,
    b: Tensor<2>,
    log_scale: Tensor<1>,
    positives: Tensor<2>,
    smoothing: f64,
) -> Tensor<1> {
    let logits = a.matmul(b.transpose()) * log_scale.exp().unsqueeze::<2>();
    let forward = cross_entropy(logits.clone(), positives.clone(), smoothing);
    let backward = cross_entropy(logits.transpose(), positives.transpose(), smoothing);
    (forward + backward) / 2.0
}

fn cross_entropy(logits: Tensor<2>, positives: Tensor<2>, smoothing: f64) -> Tensor<1> {
    let [rows, columns] = logits.dims();
    let count = positives.clone().sum_dim(1);
    let targets = positives / count * (1.0 - smoothing) + smoothing / columns as f64;
    (targets * log_softmax(logits, 1)).sum() / -(rows as f64)
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
    positives: Tensor<2>,
) -> Tensor<1> {
    let [rows, _] = a.dims();
    let logits = a.matmul(b.transpose()) * log_scale.exp().unsqueeze::<2>() + bias.unsqueeze::<2>();
    let signs = positives * 2.0 - 1.0;
    log_sigmoid(logits * signs).sum() / -(rows as f64)
}

/// The hardest negative of each row and column must be `margin` less alike than its own pair (VSE++,
/// Faghri et al. 2018, <https://arxiv.org/abs/1707.05612>), as a mean over rows and columns.
///
/// # Shapes
/// As [`contrastive`]; row i belongs to column i, and `positives` are nobody's negatives. Returns (1).
pub fn triplet(a: Tensor<2>, b: Tensor<2>, positives: Tensor<2>, margin: f64) -> Tensor<1> {
    let [rows, _] = a.dims();
    let own = (a.clone() * b.clone()).sum_dim(1);
    let scores = a.matmul(b.transpose());
    let hardest = |scores: Tensor<2>, positives: Tensor<2>| {
        let cost = (scores - own.clone() + margin).clamp_min(0.0) * (positives * -1.0 + 1.0);
        cost.max_dim(1).sum() / rows as f64
    };
    let forward = hardest(scores.clone(), positives.clone());
    forward + hardest(scores.transpose(), positives.transpose())
}

/// The student's distribution over a batch imitates the teacher's, both ways (affinity mimicking,
/// TinyCLIP, Wu et al. 2023, <https://arxiv.org/abs/2309.12314>).
///
/// # Shapes
/// `logits`, `teacher`: (B, B), scaled. Returns (1).
pub fn mimic(logits: Tensor<2>, teacher: Tensor<2>) -> Tensor<1> {
    let [rows, _] = logits.dims();
    let one = |logits: Tensor<2>, teacher: Tensor<2>| {
        (softmax(teacher, 1) * log_softmax(logits, 1)).sum() / -(rows as f64)
    };
    (one(logits.clone(), teacher.clone()) + one(logits.transpose(), teacher.transpose())) / 2.0
}
