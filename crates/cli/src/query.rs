//! What the commands share: models, captions and queries.

use std::io::BufRead;
use std::path::Path;

use anyhow::{Context, Result, bail};
use tuwen_data::Encoder;
use tuwen_data::encoding::TextFile;
use tuwen_data::image::{Limits, decode_file};
use tuwen_data::import::{CaptionFile, Format, Source, pairs};
use tuwen_encode::{CpuEncoder, LongText};
use tuwen_index::ModelId;

use crate::terminal::note;

/// The user asked for something that makes no sense: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// An error with its causes; a cause that the error's own words already end with is not repeated.
pub fn in_words(error: &anyhow::Error) -> String {
    let mut words = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !words.ends_with(&cause) {
            words += if words.is_empty() { "" } else { ": " };
            words += &cause;
        }
    }
    words
}

/// How text becomes tokens, where the model leaves a choice.
#[derive(clap::Args)]
pub struct TextArgs {
    /// Texts beyond the model's context: `cut` their end, or embed `window`s of whole sentences and
    /// take the mean
    #[arg(long, default_value = "cut", value_parser = ["cut", "window"])]
    long_text: String,
}

impl Default for TextArgs {
    fn default() -> Self {
        Self { long_text: "cut".into() }
    }
}

/// Opens a model by its name, folder or file.
pub fn open_model(name: &str, text: &TextArgs) -> Result<CpuEncoder> {
    let long_text = if text.long_text == "window" { LongText::Window } else { LongText::Cut };
    Ok(tuwen_hub::open(name)?.with_long_text(long_text))
}

/// Says how many texts were too long, if any were.
pub fn note_lost(encoder: &CpuEncoder) {
    let (texts, tokens) = encoder.lost();
    if texts > 0 {
        note!(
            "note: {texts} texts are longer than the model's {} tokens and lost {tokens} in all; \
             --long-text window keeps them",
            encoder.config().context
        );
    }
}

/// How a gallery remembers its model: a folder by its full path.
pub fn model_id(name: &str, encoder: &CpuEncoder) -> Result<ModelId> {
    let name = match tuwen_hub::is_name(name) {
        true => name.to_owned(),
        false => std::fs::canonicalize(name)?.to_string_lossy().into_owned(),
    };
    Ok(ModelId { name, fingerprint: encoder.fingerprint().to_owned(), dim: encoder.dim() })
}

/// The unit vector of words, of a picture, or of both (their mean).
pub fn embed_query(
    encoder: &CpuEncoder,
    words: Option<&str>,
    image: Option<&Path>,
) -> Result<Vec<f32>> {
    let mut sum = vec![0.0; encoder.dim()];
    if let Some(words) = words {
        if words.trim().is_empty() {
            bail!(Usage("the query is empty: give some words, or --image FILE".into()));
        }
        let lost = encoder.lost_tokens(words);
        if lost > 0 {
            note!(
                "note: the query is too long; its last {lost} tokens are ignored \
                 (--long-text window keeps them)"
            );
        }
        add(&mut sum, &encoder.encode_texts(&[words])?);
    }
    if let Some(path) = image {
        let picture =
            decode_file(path, Limits::default()).with_context(|| path.display().to_string())?;
        add(&mut sum, &encoder.encode_images(&[encoder.preprocess().fit(&picture)])?);
    }
    let length = sum.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-12);
    sum.iter_mut().for_each(|value| *value /= length);
    Ok(sum)
}

fn add(sum: &mut [f32], vector: &[f32]) {
    sum.iter_mut().zip(vector).for_each(|(sum, value)| *sum += value);
}

/// Reads texts, with the picture each describes where the format says so.
pub fn captions(path: &Path) -> Result<Vec<(Option<String>, String)>> {
    let text = TextFile::look(path)?;
    for remark in text.remarks() {
        note!("note: {}: {remark}", path.display());
    }
    let Ok(Source {
        format: format @ (Format::Csv | Format::Jsonl | Format::Flickr | Format::Lavis),
        ..
    }) = Source::guess(path)
    else {
        let lines = text.open()?.lines();
        let lines = lines.map(|line| line.with_context(|| path.display().to_string()));
        let lines: Vec<String> = lines.collect::<Result<_>>()?;
        let lines = lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty());
        return Ok(lines.map(|line| (None, line.to_owned())).collect());
    };
    let opened = pairs(&CaptionFile::new(path), format, text.open()?, &|_| false)?;
    if let Some(choice) = opened.choice {
        note!("note: {}: {choice}", path.display());
    }
    opened.pairs.map(|pair| Ok(pair.map(|pair| (Some(pair.image), pair.caption))?)).collect()
}
