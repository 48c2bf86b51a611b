//! Adam with decay beside the gradient (AdamW, Loshchilov and Hutter 2019, <https://arxiv.org/abs/1711.05101>; equal to
//! PyTorch's), and a moving average of the weights.
//!
//! `train` has its own for towers: groups of parameters, warm-up, moments in checkpoints. These networks need a tenth
//! of that, and `space` stands below `train`.

use serde::{Deserialize, Serialize};
use tuwen_nn::Arrays;

const EPSILON: f32 = 1e-8;

/// Rates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rates {
    /// Learning rate.
    pub lr: f32,
    /// How much of the mean gradient, and of the mean squared one, stays at each step.
    #[serde(default = "betas")]
    pub betas: [f32; 2],
    /// Share of each weight (biases apart) that goes at each step, times the rate.
    #[serde(default)]
    pub decay: f32,
    /// How much of the average of the weights stays at each step; 0 for the weights themselves.
    #[serde(default)]
    pub average: f32,
}

fn betas() -> [f32; 2] {
    [0.9, 0.999]
}

pub(crate) struct Adam {
    pub(crate) weights: Arrays,
    average: Option<Arrays>,
    mean: Arrays,
    square: Arrays,
    steps: i32,
}

impl Adam {
    pub(crate) fn new(weights: Arrays, rates: &Rates) -> Self {
        let mut zeros = weights.clone();
        zeros.0.values_mut().for_each(|array| array.data.fill(0.0));
        let average = (rates.average > 0.0).then(|| weights.clone());
        Self { average, mean: zeros.clone(), square: zeros, weights, steps: 0 }
    }

    /// The weights to measure.
    pub(crate) fn measured(&self) -> &Arrays {
        self.average.as_ref().unwrap_or(&self.weights)
    }

    pub(crate) fn step(&mut self, grads: &Arrays, rates: &Rates, factor: f32) {
        self.steps += 1;
        let [beta1, beta2] = rates.betas;
        let lr = rates.lr * factor;
        let size = lr / (1.0 - beta1.powi(self.steps));
        let root = (1.0 - beta2.powi(self.steps)).sqrt();
        for (name, weight) in &mut self.weights.0 {
            let Some(grad) = grads.0.get(name) else { continue };
            let decay = if name.ends_with(".weight") { lr * rates.decay } else { 0.0 };
            let mean = &mut self.mean.0.get_mut(name).expect("same names").data;
            let square = &mut self.square.0.get_mut(name).expect("same names").data;
            let values = weight.data.iter_mut().zip(&grad.data).zip(mean).zip(square);
            for (((weight, grad), mean), square) in values {
                *mean = beta1 * *mean + (1.0 - beta1) * grad;
                *square = beta2 * *square + (1.0 - beta2) * grad * grad;
                *weight *= 1.0 - decay;
                *weight -= size * *mean / (square.sqrt() / root + EPSILON);
            }
        }
        if let Some(average) = &mut self.average {
            // Early on the average would remember the random start.
            let stays = rates.average.min((1 + self.steps) as f32 / (10 + self.steps) as f32);
            for (average, weight) in average.0.values_mut().zip(self.weights.0.values()) {
                let values = average.data.iter_mut().zip(&weight.data);
                values
                    .for_each(|(average, weight)| *average += (1.0 - stays) * (weight - *average));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tuwen_nn::Array;

    /// torch.optim.AdamW([tensor([1., -2.])], lr=.1, betas=(.5, .999), weight_decay=.01), gradients (.5, -1), (.1, 2).
    #[test]
    fn two_steps_as_pytorchs() {
        let of = |data: [f32; 2]| {
            let array = Array { shape: vec![2], data: data.to_vec() };
            Arrays([("a.weight".to_owned(), array)].into())
        };
        let rates = Rates { lr: 0.1, betas: [0.5, 0.999], decay: 0.01, average: 0.0 };
        let mut adam = Adam::new(of([1.0, -2.0]), &rates);
        adam.step(&of([0.5, -1.0]), &rates, 1.0);
        adam.step(&of([0.1, 2.0]), &rates, 1.0);
        let found = &adam.measured().0["a.weight"].data;
        let wanted = PYTORCH;
        assert!(found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}");
    }

    const PYTORCH: [f32; 2] = [0.833_371_04, -1.959_338_2];
}
