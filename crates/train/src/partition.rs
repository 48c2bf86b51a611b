//! The partition of a model's weights into trainable and frozen ones. Trainable are all of them, some of them
//! by their learning rates, or LoRA adapters, which are weights of their own beside frozen matrices.
//!
//! The towers know of none of this: a [`View`] gives them the effective weights, with the adapters merged
//! into their matrices, and [`Partition::gradients`] turns the gradients of these into those of the
//! trainable weights.

use std::borrow::Cow;

use rayon::prelude::*;
use tuwen_encode::{Array, Arrays, ModelConfig, Weights};
use tuwen_gemm::{Mat, Precision, gemm};
use tuwen_image::rng::Rng;

use crate::config::{Lora, LoraTarget, Tower};
use crate::optim::group;
use crate::{Result, TrainConfig};

/// The frozen weights, and how the trainable ones combine with them.
pub(crate) struct Partition {
    base: Arrays,
    lora: Option<Lora>,
    precision: Precision,
}

impl Partition {
    /// Divides a model's weights into frozen and trainable ones; returns the latter. A new adapter adds 0 to
    /// its matrix.
    pub(crate) fn new(config: &TrainConfig, model: &ModelConfig, all: Arrays) -> (Self, Arrays) {
        let (mut base, mut trainable) = (Arrays::default(), Arrays::default());
        for (name, array) in all.0 {
            let tower = [(Tower::Image, "image."), (Tower::Text, "text.")]
                .into_iter()
                .find_map(|(tower, start)| name.starts_with(start).then_some(tower));
            let scale = name == "heads.logit_scale" || name == "heads.logit_bias";
            let rate = group(&name, array.shape.len(), &config.optim, model).lr;
            let learns = rate > 0.0
                && !(scale && config.loss.fixed_scale)
                && !tower.is_some_and(|tower| config.has_adapters(tower));
            let part = if learns { &mut trainable } else { &mut base };
            part.0.insert(name, array);
        }
        if let Some(lora) = &config.lora {
            for (name, array) in base.0.iter().filter(|(name, _)| lora.adapts(name)) {
                let (out, wide) = (array.shape[0], array.shape[1]);
                let mut rng = Rng::new(&[config.seed, 6, trainable.0.len() as u64]);
                let bound = 1.0 / (wide as f32).sqrt();
                let down = (0..lora.rank * wide).map(|_| rng.range(-bound, bound)).collect();
                let down = Array { shape: vec![lora.rank, wide], data: down };
                trainable.0.insert(format!("{name}{DOWN}"), down);
                trainable.slot(&format!("{name}{UP}"), &[out, lora.rank]);
            }
        }
        (Self { base, lora: config.lora.clone(), precision: config.precision.into() }, trainable)
    }

    /// The frozen weights.
    pub(crate) fn frozen(&self) -> &Arrays {
        &self.base
    }

    /// The effective weights with these trainable ones.
    pub(crate) fn view<'a>(&'a self, trainable: &'a Arrays) -> View<'a> {
        let Some(lora) = &self.lora else {
            return self.effective(trainable, Arrays::default());
        };
        let merge = |(name, array): (&String, &Array)| {
            let (down, up) = pair(trainable, name)?;
            let mut data = array.data.clone();
            let (out, wide) = (array.shape[0], array.shape[1]);
            let scaled: Vec<f32> = up.data.iter().map(|value| value * lora.scale()).collect();
            let (up, down) = (
                Mat::new(&scaled, out, lora.rank, lora.rank),
                Mat::new(&down.data, lora.rank, wide, wide),
            );
            gemm(&mut data, wide, up, down, true);
            Some((name.clone(), Array { shape: array.shape.clone(), data }))
        };
        let merged = self.base.0.par_iter().filter_map(merge).collect();
        self.effective(trainable, Arrays(merged))
    }

    fn effective<'a>(&'a self, trainable: &'a Arrays, merged: Arrays) -> View<'a> {
        View { trainable, merged, base: &self.base, precision: self.precision }
    }

    /// The gradients of the trainable weights, from those of the effective ones.
    pub(crate) fn gradients(&self, trainable: &Arrays, mut effective: Arrays) -> Arrays {
        if let Some(lora) = &self.lora {
            let of_pair = |(name, grad): (&String, &Array)| {
                let (down, up) = pair(trainable, name)?;
                Some([
                    (format!("{name}{DOWN}"), lora.down_gradient(up, grad)),
                    (format!("{name}{UP}"), lora.up_gradient(down, grad)),
                ])
            };
            let pairs: Vec<_> = effective.0.par_iter().filter_map(of_pair).collect();
            effective.0.extend(pairs.into_iter().flatten());
        }
        effective.0.retain(|name, _| trainable.0.contains_key(name));
        effective
    }
}

const DOWN: &str = "/lora_a";
const UP: &str = "/lora_b";

/// The LoRA adapter of a weight, if it has one: A, (r, in), and B, (out, r).
fn pair<'a>(trainable: &'a Arrays, name: &str) -> Option<(&'a Array, &'a Array)> {
    let part = |end: &str| trainable.0.get(&format!("{name}{end}"));
    Some((part(DOWN)?, part(UP)?))
}

impl Lora {
    fn scale(&self) -> f32 {
        self.alpha / self.rank as f32
    }

    fn adapts(&self, name: &str) -> bool {
        let tower = |tower: &Tower| match tower {
            Tower::Image => name.starts_with("image.blocks."),
            Tower::Text => name.starts_with("text.blocks."),
        };
        let target = |target: &LoraTarget| match target {
            LoraTarget::Qkv => name.ends_with("attn.qkv.weight"),
            LoraTarget::Proj => name.ends_with("attn.proj.weight"),
            LoraTarget::Mlp => name.contains(".mlp.fc") && name.ends_with(".weight"),
        };
        self.towers.iter().any(tower) && self.targets.iter().any(target)
    }

