//! DCMH: deep cross-modal hashing (Jiang and Li 2017, <https://doi.org/10.1109/CVPR.2017.348>), its loss on encoders of
//! features. What is measured are the signs. Where we differ: one optimiser for both modalities instead of turns, and
//! signs of a batch instead of the whole set's.

use serde::{Deserialize, Serialize};
use tuwen_image::rng::Rng;
use tuwen_nn::{Arrays, Tape, Value};

use super::losses::bits;
use super::masln::between;
use super::net::{Bend, Layers, Shape};
use super::{Batch, From, Objective, Schedule, Sizes};
use crate::chain::{Chain, Space, Step};
use crate::error::Result;

/// Settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dcmh {
    /// Epochs and rates.
    pub schedule: Schedule,
    /// Width of the hidden layer.
    pub hidden: usize,
    /// Bits of a code.
    pub bits: usize,
    /// Weight of what signs lose (gamma; 1 in the article).
    pub quantise: f32,
    /// Weight of how unevenly a bit is on and off (eta; 1 in the article).
    pub balance: f32,
}

impl Dcmh {
    fn encoders(&self, sizes: [usize; 2]) -> [Shape; 2] {
        let shape = |name, wide| {
            Shape::new(name, vec![wide, self.hidden, self.bits], Bend::Rectify, Bend::None)
        };
        [shape("image", sizes[0]), shape("text", sizes[1])]
    }
}

impl Objective for Dcmh {
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
        let found = bits(&a, &b, &batch.labels, [self.quantise, self.balance]);
        Ok(between(tape, [&a, &b], found))
    }

    fn space(&self, weights: &Arrays, from: &From<'_>) -> Result<Space> {
        let [image, text] = self.encoders([from.train.images.width, from.train.texts.width]);
        let chain = |shape: Shape| Chain(shape.steps(weights)).then([Step::Sign]);
        Ok(Space { image: chain(image), text: chain(text) })
    }
}
