//! `tuwen data split`

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Result, bail};
use rayon::prelude::*;
use serde_json::json;
use tuwen_image::{Limits, PerceptualHash, decode, duplicate_groups};
use tuwen_sets::Sample;
use tuwen_sets::split::{Split, split};

use super::{Skipped, SourceArgs, open};
use crate::number;
use crate::output::{Force, OutputFolder};
use crate::progress;
use crate::terminal::say;
use crate::words::counted;

/// How to divide.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: SourceArgs,
    /// Folder for train.ids and val.ids, an id a line, which `--ids` and training take
    #[arg(long)]
    out: PathBuf,
    /// Share of the pictures that goes to train.ids
    #[arg(long, default_value_t = 0.8, value_parser = number::between(0.0001, 0.9999))]
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
    pub force: Force,
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
    args.source.refuse_nothing(samples.len(), skipped.0)?;
    let strata = strata(args, &samples)?;
    let mut unread = Skipped::default();
    let alike = if args.no_look {
        (0..samples.len()).collect()
    } else {
        near_duplicates(&samples, &mut unread)
    };
    let joined = samples.len() - alike.iter().collect::<std::collections::HashSet<_>>().len();
    let parts = split(&alike, &strata, args.share, args.seed);
    if let Some((full, empty)) = one_part(&parts) {
        let alike = match joined {
            0 => String::new(),
            joined => format!("; {} stay with their like", counted(joined, "near-duplicate")),
        };
        bail!(
            "--share {} of {} leaves nothing for {empty}, all go to {full}{alike}: give another --share, or \
             more pictures",
            args.share,
            counted(samples.len(), "picture")
        );
    }
    folder.write("train.ids", lines(&parts.train, &samples).as_bytes())?;
    folder.write("val.ids", lines(&parts.val, &samples).as_bytes())?;
    print(args, &parts, joined, skipped.0, unread.0);
    Ok(())
}

fn print(args: &Args, parts: &Split, joined: usize, skipped: usize, unread: usize) {
    let (train, val, seed) = (parts.train.len(), parts.val.len(), args.seed);
    if args.json {
        let summary = json!({
            "train": train, "val": val, "skipped": skipped, "unread": unread,
            "near_duplicates": joined, "seed": seed,
        });
        return say!("{summary}");
    }
    let unread = match unread {
        0 => String::new(),
        unread => format!("; {} that cannot be read divided unseen", counted(unread, "picture")),
    };
    say!(
        "{}: {train} train, {val} val, seed {seed}, {} kept with their like, {skipped} skipped{unread}",
        args.out.display(),
        counted(joined, "near-duplicate"),
    );
}

/// Rows of the same picture that are not neighbours are one picture all the same.
fn merge_by_id(samples: &mut Vec<Sample>) {
    let mut seen = std::collections::HashSet::new();
    samples.retain(|sample| seen.insert(sample.id.clone()));
}

/// The kind of each picture, by the column that was asked for.
fn strata(args: &Args, samples: &[Sample]) -> Result<Vec<String>> {
    let Some(wanted) = args.stratify.as_deref() else {
        return Ok(vec![String::new(); samples.len()]);
    };
    let of = |sample: &Sample| match wanted {
        "split" => sample.split.clone(),
        key => sample.metadata.get(key).cloned(),
    };
    if samples.iter().all(|sample| of(sample).is_none()) {
        let mut there: BTreeSet<&str> =
            samples.iter().flat_map(|sample| sample.metadata.keys()).map(String::as_str).collect();
        there.extend(samples.iter().any(|sample| sample.split.is_some()).then_some("split"));
        let there: Vec<&str> = there.into_iter().collect();
        bail!(
            "--stratify {wanted}: {} has no such column or key; {}",
            args.source.input.display(),
            match &there[..] {
                [] => "it has none but pictures and captions".to_owned(),
                there => format!("it has {}", there.join(", ")),
            }
        );
    }
    Ok(samples.iter().map(|sample| of(sample).unwrap_or_default()).collect())
}

/// The names of the part with everything and of the one with nothing, where it is so.
fn one_part(parts: &Split) -> Option<(&'static str, &'static str)> {
    match (parts.train.is_empty(), parts.val.is_empty()) {
        (_, true) => Some(("train.ids", "val.ids")),
        (true, _) => Some(("val.ids", "train.ids")),
        _ => None,
    }
}

/// For each picture its group; one that cannot be read is alone.
fn near_duplicates(samples: &[Sample], unread: &mut Skipped) -> Vec<usize> {
    let bar = progress::bar(Some(samples.len()), "pictures");
    let hash = |sample: &Sample| {
        bar.inc(1);
        let picture = sample.image.read().and_then(|bytes| decode(&bytes, Limits::default()));
        picture.map(|picture| PerceptualHash::of(&picture.into_rgb()))
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
            Err(error) => {
                unread.say("unread", format!("{}: {error}; it is divided unseen", sample.id))
            }
        }
    }
    let known: Vec<&PerceptualHash> = known.iter().collect();
    for (group, &at) in duplicate_groups(&known).iter().zip(&places) {
        out[at] = places[*group];
    }
    out
}

fn lines(part: &[usize], samples: &[Sample]) -> String {
    part.iter().map(|&at| format!("{}\n", samples[at].id)).collect()
}
