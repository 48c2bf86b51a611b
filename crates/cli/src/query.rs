//! What the commands share: models, captions and queries.

use std::io::BufRead;
use std::path::Path;

use anyhow::{Context, Result, bail};
use tuwen_data::Encoder;
use tuwen_data::encoding::{Encoding, TextFile};
use tuwen_data::image::{Limits, decode_file};
use tuwen_data::import::{CaptionFile, Format, Source, pairs};
use tuwen_encode::{CpuEncoder, LongText, WINDOW, builtin};
use tuwen_index::{Gallery, ModelId};

use crate::terminal::note;
use crate::words::counted;

/// The user asked for something that makes no sense: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

pub use crate::words::of_error as in_words;

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
    let encoder = tuwen_hub::open(name)?.with_long_text(long_text);
    for note in encoder.notes() {
        note!("note: {name}: {note}");
    }
    Ok(encoder)
}

/// The encoder as it was when the gallery in `folder` was made, where only the program is newer; itself
/// where there is no gallery yet. A gallery whose texts were read with another option is refused.
///
/// # Errors
/// The option that would fit.
pub fn as_in_gallery(folder: &Path, encoder: CpuEncoder) -> Result<CpuEncoder> {
    // What is wrong with a gallery is said by whoever opens it.
    let Ok(made) = Gallery::open(folder).and_then(|gallery| gallery.model()) else {
        return Ok(encoder);
    };
    let encoder = encoder.as_known(&made.fingerprint)?;
    if made.name == builtin::BEFORE && made.fingerprint != encoder.fingerprint() {
        bail!(tuwen_hub::Error::Before);
    }
    let option = |fingerprint: &str| fingerprint.contains(WINDOW);
    let wanted = option(&made.fingerprint);
    if made.fingerprint.replace(WINDOW, "") == encoder.fingerprint().replace(WINDOW, "")
        && wanted != option(encoder.fingerprint())
    {
        let long_text = if wanted { "window" } else { "cut" };
        bail!(
            "{}: this gallery was made with `--long-text {long_text}`, and its vectors differ from \
             those without: give that option, or make another gallery",
            folder.display()
        );
    }
    Ok(encoder)
}

/// Says how many texts were too long, if any were.
pub fn note_lost(encoder: &CpuEncoder) {
    let (texts, tokens) = encoder.lost();
    if texts > 0 {
        let are = if texts == 1 { "is" } else { "are" };
        note!(
            "note: {} {are} longer than the model's {} tokens; {} in all are lost (--long-text window keeps \
             them)",
            counted(texts, "text"),
            encoder.config().context,
            counted(tokens, "token")
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
        note_words(encoder, words)?;
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

/// Says what the model cannot make of the words of a query.
fn note_words(encoder: &CpuEncoder, words: &str) -> Result<()> {
    let (unknown, all) = encoder.unknown_tokens(words)?;
    let shown = words.trim();
    match (unknown, all) {
        (unknown, all) if unknown == all => {
            note!("note: no word of \u{ab}{shown}\u{bb} is known to the model; hits are arbitrary");
        }
        (0, _) => {}
        _ => {
            note!("note: {unknown} of {all} tokens of \u{ab}{shown}\u{bb} are unknown to the model")
        }
    }
    if encoder.minds_width(words) {
        note!(
            "note: \u{ab}{shown}\u{bb} has full-width letters or digits, which this model reads as \
             others than the plain ones"
        );
    }
    Ok(())
}

fn add(sum: &mut [f32], vector: &[f32]) {
    sum.iter_mut().zip(vector).for_each(|(sum, value)| *sum += value);
}

/// Reads texts, with the picture each describes where the format says so.
pub fn captions(path: &Path, encoding: Option<Encoding>) -> Result<Vec<(Option<String>, String)>> {
    let text = TextFile::look_as(path, encoding)?;
    for remark in text.remarks() {
        note!("note: {}: {remark}", path.display());
    }
    let format = match Source::guess_as(path, encoding).map(|source| source.format) {
        Ok(format @ (Format::Csv | Format::Jsonl | Format::Flickr | Format::Lavis)) => format,
        Ok(other) => bail!(
            "{}: it is of the format {}, which is no list of captions: `tuwen data convert {0} NEW --to jsonl` \
             makes one",
            path.display(),
            other.name()
        ),
        Err(_) => return lines(path, &text),
    };
    let file = CaptionFile { encoding, ..CaptionFile::new(path) };
    let opened = pairs(&file, format, text.open()?, &|_| false)?;
    if let Some(choice) = opened.choice {
        note!("note: {}: {choice}", path.display());
    }
    opened.pairs.map(|pair| Ok(pair.map(|pair| (Some(pair.image), pair.caption))?)).collect()
}

/// One text a line.
fn lines(path: &Path, text: &TextFile) -> Result<Vec<(Option<String>, String)>> {
    let lines = text.open()?.lines();
    let lines = lines.map(|line| line.with_context(|| path.display().to_string()));
    let lines: Vec<String> = lines.collect::<Result<_>>()?;
    let lines = lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty());
    Ok(lines.map(|line| (None, line.to_owned())).collect())
}
