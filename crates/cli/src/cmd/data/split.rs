//! `tuwen data split`

use std::path::PathBuf;

use anyhow::{Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;
use serde_json::json;
use tuwen_data::Sample;
use tuwen_data::image::{Fingerprint, Limits, decode, groups};
use tuwen_data::split::split;

use super::{Skipped, SourceArgs, open};
use crate::output::{Force, OutputFolder};
use crate::query::Usage;
use crate::terminal::say;

/// How to divide.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: SourceArgs,
    /// Folder for train.ids and val.ids, an id a line, which `--ids` and training take
    #[arg(long)]
    out: PathBuf,
    /// Share of the pictures that goes to train.ids
    #[arg(long, default_value_t = 0.8)]
    share: f64,
    /// Another seed gives another split
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Keep the mix of this column or key (or of `split`) the same in both parts
    #[arg(long)]
    stratify: Option<String>,
    /// Do not look at the pictures: near-duplicates may then end on both sides
    #[arg(long)]
    no_look: bool,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    force: Force,
}

impl Args {
    /// The articles' default: 80 and 20 percent.
    pub fn new(source: SourceArgs, out: PathBuf, seed: u64) -> Self {
        Self {
            source,
            out,
            share: 0.8,
            seed,
            stratify: None,
            no_look: false,
            json: false,
            force: Force::default(),
        }
    }
}

/// Divides and writes the two lists.
pub fn run(args: &Args) -> Result<()> {
    if !(0.0..=1.0).contains(&args.share) {
        bail!(Usage(format!("--share {}: it lies between 0 and 1", args.share)));
    }
    let mut folder = OutputFolder::plan(&args.out, &args.source.inputs(), args.force)?;
    let mut skipped = Skipped::default();
    let mut samples: Vec<Sample> = Vec::new();
    for record in open(&args.source)?.records {
        match record {
            Ok(sample) => samples.push(sample),
            Err(error) => skipped.add(error),
        }
    }
    merge_by_id(&mut samples);
    if samples.is_empty() {
        bail!("{}: there is no picture to divide", args.source.input.display());
    }
    let alike = if args.no_look {
        (0..samples.len()).collect()
    } else {
        near_duplicates(&samples, &mut skipped)?
    };
    let joined = samples.len() - alike.iter().collect::<std::collections::HashSet<_>>().len();
    let strata: Vec<String> = samples.iter().map(|sample| stratum(args, sample)).collect();
    let parts = split(&alike, &strata, args.share, args.seed);
    folder.write("train.ids", lines(&parts.train, &samples).as_bytes())?;
    folder.write("val.ids", lines(&parts.val, &samples).as_bytes())?;
    if args.json {
        say!(
            "{}",
            json!({
                "train": parts.train.len(), "val": parts.val.len(), "skipped": skipped.0,
                "near_duplicates": joined, "seed": args.seed,
            })
        );
    } else {
        say!(
            "{}: {} train, {} val, seed {}, {joined} near-duplicates kept with their like, {} skipped",
            args.out.display(),
            parts.train.len(),
            parts.val.len(),
            args.seed,
            skipped.0
        );
    }
    Ok(())
}

/// Rows of the same picture that are not neighbours are one picture all the same.
fn merge_by_id(samples: &mut Vec<Sample>) {
    let mut seen = std::collections::HashSet::new();
    samples.retain(|sample| seen.insert(sample.id.clone()));
}

fn stratum(args: &Args, sample: &Sample) -> String {
    match args.stratify.as_deref() {
        None => String::new(),
        Some("split") => sample.split.clone().unwrap_or_default(),
        Some(key) => sample.metadata.get(key).cloned().unwrap_or_default(),
    }
}

/// For each picture its group; one that cannot be read is alone.
fn near_duplicates(samples: &[Sample], skipped: &mut Skipped) -> Result<Vec<usize>> {
    let bar = ProgressBar::new(samples.len() as u64);
    bar.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len} pictures, {eta} left")?);
    let hash = |sample: &Sample| {
        bar.inc(1);
        let picture = sample.image.read().and_then(|bytes| decode(&bytes, Limits::default()));
        picture.map(|picture| Fingerprint::of(&picture.into_rgb()))
    };
    let hashes: Vec<_> = samples.par_iter().map(hash).collect();
    bar.finish_and_clear();
    let (mut known, mut places) = (Vec::new(), Vec::new());
    let mut out: Vec<usize> = (0..samples.len()).collect();
    for (at, (hash, sample)) in hashes.into_iter().zip(samples).enumerate() {
        match hash {
            Ok(hash) => {
                known.push(hash);
                places.push(at);
            }
            Err(error) => skipped.add(format!("{}: {error}; it stays in its part", sample.id)),
        }
    }
    let known: Vec<&Fingerprint> = known.iter().collect();
    for (group, &at) in groups(&known).iter().zip(&places) {
        out[at] = places[*group];
    }
    Ok(out)
}

fn lines(part: &[usize], samples: &[Sample]) -> String {
    part.iter().map(|&at| format!("{}\n", samples[at].id)).collect()
}
