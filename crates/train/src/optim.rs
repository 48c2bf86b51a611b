//! AdamW on named arrays, with a learning rate for each name, clipping and a moving average.
//!
//! Paper: Loshchilov and Hutter 2019, <https://arxiv.org/abs/1711.05101>; the update equals
//! PyTorch's `torch.optim.AdamW`. Weights live on the host: a step over all of them costs less
//! than a hundredth of a training step, and one optimiser serves every device.

use std::collections::HashMap;

use rayon::prelude::*;
use tuwen_encode::params::{Param, ParamKind, Part};
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

/// The group of a parameter.
pub(crate) fn group(param: &Param, optim: &OptimConfig, model: &ModelConfig) -> Group {
    let below = |layers: usize| (layers + 1).saturating_sub(param.depth) as i32;
    let frozen = |blocks: usize| blocks > 0 && param.depth <= blocks;
    let lr = match (param.part, param.kind) {
        (_, ParamKind::Statistic { .. }) => 0.0,
        (Part::Image, _) if frozen(optim.frozen_blocks) => 0.0,
        (Part::Image, _) => optim.image_lr * optim.layer_decay.powi(below(model.image_depth())),
        (Part::Text, ParamKind::Words) => optim.words_lr,
        (Part::Text, ParamKind::Tokens | ParamKind::Positions | ParamKind::Types) => optim.embed_lr,
        (Part::Text, _) if frozen(optim.text_frozen_blocks) => 0.0,
        (Part::Text, _) => {
            // The last block learns at the whole rate, and what lies behind it as well.
            let below = (below(model.text.layers) - 1).max(0);
            optim.text_lr * optim.text_layer_decay.powi(below)
        }
        (Part::ImageHead | Part::TextHead | Part::Logits, _) => optim.heads_lr,
        // No loss here depends on a matching head of the model's own.
        (Part::Fusion | Part::Fine, _) => 0.0,
    };
    Group { lr, decay: if param.decays() { optim.weight_decay } else { 0.0 } }
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

/// How much of what was stays at each step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decays {
    /// Of the mean gradient and the mean squared gradient.
    pub(crate) betas: [f32; 2],
    /// Of the moving average of the weights.
    pub(crate) ema: f32,
}

/// One step of AdamW and of the moving average. Weights without a gradient stay.
pub(crate) fn update(
    state: &mut State,
    grads: &Arrays,
    decays: Decays,
    groups: &HashMap<String, Group>,
    factor: f32,
) {
    state.step += 1;
    let [beta1, beta2] = decays.betas;
    let correct1 = 1.0 - f64::from(beta1).powi(state.step as i32);
    let correct2 = 1.0 - f64::from(beta2).powi(state.step as i32);
    // Early on the average would remember the random start.
    let ema = decays.ema.min((1 + state.step) as f32 / (10 + state.step) as f32);
    for (name, weight) in &mut state.weights.0 {
        let Some(grad) = grads.0.get(name) else { continue };
        let Some(&Group { lr, decay }) = groups.get(name) else { continue };
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
