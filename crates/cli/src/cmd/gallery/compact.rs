//! `tuwen gallery compact`

use std::process::ExitCode;
use std::sync::atomic::Ordering;

use anyhow::Result;
use serde::Serialize;
use tuwen_index::{CellsOptions, Gallery, Modality};

use super::{MODALITIES, words_for};
use crate::cmd::stop_flag;
use crate::gallery::GalleryArg;
use crate::number;
use crate::progress;
use crate::query::TextArgs;
use crate::terminal::say;

/// Where more than one in so many rows are in no cell, cells are made anew.
const NEW: usize = 20;

/// Which gallery, and what about its cells.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  tuwen gallery compact\n  tuwen gallery compact --cells always --target 0.95"
)]
pub struct Args {
    #[command(flatten)]
    gallery: GalleryArg,
    /// Cells: where there are many items (auto), also where there are few, or none
    #[arg(long, value_enum, default_value_t = CellsArg::Auto)]
    cells: CellsArg,
    /// The share of the best that searches in cells are to find
    #[arg(long, value_name = "SHARE", default_value_t = CellsOptions::TARGET, value_parser = number::between(0.5f32, 1.0))]
    target: f32,
    /// Print as JSON
    #[arg(long)]
    json: bool,
    /// The model, for words where the gallery has no texts; the gallery knows its own
    #[arg(long)]
    model: Option<String>,
    #[command(flatten)]
    text_args: TextArgs,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum CellsArg {
    Auto,
    Always,
    Never,
}

#[derive(Serialize)]
struct Compacted {
    kind: &'static str,
    items: usize,
    cells: usize,
    made: bool,
}

/// Merges, and makes cells where they are wanted. A signal stops it; what was there stays.
pub fn run(args: &Args) -> Result<ExitCode> {
    let stop = stop_flag("stopping; what was there stays")?;
    let folder = args.gallery.place().folder;
    let model = Gallery::open(&folder)?.model()?;
    Gallery::open_for_writing(&folder, &model)?.merge()?;
    // Others may write while cells are made.
    let gallery = Gallery::open(&folder)?;
    let mut done = Vec::new();
    let mut words = None;
    for (modality, kind) in MODALITIES {
        let is_made = match args.cells {
            CellsArg::Never => {
                gallery.remove_cells(modality)?;
                false
            }
            _ if !is_wanted(&gallery, modality, args.cells)? => false,
            _ => {
                let bar = progress::bar(Some(100), "% of the cells");
                let goes_on = |share: f32| {
                    bar.set_position((100.0 * share) as u64);
                    !stop.load(Ordering::Relaxed)
                };
                // Who had cells although there are few items keeps them.
                let has = gallery.vectors(modality)?.cells().is_some();
                let always = args.cells == CellsArg::Always || has;
                let texts = match &words {
                    Some(texts) => texts,
                    None => {
                        words.insert(words_for(&gallery, args.model.as_deref(), &args.text_args)?)
                    }
                };
                let texts = texts.clone();
                let options =
                    CellsOptions { always, texts, target: args.target, goes_on: &goes_on };
                let made = gallery.make_cells(modality, &options)?;
                bar.finish_and_clear();
                made.is_some()
            }
        };
        let vectors = gallery.vectors(modality)?;
        if !vectors.is_empty() {
            let cells = vectors.cells().map_or(0, |(count, ..)| count);
            done.push(Compacted { kind, items: vectors.len(), cells, made: is_made });
        }
    }
    match args.json {
        true => say!("{}", serde_json::to_string(&done)?),
        false => done.iter().for_each(print),
    }
    Ok(if stop.load(Ordering::Relaxed) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Whether cells are to be made: there are none, they are damaged, or many rows are in none.
fn is_wanted(gallery: &Gallery, modality: Modality, cells: CellsArg) -> Result<bool> {
    let vectors = gallery.vectors(modality)?;
    if vectors.is_empty() {
        return Ok(false);
    }
    Ok(match vectors.cells() {
        Some((_, covered, _)) if cells == CellsArg::Auto => {
            let new = vectors.len() - covered.min(vectors.len());
            new * NEW > vectors.len() || !vectors.has_whole_cells()
        }
        _ => true,
    })
}

fn print(Compacted { kind, items, cells, made }: &Compacted) {
    match (*cells, *made) {
        (0, _) => say!("{kind}: {items} items, in no cells"),
        (_, true) => say!("{kind}: {items} items, in {cells} cells, made anew"),
        _ => say!("{kind}: {items} items, in {cells} cells as before"),
    }
}
