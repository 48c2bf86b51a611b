//! A kind of text features with its settings, as a command or a configuration says it, and what gives the rows.

use std::path::PathBuf;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use tuwen_encode::{Batch, CpuEncoder, Encoder, builtin};
use tuwen_features::Features;
use tuwen_features::text::{Kept, Source, TextFeature, TextModel, Weighting, topics, word2vec};
use tuwen_files::encoding::TextFile;

use super::{Layer, unless_stopped};
use crate::query::{TextArgs, open_model};

/// The names of kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Name {
    Bow,
    Tfidf,
    Bm25,
    Lda,
    Word2vec,
    Sif,
    Tower,
}

pub const KINDS: [(&str, Name); 7] = [
    ("bow", Name::Bow),
    ("tfidf", Name::Tfidf),
    ("bm25", Name::Bm25),
    ("lda", Name::Lda),
    ("word2vec", Name::Word2vec),
    ("sif", Name::Sif),
    ("tower", Name::Tower),
];

/// A kind with its settings; what is not said is as the command's `--help` has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Texts {
    pub kind: Name,
    #[serde(default = "Texts::min_texts")]
    pub min_texts: usize,
    #[serde(default = "Texts::max_words")]
    pub max_words: usize,
    #[serde(default = "Texts::k1")]
    pub k1: f32,
    #[serde(default = "Texts::b")]
    pub b: f32,
    #[serde(default = "Texts::topics")]
    pub topics: usize,
    pub epochs: Option<usize>,
    #[serde(default = "Texts::batch")]
    pub batch: usize,
    pub vectors: Option<PathBuf>,
    #[serde(default = "Texts::width")]
    pub width: usize,
    #[serde(default = "Texts::near")]
    pub window: usize,
    #[serde(default = "Texts::near")]
    pub negatives: usize,
    #[serde(default = "Texts::one")]
    pub threads: usize,
    #[serde(default = "Texts::seed")]
    pub seed: u64,
    pub dictionary: Option<PathBuf>,
    #[serde(default = "Texts::tower")]
    pub tower: String,
    #[serde(default)]
    pub layer: Layer,
}

/// What is not said.
impl Texts {
    pub fn min_texts() -> usize {
        2
    }
    pub fn max_words() -> usize {
        2000
    }
    pub fn k1() -> f32 {
        1.2
    }
    pub fn b() -> f32 {
        0.75
    }
    pub fn topics() -> usize {
        50
    }
    pub fn batch() -> usize {
        256
    }
    pub fn width() -> usize {
        100
    }
    pub fn near() -> usize {
        5
    }
    pub fn one() -> usize {
        1
    }
    pub fn seed() -> u64 {
        1
    }
    pub fn tower() -> String {
        builtin::BUILT_IN.into()
    }
}

/// What gives rows.
pub enum Fitted {
    Model(Box<TextModel>),
    Tower(Box<CpuEncoder>, Layer),
}

impl Texts {
    fn what(&self) -> TextFeature {
        let vectors = || match &self.vectors {
            Some(file) => Source::File(file.clone()),
            None => Source::Learned(word2vec::Settings {
                width: self.width,
                window: self.window,
                negatives: self.negatives,
                epochs: self.epochs.unwrap_or(5),
                threads: self.threads,
                seed: self.seed,
                ..word2vec::Settings::default()
            }),
        };
        match self.kind {
            Name::Bow | Name::Tower => TextFeature::Bag(Weighting::Counts),
            Name::Tfidf => TextFeature::Bag(Weighting::TfIdf),
            Name::Bm25 => TextFeature::Bag(Weighting::Bm25 { k1: self.k1, b: self.b }),
            Name::Lda => TextFeature::Topics(topics::Settings {
                topics: self.topics,
                epochs: self.epochs.unwrap_or(10),
                batch: self.batch,
                seed: self.seed,
            }),
            Name::Word2vec => TextFeature::Words { vectors: vectors(), sif: false },
            Name::Sif => TextFeature::Words { vectors: vectors(), sif: true },
        }
    }

    /// Fits texts; none where it was stopped.
    pub fn fit(
        &self,
        texts: &[String],
        text_args: &TextArgs,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<Fitted>> {
        if self.kind == Name::Tower {
            let encoder = open_model(&self.tower, text_args)?;
            return Ok(Some(Fitted::Tower(Box::new(encoder), self.layer)));
        }
        let own = self.dictionary.as_ref().map(|file| TextFile::read(file)).transpose()?;
        let kept = Kept { least_texts: self.min_texts, most: self.max_words };
        let own = own.unwrap_or_default();
        let model = unless_stopped(TextModel::fit(texts, &own, &self.what(), kept, stop))?;
        Ok(model.map(|model| Fitted::Model(Box::new(model))))
    }
}

impl Fitted {
    /// A row for each text.
    pub fn rows(&self, texts: &[String]) -> Result<Features> {
        match self {
            Self::Model(model) => Ok(model.apply(texts)?),
            Self::Tower(encoder, layer) => tower(encoder, *layer, texts),
        }
    }
}

/// A model's vectors; zeros for a text with nothing in it.
fn tower(encoder: &CpuEncoder, layer: Layer, texts: &[String]) -> Result<Features> {
    let said = |text: &&String| !text.trim().is_empty();
    let mut vectors: Vec<f32> = Vec::new();
    let some: Vec<&String> = texts.iter().filter(said).collect();
    for part in some.chunks(256) {
        let tokens =
            part.iter().map(|text| encoder.tokenise(text)).collect::<Result<Vec<_>, _>>()?;
        vectors.extend(encoder.forward(Batch::Texts(&tokens), layer.output())?);
    }
    let width = vectors.len() / some.len().max(1);
    let mut rows = vectors.chunks_exact(width.max(1));
    let mut values = vec![0f32; texts.len() * width];
    let each = values.chunks_exact_mut(width.max(1)).zip(texts);
    for (to, _) in each.filter(|(_, text)| said(text)) {
        to.copy_from_slice(rows.next().expect("a vector for each of them"));
    }
    Ok(Features { values, width })
}
