//! A teacher's logits within a batch. Its embeddings of all pictures and captions are computed once, without
//! augmentation.

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
    images: Vec<f32>,
    /// By the number that the loader gives each text.
    texts: HashMap<u64, Vec<f32>>,
    dim: usize,
    scale: f32,
}

impl Teacher {
    /// Embeds all pictures and captions.
    pub(crate) fn new(
        name: &str,
        samples: &[Sample],
        plan: &Plan,
        stop: &Stop<'_>,
    ) -> Result<Self> {
        let encoder = tuwen_hub::open(name)?;
        let embedded = embed_set(&encoder, samples, &|_| go_on(stop))?;
        let dim = encoder.dim();
        let mut texts = HashMap::new();
        for (source, own) in relation::texts(samples) {
            let vectors = embedded.texts[source].vectors.chunks_exact(dim);
            for (text, vector) in own.iter().zip(vectors) {
                texts.insert(plan.text_id(text.words)?, vector.to_vec());
            }
        }
        Ok(Self { images: embedded.images, texts, dim, scale: encoder.logits()?.0 })
    }

    /// Its logits of a batch, for each group of texts.
    pub(crate) fn look(&self, batch: &Batch) -> TeacherLogits {
        let image = |&id: &u64| &self.images[id as usize * self.dim..][..self.dim];
        let images: Vec<&[f32]> = batch.image_ids.iter().map(image).collect();
        let logits = batch.text_ids.iter().map(|group| {
            let texts: Vec<&Vec<f32>> = group.iter().map(|id| &self.texts[id]).collect();
            let logit = |image: &[f32], text: &[f32]| {
                self.scale * image.iter().zip(text).map(|(a, b)| a * b).sum::<f32>()
            };
            images.iter().flat_map(|image| texts.iter().map(|text| logit(image, text))).collect()
        });
        TeacherLogits { logits: logits.collect() }
    }
}
