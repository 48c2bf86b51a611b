//! `tuwen data sample`

use anyhow::Result;
use tuwen_image::rng::Rng;
use tuwen_sets::Sample;

use super::{Skipped, SourceArgs, open, total};
use crate::number;
use crate::progress;
use crate::terminal::say;

/// How many, and which.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: SourceArgs,
    /// How many records
    #[arg(short, default_value_t = 5, value_parser = number::whole(1..=number::MANY))]
    n: usize,
    /// Which ones
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Print as JSON, a record a line
    #[arg(long)]
    json: bool,
}

/// Draws without holding the set in memory (reservoir sampling, Vitter's algorithm R).
pub fn run(args: &Args) -> Result<()> {
    let (mut rng, mut skipped) = (Rng::new(&[args.seed]), Skipped::default());
    let mut drawn: Vec<(usize, Sample)> = Vec::new();
    let records = open(&args.source)?.records;
    let bar = progress::bar(total(&args.source), "records");
    for (number, record) in records.enumerate() {
        bar.inc(1);
        match record {
            Ok(sample) if drawn.len() < args.n => drawn.push((number, sample)),
            Ok(sample) => {
                let at = rng.below(number + 1);
                if let Some(place) = drawn.get_mut(at) {
                    *place = (number, sample);
                }
            }
            Err(error) => bar.suspend(|| skipped.add(error)),
        }
    }
    bar.finish_and_clear();
    args.source.refuse_nothing(drawn.len(), skipped.0)?;
    drawn.sort_by_key(|(number, _)| *number);
    for (_, sample) in &drawn {
        if args.json {
            say!("{}", serde_json::to_string(sample)?);
            continue;
        }
        let split = sample.split.as_ref().map_or(String::new(), |split| format!("  [{split}]"));
        say!("{}{split}", sample.id);
        sample.captions.iter().for_each(|caption| say!("  {}", caption.text));
    }
    Ok(())
}
