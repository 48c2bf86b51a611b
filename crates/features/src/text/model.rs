//! What was fitted on a part's texts, as a value that is stored and applied to others.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tuwen_files::error::Error as FileError;
use tuwen_space::Features;
use tuwen_text::Dictionary;

use super::bag::{Weighting, weigh};
use super::sentence::{SMOOTH, common, mean, weights, without};
use super::topics::{self, Counts, Topics};
use super::vectors::{Wanted, WordVectors, read};
use super::vocabulary::{Kept, Vocabulary};
use super::word2vec;
use crate::error::{Error, Result, input};
use crate::store;

/// What is made of a text.
#[derive(Clone, Debug, PartialEq)]
pub enum TextFeature {
    /// A column for each word.
    Bag(Weighting),
    /// The shares of topics.
    Topics(topics::Settings),
    /// The mean of word vectors; with `sif`, weighted and without what all have in common.
    Words {
        /// Where the vectors come from.
        vectors: Source,
        /// Whether SIF's weights are used.
        sif: bool,
    },
}

/// Where word vectors come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// Learned from the texts.
    Learned(word2vec::Settings),
    /// A file of another program.
    File(PathBuf),
}

/// Numbers of a table of features: 8 GB.
const NUMBERS: usize = 2_000_000_000;

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct TextModel {
    header: Header,
    dictionary: Dictionary,
    fitted: Fitted,
}

/// What is stored of it as words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    kind: Stored,
    /// A user's dictionary, so that other parts are cut as this one was.
    dictionary: String,
    vocabulary: Vocabulary,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Stored {
    Bag(Weighting),
    Topics,
    Words { width: usize, sif: bool },
}

#[derive(Clone, Debug, PartialEq)]
enum Fitted {
    Bag(Weighting),
    Topics(Topics),
    Words { vectors: Vec<f32>, width: usize, weights: Vec<f32>, common: Vec<f32> },
}

