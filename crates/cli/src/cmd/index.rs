//! `tuwen index PATH...`

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use tuwen_data::Encoder;
use tuwen_encode::builtin;
use tuwen_index::Gallery;

use crate::indexing::{Indexer, Summary};
use crate::query::{TextArgs, as_in_gallery, captions, model_id, note_lost, open_model};
use crate::terminal::{note, say};

/// Failures that are listed for people; `--json` lists all.
const LISTED: usize = 20;

/// Make or update a gallery from pictures and texts
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  tuwen index ~/Pictures\n  \
    tuwen index photos --captions photos/captions.csv --gallery photos.tuwen\n\n\
    Unchanged files are skipped, changed ones embedded again, deleted ones removed, moved ones \
    recognised.\nIt can be stopped at any time; the next run goes on.")]
pub struct Args {
    /// Folders or files with pictures
    #[arg(required_unless_present = "captions")]
    paths: Vec<PathBuf>,
    /// The gallery's folder
    #[arg(long, default_value = ".tuwen")]
    gallery: PathBuf,
    /// Texts to index: Flickr token file, CSV or TSV (image,caption), JSONL, or one text a line
    #[arg(long)]
    captions: Vec<PathBuf>,
    /// A name of `tuwen model list`, a folder with weights, or a .pt file
    #[arg(long, default_value = builtin::BUILT_IN)]
    model: String,
    /// Throw the gallery away and start from nothing
    #[arg(long)]
    rebuild: bool,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    text_args: TextArgs,
}

/// Indexes and prints a summary.
pub fn run(args: &Args) -> Result<ExitCode> {
    let encoder = open_model(&args.model, &args.text_args)?;
    let encoder = if args.rebuild { encoder } else { as_in_gallery(&args.gallery, encoder)? };
    let id = model_id(&args.model, &encoder)?;
    let gallery = Gallery::open_for_writing(&args.gallery, &id, args.rebuild)?;
    let stop = super::stop_flag("stopping; everything so far is kept")?;
    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::with_template("{spinner} {pos} pictures, {per_sec}, {elapsed}")?);
    let progress = |count| bar.inc(count as u64);
    let started = Instant::now();
    let mut indexer = Indexer::new(&gallery, &encoder as &dyn Encoder, &stop, &progress);
    if !args.paths.is_empty() {
        indexer.pictures(&args.paths)?;
    }
    for file in &args.captions {
        indexer.texts(file, &captions(file)?)?;
    }
    let summary = indexer.finish();
    bar.finish_and_clear();
    note_lost(&encoder);
    if args.json {
        say!("{}", serde_json::to_string(&summary)?);
    } else {
        print(&summary, started.elapsed().as_secs_f64());
    }
    Ok(ExitCode::SUCCESS)
}

fn print(summary: &Summary, seconds: f64) {
    let Summary { added, updated, unchanged, moved, removed, texts, failed, stopped } = summary;
    for failure in failed.iter().take(LISTED) {
        note!("skipped {}: {}", failure.path, failure.reason);
    }
    if failed.len() > LISTED {
        note!("… and {} more; --json lists all", failed.len() - LISTED);
    }
    say!(
        "{added} added, {updated} updated, {unchanged} unchanged, {moved} moved, {removed} removed, \
         {texts} texts added, {} skipped, in {seconds:.1} s",
        failed.len()
    );
    let embedded = (added + updated) as f64;
    if embedded >= 100.0 {
        say!("{:.0} pictures/s", embedded / seconds);
    }
    if *stopped {
        say!("stopped before the end; run the same command to go on");
    }
}