    /// `s B^T dW`, (r, in).
    fn down_gradient(&self, up: &Array, grad: &Array) -> Array {
        let (out, wide) = (grad.shape[0], grad.shape[1]);
        let scaled: Vec<f32> = up.data.iter().map(|value| value * self.scale()).collect();
        let mut data = vec![0.0; self.rank * wide];
        let up = Mat::new(&scaled, out, self.rank, self.rank).t();
        gemm(&mut data, wide, up, Mat::new(&grad.data, out, wide, wide), false);
        Array { shape: vec![self.rank, wide], data }
    }

    /// `s dW A^T`, (out, r).
    fn up_gradient(&self, down: &Array, grad: &Array) -> Array {
        let (out, wide) = (grad.shape[0], grad.shape[1]);
        let scaled: Vec<f32> = down.data.iter().map(|value| value * self.scale()).collect();
        let mut data = vec![0.0; out * self.rank];
        let down = Mat::new(&scaled, self.rank, wide, wide).t();
        gemm(&mut data, self.rank, Mat::new(&grad.data, out, wide, wide), down, false);
        Array { shape: vec![out, self.rank], data }
    }
}

/// A model's effective weights by name: what a tower multiplies with.
pub struct View<'a> {
    trainable: &'a Arrays,
    merged: Arrays,
    base: &'a Arrays,
    precision: Precision,
}

impl<'a> View<'a> {
    /// Weights that are all trainable.
    pub fn plain(arrays: &'a Arrays) -> Self {
        let (merged, precision) = (Arrays::default(), Precision::F32);
        Self { trainable: arrays, merged, base: arrays, precision }
    }

    /// Weights of which some are frozen.
    pub fn partly(trainable: &'a Arrays, frozen: &'a Arrays) -> Self {
        Self { base: frozen, ..Self::plain(trainable) }
    }

    /// The same with products of another precision.
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// Whether any weight learns whose name begins so.
    pub(crate) fn any_learns(&self, start: &str) -> bool {
        let mut names = self.trainable.0.keys().chain(self.merged.0.keys());
        names.any(|name| name.starts_with(start))
    }

    fn look(&self, name: &str) -> Option<&Array> {
        // A merged matrix takes the place of the frozen one that it was computed from.
        [self.trainable, &self.merged, self.base].into_iter().find_map(|part| part.0.get(name))
    }

    /// A copy of the whole model.
    ///
    /// # Errors
    /// A weight is missing.
    pub fn to_arrays(&self, model: &ModelConfig) -> Result<Arrays> {
        let copy = |(name, _): (String, _)| {
            let array = self.look(&name).ok_or(tuwen_encode::Error::MissingWeight(name.clone()))?;
            Ok((name, array.clone()))
        };
        model.weight_shapes().into_iter().map(copy).collect::<Result<_>>().map(Arrays)
    }
}

impl<'a> Weights<'a> for &'a View<'_> {
    fn find(&self, name: &str) -> tuwen_encode::Result<(Vec<usize>, Cow<'a, [f32]>)> {
        let missing = || tuwen_encode::Error::MissingWeight(name.to_owned());
        let array = self.look(name).ok_or_else(missing)?;
        Ok((array.shape.clone(), Cow::Borrowed(&array.data)))
    }

    fn precision(&self) -> Precision {
        self.precision
    }

    fn learns(&self, name: &str) -> bool {
        // What is merged has the gradient that its adapters' are made of.
        self.trainable.0.contains_key(name) || self.merged.0.contains_key(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `L = sum(G * (W + s B A))` is linear in each of A and B, so its differences are its gradients.
    #[test]
    fn adapters_gradients_are_those_of_the_merged_weight() {
        let lora = Lora {
            rank: 2,
            alpha: 3.0,
            lr: 1.0,
            targets: vec![LoraTarget::Proj],
            towers: vec![Tower::Text],
        };
        let name = "text.blocks.0.attn.proj.weight".to_owned();
        let mut rng = Rng::new(&[1]);
        let mut random = |shape: [usize; 2]| {
            let data = (0..shape[0] * shape[1]).map(|_| rng.range(-1.0, 1.0)).collect();
            Array { shape: shape.to_vec(), data }
        };
        let (weight, grad) = (random([4, 3]), random([4, 3]));
        let trainable = Arrays(
            [(format!("{name}{DOWN}"), random([2, 3])), (format!("{name}{UP}"), random([4, 2]))]
                .into(),
        );
        let base = Arrays([(name.clone(), weight)].into());
        let partition = Partition { base, lora: Some(lora), precision: Precision::F32 };
        let value = |trainable: &Arrays| -> f32 {
            let view = partition.view(trainable);
            let (_, merged) = (&view).find(&name).expect("a weight");
            merged.iter().zip(&grad.data).map(|(w, g)| w * g).sum()
        };
        let effective = Arrays([(name.clone(), grad.clone())].into());
        let found = partition.gradients(&trainable, effective);
        assert_eq!(found.0.len(), 2, "the frozen weight has none");
        for (part, array) in &found.0 {
            for at in 0..array.data.len() {
                let mut moved = trainable.clone();
                moved.0.get_mut(part).expect("a part").data[at] += 1.0;
                let slope = value(&moved) - value(&trainable);
                assert!((slope - array.data[at]).abs() < 1e-4, "{part}, {at}");
            }
        }
    }
}
