//! Our own variant of MASLN, with today's means: what it takes away, what it adds, in the order of its losses.
//!
//! 1. Codes have length 1, and everything is a contrast at a temperature. L_corr becomes InfoNCE over a batch's pairs
//!    (CLIP, Radford et al. 2021, <https://arxiv.org/abs/2103.00020>): a pair is near because all others are farther.
//! 2. L_dis becomes a supervised contrast across the modalities (Khosla et al. 2020,
//!    <https://arxiv.org/abs/2004.11362>): all of a class are positives, which is what is measured afterwards.
//! 3. The classes' meanings (a text tower's) are anchors: a linear map of a meaning is where its class's codes belong, so
//!    that classes lie as their names do. Only classes that are learned from have anchors.
//! 4. The adversary is gone: a contrast across modalities leaves no gap that a discriminator would have to close.
//! 5. Features: the root of histograms (Hellinger), then standardised; values are left out at random on the way.
//! 6. Beside the code stands that of a regularised, weighted CCA, times a factor: what correlates without classes holds
//!    for classes never seen as well.
//! 7. Beside both stand the classes' shares by the anchors, times another factor, without their mean, as in semantic
//!    matching: among classes that were learned from, two items are alike as their shares are.
//! 8. Weights are averaged along the way.

use serde::{Deserialize, Serialize};
use tuwen_image::rng::Rng;
use tuwen_nn::{Arrays, Pairs as Truth, Tape, Value};

use super::net::{Bend, Layers, Shape, dropped};
use super::{Batch, From, Objective, Parts, Schedule, Sizes};
use crate::chain::{Chain, Space, Step};
use crate::closed;
use crate::error::Result;
use crate::linalg::Matrix;
use crate::set::{Features, Pairs};

/// Settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contrast {
    /// Epochs and rates.
    pub schedule: Schedule,
    /// Width of the hidden layer.
    pub hidden: usize,
    /// Width of the code.
    pub code: usize,
    /// Probability that a feature is left out of a step.
    #[serde(default)]
    pub drop_features: f32,
    /// Probability that a hidden value is left out of a step.
    #[serde(default)]
    pub drop_hidden: f32,
    /// What cosines are divided by.
    pub temperature: f32,
    /// Weight of the pairs' contrast.
    pub pairs: f32,
    /// Weight of the classes' contrast across modalities.
    pub classes: f32,
    /// Weight of the classes' contrast within each modality.
    #[serde(default)]
    pub within: f32,
    /// Weight of the anchors.
    pub anchors: f32,
    /// The root of each value first.
    #[serde(default)]
    pub root: bool,
    /// How much the CCA's code counts beside the network's; 0 for none.
    #[serde(default)]
    pub linear: f32,
    /// Its ridge.
    #[serde(default)]
    pub ridge: f64,
    /// How much the shares of semantic matching on the CCA's codes count; 0 for none.
    #[serde(default)]
    pub semantic: f32,
    /// Penalty of its regressions.
    #[serde(default = "little")]
    pub semantic_decay: f64,
    /// How much the classes' shares count beside the network's code; 0 for none.
    #[serde(default)]
    pub shares: f32,
    /// What cosines with the anchors are divided by for the shares.
    #[serde(default = "one")]
    pub shares_temperature: f32,
}

fn little() -> f64 {
    1e-3
}

fn one() -> f32 {
    1.0
}

/// Most directions of the CCA.
const DIRECTIONS: usize = 64;

impl Contrast {
    fn encoders(&self, sizes: [usize; 2]) -> [Shape; 2] {
        let shape = |name, wide| {
            Shape::new(name, vec![wide, self.hidden, self.code], Bend::Rectify, Bend::None)
        };
        [shape("image", sizes[0]), shape("text", sizes[1])]
    }

    fn anchor(&self, meaning: usize) -> Shape {
        Shape::new("anchor", vec![meaning, self.code], Bend::None, Bend::None)
    }

    fn logits(&self, tape: &mut Tape<'_>, a: &Value, b: &Value) -> Value {
        let cosines = tape.products(a, b);
        let scale = tape.leaf(vec![-self.temperature.ln()], 1, false);
        tape.scale(&cosines, &scale)
    }

    /// From a code to the classes' shares by its cosines with their anchors, the mean taken away: what is special of a
    /// pair, of length 1.
    fn shares_of(&self, code: Chain, anchors: &Features, side: &Features) -> Chain {
        let weight = anchors.values.iter().map(|v| v / self.shares_temperature).collect();
        let layer = Step::Linear { weight, bias: vec![0.0; anchors.rows()] };
        let chain = code.then([layer, Step::Softmax]);
        let shares = chain.apply(side);
        let means = Matrix::of(&shares.values, shares.width).means();
        let shift = means.iter().map(|&mean| mean as f32).collect();
        chain.then([Step::Standard { shift, scale: vec![1.0; anchors.rows()] }, Step::Unit])
    }

