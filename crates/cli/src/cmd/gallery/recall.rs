//! `tuwen gallery recall`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use serde::Serialize;
use tuwen_encode::Encoder;
use tuwen_index::{CellsOptions, Gallery, Recall, Widths};

use super::words_for;
use crate::gallery::{AmongArgs, GalleryArg, Networks, open, queries};
use crate::number;
use crate::query::{TextArgs, Usage};
use crate::terminal::{note, say};

/// What is measured.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  tuwen gallery recall\n  tuwen gallery recall --target 0.95 --json\n  \
    tuwen gallery recall --queries queries.txt --dry-run\n\n\
    Half of the queries choose how many cells searches look into, the other half is measured. Queries are the gallery's own \
    texts (names of things where it has few) and pictures; --queries brings words that people asked for, which lie elsewhere than captions do."
)]
pub struct Args {
    #[command(flatten)]
    gallery: GalleryArg,
    #[command(flatten)]
    among: AmongArgs,
    /// The share of the best that searches are to find
    #[arg(long, value_name = "SHARE", default_value_t = CellsOptions::TARGET, value_parser = number::between(0.5f32, 1.0))]
    target: f32,
    /// Queries of words, one a line, instead of the gallery's texts; - is standard input
    #[arg(long, value_name = "FILE")]
    queries: Option<PathBuf>,
    /// Change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print as JSON
    #[arg(long)]
    json: bool,
    /// The model, for words; the gallery knows its own
    #[arg(long)]
    model: Option<String>,
    #[command(flatten)]
    text_args: TextArgs,
}

#[derive(Serialize)]
struct Tuned {
    looked_into: Widths,
    measured: Vec<Recall>,
}

/// Measures, stores and prints.
pub fn run(args: &Args) -> Result<ExitCode> {
    if args.among.has_filter() {
        bail!(Usage("--where: recall is measured among all items".into()));
    }
    let folder = args.gallery.place().folder;
    let modality = args.among.search(1)?.modality;
    let texts = match &args.queries {
        Some(file) => {
            let lines = queries(file)?;
            let engine =
                open(&folder, args.model.as_deref(), &args.text_args, Networks::default())?;
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            engine.encoder().encode_texts(&lines)?
        }
        None if Gallery::open(&folder)?.vectors(modality)?.cells().is_none() => Vec::new(),
        None => words_for(&Gallery::open(&folder)?, args.model.as_deref(), &args.text_args)?,
    };
    let gallery = Gallery::open(&folder)?;
    let options = CellsOptions { always: true, texts, target: args.target, goes_on: &|_| true };
    let Some((looked_into, measured)) = gallery.tune_cells(modality, &options, !args.dry_run)?
    else {
        let vectors = gallery.vectors(modality)?;
        let why = vectors.plan(&vec![0.0; vectors.dim()], 10, None).why;
        match args.json {
            true => say!("null"),
            false => say!("searches are exact, which finds all: {why}"),
        }
        return Ok(ExitCode::SUCCESS);
    };
    if !measured.iter().any(|recall| recall.queries == tuwen_index::QueryKind::Text) {
        note!(
            "note: no words were asked for, and such queries need more cells than pictures: --queries FILE has some"
        );
    }
    if args.json {
        say!("{}", serde_json::to_string(&Tuned { looked_into, measured })?);
        return Ok(ExitCode::SUCCESS);
    }
    for Recall { queries, asked, k, recall, cells } in &measured {
        let kind = match queries {
            tuwen_index::QueryKind::Text => "words",
            tuwen_index::QueryKind::Picture => "pictures",
        };
        say!(
            "{asked:>4} queries of {kind:<9} {k:>5} best: {:.2} % found, in {cells} cells",
            100.0 * recall
        );
    }
    Ok(ExitCode::SUCCESS)
}
