//! `tuwen data merge`

use std::path::PathBuf;

use anyhow::{Result, bail};
use tuwen_files::staged::StagedFolder;
use tuwen_sets::vectors::{Merged, Shards};

use super::Skipped;
use crate::output::StagedOutput;
use crate::progress;
use crate::terminal::say;
use crate::words::counted;

/// From where to where.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  tuwen data merge parts merged\n  \
    tuwen gallery import merged --gallery embedded\n\n\
    Refused by name are parts that are missing, damaged, of another list, model, precision or number of parts, and a \
    picture that is there twice. The new folder has images.npy with a row for each picture, images.jsonl with its id and \
    path, texts.* the same of captions, failed.jsonl with what could not be embedded, and embedded.json, which says how all \
    of it was made.")]
pub struct Args {
    /// The folder into which `data embed --shard` wrote
    parts: PathBuf,
    /// The new folder
    output: PathBuf,
    /// NumPy's files, or big-ann's
    #[arg(long, default_value = "npy", value_parser = ["npy", "fbin"])]
    to: String,
}

/// Verifies all, then writes.
pub fn run(args: &Args) -> Result<()> {
    let shards = Shards::open(&args.parts)?;
    let begin = || StagedFolder::create(&args.output);
    let (_announced, staged) = StagedOutput::begin(&args.output, &[args.parts.as_path()], begin)?;
    // Each part is verified, and read once for its pictures and once for its captions.
    let bar = progress::bar(Some(3 * shards.len()), "parts read");
    let Merged { rows: [pictures, captions], failed } =
        shards.write(staged.path(), &args.to, || bar.inc(1))?;
    bar.finish_and_clear();
    if pictures == 0 {
        let parts = args.parts.display();
        bail!("{parts}: there is no picture in it, {} failed", failed.len());
    }
    staged.finish()?;
    let mut missing = Skipped::default();
    failed.iter().for_each(|one| missing.say("not embedded", &one.why));
    say!(
        "{}: {} put together: {}, {}, {} values each, {} failed",
        args.output.display(),
        counted(shards.len(), "part"),
        counted(pictures, "picture"),
        counted(captions, "caption"),
        shards.made().dim,
        failed.len()
    );
    Ok(())
}
