//! `tuwen gallery export`

use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use tuwen_files::staged::StagedFolder;
use tuwen_index::{Gallery, Item, Modality};
use tuwen_sets::vectors::{Line, VectorFile, shown};

use crate::gallery::GalleryArg;
use crate::output::StagedOutput;
use crate::terminal::say;
use crate::words::counted;

/// What is written where.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  tuwen gallery export rows-npy --to npy\n\n\
    Into the new folder come images.npy or images.fbin with a row for each picture, images.jsonl with a line for each \
    row (path, and what else is known), and texts.* the same of captions and other texts.")]
pub struct Args {
    /// The new folder
    output: PathBuf,
    /// NumPy's files, or big-ann's
    #[arg(long, value_enum, default_value_t = To::Npy)]
    to: To,
    #[command(flatten)]
    gallery: GalleryArg,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum To {
    Npy,
    Fbin,
}

/// Files of a folder, by what they hold.
pub const FILES: [(Modality, &str); 2] = [(Modality::Image, "images"), (Modality::Text, "texts")];

/// Writes all that can be found.
pub fn run(args: &Args) -> Result<ExitCode> {
    let folder = args.gallery.place().folder;
    let gallery = Gallery::open(&folder)?;
    gallery.hold()?;
    let dim = gallery.model()?.dim;
    let begin = || StagedFolder::create(&args.output);
    let (_announced, staged) = StagedOutput::begin(&args.output, &[folder.as_path()], begin)?;
    let end = match args.to {
        To::Npy => "npy",
        To::Fbin => "fbin",
    };
    let mut counts = Vec::new();
    for (modality, name) in FILES {
        let at = |end: &str| staged.path().join(format!("{name}.{end}"));
        let mut file = VectorFile::create(at(end), dim)?;
        let lines = std::fs::File::create(at("jsonl"))
            .with_context(|| at("jsonl").display().to_string())?;
        let mut lines = BufWriter::new(lines);
        gallery.vectors(modality)?.each(|id, row| {
            let Some(item) = gallery.item(id as i64)? else { return Ok(()) };
            file.add(row)?;
            serde_json::to_writer(&mut lines, &line(&gallery, &item)?)?;
            lines.write_all(b"\n").with_context(|| at("jsonl").display().to_string())
        })?;
        lines.flush().with_context(|| at("jsonl").display().to_string())?;
        counts.push(file.finish()?);
    }
    staged.finish()?;
    let [pictures, texts] = [counted(counts[0], "picture"), counted(counts[1], "text")];
    say!("{}: {pictures}, {texts}, {dim} values each", args.output.display());
    Ok(ExitCode::SUCCESS)
}

fn line(gallery: &Gallery, item: &Item) -> Result<Line> {
    let owner = item.owner.map(|id| gallery.item(id)).transpose()?.flatten();
    let metadata = serde_json::from_str(&item.metadata).unwrap_or_default();
    let is_nothing = matches!(&metadata, serde_json::Value::Object(map) if map.is_empty());
    let metadata = if is_nothing { serde_json::Value::Null } else { metadata };
    let (path, path_bytes) = shown(&item.origin);
    let (image, image_bytes) = owner.as_ref().map(|owner| shown(&owner.origin)).unzip();
    let (id, text, image_bytes) = (None, item.text.clone(), image_bytes.flatten());
    Ok(Line { id, path, path_bytes, text, image, image_bytes, metadata })
}
