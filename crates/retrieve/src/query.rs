//! What is searched for: words and pictures, each with a weight, and the vector they make.

use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};

use tuwen_encode::CpuEncoder;
use tuwen_encode::Encoder;
use tuwen_image::{Limits, decode_file};
use tuwen_index::Modality;
use tuwen_text::visible;

use crate::gap::{self, Between};
use crate::{Error, Result};

/// Words, pictures, or both. A part's unit vector counts by its weight; with a weight below 0 its likes are
/// kept away. Between words and pictures the gap of their sides is taken away, where it is known, or a network
/// joins them ([`crate::gap`]).
///
/// ```
/// # use tuwen_retrieve::Query;
/// let query = Query::words("a beach").and_words("people", -0.5);
/// assert_eq!(query.title(), "a beach - people");
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    parts: Vec<(Part, f32)>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Words(String),
    Picture(PathBuf),
    /// An item of a gallery: what it is, and its vector.
    Item(i64, Modality, Vec<f32>),
}

/// What a user should know about how a query was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remark {
    /// So many tokens lie beyond the context.
    Lost(usize),
    /// The vocabulary cannot spell some tokens of these words.
    Unknown {
        /// The words.
        words: String,
        /// Tokens that are unknown.
        unknown: usize,
        /// Tokens in all.
        all: usize,
    },
    /// These words have full-width letters, which this model reads as others than the plain ones.
    Width(String),
    /// What who looked again has to say.
    Rerank(String),
}

impl Display for Remark {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(lost) => write!(
                out,
                "the query is too long; its last {lost} tokens are ignored (--long-text window keeps them)"
            ),
            Self::Unknown { words, unknown, all } if unknown == all => {
                write!(out, "no word of «{words}» is known to the model; hits are arbitrary")
            }
            Self::Unknown { words, unknown, all } => {
                write!(out, "{unknown} of {all} tokens of «{words}» are unknown to the model")
            }
            Self::Rerank(said) => out.write_str(said),
            Self::Width(words) => write!(
                out,
                "«{words}» has full-width letters or digits, which this model reads as others than the \
                 plain ones"
            ),
        }
    }
}

/// A query's unit vector (D).
#[derive(Clone, Debug, PartialEq)]
pub struct Embedded {
    /// Of length 1.
    pub vector: Vec<f32>,
    /// What a user should know.
    pub remarks: Vec<Remark>,
}

impl Query {
    /// Words alone.
    pub fn words(words: impl Into<String>) -> Self {
        Self::default().and_words(words, 1.0)
    }

    /// A picture's file alone.
    pub fn picture(path: impl Into<PathBuf>) -> Self {
        Self::default().and_picture(path, 1.0)
    }

    /// The same and words; white space around them and signs that nobody sees make no other query.
    #[must_use]
    pub fn and_words(mut self, words: impl Into<String>, weight: f32) -> Self {
        self.parts.push((Part::Words(visible(&words.into()).trim().to_owned()), weight));
        self
    }

    /// The same and a picture's file.
    #[must_use]
    pub fn and_picture(mut self, path: impl Into<PathBuf>, weight: f32) -> Self {
        self.parts.push((Part::Picture(path.into()), weight));
        self
    }

    /// The same and an item of the gallery, with what it is and its unit vector (D).
    #[must_use]
    pub fn and_item(mut self, id: i64, of: Modality, vector: Vec<f32>, weight: f32) -> Self {
        self.parts.push((Part::Item(id, of, vector), weight));
        self
    }

    /// The same with the pictures' share beside words, from 0 to 1: words have the rest.
    ///
    /// # Errors
    /// There are no words that are wanted, or no pictures.
    pub fn with_share(mut self, share: f32) -> Result<Self> {
        let is_words = |part: &Part| matches!(part, Part::Words(_));
        let pictures = self.parts.iter().filter(|(part, _)| !is_words(part)).count();
        if pictures == 0 || self.wanted_words().is_none() {
            let what =
                "a picture's share is its share beside words: give both, or leave the share away";
            return Err(Error::Usage(what.into()));
        }
        for (part, weight) in &mut self.parts {
            *weight *= if is_words(part) { 1.0 - share } else { share / pictures as f32 };
        }
        Ok(self)
    }

