//! The loss of a step: a contrastive loss between the pictures and each group of texts, one between
//! neighbouring groups of texts, and distillation from a teacher or a classifier.

use tuwen_encode::towers::Heads;
use tuwen_nn::grads::Grads;
use tuwen_nn::{LeafGradients, Linear, Pairs, Rows, Tape, Value, Weight};
use tuwen_sets::loader::Batch;
use tuwen_text::token::TokenBatch;

use super::{Classes, StepInput, TeacherLogits};
use crate::config::{LossConfig, LossKind};

/// Scale and bias of the logits, which several losses share.
pub(super) struct Logits {
    scale: Value,
    bias: Value,
}

impl Logits {
    pub(super) fn new(tape: &mut Tape<'_>, heads: &Heads<'_>) -> Self {
        let leaf = |tape: &mut Tape<'_>, weight: &Weight<'_>| {
            tape.leaf(weight.values.to_vec(), 1, weight.learns)
        };
        Self { scale: leaf(tape, &heads.logit_scale), bias: leaf(tape, &heads.logit_bias) }
    }

    /// Adds their gradients, where they learn and the loss depends on them.
    pub(super) fn backward(
        &self,
        heads: &Heads<'_>,
        leaves: &mut LeafGradients,
        grads: &mut Grads<'_>,
    ) {
        for (leaf, weight) in [(&self.scale, &heads.logit_scale), (&self.bias, &heads.logit_bias)] {
            if let Some(found) = leaves.take(leaf) {
                grads.put(&weight.name, &weight.shape, |out| out.copy_from_slice(&found));
            }
        }
    }
}

/// What is minimised.
pub(super) struct Objective<'a> {
    input: &'a StepInput<'a>,
    config: &'a LossConfig,
    classifier: Option<Linear<'a>>,
}

/// A batch's unit vectors.
struct Vectors<'a> {
    /// (B, D).
    images: Value,
    /// (B, D) for each group.
    texts: Vec<Value>,
    /// What the vectors are of; it says which pairs are positives.
    batch: &'a Batch,
}

impl<'a> Objective<'a> {
    pub(super) fn new(input: &'a StepInput<'a>, config: &'a LossConfig) -> Self {
        Self { input, config, classifier: input.classes.as_ref().map(Classes::layer) }
    }

    /// The weighted sum of all losses, from the features of the pictures, behind which are those of the examples,
    /// and of the texts, in the same order.
    pub(super) fn total<'w>(
        &'w self,
        tape: &mut Tape<'w>,
        heads: &'w Heads<'w>,
        logits: &Logits,
        images: &Value,
        texts: &Value,
    ) -> Value {
        let (image_vectors, text_vectors) = (heads.images(tape, images), heads.texts(tape, texts));
        let (mut image_at, mut text_at) = (0, 0);
        let mut vectors = |tape: &mut Tape<'w>, batch: &'w Batch| {
            let rows = batch.image_ids.len();
            image_at += rows;
            let images = tape.pick(&image_vectors, (image_at - rows..image_at).collect());
            let group = |group: &TokenBatch| {
                text_at += group.rows;
                tape.pick(&text_vectors, (text_at - group.rows..text_at).collect())
            };
            let texts = batch.texts.iter().map(group).collect();
            Vectors { images, texts, batch }
        };
        let (batch, mut all) = (self.input.batch, Vec::new());
        let pictures = vectors(tape, batch);
        all.push((self.of(tape, &pictures, logits, self.input.teacher.as_ref()), 1.0));
        if let Some(examples) = &self.input.examples {
            let part = vectors(tape, &examples.batch);
            all.push((self.of(tape, &part, logits, None), examples.weight as f32));
        }
        if let (Some(classes), Some(layer)) = (&self.input.classes, &self.classifier) {
            let features = tape.pick(images, (0..batch.image_ids.len()).collect());
            let found = tape.linear(&features, layer);
            let loss = tape.cross_entropy(&found, &classes.targets);
            all.push((loss, classes.weight as f32));
        }
        tape.total(&all)
    }

    /// The loss of a batch.
    fn of(
        &self,
        tape: &mut Tape<'_>,
        part: &Vectors<'_>,
        logits: &Logits,
        teacher: Option<&TeacherLogits>,
    ) -> Value {
        let (groups, mut all) = (part.texts.len(), Vec::new());
        let share = 1.0 / groups as f32;
        let teacher = teacher.filter(|teacher| teacher.known.len() > 1);
        for (group, text) in part.texts.iter().enumerate() {
            let pairs = pairs(part.batch, |image, text| is_true(part.batch, group, image, text));
            let loss = self.one(tape, &part.images, text, &pairs, logits);
            let Some(teacher) = teacher else {
                all.push((loss, share));
                continue;
            };
            let heard = teacher.known.len() as f32 / part.batch.image_ids.len() as f32;
            let weight = self.config.teacher_weight as f32 * heard;
            let mimic = mimic(tape, &part.images, text, logits, teacher, group);
            all.extend([(loss, share * (1.0 - weight)), (mimic, share * weight)]);
        }
        if self.config.between_texts > 0.0 && groups > 1 {
            let weight = self.config.between_texts as f32 / (groups - 1) as f32;
            for (group, two) in part.texts.windows(2).enumerate() {
                let pairs = pairs(part.batch, |a, b| belong_together(part.batch, group, a, b));
                all.push((self.one(tape, &two[0], &two[1], &pairs, logits), weight));
            }
        }
        tape.total(&all)
    }

    fn one(
        &self,
        tape: &mut Tape<'_>,
        a: &Value,
        b: &Value,
        pairs: &Pairs,
        logits: &Logits,
    ) -> Value {
        let cosines = tape.products(a, b);
        match self.config.kind {
            LossKind::Contrastive => {
                let scaled = tape.scale(&cosines, &logits.scale);
                tape.contrastive(&scaled, pairs, self.config.smoothing as f32)
            }
            LossKind::Sigmoid => {
                let scaled = tape.scale(&cosines, &logits.scale);
                let shifted = tape.shift(scaled, &logits.bias);
                tape.sigmoid(&shifted, pairs)
            }
            LossKind::Triplet => tape.triplet(&cosines, pairs, self.config.margin as f32),
        }
    }
}

