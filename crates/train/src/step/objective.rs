//! The loss of a step: a contrastive loss between the pictures and each group of texts, one between
//! neighbouring groups of texts, and distillation from a teacher or a classifier.

use tuwen_model::Heads;
use tuwen_model::burn::tensor::{Device, Int, Tensor, TensorData};
use tuwen_model::loss::{self, Targets};
use tuwen_sets::loader::Batch;

use super::{Classes, StepInput, TeacherLogits};
use crate::config::{LossConfig, LossKind};

/// A batch's features.
pub(super) struct Features<'a> {
    /// Of the image tower, (B, W).
    pub(super) images: Tensor<2>,
    /// Of the text tower, (B, W) for each group.
    pub(super) texts: Vec<Tensor<2>>,
    /// What the features are of; it says which pairs are positives.
    pub(super) batch: &'a Batch,
    /// Weight of the loss.
    pub(super) weight: f64,
}

/// The weighted sum of all parts' losses; the first part is that of the pictures, which distillation is about.
pub(super) fn total(
    heads: &Heads,
    parts: &[Features<'_>],
    input: &StepInput<'_>,
    config: &LossConfig,
) -> Tensor<1> {
    let mut total = Tensor::zeros([1], &heads.logit_scale.val().device());
    for (at, part) in parts.iter().enumerate() {
        let teacher = input.teacher.as_ref().filter(|_| at == 0);
        let loss = of_part(heads, part, teacher, config);
        total = total + loss * part.weight;
    }
    if let (Some(classes), Some(pictures)) = (&input.classes, parts.first()) {
        total = total + of_classes(classes, pictures.images.clone()) * classes.weight;
    }
    total
}

fn of_part(
    heads: &Heads,
    part: &Features<'_>,
    teacher: Option<&TeacherLogits>,
    config: &LossConfig,
) -> Tensor<1> {
    let device = part.images.device();
    let images = heads.project_images(part.images.clone());
    let texts: Vec<Tensor<2>> =
        part.texts.iter().map(|features| heads.project_texts(features.clone())).collect();
    let one = |a: Tensor<2>, b: Tensor<2>, targets: Targets| {
        let scale = heads.logit_scale.val();
        match config.kind {
            LossKind::Contrastive => loss::contrastive(a, b, scale, targets, config.smoothing),
            LossKind::Sigmoid => loss::sigmoid(a, b, scale, heads.logit_bias.val(), targets),
            LossKind::Triplet => loss::triplet(a, b, targets, config.margin),
        }
    };
    let mut total = Tensor::zeros([1], &device);
    for (group, text) in texts.iter().enumerate() {
        let targets = pictures_and_texts(part.batch, group, &device);
        let mut loss = one(images.clone(), text.clone(), targets);
        if let Some(teacher) = teacher.filter(|teacher| teacher.known.len() > 1) {
            let mimic = mimic(heads, &images, text, teacher, group);
            let heard = teacher.known.len() as f64 / part.batch.image_ids.len() as f64;
            let weight = config.teacher_weight * heard;
            loss = loss * (1.0 - weight) + mimic * weight;
        }
        total = total + loss / texts.len() as f64;
    }
    if config.between_texts > 0.0 && texts.len() > 1 {
        for (group, pair) in texts.windows(2).enumerate() {
            let targets = texts_and_texts(part.batch, group, &device);
            let loss = one(pair[0].clone(), pair[1].clone(), targets);
            total = total + loss * (config.between_texts / (texts.len() - 1) as f64);
        }
    }
    total
}

/// Distance from the teacher's logits of the pictures that it is heard about.
fn mimic(
    heads: &Heads,
    images: &Tensor<2>,
    texts: &Tensor<2>,
    teacher: &TeacherLogits,
    group: usize,
) -> Tensor<1> {
    let (device, count) = (images.device(), teacher.known.len());
    let known: Vec<i32> = teacher.known.iter().map(|&at| at as i32).collect();
    let known = Tensor::<1, Int>::from_data(TensorData::new(known, [count]), &device);
    let wanted = TensorData::new(teacher.logits[group].clone(), [count, count]);
    let scale = heads.logit_scale.val().exp().unsqueeze::<2>();
    let (images, texts) =
        (images.clone().select(0, known.clone()), texts.clone().select(0, known));
    let logits = images.matmul(texts.transpose()) * scale;
    loss::mimic(logits, Tensor::from_data(wanted, &device))
}

/// Cross-entropy of the classifier's logits with its soft targets.
fn of_classes(classes: &Classes<'_>, features: Tensor<2>) -> Tensor<1> {
    let device = features.device();
    let [rows, width] = features.dims();
    let count = classes.bias.len();
    let tensor = |data: &[f32], shape: [usize; 2]| {
        Tensor::<2>::from_data(TensorData::new(data.to_vec(), shape), &device)
    };
    let logits = features.matmul(tensor(classes.matrix, [count, width]).transpose())
        + tensor(classes.bias, [1, count]);
    loss::imitate(logits, tensor(&classes.targets, [rows, count]))
}

/// Targets of pictures and the texts of a group.
fn pictures_and_texts(batch: &Batch, group: usize, device: &Device) -> Targets {
    targets(batch, |image, text| is_true(batch, group, image, text), device)
}

/// Targets of the texts of a group and those of the next one.
fn texts_and_texts(batch: &Batch, group: usize, device: &Device) -> Targets {
    targets(batch, |a, b| belong_together(batch, group, a, b), device)
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

fn targets(
    batch: &Batch,
    judge: impl Fn(usize, usize) -> Option<bool>,
    device: &Device,
) -> Targets {
    let rows = batch.image_ids.len();
    let all: Vec<Option<bool>> = (0..rows * rows).map(|at| judge(at / rows, at % rows)).collect();
    Targets::new(&all, [rows, rows], device)
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
