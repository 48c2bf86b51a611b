//! MASLN: modal-adversarial semantic learning (Xu, Song, Lu, Yang, Shen and Huang 2018,
//! <https://doi.org/10.1145/3206025.3206033>). There is no code of the authors; the losses are those of the article, what
//! it leaves open is said here:
//!
//! 1. Widths, rates and weights of the losses are not published: they were chosen on validation parts.
//! 2. What a class embedding is, the article says no further than "as in zero-shot learning": the caller gives rows,
//!    of a text tower, of word vectors, or one-hot ones.
//! 3. `L_rec` is a mean over a row's values, so that modalities of different widths count the same.
//! 4. One optimiser with a gradient reversal layer stands for encoders and discriminator in turns.

use serde::{Deserialize, Serialize};
use tuwen_image::rng::Rng;
use tuwen_nn::{Arrays, Pairs as Truth, Tape, Value};

use super::losses::{Loss, squared};
use super::net::{Bend, Layers, Shape};
use super::{Batch, From, Objective, Schedule, Sizes, ramp};
use crate::chain::{Chain, Space};
use crate::error::Result;

/// Settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Masln {
    /// Epochs and rates.
    pub schedule: Schedule,
    /// Width of the hidden layer of every encoder and decoder.
    pub hidden: usize,
    /// Width of the code, which is the common space.
    pub code: usize,
    /// Weight of L_corr: codes of a pair are near each other.
    pub corr: f32,
    /// Weight of L_rec: codes with their class's embedding give both modalities back.
    pub rec: f32,
    /// Weight of L_adv: a discriminator does not find out from which modality a code comes.
    pub adv: f32,
    /// Weight of L_dis: a classifier finds a code's class.
    pub dis: f32,
}

impl Masln {
    fn encoders(&self, sizes: [usize; 2]) -> [Shape; 2] {
        let shape = |name, wide| {
            Shape::new(name, vec![wide, self.hidden, self.code], Bend::Tanh, Bend::Tanh)
        };
        [shape("image", sizes[0]), shape("text", sizes[1])]
    }

    /// From a code with the class's embedding to an image's, and to a text's features.
    fn decoders(&self, sizes: [usize; 2], meaning: usize) -> [Shape; 2] {
        let from = self.code + meaning;
        let shape =
            |name, wide| Shape::new(name, vec![from, self.hidden, wide], Bend::Tanh, Bend::None);
        [shape("to_image", sizes[0]), shape("to_text", sizes[1])]
    }

    fn discriminator(&self) -> Shape {
        let widths = vec![self.code, (self.code / 2).max(1), (self.code / 4).max(1), 1];
        Shape::new("modality", widths, Bend::Rectify, Bend::None)
    }

    fn classifier(&self, classes: usize) -> Shape {
        Shape::new("class", vec![self.code, classes], Bend::None, Bend::None)
    }

    /// L_rec: both decoders from both codes.
    fn reconstruction<'w>(
        &self,
        tape: &mut Tape<'w>,
        layers: &'w Layers<'w>,
        codes: &[Value; 2],
        batch: &Batch<'_>,
    ) -> Value {
        let meaning = batch.class_rows();
        let sides = [&batch.images, &batch.texts];
        let decoders = self.decoders(sides.map(|side| side.width), meaning.width);
        let mut parts = Vec::new();
        for code in codes {
            let class = tape.leaf(meaning.values.clone(), meaning.width, false);
            let both = tape.beside(code, &class);
            for (decoder, side) in decoders.iter().zip(sides) {
                let made = decoder.forward(tape, layers, &both, None);
                let found = squared(&made, &side.values, side.width);
                let one = tape.known(found.value, vec![(&made, found.first)]);
                parts.push((one, 1.0 / side.width as f32));
            }
        }
        tape.total(&parts)
    }
}

/// L_adv of MASLN and its like: cross-entropy of which modality each code comes from, behind a gradient reversal layer.
pub(super) fn adversary<'w>(
    tape: &mut Tape<'w>,
    layers: &'w Layers<'w>,
    discriminator: &Shape,
    codes: &[Value; 2],
    factor: f32,
) -> Value {
    let mut parts = Vec::new();
    for (code, is_image) in codes.iter().zip([true, false]) {
        let turned = tape.reverse(code, factor);
        let logits = discriminator.forward(tape, layers, &turned, None);
        let truth = Truth { truth: vec![Some(is_image); logits.rows()], columns: 1 };
        parts.push((tape.sigmoid(&logits, &truth), 0.5));
    }
    tape.total(&parts)
}

/// L_dis of MASLN and its like: cross-entropy of the classes, of both modalities' codes by one layer.
pub(super) fn classes<'w>(
    tape: &mut Tape<'w>,
    layers: &'w Layers<'w>,
    classifier: &Shape,
    codes: &[Value; 2],
    batch: &Batch<'_>,
) -> Value {
    let truth = batch.truth(batch.classes.rows());
    let parts = codes.iter().map(|code| {
        let logits = classifier.forward(tape, layers, code, None);
        (tape.cross_entropy(&logits, &truth), 1.0)
    });
    let parts: Vec<_> = parts.collect();
    tape.total(&parts)
}

/// A loss of two values on the tape.
pub(super) fn between(tape: &mut Tape<'_>, [a, b]: [&Value; 2], loss: Loss) -> Value {
    tape.known(loss.value, vec![(a, loss.first), (b, loss.second)])
}

impl Objective for Masln {
    fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    fn begin(&self, sizes: Sizes, rng: &mut Rng) -> Arrays {
        let mut weights = Arrays::default();
        let widths = [sizes.image, sizes.text];
        let shapes = self.encoders(widths).into_iter().chain(self.decoders(widths, sizes.meaning));
        let heads = [self.discriminator(), self.classifier(sizes.classes)];
        shapes.chain(heads).for_each(|shape| shape.begin(rng, &mut weights));
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
        let mut parts = Vec::new();
        // A loss of weight 0 is not computed: ablations are as fast as they can be.
        if self.corr != 0.0 {
            let found = squared(&codes[0], &codes[1], self.code);
            parts.push((between(tape, [&codes[0], &codes[1]], found), self.corr));
        }
        if self.rec != 0.0 {
            parts.push((self.reconstruction(tape, layers, &codes, batch), self.rec));
        }
        if self.adv != 0.0 {
            let factor = ramp(batch.progress);
            parts.push((adversary(tape, layers, &self.discriminator(), &codes, factor), self.adv));
        }
        if self.dis != 0.0 {
            let classifier = self.classifier(batch.classes.rows());
            parts.push((classes(tape, layers, &classifier, &codes, batch), self.dis));
        }
        Ok(tape.total(&parts))
    }

    fn space(&self, weights: &Arrays, from: &From<'_>) -> Result<Space> {
        let [image, text] = self.encoders([from.train.images.width, from.train.texts.width]);
        Ok(Space { image: Chain(image.steps(weights)), text: Chain(text.steps(weights)) })
    }
}
