//! `tuwen gallery info | recall | compact | verify | dedup | map | export | import | copy`

mod compact;
mod copy;
mod dedup;
mod export;
mod import;
mod info;
mod map;
mod recall;
mod verify;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use tuwen_encode::Encoder;
use tuwen_index::{Gallery, Modality};
use tuwen_retrieve::Calibration;

use crate::gallery::{Networks, open};
use crate::query::TextArgs;

/// Look at a gallery as a whole, keep a large one fast, check its files, and move its vectors
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  tuwen gallery info\n  \
    tuwen gallery compact\n  \
    tuwen gallery recall --target 0.95\n  \
    tuwen gallery verify\n  \
    tuwen gallery export rows --to fbin\n  \
    tuwen gallery import rows --gallery copy\n  \
    tuwen gallery copy .tuwen qdrant://localhost:6334/photos\n\n\
    From 100,000 items on `compact` puts vectors into cells, and searches look into the nearest of them instead of at \
    all: `recall` says what that misses, `search --exact` misses nothing, `search --explain` says which way a search went.")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Say what is in a gallery, how large its files are and which way searches go
    Info(info::Args),
    /// Compare searches in cells with exact ones, and choose how many cells they look into
    Recall(recall::Args),
    /// Put a gallery in order: segments of which most rows are gone are written anew, and a large gallery gets cells
    Compact(compact::Args),
    /// Read every file and compare the checksums; the exit code is 1 where one does not fit
    Verify(verify::Args),
    /// List groups of pictures that are nearly the same
    Dedup(dedup::Args),
    /// Draw all pictures by likeness, with topics, the gap to texts, and captions that hardly fit
    Map(map::Args),
    /// Write vectors with their files and captions, into a new folder for other programs
    Export(export::Args),
    /// Make a gallery of vectors that are there already, or add them to one
    Import(import::Args),
    /// Copy items into another store, a folder or a collection of Qdrant: resumable, and read back at the end
    Copy(copy::Args),
}

/// Does what was asked for.
pub fn run(args: &Args) -> Result<ExitCode> {
    match &args.command {
        Command::Info(args) => info::run(args),
        Command::Recall(args) => recall::run(args),
        Command::Compact(args) => compact::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Dedup(args) => dedup::run(args),
        Command::Map(args) => map::run(args),
        Command::Export(args) => export::run(args),
        Command::Import(args) => import::run(args),
        Command::Copy(args) => copy::run(args),
    }
}

/// All that have vectors.
const MODALITIES: [(Modality, &str); 3] =
    [(Modality::Image, "image"), (Modality::Text, "text"), (Modality::Fused, "fused")];

/// A gallery's own texts are asked for where it has so many.
const TEXTS: usize = 50;

/// What stands for people's words where a gallery has few texts of its own: names of things, (N, D). Nothing where it has
/// enough. Words lie apart from pictures, and need other widths.
fn words_for(gallery: &Gallery, model: Option<&str>, text: &TextArgs) -> Result<Vec<f32>> {
    if gallery.count(Modality::Text)? >= TEXTS {
        return Ok(Vec::new());
    }
    let names = Calibration::background();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Ok(open(gallery.folder(), model, text, Networks::default())?.encoder().encode_texts(&names)?)
}
