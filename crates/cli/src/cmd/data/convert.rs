//! `tuwen data convert`

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use anyhow::{Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use tuwen_data::Error;
use tuwen_data::export::{Target, Writer};

use super::super::by_name;
use super::{Skipped, SourceArgs, open};

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
    let opened = open(&args.source)?;
    let mut writer = Writer::create(&args.output, args.to)?;
    let stop = super::super::stop_flag("stopping; nothing half written stays")?;
    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::with_template("{spinner} {pos} pictures, {per_sec}, {elapsed}")?);
    let mut skipped = Skipped::default();
    for record in opened.records {
        if stop.load(Ordering::Relaxed) {
            bail!("stopped; {} was not written", args.output.display());
        }
        let written = record.and_then(|sample| {
            let bytes =
                sample.image.read().map_err(|e| Error::data_set(&sample.id, e.to_string()))?;
            writer.write(&sample, &bytes)
        });
        match written {
            Ok(()) => bar.inc(1),
            // The disk's own failure; anything else is the record's.
            Err(error @ Error::Io { .. }) => return Err(error.into()),
            Err(error) => bar.suspend(|| skipped.add(error)),
        }
    }
    bar.finish_and_clear();
    let written = writer.finish()?;
    if args.json {
        let (pictures, captions) = (written.pictures, written.captions);
        println!("{}", json!({ "pictures": pictures, "captions": captions, "skipped": skipped.0 }));
    } else {
        println!(
            "{}: {} pictures, {} captions, {} skipped",
            args.output.display(),
            written.pictures,
            written.captions,
            skipped.0
        );
    }
    Ok(())
}
