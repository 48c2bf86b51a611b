//! ACMR: adversarial cross-modal retrieval (Wang et al. 2017, <https://doi.org/10.1145/3123266.3123326>), after
//! <https://github.com/sunpeng981712364/ACMR_demo/blob/master/models/adv_crossmodal_triplet_wiki.py>. Where we differ:
//!
//! 1. In that code the discriminator learns and never reaches the encoders, as each optimiser is given its own
//!    variables; here the gradient goes through the reversal layer, as the article says.
//! 2. Features are standardised, which with 128 and 10 values is needed, and the image's hidden layers are as wide as
//!    the configuration says (there 512 and 100 for 4,096 values).

use serde::{Deserialize, Serialize};
use tuwen_image::rng::Rng;
use tuwen_nn::{Arrays, Tape, Value};

use super::losses::triplets;
use super::masln::{adversary, between, classes};
use super::net::{Bend, Layers, Shape};
use super::{Batch, From, Objective, Schedule, Sizes, ramp};
use crate::chain::{Chain, Space};
use crate::error::Result;
use crate::set::Features;

/// Settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acmr {
    /// Epochs and rates.
    pub schedule: Schedule,
    /// Widths of the image encoder's hidden layers.
    pub image_hidden: Vec<usize>,
    /// Widths of the text encoder's hidden layers.
    pub text_hidden: Vec<usize>,
    /// Width of the code.
    pub code: usize,
    /// Weight of the classes' cross-entropy.
    pub label: f32,
    /// Weight of the triplets.
    pub triplet: f32,
    /// Weight of the discriminator's loss.
    pub adv: f32,
    /// Margin of the triplets.
    pub margin: f32,
    /// How much a partner's distance counts beside a negative's.
    pub alpha: f32,
}

impl Acmr {
    fn encoders(&self, sizes: [usize; 2]) -> [Shape; 2] {
        let shape = |name, wide: usize, hidden: &[usize]| {
            let widths = [&[wide], hidden, &[self.code]].concat();
            Shape::new(name, widths, Bend::Tanh, Bend::Tanh)
        };
        [shape("image", sizes[0], &self.image_hidden), shape("text", sizes[1], &self.text_hidden)]
    }

    /// Without anything that bends between its layers, as in that code.
    fn discriminator(&self) -> Shape {
        let widths = vec![self.code, (self.code / 2).max(1), (self.code / 4).max(1), 1];
        Shape::new("modality", widths, Bend::None, Bend::None)
    }

    fn classifier(&self, classes: usize) -> Shape {
        Shape::new("class", vec![self.code, classes], Bend::None, Bend::None)
    }
}

/// For each row the row of another class that is most like it by cosine; itself where all are of its class.
fn hardest(features: &Features, labels: &[usize]) -> Vec<usize> {
    let length = |at: usize| features.row(at).iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-12);
    let lengths: Vec<f32> = (0..labels.len()).map(length).collect();
    let of = |own: usize| {
        let cosine = |other: usize| {
            let dot: f32 =
                features.row(own).iter().zip(features.row(other)).map(|(a, b)| a * b).sum();
            dot / lengths[other]
        };
        let others = (0..labels.len()).filter(|&other| labels[other] != labels[own]);
        let best = others.map(|other| (cosine(other), other));
        best.max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1))).map_or(own, |(_, other)| other)
    };
    (0..labels.len()).map(of).collect()
}

impl Objective for Acmr {
    fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    fn begin(&self, sizes: Sizes, rng: &mut Rng) -> Arrays {
        let mut weights = Arrays::default();
        let heads = [self.discriminator(), self.classifier(sizes.classes)];
        let shapes = self.encoders([sizes.image, sizes.text]).into_iter().chain(heads);
        shapes.for_each(|shape| shape.begin(rng, &mut weights));
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
        let codes = [
            image.forward(tape, layers, &leaves[0], None),
            text.forward(tape, layers, &leaves[1], None),
        ];
        let settings = [self.margin, self.alpha];
        // An image's negative is the text of the image most like it, and the other way round.
        let by_image = hardest(&batch.images, &batch.labels);
        let by_text = hardest(&batch.texts, &batch.labels);
        let one = triplets(&codes[0], &codes[1], self.code, &by_image, settings);
        let two = triplets(&codes[1], &codes[0], self.code, &by_text, settings);
        let one = between(tape, [&codes[0], &codes[1]], one);
        let two = between(tape, [&codes[1], &codes[0]], two);
        let classifier = self.classifier(batch.classes.rows());
        let label = classes(tape, layers, &classifier, &codes, batch);
        let factor = ramp(batch.progress);
        let adv = adversary(tape, layers, &self.discriminator(), &codes, factor);
        let triplet = self.triplet;
        Ok(tape.total(&[(one, triplet), (two, triplet), (label, self.label), (adv, self.adv)]))
    }

    fn space(&self, weights: &Arrays, from: &From<'_>) -> Result<Space> {
        let [image, text] = self.encoders([from.train.images.width, from.train.texts.width]);
        Ok(Space { image: Chain(image.steps(weights)), text: Chain(text.steps(weights)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hardest_negative_is_of_another_class_and_most_alike() {
        let features = Features { values: vec![1.0, 0.0, 0.9, 0.1, 0.5, 0.5, -1.0, 0.0], width: 2 };
        assert_eq!(hardest(&features, &[0, 0, 1, 1]), [2, 2, 1, 1]);
        assert_eq!(hardest(&features, &[0, 0, 0, 0]), [0, 1, 2, 3]);
    }
}