    /// The class contrast of one modality with itself: no row is its own positive.
    fn within(&self, tape: &mut Tape<'_>, code: &Value, labels: &[usize]) -> Value {
        let logits = self.logits(tape, code, code);
        let count = labels.len();
        let mut targets = vec![0.0; count * count];
        for (own, row) in targets.chunks_mut(count).enumerate() {
            let others = |other: &usize| *other != own && labels[*other] == labels[own];
            let positives = (0..count).filter(others).count();
            (0..count).filter(others).for_each(|other| row[other] = 1.0 / positives as f32);
            row[own] = -1.0;
        }
        tape.cross_entropy(&logits, &targets)
    }
}

impl Objective for Contrast {
    fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    fn prepared(&self, features: &Features) -> Chain {
        let before = Chain(if self.root { vec![Step::Root] } else { Vec::new() });
        let rooted = before.apply(features);
        before.then([Step::standard(&rooted)])
    }

    fn begin(&self, sizes: Sizes, rng: &mut Rng) -> Arrays {
        let mut weights = Arrays::default();
        let shapes = self.encoders([sizes.image, sizes.text]).into_iter();
        let shapes = shapes.chain([self.anchor(sizes.meaning)]);
        shapes.for_each(|shape| shape.begin(rng, &mut weights));
        weights
    }

    fn loss<'w>(
        &self,
        tape: &mut Tape<'w>,
        layers: &'w Layers<'w>,
        batch: &Batch<'_>,
        rng: &mut Rng,
    ) -> Result<Value> {
        let leaves = batch.leaves(tape);
        let encoders = self.encoders([batch.images.width, batch.texts.width]);
        let mut codes = Vec::new();
        for (encoder, leaf) in encoders.iter().zip(leaves) {
            let leaf = dropped(tape, leaf, self.drop_features, rng);
            let code = encoder.forward(tape, layers, &leaf, Some((self.drop_hidden, rng)));
            codes.push(tape.normalise(&code));
        }
        let (labels, count) = (&batch.labels, batch.labels.len());
        let logits = self.logits(tape, &codes[0], &codes[1]);
        let mut parts = Vec::new();
        if self.pairs != 0.0 {
            let truth = (0..count * count).map(|at| Some(at % count == at / count)).collect();
            let truth = Truth { truth, columns: count };
            parts.push((tape.contrastive(&logits, &truth, 0.0), self.pairs));
        }
        if self.classes != 0.0 {
            let same = |at: usize| Some(labels[at % count] == labels[at / count]);
            let truth = Truth { truth: (0..count * count).map(same).collect(), columns: count };
            parts.push((tape.contrastive(&logits, &truth, 0.0), self.classes));
        }
        for code in &codes {
            if self.within != 0.0 {
                parts.push((self.within(tape, code, labels), 0.5 * self.within));
            }
            if self.anchors != 0.0 {
                let meaning = tape.leaf(batch.classes.values.clone(), batch.classes.width, false);
                let anchors = self.anchor(meaning.width()).forward(tape, layers, &meaning, None);
                let anchors = tape.normalise(&anchors);
                let logits = self.logits(tape, code, &anchors);
                let truth = batch.truth(batch.classes.rows());
                parts.push((tape.cross_entropy(&logits, &truth), 0.5 * self.anchors));
            }
        }
        Ok(tape.total(&parts))
    }

    fn beside(&self, train: &Pairs) -> Result<Parts> {
        let mut parts = Parts::default();
        if self.linear == 0.0 && self.semantic == 0.0 {
            return Ok(parts);
        }
        let (images, texts) = (&train.images, &train.texts);
        let cca = closed::cca(images, texts, DIRECTIONS, self.ridge, true)?;
        if self.semantic != 0.0 {
            let codes = [cca.image.apply(images), cca.text.apply(texts)];
            let found = closed::semantic(&codes[0], &codes[1], &train.labels, self.semantic_decay)?;
            for ((parts, cca), found) in
                parts.iter_mut().zip([&cca.image, &cca.text]).zip([found.image, found.text])
            {
                parts.push((self.semantic, cca.clone().then(found.0).then([Step::Unit])));
            }
        }
        if self.linear != 0.0 {
            for (parts, cca) in parts.iter_mut().zip([cca.image, cca.text]) {
                parts.push((self.linear, cca.then([Step::Unit])));
            }
        }
        Ok(parts)
    }

    fn space(&self, weights: &Arrays, from: &From<'_>) -> Result<Space> {
        let sides = [&from.train.images, &from.train.texts];
        let of = |shape: Shape| Chain(shape.steps(weights)).then([Step::Unit]);
        let codes = self.encoders(sides.map(|side| side.width)).map(of);
        let mut parts = from.beside.clone();
        for (parts, code) in parts.iter_mut().zip(&codes) {
            parts.push((1.0, code.clone()));
        }
        if self.shares != 0.0 {
            let anchors = Chain(self.anchor(from.classes.width).steps(weights)).then([Step::Unit]);
            let anchors = anchors.apply(from.classes);
            for ((parts, code), side) in parts.iter_mut().zip(codes).zip(sides) {
                parts.push((self.shares, self.shares_of(code, &anchors, side)));
            }
        }
        let [image, text] = parts.map(|parts| Chain(vec![Step::Beside(parts)]));
        Ok(Space { image, text })
    }
}
