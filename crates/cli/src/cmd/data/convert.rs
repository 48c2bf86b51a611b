//! `tuwen data convert`

use std::path::PathBuf;

use anyhow::Result;
use serde_json::json;
use tuwen_sets::export::Target;

use super::super::by_name;
use super::{SourceArgs, bytes, rewrite, summary};
use crate::terminal::say;

/// What to convert into what.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: SourceArgs,
    /// The new folder
    output: PathBuf,
    /// The new format
    #[arg(long, value_parser = by_name(&Target::NAMES))]
    to: Target,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

/// Converts, one picture at a time.
pub fn run(args: &Args) -> Result<()> {
    let (written, skipped) = rewrite(&args.source, &args.output, args.to, |writer, sample, _| {
        let bytes = bytes(&sample)?;
        writer.write(&sample, &bytes)
    })?;
    if args.json {
        let (pictures, captions) = (written.pictures, written.captions);
        say!("{}", json!({ "pictures": pictures, "captions": captions, "skipped": skipped }));
    } else {
        summary(&args.output, &written, skipped);
    }
    Ok(())
}
