//! What the commands share: models, captions and what a user asks for.

use std::io::BufRead;
use std::path::Path;

use anyhow::{Context, Result, bail};
use tuwen_encode::CpuEncoder;
use tuwen_files::encoding::{Encoding, TextFile};
use tuwen_retrieve::{Device, Line, LongText, Products};
use tuwen_sets::import::{CaptionFile, Pair, Source, pairs};

use crate::terminal::note;
use crate::words::counted;

/// The user asked for something that makes no sense: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// Whether an error is the user's: of this program, or of what it stands on.
pub fn is_usage(error: &anyhow::Error) -> bool {
    let below = error.downcast_ref::<tuwen_retrieve::Error>();
    let served = error.downcast_ref::<tuwen_serve::Error>();
    error.is::<Usage>()
        || matches!(below, Some(tuwen_retrieve::Error::Usage(_)))
        || matches!(served, Some(tuwen_serve::Error::Usage(_)))
}

pub use crate::words::of_error as in_words;

/// How a model runs, where it leaves a choice.
#[derive(Clone, clap::Args)]
pub struct TextArgs {
    /// Texts beyond the model's context: `cut` their end, or embed `window`s of whole sentences and
    /// take the mean
    #[arg(long, default_value = "cut", value_parser = ["cut", "window"])]
    long_text: String,
    /// What the towers' blocks multiply: `auto` is bytes for a model that is stored in 8 bits and f32 for others,
    /// `int8` rounds any model to 8 bits when it is read, `bf16` both factors to half of their bits where this processor is
    /// measured to be faster so
    #[arg(long, default_value = "auto", value_parser = PRECISIONS)]
    precision: String,
    /// Where the towers run: `cpu`, `gpu` (a graphics card, in f32; see docs/speed.md), or `auto`, which is a card where this
    /// program was built for one and one is there. Heads, captions, explanations and reranking run on the CPU
    #[arg(long, default_value = "auto", value_parser = ["auto", "cpu", "gpu"])]
    device: String,
}

/// The values of `--precision`.
pub const PRECISIONS: [&str; 4] = ["auto", "f32", "bf16", "int8"];

/// What one of them stands for.
pub fn products(precision: &str) -> Products {
    match precision {
        "f32" => Products::F32,
        "int8" => Products::Int8,
        "bf16" => Products::Bf16,
        _ => Products::AsStored,
    }
}

impl Default for TextArgs {
    fn default() -> Self {
        Self { long_text: "cut".into(), precision: "auto".into(), device: "auto".into() }
    }
}

impl TextArgs {
    /// What is multiplied.
    pub fn products(&self) -> Products {
        products(&self.precision)
    }

    /// The same as it was asked for.
    pub fn precision(&self) -> &str {
        &self.precision
    }

    /// Where towers run.
    ///
    /// # Errors
    /// A card was asked for and there is none.
    pub fn device(&self) -> Result<Device> {
        crate::device::named(&self.device)
    }

    /// What happens to long texts.
    pub fn long_text(&self) -> LongText {
        if self.long_text == "window" { LongText::Window } else { LongText::Cut }
    }
}

/// Opens a model by its name, folder or file, and says what a user should know of it.
pub fn open_model(name: &str, text: &TextArgs) -> Result<CpuEncoder> {
    let (long_text, products) = (text.long_text(), text.products());
    let encoder = tuwen_retrieve::open_model(name, long_text, products, text.device()?)?;
    note_model(name, &encoder);
    Ok(encoder)
}

/// Says what a user should know of how a model was read.
pub fn note_model(name: &str, encoder: &CpuEncoder) {
    for note in encoder.notes() {
        note!("note: {name}: {note}");
    }
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

/// Reads texts, with the picture each describes where the format says so, and what else it says.
pub fn captions(path: &Path, encoding: Option<Encoding>) -> Result<Vec<Line>> {
    captions_of(&CaptionFile { encoding, ..CaptionFile::new(path) })
}

/// The same of a file whose columns or keys have other names.
pub fn captions_of(file: &CaptionFile) -> Result<Vec<Line>> {
    let (path, encoding) = (file.file.as_path(), file.encoding);
    let text = TextFile::look_as(path, encoding)?;
    for remark in text.remarks() {
        note!("note: {}: {remark}", path.display());
    }
    let format = match Source::guess_as(path, encoding).map(|source| source.format) {
        Ok(format) if format.is_caption_file() => format,
        Ok(other) => bail!(
            "{}: it is of the format {}, which is no list of captions: `tuwen data convert {0} NEW --to jsonl` \
             makes one",
            path.display(),
            other.name()
        ),
        Err(_) => return lines(path, &text),
    };
    let opened = pairs(file, format, text.open()?, &|_| false)?;
    if let Some(choice) = opened.choice {
        note!("note: {}: {choice}", path.display());
    }
    let line = |Pair { image, caption, metadata, .. }| Line {
        image: Some(image),
        text: caption,
        more: metadata,
    };
    opened.pairs.map(|pair| Ok(pair.map(line)?)).collect()
}

/// One text a line.
fn lines(path: &Path, text: &TextFile) -> Result<Vec<Line>> {
    let lines = text.open()?.lines();
    let lines = lines.map(|line| line.with_context(|| path.display().to_string()));
    let lines: Vec<String> = lines.collect::<Result<_>>()?;
    let lines = lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty());
    Ok(lines.map(|line| Line { text: line.to_owned(), ..Line::default() }).collect())
}
