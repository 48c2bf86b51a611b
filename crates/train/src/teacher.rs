//! A teacher's logits within a batch. The embeddings of the pictures and captions that it is heard about are
//! computed once, without augmentation.

use std::collections::HashMap;

use tuwen_encode::Encoder;
use tuwen_sets::loader::{Batch, Plan};
use tuwen_sets::{Sample, relation};

use crate::Result;
use crate::step::TeacherLogits;
use crate::stop::{Stop, go_on};
use crate::validate::embed_set;

/// Models that are imitated. Their vectors stand one behind the other, each times the root of its share of the
/// logits: so the product of two such rows is the mean of the models' logits.
#[derive(Default)]
pub(crate) struct Teacher {
    /// Of each sample that is heard about, by the sample's place.
    images: HashMap<u64, Vec<f32>>,
    /// By the number that the loader gives each text.
    texts: HashMap<u64, Vec<f32>>,
}

impl Teacher {
    /// Embeds the pictures and captions of the samples at `taught` with each model.
    pub(crate) fn new(
        names: &[String],
        samples: &[Sample],
        taught: &[usize],
        plan: &Plan,
        stop: &Stop<'_>,
    ) -> Result<Self> {
        let samples: Vec<Sample> = taught.iter().map(|&at| samples[at].clone()).collect();
        let mut teacher = Self::default();
        for name in names {
            let encoder = tuwen_hub::open(name)?;
            let share = (encoder.logits()?.0 / names.len() as f32).sqrt();
            let embedded = embed_set(&encoder, &samples, &|_| go_on(stop))?;
            let dim = encoder.dim();
            for (&at, vector) in taught.iter().zip(embedded.images.chunks_exact(dim)) {
                let values = vector.iter().map(|value| value * share);
                teacher.images.entry(at as u64).or_default().extend(values);
            }
            let mut texts = HashMap::new();
            for (source, own) in relation::texts(&samples) {
                let vectors = embedded.texts[source].vectors.chunks_exact(dim);
                for (text, vector) in own.iter().zip(vectors) {
                    let values = vector.iter().map(|value| value * share).collect();
                    texts.insert(plan.text_id(text.words)?, values);
                }
            }
            // A text that stands twice counts once.
            for (text, values) in texts {
                let values: Vec<f32> = values;
                teacher.texts.entry(text).or_default().extend(values);
            }
        }
        Ok(teacher)
    }

    /// Their logits of a batch, for each group of texts.
    pub(crate) fn look(&self, batch: &Batch) -> TeacherLogits {
        let known: Vec<usize> = (0..batch.image_ids.len())
            .filter(|&at| self.images.contains_key(&batch.image_ids[at]))
            .collect();
        let images: Vec<&Vec<f32>> =
            known.iter().map(|&at| &self.images[&batch.image_ids[at]]).collect();
        let logits = batch.text_ids.iter().map(|group| {
            let texts: Vec<&Vec<f32>> = known.iter().map(|&at| &self.texts[&group[at]]).collect();
            let logit = |image: &[f32], text: &[f32]| {
                image.iter().zip(text).map(|(a, b)| a * b).sum::<f32>()
            };
            images.iter().flat_map(|image| texts.iter().map(|text| logit(image, text))).collect()
        });
        TeacherLogits { logits: logits.collect(), known }
    }
}
