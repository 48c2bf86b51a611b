//! Recall on a validation set, for each source of captions.

use std::collections::BTreeMap;

use tuwen_encode::Encoder;
use tuwen_encode::stream;
use tuwen_eval::{Report, evaluate};
use tuwen_image::rng::Rng;
use tuwen_image::{Limits, RgbImage};
use tuwen_sets::{Sample, relation};

use crate::config::BestBy;
use crate::sets::read_measured;
use crate::{Error, Result, TrainConfig};

/// Recall by source of captions.
pub type Reports = BTreeMap<String, Report>;

/// Largest gallery of labelled pictures.
const NAMED: usize = 1000;

/// The sets that recall is measured on.
pub(crate) struct Validation {
    pub(crate) valid: Vec<Sample>,
    pub(crate) other: Option<Vec<Sample>>,
    /// A gallery of labelled pictures.
    pub(crate) named: Vec<Sample>,
}

impl Validation {
    pub(crate) fn read(config: &TrainConfig) -> Result<Self> {
        let other = config.other.as_ref().map(read_measured).transpose()?;
        let mut named = Vec::new();
        for set in &config.named {
            if set.captions.iter().any(|file| file.names.is_none()) {
                let what = "`named` measures labels by their names: give each file of it `names`";
                return Err(Error::config(&config.out, what));
            }
            named.extend(read_measured(set)?);
        }
        // The same pictures in every run.
        Rng::new(&[8]).shuffle(&mut named);
        named.truncate(NAMED);
        Ok(Self { valid: read_measured(&config.valid)?, other, named })
    }
}

/// A captioned set in the common space.
pub struct Embedded {
    /// N * D.
    pub images: Vec<f32>,
    /// For each source of captions its texts, in the order of [`relation::texts`].
    pub texts: BTreeMap<String, Texts>,
    dim: usize,
}

/// The texts of one source.
pub struct Texts {
    /// M * D.
    pub vectors: Vec<f32>,
    /// For each text the pictures that it describes.
    pub truth: Vec<Vec<usize>>,
}

/// Hears how many pictures or texts were embedded, and may end it with an error.
pub type Watch<'w> = dyn Fn(usize) -> Result<()> + 'w;

/// Embeds all pictures and captions of a set.
///
/// # Errors
/// A picture that cannot be read, or what `watch` ends it with.
pub fn embed_set(encoder: &dyn Encoder, samples: &[Sample], watch: &Watch<'_>) -> Result<Embedded> {
    let mut images = Vec::with_capacity(samples.len() * encoder.dim());
    let read = |sample: &&Sample| fitted(encoder, sample);
    stream::each(encoder, samples, read, |_, vector: tuwen_files::Result<&[f32]>| {
        images.extend_from_slice(vector?);
        watch(1)
    })?;
    let mut texts = BTreeMap::new();
    for (source, list) in relation::texts(samples) {
        let mut vectors = Vec::with_capacity(list.len() * encoder.dim());
        let words: Vec<&str> = list.iter().map(|text| text.words).collect();
        stream::texts(encoder, &words, |rows| {
            vectors.extend_from_slice(rows);
            watch(rows.len() / encoder.dim())
        })?;
        let truth = list.into_iter().map(|text| text.images).collect();
        texts.insert(source.to_owned(), Texts { vectors, truth });
    }
    Ok(Embedded { images, texts, dim: encoder.dim() })
}

/// A set's picture at the size of the model.
///
/// # Errors
/// It cannot be read; the set's name for it is said.
pub fn fitted(encoder: &dyn Encoder, sample: &Sample) -> tuwen_files::Result<RgbImage> {
    let fit = |bytes: Vec<u8>| encoder.preprocess().decode(&bytes, Limits::default());
    let picture = sample.image.read().and_then(fit);
    picture.map_err(|e| tuwen_files::Error::data_set(&sample.id, e.to_string()))
}

impl Embedded {
    /// Several models' view of the same set as one: vectors behind each other, so that their cosine is the
    /// weighted mean of the models' cosines. The shares are scaled to a sum of 1.
    ///
    /// # Panics
    /// When there is none, or the sets differ.
    pub fn joined(parts: &[(Self, f32)]) -> Self {
        let total: f32 = parts.iter().map(|(_, share)| share).sum();
        let join = |of: &dyn Fn(&Self) -> &Vec<f32>| -> Vec<f32> {
            let rows = of(&parts[0].0).len() / parts[0].0.dim;
            (0..rows)
                .flat_map(|row| {
                    parts.iter().flat_map(move |(part, share)| {
                        let scale = (share / total).sqrt();
                        of(part)[row * part.dim..][..part.dim].iter().map(move |v| v * scale)
                    })
                })
                .collect()
        };
        let first = &parts[0].0;
        let text = |(source, texts): (&String, &Texts)| {
            let vectors = join(&|part| &part.texts[source].vectors);
            (source.clone(), Texts { vectors, truth: texts.truth.clone() })
        };
        Self {
            images: join(&|part| &part.images),
            texts: first.texts.iter().map(text).collect(),
            dim: parts.iter().map(|(part, _)| part.dim).sum(),
        }
    }

    /// D.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Recall and ranks both ways, for each source of captions.
    pub fn reports(&self) -> BTreeMap<String, Report> {
        let report = |(source, texts): (&String, &Texts)| {
            (source.clone(), evaluate(&self.images, &texts.vectors, self.dim, &texts.truth))
        };
        self.texts.iter().map(report).collect()
    }
}

/// Recall of a model on a set, for each source of captions.
///
/// # Errors
/// As [`embed_set`].
pub fn recalls(encoder: &dyn Encoder, samples: &[Sample], watch: &Watch<'_>) -> Result<Reports> {
    Ok(embed_set(encoder, samples, watch)?.reports())
}

/// Mean over the sources of the mean recall.
pub(crate) fn score(reports: &Reports, by: BestBy) -> f64 {
    let mean = |recall: [f64; 3]| recall.iter().sum::<f64>() / 3.0;
    let one = |report: &Report| match by {
        BestBy::TextToImage => mean(report.text_to_image.recall),
        BestBy::ImageToText => mean(report.image_to_text.recall),
        BestBy::Mean => report.mean_recall,
    };
    reports.values().map(one).sum::<f64>() / reports.len().max(1) as f64
}
