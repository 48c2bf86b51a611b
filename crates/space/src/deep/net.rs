//! Perceptrons: their first values, their forward pass on a tape, and what they have learned as steps.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tuwen_image::rng::Rng;
use tuwen_nn::{Array, Arrays, Linear, Rows, Tape, Value, Weight};

use crate::chain::Step;

/// What bends a layer's results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bend {
    /// Nothing.
    None,
    /// tanh.
    #[default]
    Tanh,
    /// What is above 0.
    Rectify,
}

/// Layers one behind the other.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shape {
    /// Under which its weights stand: `NAME.0.weight` (out, in), `NAME.0.bias` (out), …
    pub(crate) name: &'static str,
    /// The widths from the first input to the last result.
    pub(crate) widths: Vec<usize>,
    /// Behind each layer but the last.
    pub(crate) inner: Bend,
    /// Behind the last.
    pub(crate) last: Bend,
}

impl Shape {
    pub(crate) fn new(name: &'static str, widths: Vec<usize>, inner: Bend, last: Bend) -> Self {
        Self { name, widths, inner, last }
    }

    fn layers(&self) -> usize {
        self.widths.len() - 1
    }

    fn bend(&self, layer: usize) -> Bend {
        if layer + 1 == self.layers() { self.last } else { self.inner }
    }

    /// First values: uniform by both widths (Glorot and Bengio 2010, <https://proceedings.mlr.press/v9/glorot10a.html>),
    /// biases 0.
    pub(crate) fn begin(&self, rng: &mut Rng, into: &mut Arrays) {
        for (layer, pair) in self.widths.windows(2).enumerate() {
            let [wide, out] = [pair[0], pair[1]];
            let most = (6.0 / (wide + out) as f32).sqrt();
            let data = (0..wide * out).map(|_| rng.range(-most, most)).collect();
            let name = |what: &str| format!("{}.{layer}.{what}", self.name);
            into.0.insert(name("weight"), Array { shape: vec![out, wide], data });
            into.0.insert(name("bias"), Array { shape: vec![out], data: vec![0.0; out] });
        }
    }

    /// (N, first width) to (N, last width). `drop` is the probability that a value between two layers is left out.
    pub(crate) fn forward<'w>(
        &self,
        tape: &mut Tape<'w>,
        layers: &'w Layers<'w>,
        x: &Value,
        mut drop: Option<(f32, &mut Rng)>,
    ) -> Value {
        let mut x = x.clone();
        for layer in 0..self.layers() {
            let y = tape.linear(&x, &layers.0[&format!("{}.{layer}", self.name)]);
            x = match self.bend(layer) {
                Bend::None => y,
                Bend::Tanh => tape.tanh(y),
                Bend::Rectify => tape.rectify(y),
            };
            if let Some((share, rng)) = drop.as_mut().filter(|_| layer + 1 < self.layers()) {
                x = dropped(tape, x, *share, rng);
            }
        }
        x
    }

    /// What was learned, as steps.
    pub(crate) fn steps(&self, weights: &Arrays) -> Vec<Step> {
        let layer = |layer: usize| {
            let of = |what: &str| weights.0[&format!("{}.{layer}.{what}", self.name)].data.clone();
            let linear = Step::Linear { weight: of("weight"), bias: of("bias") };
            let bend = match self.bend(layer) {
                Bend::None => None,
                Bend::Tanh => Some(Step::Tanh),
                Bend::Rectify => Some(Step::Rectify),
            };
            std::iter::once(linear).chain(bend)
        };
        (0..self.layers()).flat_map(layer).collect()
    }
}

/// Some values left out, the others larger for it.
pub(crate) fn dropped<'w>(tape: &mut Tape<'w>, x: Value, share: f32, rng: &mut Rng) -> Value {
    if share <= 0.0 {
        return x;
    }
    let keep = 1.0 / (1.0 - share);
    let factors = (0..x.len()).map(|_| if rng.chance(share) { 0.0 } else { keep }).collect();
    tape.times(x, factors)
}

/// All matrices of a step, by the names of their layers.
pub(crate) struct Layers<'a>(BTreeMap<String, Linear<'a>>);

impl<'a> Layers<'a> {
    pub(crate) fn new(weights: &'a Arrays) -> Self {
        let layer = |(name, array): (&'a String, &'a Array)| {
            let name = name.strip_suffix(".weight")?;
            let bias = format!("{name}.bias");
            let bias = weights.0.get(&bias).map(|array| {
                Weight::new(bias, array.shape.clone(), array.data.as_slice().into(), true)
            });
            let rows = Rows::Floats(array.data.as_slice().into());
            let full = format!("{name}.weight");
            let made = Linear::new(full, &array.shape, rows, bias, Default::default(), None);
            Some((name.to_owned(), made.learning(true)))
        };
        Self(weights.0.iter().filter_map(layer).collect())
    }
}