impl Classes<'_> {
    fn layer(&self) -> Linear<'_> {
        let (count, rows) = (self.bias.len(), Rows::Floats(self.matrix.into()));
        let values = self.bias.into();
        let bias = Weight::new(String::new(), vec![count], values, false);
        let shape = [count, self.matrix.len() / count.max(1)];
        Linear::new(String::new(), &shape, rows, Some(bias), Default::default(), None)
    }
}

/// Distance from the teacher's logits of the pictures that it is heard about.
fn mimic(
    tape: &mut Tape<'_>,
    images: &Value,
    texts: &Value,
    logits: &Logits,
    teacher: &TeacherLogits,
    group: usize,
) -> Value {
    let images = tape.pick(images, teacher.known.clone());
    let texts = tape.pick(texts, teacher.known.clone());
    let cosines = tape.products(&images, &texts);
    let scaled = tape.scale(&cosines, &logits.scale);
    tape.mimic(&scaled, &teacher.logits[group])
}

/// Whether a text is true of a picture: the picture's own texts are, texts equal to them, those of its
/// duplicates, and all of its names. None where the data do not say: whether another picture's name is true of
/// a picture that has captions but no names.
fn is_true(batch: &Batch, group: usize, image: usize, text: usize) -> Option<bool> {
    let (ids, names) = (&batch.text_ids[group], &batch.names[group]);
    let known = &batch.true_names[image];
    let same =
        batch.duplicate_groups[image] == batch.duplicate_groups[text] || ids[image] == ids[text];
    match same || (names[text] && known.contains(&ids[text])) {
        true => Some(true),
        false => (!names[text] || !known.is_empty()).then_some(false),
    }
}

/// Whether a text of a group and one of the next group are a positive pair: two texts of one picture are. None
/// for a name and another text of a picture that the name is, or may be, true of.
fn belong_together(batch: &Batch, group: usize, a: usize, b: usize) -> Option<bool> {
    let (ids, names) = (&batch.text_ids, &batch.names);
    let may_be = |image: usize, (group, text): (usize, usize)| {
        let known = &batch.true_names[image];
        names[group][text] && (known.is_empty() || known.contains(&ids[group][text]))
    };
    let same = batch.duplicate_groups[a] == batch.duplicate_groups[b]
        || ids[group][a] == ids[group + 1][b];
    let unsure = may_be(a, (group + 1, b)) || may_be(b, (group, a));
    if same { Some(true) } else { (!unsure).then_some(false) }
}

/// What `judge` says of all pairs of a batch's rows.
fn pairs(batch: &Batch, judge: impl Fn(usize, usize) -> Option<bool>) -> Pairs {
    let columns = batch.image_ids.len();
    let all = 0..columns * columns;
    Pairs { truth: all.map(|at| judge(at / columns, at % columns)).collect(), columns }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// A golden retriever called `dog`, a dalmatian called by its name, a captioned photo, the first again.
    fn batch() -> Batch {
        const DOG: u64 = 1;
        let names = |all: &[u64]| Arc::new(all.iter().copied().collect());
        Batch {
            pixels: Vec::new(),
            texts: Vec::new(),
            whole: Vec::new(),
            text_ids: vec![vec![DOG, 2, 9, 3], vec![11, 12, 19, 11]],
            names: vec![vec![true, true, false, true]; 2],
            true_names: vec![
                names(&[DOG, 3, 11]),
                names(&[DOG, 2, 12]),
                names(&[]),
                names(&[DOG, 3, 11]),
            ],
            image_ids: vec![0, 1, 2, 3],
            duplicate_groups: vec![0, 1, 2, 3],
        }
    }

    #[test]
    fn a_name_is_true_of_all_that_have_it_and_unsure_of_what_has_none() {
        let batch = batch();
        let row = |image: usize| [0, 1, 2, 3].map(|text| is_true(&batch, 0, image, text));
        let (yes, no) = (Some(true), Some(false));
        assert_eq!(row(0), [yes, no, no, yes]);
        assert_eq!(row(1), [yes, yes, no, no], "a dalmatian is a dog");
        assert_eq!(row(2), [None, None, yes, None], "nobody says whether a dog is on the photo");
        assert_eq!(row(3), [yes, no, no, yes]);
    }

    #[test]
    fn texts_of_one_picture_belong_together_and_true_names_do_not_count() {
        let batch = batch();
        let row = |a: usize| [0, 1, 2, 3].map(|b| belong_together(&batch, 0, a, b));
        let (yes, no) = (Some(true), Some(false));
        assert_eq!(row(0), [yes, None, None, None], "`dog` may stand beside a dalmatian's name");
        assert_eq!(row(1), [no, yes, None, no]);
        assert_eq!(row(2), [None, None, yes, None]);
    }
}
