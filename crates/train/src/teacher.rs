//! A teacher's logits within a batch. Its embeddings of the pictures and captions that it is heard about are
//! computed once, without augmentation.

use std::collections::HashMap;

use tuwen_encode::Encoder;
use tuwen_sets::loader::{Batch, Plan};
use tuwen_sets::{Sample, relation};

use crate::Result;
use crate::step::TeacherLogits;
use crate::stop::{Stop, go_on};
use crate::validate::embed_set;

/// A model that is imitated.
pub(crate) struct Teacher {
    /// Of each sample that it is heard about, by the sample's place.
    images: HashMap<u64, Vec<f32>>,
    /// By the number that the loader gives each text.
    texts: HashMap<u64, Vec<f32>>,
    scale: f32,
}

impl Teacher {
    /// Embeds the pictures and captions of the samples at `taught`.
    pub(crate) fn new(
        name: &str,
        samples: &[Sample],
        taught: &[usize],
        plan: &Plan,
        stop: &Stop<'_>,
    ) -> Result<Self> {
        let encoder = tuwen_hub::open(name)?;
        let samples: Vec<Sample> = taught.iter().map(|&at| samples[at].clone()).collect();
        let embedded = embed_set(&encoder, &samples, &|_| go_on(stop))?;
        let dim = encoder.dim();
        let images = embedded.images.chunks_exact(dim).map(<[f32]>::to_vec);
        let images = taught.iter().map(|&at| at as u64).zip(images).collect();
        let mut texts = HashMap::new();
        for (source, own) in relation::texts(&samples) {
            let vectors = embedded.texts[source].vectors.chunks_exact(dim);
            for (text, vector) in own.iter().zip(vectors) {
                texts.insert(plan.text_id(text.words)?, vector.to_vec());
            }
        }
        Ok(Self { images, texts, scale: encoder.logits()?.0 })
    }

    /// Its logits of a batch, for each group of texts.
    pub(crate) fn look(&self, batch: &Batch) -> TeacherLogits {
        let known: Vec<usize> = (0..batch.image_ids.len())
            .filter(|&at| self.images.contains_key(&batch.image_ids[at]))
            .collect();
        let images: Vec<&Vec<f32>> =
            known.iter().map(|&at| &self.images[&batch.image_ids[at]]).collect();
        let logits = batch.text_ids.iter().map(|group| {
            let texts: Vec<&Vec<f32>> = known.iter().map(|&at| &self.texts[&group[at]]).collect();
            let logit = |image: &[f32], text: &[f32]| {
                self.scale * image.iter().zip(text).map(|(a, b)| a * b).sum::<f32>()
            };
            images.iter().flat_map(|image| texts.iter().map(|text| logit(image, text))).collect()
        });
        TeacherLogits { logits: logits.collect(), known }
    }
}
