//! One window of skip-gram: the words around one, that word, and words that are not there.

use super::word2vec::Settings;

/// Room for a window, used again and again.
pub struct Window {
    /// The words around.
    pub contexts: Vec<u32>,
    /// The word, and the negative samples.
    pub targets: Vec<u32>,
    /// (C, D).
    pub inputs: Vec<f32>,
    /// (T, D).
    pub outputs: Vec<f32>,
    /// (C, T): how far each pair is moved.
    pub steps: Vec<f32>,
    /// The inputs before they were changed.
    pub before: Vec<f32>,
    /// How far all are moved.
    pub rate: f32,
}

impl Window {
    /// Room for windows of these settings.
    pub fn new(settings: Settings) -> Self {
        let (contexts, targets) = (2 * settings.window, settings.negatives + 1);
        Self {
            contexts: Vec::with_capacity(contexts),
            targets: Vec::with_capacity(targets),
            inputs: Vec::with_capacity(contexts * settings.width),
            outputs: Vec::with_capacity(targets * settings.width),
            steps: vec![0.0; contexts * targets],
            before: Vec::with_capacity(contexts * settings.width),
            rate: settings.rate,
        }
    }
}

/// Lanes of a sum.
const LANES: usize = 16;

tuwen_simd::simd! {
    /// Moves both sides of a window along the gradient of `sum ln sigmoid(±<input, output>)`, the first output being the
    /// true one; both gradients are those at the values before.
    pub fn learn(
        inputs: &mut [f32],
        outputs: &mut [f32],
        steps: &mut [f32],
        before: &mut Vec<f32>,
        width: usize,
        rate: f32,
    ) {
        let targets = outputs.len() / width;
        for (context, input) in inputs.chunks_exact(width).enumerate() {
            for (target, output) in outputs.chunks_exact(width).enumerate() {
                let mut sums = [0f32; LANES];
                let (a, a_rest) = input.as_chunks::<LANES>();
                let (b, b_rest) = output.as_chunks::<LANES>();
                for (a, b) in a.iter().zip(b) {
                    (0..LANES).for_each(|lane| sums[lane] += a[lane] * b[lane]);
                }
                let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
                let score = sums.iter().sum::<f32>() + rest;
                let truth = if target == 0 { 1.0 } else { 0.0 };
                steps[context * targets + target] = rate * (truth - 1.0 / (1.0 + (-score).exp()));
            }
        }
        before.clear();
        before.extend_from_slice(inputs);
        for (context, input) in inputs.chunks_exact_mut(width).enumerate() {
            for (target, output) in outputs.chunks_exact(width).enumerate() {
                let step = steps[context * targets + target];
                input.iter_mut().zip(output).for_each(|(value, by)| *value += step * by);
            }
        }
        for (target, output) in outputs.chunks_exact_mut(width).enumerate() {
            for (context, input) in before.chunks_exact(width).enumerate() {
                let step = steps[context * targets + target];
                output.iter_mut().zip(input).for_each(|(value, by)| *value += step * by);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The gradient by differences.
    #[test]
    fn a_window_climbs_its_likelihood() {
        let width = 19;
        let value = |at: usize| ((at * 7919 % 101) as f32 - 50.0) / 100.0;
        let inputs: Vec<f32> = (0..3 * width).map(value).collect();
        let outputs: Vec<f32> = (0..2 * width).map(|at| value(at + 500)).collect();
        let likelihood = |inputs: &[f32], outputs: &[f32]| -> f64 {
            let mut sum = 0.0;
            for input in inputs.chunks(width) {
                for (at, output) in outputs.chunks(width).enumerate() {
                    let score: f64 = input.iter().zip(output).map(|(a, b)| f64::from(a * b)).sum();
                    sum -= (1.0 + (if at == 0 { -score } else { score }).exp()).ln();
                }
            }
            sum
        };
        let (mut a, mut b) = (inputs.clone(), outputs.clone());
        let (rate, mut steps) = (1e-3, vec![0.0; 6]);
        learn(&mut a, &mut b, &mut steps, &mut Vec::new(), width, rate);
        for at in [0, 20, 56] {
            let (mut up, mut down) = (inputs.clone(), inputs.clone());
            (up[at], down[at]) = (up[at] + 0.01, down[at] - 0.01);
            let slope = (likelihood(&up, &outputs) - likelihood(&down, &outputs)) / 0.02;
            assert!((f64::from((a[at] - inputs[at]) / rate) - slope).abs() < 1e-2, "{at}");
        }
        for at in [0, 30] {
            let (mut up, mut down) = (outputs.clone(), outputs.clone());
            (up[at], down[at]) = (up[at] + 0.01, down[at] - 0.01);
            let slope = (likelihood(&inputs, &up) - likelihood(&inputs, &down)) / 0.02;
            assert!((f64::from((b[at] - outputs[at]) / rate) - slope).abs() < 1e-2, "{at}");
        }
    }
}
