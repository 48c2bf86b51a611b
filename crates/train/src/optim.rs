//! AdamW on named arrays, with a learning rate for each name, clipping and a moving average.
//!
//! Paper: Loshchilov and Hutter 2019, <https://arxiv.org/abs/1711.05101>; the update equals
//! PyTorch's `torch.optim.AdamW`. Weights live on the host: a step over all of them costs less
//! than a hundredth of a training step, and one optimiser serves every device.

use rayon::prelude::*;
use tuwen_encode::{Arrays, ModelConfig};

use crate::config::OptimConfig;

const EPSILON: f32 = 1e-8;
/// Values of one task.
const PIECE: usize = 1 << 16;

/// Weights and everything the optimiser knows about them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct State {
    /// Steps taken.
    pub(crate) step: usize,
    pub(crate) weights: Arrays,
    /// Mean gradient.
    pub(crate) mean: Arrays,
    /// Mean squared gradient.
    pub(crate) square: Arrays,
    /// Moving average of the weights.
    pub(crate) ema: Arrays,
}

impl State {
    pub(crate) fn new(weights: Arrays) -> Self {
        let mut zeros = weights.clone();
        zeros.0.values_mut().for_each(|array| array.data.fill(0.0));
        Self { step: 0, mean: zeros.clone(), square: zeros, ema: weights.clone(), weights }
    }
}

/// Learning rate and weight decay of one array.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Group {
    pub(crate) lr: f32,
    pub(crate) decay: f32,
}

/// The group of a weight by its name and number of axes.
pub(crate) fn group(name: &str, axes: usize, optim: &OptimConfig, model: &ModelConfig) -> Group {
    let lr = match name.split('.').next() {
        // Statistics of a batch normalisation.
        _ if name.contains(".running_") => 0.0,
        Some("image") => {
            let layers = model.image_depth();
            let depth = depth(name, "image", layers);
            let frozen = optim.frozen_blocks > 0 && depth <= optim.frozen_blocks;
            let below = (layers + 1 - depth) as i32;
            if frozen { 0.0 } else { optim.image_lr * optim.layer_decay.powi(below) }
        }
        Some("text") if name == "text.words.weight" => optim.words_lr,
        Some("text") if name.contains("_embed") => optim.embed_lr,
        Some("text") => {
            let (depth, layers) = (depth(name, "text", model.text.layers), model.text.layers);
            let frozen = optim.text_frozen_blocks > 0 && depth <= optim.text_frozen_blocks;
            let below = (layers.max(depth) - depth) as i32;
            if frozen { 0.0 } else { optim.text_lr * optim.text_layer_decay.powi(below) }
        }
        _ => optim.heads_lr,
    };
    let plain = axes < 2
        || ["pos_embed", "cls_token", "token_embed", "text.words"]
            .iter()
            .any(|part| name.contains(part));
    Group { lr, decay: if plain { 0.0 } else { optim.weight_decay } }
}

/// 0 is the embedding, 1.. the blocks (of a ResNet: its stages), the last what lies behind them.
fn depth(name: &str, tower: &str, layers: usize) -> usize {
    let inner = name.strip_prefix(tower).and_then(|rest| rest.strip_prefix('.')).unwrap_or("");
    match inner.strip_prefix("blocks.") {
        None if inner.starts_with("layer") => {
            inner["layer".len()..].split('.').next().and_then(|n| n.parse().ok()).unwrap_or(0)
        }
        Some(rest) => 1 + rest.split('.').next().and_then(|n| n.parse().ok()).unwrap_or(0),
        None if inner.starts_with("norm") || inner.starts_with("pool") => layers + 1,
        None => 0,
    }
}

/// Linear warm-up, then a half cosine to 0.
pub(crate) fn schedule(step: usize, steps: usize, warmup: usize) -> f32 {
    if step < warmup {
        return (step + 1) as f32 / warmup as f32;
    }
    let done = (step - warmup) as f32 / (steps - warmup).max(1) as f32;
    0.5 * (1.0 + (std::f32::consts::PI * done).cos())
}

/// Scales the gradients so that their common norm is at most `largest`; returns the norm before.
pub(crate) fn clip(grads: &mut Arrays, largest: f32) -> f32 {
    let squares = grads.0.values().map(|array| {
        array
            .data
            .par_chunks(PIECE)
            .map(|piece| piece.iter().map(|&g| f64::from(g) * f64::from(g)).sum::<f64>())
    });
    // Collected first, so that the order of the sum does not depend on the threads.
    let norm = squares.flat_map(|parts| parts.collect::<Vec<_>>()).sum::<f64>().sqrt() as f32;
    if norm > largest {
        let factor = largest / norm;
        for array in grads.0.values_mut() {
            array.data.par_chunks_mut(PIECE).for_each(|piece| {
                piece.iter_mut().for_each(|g| *g *= factor);
            });
        }
    }
    norm
}

/// One step of AdamW and of the moving average. Weights without a gradient stay.
pub(crate) fn update(
    state: &mut State,
    grads: &Arrays,
    optim: &OptimConfig,
    rates: impl Fn(&str, usize) -> Group,
    factor: f32,
) {
    state.step += 1;
    let [beta1, beta2] = optim.betas;
    let correct1 = 1.0 - f64::from(beta1).powi(state.step as i32);
    let correct2 = 1.0 - f64::from(beta2).powi(state.step as i32);
    // Early on the average would remember the random start.
    let ema = optim.ema.min((1 + state.step) as f32 / (10 + state.step) as f32);
    for (name, weight) in &mut state.weights.0 {
        let Some(grad) = grads.0.get(name) else { continue };
        let Group { lr, decay } = rates(name, weight.shape.len());
        let lr = lr * factor;
        let step_size = (f64::from(lr) / correct1) as f32;
        let root = correct2.sqrt() as f32;
        let mean = &mut state.mean.0.get_mut(name).expect("same names").data;
        let square = &mut state.square.0.get_mut(name).expect("same names").data;
        let average = &mut state.ema.0.get_mut(name).expect("same names").data;
        let pieces = weight.data.par_chunks_mut(PIECE).zip(grad.data.par_chunks(PIECE));
        let moments = mean.par_chunks_mut(PIECE).zip(square.par_chunks_mut(PIECE));
        pieces.zip(moments).zip(average.par_chunks_mut(PIECE)).for_each(
            |(((weight, grad), (mean, square)), average)| {
                for i in 0..weight.len() {
                    mean[i] = beta1 * mean[i] + (1.0 - beta1) * grad[i];
                    square[i] = beta2 * square[i] + (1.0 - beta2) * grad[i] * grad[i];
                    weight[i] *= 1.0 - lr * decay;
                    weight[i] -= step_size * mean[i] / (square[i].sqrt() / root + EPSILON);
                    average[i] += (1.0 - ema) * (weight[i] - average[i]);
                }
            },
        );
    }
}
