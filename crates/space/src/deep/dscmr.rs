//! DSCMR: deep supervised cross-modal retrieval (Zhen et al. 2019,
//! <https://openaccess.thecvf.com/content_CVPR_2019/html/Zhen_Deep_Supervised_Cross-Modal_Retrieval_CVPR_2019_paper.html>),
//! after <https://github.com/penghu-cs/DSCMR/blob/master/train_model.py>. That code chooses the epoch on the test part;
//! here it is chosen on a validation part.

use serde::{Deserialize, Serialize};
use tuwen_image::rng::Rng;
use tuwen_nn::{Arrays, Tape, Value};

use super::losses::{distance, likelihood};
use super::masln::between;
use super::net::{Bend, Layers, Shape};
use super::{Batch, From, Objective, Schedule, Sizes};
use crate::chain::{Chain, Space};
use crate::error::Result;

/// Settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dscmr {
    /// Epochs and rates.
    pub schedule: Schedule,
    /// Width of each modality's own layer.
    pub hidden: usize,
    /// Width of the layer that both share, which is the common space.
    pub code: usize,
    /// Weight of the likelihood of classes.
    pub alpha: f32,
    /// Weight of the pairs' distances.
    pub beta: f32,
}

impl Dscmr {
    fn own(&self, sizes: [usize; 2]) -> [Shape; 2] {
        let shape =
            |name, wide| Shape::new(name, vec![wide, self.hidden], Bend::None, Bend::Rectify);
        [shape("image", sizes[0]), shape("text", sizes[1])]
    }

    fn shared(&self) -> Shape {
        Shape::new("shared", vec![self.hidden, self.code], Bend::None, Bend::None)
    }

    fn classifier(&self, classes: usize) -> Shape {
        Shape::new("class", vec![self.code, classes], Bend::None, Bend::None)
    }
}

impl Objective for Dscmr {
    fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    fn begin(&self, sizes: Sizes, rng: &mut Rng) -> Arrays {
        let mut weights = Arrays::default();
        let shapes = self.own([sizes.image, sizes.text]).into_iter();
        let shapes = shapes.chain([self.shared(), self.classifier(sizes.classes)]);
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
        let own = self.own([batch.images.width, batch.texts.width]);
        let (shared, count) = (self.shared(), batch.classes.rows());
        let mut codes = Vec::new();
        for (own, leaf) in own.iter().zip(&leaves) {
            let hidden = own.forward(tape, layers, leaf, None);
            codes.push(shared.forward(tape, layers, &hidden, None));
        }
        let mut parts = Vec::new();
        let truth: Vec<f32> = batch.truth(count).into_iter().map(|share| share.max(0.0)).collect();
        for code in &codes {
            let given = self.classifier(count).forward(tape, layers, code, None);
            let found = distance(&given, &truth, count);
            parts.push((tape.known(found.value, vec![(&given, found.first)]), 1.0));
        }
        for (a, b) in [(0, 0), (0, 1), (1, 1)] {
            let (a, b) = (&codes[a], &codes[b]);
            let found = likelihood(a, b, [&batch.labels, &batch.labels]);
            parts.push((between(tape, [a, b], found), self.alpha));
        }
        let found = distance(&codes[0], &codes[1], self.code);
        parts.push((between(tape, [&codes[0], &codes[1]], found), self.beta));
        Ok(tape.total(&parts))
    }

    fn space(&self, weights: &Arrays, from: &From<'_>) -> Result<Space> {
        let [image, text] = self.own([from.train.images.width, from.train.texts.width]);
        let chain = |own: Shape| Chain(own.steps(weights)).then(self.shared().steps(weights));
        Ok(Space { image: chain(image), text: chain(text) })
    }
}
