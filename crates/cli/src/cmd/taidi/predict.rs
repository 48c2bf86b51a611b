//! `tuwen taidi predict`

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;
use tuwen_data::Encoder;
use tuwen_data::image::{Limits, RgbImage, decode_file};
use tuwen_data::taidi::{RANKS, Row, Tables, Task, write_result};
use tuwen_encode::{CpuEncoder, builtin};
use tuwen_index::Flat;

use crate::query::{TextArgs, in_words, note_lost, open_model};

/// Pictures or texts that are embedded together.
const BATCH: usize = 64;

/// What to answer, and with what.
#[derive(clap::Args)]
pub struct Args {
    /// The contest's folder, with 附件2 and 附件3
    root: PathBuf,
    /// A name of `tuwen model list`, a folder with weights, or a .pt file
    #[arg(long, default_value = builtin::BUILT_IN)]
    model: String,
    /// Folder for result1.csv and result2.csv; the contest's own when not given
    #[arg(long)]
    out: Option<PathBuf>,
    #[command(flatten)]
    text_args: TextArgs,
}

/// Answers each task whose folder is there.
pub fn run(args: &Args) -> Result<()> {
    let encoder = open_model(&args.model, &args.text_args)?;
    let out = args.out.as_ref().unwrap_or(&args.root);
    std::fs::create_dir_all(out).with_context(|| out.display().to_string())?;
    let tasks = Task::ALL.into_iter().filter(|task| args.root.join(task.folder()).is_dir());
    let tasks: Vec<Task> = tasks.collect();
    anyhow::ensure!(!tasks.is_empty(), "{}: there is neither 附件2 nor 附件3", args.root.display());
    for task in tasks {
        let tables = Tables::read(&args.root, task)?;
        tables.remarks.iter().for_each(|remark| eprintln!("note: {remark}"));
        let (queries, gallery) = match task {
            Task::Words => (
                texts(&encoder, &tables.queries)?,
                pictures(&encoder, &tables.gallery, &tables.images)?,
            ),
            Task::Pictures => (
                pictures(&encoder, &tables.queries, &tables.images)?,
                texts(&encoder, &tables.gallery)?,
            ),
        };
        let answers = answers(&queries, &gallery, encoder.dim());
        let path = out.join(task.result());
        write_result(&path, task, &tables, &answers)?;
        println!(
            "{}: {} queries over {}",
            path.display(),
            tables.queries.len(),
            tables.gallery.len()
        );
    }
    note_lost(&encoder);
    Ok(())
}

fn bar(count: usize, what: &'static str) -> Result<ProgressBar> {
    let bar = ProgressBar::new(count as u64).with_message(what);
    bar.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}, {eta} left")?);
    Ok(bar)
}

fn texts(encoder: &CpuEncoder, rows: &[Row]) -> Result<Vec<f32>> {
    let bar = bar(rows.len(), "texts")?;
    let mut out = Vec::with_capacity(rows.len() * encoder.dim());
    for batch in rows.chunks(BATCH) {
        let words: Vec<&str> = batch.iter().map(|row| row.text.as_str()).collect();
        out.extend(encoder.encode_texts(&words)?);
        bar.inc(batch.len() as u64);
    }
    bar.finish_and_clear();
    Ok(out)
}

/// A picture that cannot be read counts as a grey one: as a query it still needs five answers.
fn pictures(encoder: &CpuEncoder, rows: &[Row], folder: &Path) -> Result<Vec<f32>> {
    let bar = bar(rows.len(), "pictures")?;
    let size = encoder.preprocess().size;
    let load = |row: &Row| match decode_file(&folder.join(&row.id), Limits::default()) {
        Ok(picture) => encoder.preprocess().fit(&picture),
        Err(error) => {
            let error = anyhow::Error::from(error).context(row.id.clone());
            bar.suspend(|| eprintln!("note: taken as grey: {}", in_words(&error)));
            RgbImage::from_pixel(size, size, [128; 3].into())
        }
    };
    let mut out = Vec::with_capacity(rows.len() * encoder.dim());
    for batch in rows.chunks(BATCH) {
        let images: Vec<RgbImage> = batch.par_iter().map(load).collect();
        out.extend(encoder.encode_images(&images)?);
        bar.inc(batch.len() as u64);
    }
    bar.finish_and_clear();
    Ok(out)
}

/// The best five for each query; equal scores go to the earlier row.
fn answers(queries: &[f32], gallery: &[f32], dim: usize) -> Vec<Vec<usize>> {
    let mut flat = Flat::new(dim);
    for (id, vector) in gallery.chunks_exact(dim).enumerate() {
        flat.push(id as u64, vector.iter().copied());
    }
    let best =
        |query: &[f32]| flat.search(query, RANKS).into_iter().map(|hit| hit.id as usize).collect();
    queries.par_chunks_exact(dim).map(best).collect()
}
