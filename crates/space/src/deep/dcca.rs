//! Deep CCA (Andrew, Arora, Bilmes and Livescu 2013, <https://proceedings.mlr.press/v28/andrew13.html>): two networks
//! whose codes correlate as much as they can; a linear CCA of the codes follows, as there. No class is looked at.

use serde::{Deserialize, Serialize};
use tuwen_image::rng::Rng;
use tuwen_nn::{Arrays, Tape, Value};

use super::losses::correlation;
use super::masln::between;
use super::net::{Bend, Layers, Shape};
use super::{Batch, From, Objective, Schedule, Sizes};
use crate::chain::{Chain, Space};
use crate::closed;
use crate::error::Result;

/// Settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeepCca {
    /// Epochs and rates; a batch should be many times the code's width.
    pub schedule: Schedule,
    /// Width of the hidden layer.
    pub hidden: usize,
    /// Width of the code.
    pub code: usize,
    /// Added to the diagonals of the codes' covariances.
    pub ridge: f64,
    /// Whether each direction counts as much as its correlation.
    #[serde(default)]
    pub weighted: bool,
}

impl DeepCca {
    fn encoders(&self, sizes: [usize; 2]) -> [Shape; 2] {
        let shape = |name, wide| {
            Shape::new(name, vec![wide, self.hidden, self.code], Bend::Tanh, Bend::None)
        };
        [shape("image", sizes[0]), shape("text", sizes[1])]
    }
}

impl Objective for DeepCca {
    fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    fn begin(&self, sizes: Sizes, rng: &mut Rng) -> Arrays {
        let mut weights = Arrays::default();
        let shapes = self.encoders([sizes.image, sizes.text]);
        shapes.iter().for_each(|shape| shape.begin(rng, &mut weights));
        weights
    }

    fn loss<'w>(
        &self,
        tape: &mut Tape<'w>,
        layers: &'w Layers<'w>,
        batch: &Batch<'_>,
        _rng: &mut Rng,
    ) -> Result<Value> {
        let leaves = batch.leaves(tape);
        let [image, text] = self.encoders([batch.images.width, batch.texts.width]);
        let a = image.forward(tape, layers, &leaves[0], None);
        let b = text.forward(tape, layers, &leaves[1], None);
        let found = correlation(&a, &b, self.code, self.ridge)?;
        Ok(between(tape, [&a, &b], found))
    }

    fn space(&self, weights: &Arrays, from: &From<'_>) -> Result<Space> {
        let [image, text] = self.encoders([from.train.images.width, from.train.texts.width]);
        let (image, text) = (Chain(image.steps(weights)), Chain(text.steps(weights)));
        let codes = [image.apply(&from.train.images), text.apply(&from.train.texts)];
        let linear = closed::cca(&codes[0], &codes[1], self.code, self.ridge, self.weighted)?;
        Ok(Space { image: image.then(linear.image.0), text: text.then(linear.text.0) })
    }
}
