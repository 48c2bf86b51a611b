//! `tuwen gallery export`

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use tuwen_files::staged::StagedFolder;
use tuwen_index::{Gallery, Item, Modality};
use tuwen_retrieve::{bytes_of, path_of};
use tuwen_sets::vectors::VectorFile;

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

/// A line beside a row.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Line {
    /// The file that it comes from.
    pub path: String,
    /// Its name's bytes in hexadecimal, where they are no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_bytes: Option<String>,
    /// The words of a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The path of the picture that a caption belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Its bytes in hexadecimal, where they are no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_bytes: Option<String>,
    /// What else is known.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub metadata: serde_json::Value,
}

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

impl Line {
    /// The bytes of its file's name.
    pub fn origin(&self) -> Result<Vec<u8>> {
        name_of(&self.path, self.path_bytes.as_deref())
    }

    /// Those of the picture that a caption belongs to.
    pub fn owner(&self) -> Result<Option<Vec<u8>>> {
        let name = |image: &String| name_of(image, self.image_bytes.as_deref());
        self.image.as_ref().map(name).transpose()
    }
}

fn name_of(path: &str, bytes: Option<&str>) -> Result<Vec<u8>> {
    let Some(hex) = bytes else { return Ok(bytes_of(Path::new(path)).to_vec()) };
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| {
        let text = std::str::from_utf8(pair).ok().filter(|text| !text.starts_with('+'))?;
        u8::from_str_radix(text, 16).ok()
    };
    let bytes: Option<Vec<u8>> = pairs.iter().map(byte).collect();
    bytes.filter(|bytes| rest.is_empty() && !bytes.is_empty()).with_context(|| {
        format!(
            "`{}` are no bytes of a name: give two hexadecimal digits for each",
            hex.escape_default()
        )
    })
}

fn line(gallery: &Gallery, item: &Item) -> Result<Line> {
    let path = |item: &Item| path_of(&item.origin).to_string_lossy().into_owned();
    let bytes = |item: &Item| match std::str::from_utf8(&item.origin) {
        Ok(_) => None,
        Err(_) => Some(item.origin.iter().map(|byte| format!("{byte:02x}")).collect()),
    };
    let owner = item.owner.map(|id| gallery.item(id)).transpose()?.flatten();
    let metadata = serde_json::from_str(&item.metadata).unwrap_or_default();
    let is_nothing = matches!(&metadata, serde_json::Value::Object(map) if map.is_empty());
    let metadata = if is_nothing { serde_json::Value::Null } else { metadata };
    Ok(Line {
        path: path(item),
        path_bytes: bytes(item),
        text: item.text.clone(),
        image: owner.as_ref().map(path),
        image_bytes: owner.as_ref().and_then(bytes),
        metadata,
    })
}