    /// Whether nothing is searched for.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// For people.
    pub fn title(&self) -> String {
        let mut title = String::new();
        for (part, weight) in &self.parts {
            title += match (title.is_empty(), *weight < 0.0) {
                (true, false) => "",
                (false, false) => " + ",
                (true, true) => "- ",
                (false, true) => " - ",
            };
            match part {
                Part::Words(words) => title += words,
                Part::Picture(path) => title += &path.display().to_string(),
                Part::Item(id, ..) => title += &format!("image:{id}"),
            }
        }
        title
    }

    /// The words that are looked for.
    pub fn wanted_words(&self) -> Option<&str> {
        self.parts.iter().find_map(|(part, weight)| match part {
            Part::Words(words) if *weight > 0.0 => Some(words.as_str()),
            _ => None,
        })
    }

    /// The words, where there is nothing else.
    pub fn words_alone(&self) -> Option<&str> {
        match &self.parts[..] {
            [(Part::Words(words), weight)] if *weight > 0.0 => Some(words),
            _ => None,
        }
    }

    /// The weighted sum of the parts' unit vectors, of length 1; `between` is asked where there are words and
    /// pictures.
    ///
    /// # Errors
    /// Words that are empty, a picture that cannot be read, parts that cancel out, or the encoder's failure.
    pub fn embed<'g>(
        &self,
        encoder: &CpuEncoder,
        between: impl FnOnce() -> Result<Option<Between<'g>>>,
    ) -> Result<Embedded> {
        let mut remarks = Vec::new();
        let part = |(part, weight): &(Part, f32)| -> Result<gap::Part> {
            Ok(match part {
                Part::Words(words) => {
                    remarks.append(&mut Remark::on(encoder, words)?);
                    gap::Part::words(encoder.encode_texts(&[words])?, *weight)
                }
                Part::Picture(path) => gap::Part::picture(picture_vector(encoder, path)?, *weight),
                Part::Item(_, side, vector) => {
                    gap::Part { vector: vector.clone(), weight: *weight, side: *side }
                }
            })
        };
        let parts = self.parts.iter().map(part).collect::<Result<Vec<_>>>()?;
        let between = if gap::is_mixed(&parts) { between()? } else { None };
        Ok(Embedded { vector: gap::compose(&parts, between)?, remarks })
    }
}

/// How much what is not wanted counts, beside 1 for what is.
pub const UNWANTED: f32 = -0.5;

/// The weighted sum of unit vectors (D), of length 1: what a query of several parts looks for.
///
/// # Errors
/// There are none, or they cancel out.
pub fn weighted(parts: &[gap::Part]) -> Result<Vec<f32>> {
    let mut sum = vec![0.0; parts.first().map_or(0, |part| part.vector.len())];
    for gap::Part { vector, weight, .. } in parts {
        sum.iter_mut().zip(vector).for_each(|(sum, value)| *sum += weight * value);
    }
    let length = sum.iter().map(|v| v * v).sum::<f32>().sqrt();
    if length < 1e-6 {
        let what = match parts.is_empty() {
            true => "there is nothing to search for: give words or a picture",
            false => "the parts of the query cancel out: give them other weights",
        };
        return Err(Error::Usage(what.into()));
    }
    sum.iter_mut().for_each(|value| *value /= length);
    Ok(sum)
}

impl Remark {
    /// What a user should know about how a model reads these words.
    ///
    /// # Errors
    /// There are no words, or the tokenizer's own failure.
    pub fn on(encoder: &CpuEncoder, words: &str) -> Result<Vec<Self>> {
        if visible(words).trim().is_empty() {
            let what = "the query is empty: give some words, or --image FILE";
            return Err(Error::Usage(what.into()));
        }
        let mut remarks = Vec::new();
        let input = encoder.tokenise(words)?;
        if input.lost > 0 {
            remarks.push(Self::Lost(input.lost));
        }
        let (unknown, all) = encoder.unknown_tokens(words)?;
        let shown = words.trim().to_owned();
        if unknown > 0 || all == 0 {
            remarks.push(Self::Unknown { words: shown.clone(), unknown, all });
        }
        if encoder.minds_width(words) {
            remarks.push(Self::Width(shown));
        }
        Ok(remarks)
    }
}

fn picture_vector(encoder: &CpuEncoder, path: &Path) -> Result<Vec<f32>> {
    let picture = decode_file(path, Limits::default());
    let picture = picture.map_err(|e| match e {
        said if said.to_string().contains(&path.display().to_string()) => Error::Data(said),
        other => Error::place(path, other),
    })?;
    Ok(encoder.encode_images(&[encoder.preprocess().fit(&picture)])?)
}
