//! `tuwen gallery info`

use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;
use tuwen_index::{Gallery, Stored, Widths};
use tuwen_retrieve::Loss;

use super::MODALITIES;
use crate::gallery::GalleryArg;
use crate::terminal::say;
use crate::words::counted;

/// Which gallery.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  tuwen gallery info --json")]
pub struct Args {
    #[command(flatten)]
    gallery: GalleryArg,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Info {
    gallery: String,
    model: String,
    fingerprint: String,
    dim: usize,
    database_bytes: u64,
    /// Pictures that were decoded with fewer pixels by `--fast`.
    fast_pictures: usize,
    /// What that costs.
    #[serde(skip_serializing_if = "Option::is_none")]
    fast: Option<Loss>,
    kinds: Vec<PerKind>,
}

#[derive(Serialize)]
struct PerKind {
    kind: &'static str,
    items: usize,
    #[serde(flatten)]
    stored: Stored,
    /// Which way a search for the ten best goes, and why.
    search: String,
    why: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cells: Option<Cells>,
}

#[derive(Serialize)]
struct Cells {
    count: usize,
    items: usize,
    looked_into: Widths,
}

/// Prints it.
pub fn run(args: &Args) -> Result<ExitCode> {
    let folder = args.gallery.place().folder;
    let gallery = Gallery::open(&folder)?;
    let model = gallery.model()?;
    let mut kinds = Vec::new();
    for (modality, kind) in MODALITIES {
        let (vectors, stored) = (gallery.vectors(modality)?, gallery.stored(modality)?);
        let is_empty = stored.rows == 0 || (stored.segments == 0 && vectors.is_empty());
        if is_empty && kind != "image" {
            continue;
        }
        let plan = vectors.plan(&vec![0.0; vectors.dim()], 10, None);
        let cells =
            vectors.cells().map(|(count, items, looked_into)| Cells { count, items, looked_into });
        let (search, why, items) = (plan.way.name().to_owned(), plan.why, vectors.len());
        kinds.push(PerKind { kind, items, stored, search, why, cells });
    }
    let info = Info {
        gallery: folder.display().to_string(),
        model: model.name,
        fingerprint: model.fingerprint,
        dim: model.dim,
        database_bytes: std::fs::metadata(gallery.file())?.len(),
        fast_pictures: gallery.count_reduced()?,
        fast: Loss::known(&gallery)?,
        kinds,
    };
    match args.json {
        true => say!("{}", serde_json::to_string(&info)?),
        false => print(&info),
    }
    Ok(ExitCode::SUCCESS)
}

fn print(info: &Info) {
    say!("{}: vectors of {} values, made by {}", info.gallery, info.dim, info.model);
    say!(
        "{:<8} {:>10} {:>10} {:>8} {:>10} {:>10} {:>10}",
        "kind",
        "items",
        "gone",
        "segments",
        "vectors",
        "codes",
        "cells"
    );
    for PerKind { kind, items, stored, .. } in &info.kinds {
        let Stored { segments, rows, vectors_bytes, codes_bytes, cells_bytes } = *stored;
        let [vectors, codes, cells] = [vectors_bytes, codes_bytes, cells_bytes].map(size);
        let gone = rows - items.min(&rows);
        say!(
            "{kind:<8} {items:>10} {gone:>10} {segments:>8} {vectors:>10} {codes:>10} {cells:>10}"
        );
    }
    say!("the database has {}", size(info.database_bytes));
    if info.fast_pictures > 0 {
        let cost = info.fast.map_or(String::new(), |loss| {
            let Loss { pictures, mean_cosine, .. } = loss;
            format!(" (of {pictures} the mean cosine to all pixels was {mean_cosine:.4})")
        });
        say!("{} indexed with --fast{cost}", counted(info.fast_pictures, "picture"));
    }
    for PerKind { kind, search, why, cells, .. } in &info.kinds {
        say!("{kind}: searched by {search}: {why}");
        let Some(Cells { looked_into: widths, .. }) = cells else { continue };
        for (name, recall) in ["words", "a picture"].into_iter().zip(widths.recall) {
            if let Some(recall) = recall {
                say!(
                    "{kind}: a query of {name} finds {:.1} % of the ten best (asked for: {:.0} %)",
                    100.0 * recall,
                    100.0 * widths.target
                );
            }
        }
    }
}

/// Bytes as people say them.
fn size(bytes: u64) -> String {
    match bytes {
        0 => "-".into(),
        1..1_000_000 => format!("{:.0} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.0} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}