impl TextModel {
    /// Fits texts; `dictionary` is a user's ([`Dictionary::parse`]), or nothing.
    ///
    /// # Errors
    /// No word is left, the settings make no sense, the dictionary or a file of vectors cannot be used, or somebody asked
    /// for the end.
    pub fn fit(
        texts: &[String],
        dictionary: &str,
        kind: &TextFeature,
        kept: Kept,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Self> {
        let own = Dictionary::parse(dictionary).map_err(Error::Input)?;
        let cut: Vec<Vec<String>> =
            texts.par_iter().map(|text| tuwen_text::words(text, &own)).collect();
        let mut vocabulary = Vocabulary::count(&cut, kept)?;
        let fitted = match kind {
            TextFeature::Bag(weighting) => {
                look_at(*weighting)?;
                Fitted::Bag(*weighting)
            }
            TextFeature::Topics(settings) => {
                let counts: Vec<Counts> = cut.iter().map(|text| vocabulary.counts(text)).collect();
                Fitted::Topics(Topics::learn(&counts, vocabulary.len(), *settings, stop)?)
            }
            TextFeature::Words { vectors, sif } => {
                let (values, width) = match vectors {
                    Source::Learned(settings) => {
                        (word2vec::train(&cut, &vocabulary, *settings, stop)?, settings.width)
                    }
                    Source::File(file) => {
                        let found = from_file(file, &vocabulary)?;
                        vocabulary = vocabulary.of(&found.words);
                        (found.values, found.width)
                    }
                };
                let weights = weights(&vocabulary, sif.then_some(SMOOTH));
                Fitted::Words { vectors: values, width, weights, common: Vec::new() }
            }
        };
        let stored = match (&fitted, kind) {
            (Fitted::Bag(weighting), _) => Stored::Bag(*weighting),
            (Fitted::Topics(_), _) => Stored::Topics,
            (Fitted::Words { width, .. }, kind) => Stored::Words {
                width: *width,
                sif: matches!(kind, TextFeature::Words { sif: true, .. }),
            },
        };
        let header = Header { kind: stored, dictionary: dictionary.to_owned(), vocabulary };
        let mut model = Self { header, dictionary: own, fitted };
        if matches!(stored, Stored::Words { sif: true, .. }) {
            let rows = model.rows(&cut)?;
            if let Fitted::Words { common: direction, .. } = &mut model.fitted {
                *direction = common(&rows);
            }
        }
        Ok(model)
    }

    /// The words, in the order of the bag's columns.
    pub fn columns(&self) -> &[String] {
        self.header.vocabulary.words()
    }

    /// Values of a row.
    pub fn width(&self) -> usize {
        match &self.fitted {
            Fitted::Bag(_) => self.header.vocabulary.len(),
            Fitted::Topics(topics) => topics.len(),
            Fitted::Words { width, .. } => *width,
        }
    }

    /// Its word vectors, where it has such.
    pub fn word_vectors(&self) -> Option<WordVectors> {
        match &self.fitted {
            Fitted::Words { vectors, width, .. } => Some(WordVectors {
                words: self.columns().to_vec(),
                values: vectors.clone(),
                width: *width,
            }),
            _ => None,
        }
    }

    /// A row for each text. A text without a known word is zeros in a bag and as a mean of vectors; as topics it has as
    /// much of each.
    ///
    /// # Errors
    /// The table would have more than two thousand million numbers.
    pub fn apply(&self, texts: &[String]) -> Result<Features> {
        let cut = texts.par_iter().map(|text| tuwen_text::words(text, &self.dictionary));
        self.rows(&cut.collect::<Vec<_>>())
    }

    /// Perplexity of texts, where the model has topics.
    pub fn perplexity(&self, texts: &[String]) -> Option<f64> {
        let Fitted::Topics(topics) = &self.fitted else { return None };
        let counts = |text: &String| {
            self.header.vocabulary.counts(&tuwen_text::words(text, &self.dictionary))
        };
        Some(topics.perplexity(&texts.par_iter().map(counts).collect::<Vec<_>>()))
    }

    fn rows(&self, cut: &[Vec<String>]) -> Result<Features> {
        let width = self.width();
        if cut.len().saturating_mul(width) > NUMBERS {
            return input(format!(
                "{} texts of {width} values are more than {NUMBERS} numbers: give fewer texts or a smaller --max-words",
                cut.len()
            ));
        }
        let mut values = vec![0f32; cut.len() * width];
        let rows = values.par_chunks_mut(width).zip(cut);
        rows.for_each(|(row, text)| self.row(row, text));
        Ok(Features { values, width })
    }

    fn row(&self, to: &mut [f32], text: &[String]) {
        let words = &self.header.vocabulary;
        match &self.fitted {
            Fitted::Bag(weighting) => {
                weigh(*weighting, words, text).into_iter().for_each(|(at, v)| to[at] = v);
            }
            Fitted::Topics(topics) => to.copy_from_slice(&topics.shares(&words.counts(text))),
            Fitted::Words { vectors, width, weights, common } => {
                to.copy_from_slice(&mean(&words.counts(text), vectors, weights, *width));
                without(to, common);
            }
        }
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// None that depends on the model.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let arrays: Vec<&[f32]> = match &self.fitted {
            Fitted::Bag(_) => Vec::new(),
            Fitted::Topics(topics) => vec![&topics.weights],
            Fitted::Words { vectors, weights, common, .. } => vec![vectors, weights, common],
        };
        store::bytes(&self.header, &arrays)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// It is missing, damaged, or no model of texts.
    pub fn load(path: &Path) -> Result<Self> {
        let (header, arrays) = store::load::<Header>(path)?;
        Self::of(header, arrays).map_err(|what| Error::File(FileError::data_set(path, what)))
    }

    fn of(header: Header, mut arrays: Vec<Vec<f32>>) -> Result<Self, String> {
        let count = header.vocabulary.len();
        let sizes: Vec<usize> = arrays.iter().map(Vec::len).collect();
        let is_weight = |weight: &f32| *weight > 0.0 && weight.is_finite();
        let fitted = match (header.kind, sizes.as_slice()) {
            _ if !header.vocabulary.is_whole() => return Err("its vocabulary is not whole".into()),
            (Stored::Bag(weighting), []) => Fitted::Bag(weighting),
            (Stored::Topics, [size])
                if *size > 0 && size % count == 0 && arrays[0].iter().all(is_weight) =>
            {
                Fitted::Topics(Topics::of(arrays.pop().expect("one"), count))
            }
            (Stored::Words { width, .. }, [all, weights, common])
                if width > 0
                    && count.checked_mul(width) == Some(*all)
                    && *weights == count
                    && [0, width].contains(common) =>
            {
                let common = arrays.pop().expect("three");
                let weights = arrays.pop().expect("two");
                let vectors = arrays.pop().expect("one");
                Fitted::Words { vectors, width, weights, common }
            }
            _ => return Err(format!("its arrays of {sizes:?} values do not fit {count} words")),
        };
        let dictionary = Dictionary::parse(&header.dictionary)?;
        Ok(Self { header, dictionary, fitted })
    }
}

fn look_at(weighting: Weighting) -> Result<()> {
    match weighting {
        Weighting::Bm25 { k1, b } if !(0.0..=100.0).contains(&k1) || !(0.0..=1.0).contains(&b) => {
            input(format!("k1 is {k1} and b {b}; from 0 to 100 and from 0 to 1 are wanted"))
        }
        _ => Ok(()),
    }
}

fn from_file(file: &Path, vocabulary: &Vocabulary) -> Result<WordVectors> {
    let all: HashSet<&str> = vocabulary.words().iter().map(String::as_str).collect();
    read(file, Wanted(Some(&|word| all.contains(word))))
}
