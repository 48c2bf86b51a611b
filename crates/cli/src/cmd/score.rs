//! `tuwen score`

mod features;
mod predictions;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tuwen_eval::compare::compare;

use crate::number;
use crate::query::Usage;
use crate::terminal::say;

/// Score predictions or features that another program made, or compare two runs
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    tuwen score --predictions test_predictions.jsonl --reference test_texts.jsonl\n  \
    tuwen score --image-features img_feat.jsonl --text-features txt_feat.jsonl --reference texts.jsonl\n  \
    tuwen score --image-features image.npy --text-features text.npy\n  \
    tuwen score --image-features i.npy --text-features t.npy --image-labels i.txt --text-labels t.txt\n  \
    tuwen score --compare before.jsonl after.jsonl --k 5\n\n\
    The files of --compare are what `tuwen eval --out` writes as `SOURCE.text-to-image.jsonl`. Equal scores go to the lower \
    position.")]
pub struct Args {
    /// Chinese-CLIP's predictions: {"text_id", "image_ids"} or {"image_id", "text_ids"} a line
    #[arg(long, requires = "reference")]
    predictions: Option<PathBuf>,
    /// Chinese-CLIP's truth: {"text_id", "image_ids"} a line, for both directions
    #[arg(long)]
    reference: Option<PathBuf>,
    /// Features of pictures: .jsonl ({"image_id", "feature"}), .npy, .fbin, or a folder of .npy parts such
    /// as clip-retrieval's img_emb
    #[arg(long, requires = "text_features")]
    image_features: Option<PathBuf>,
    /// Features of texts: .jsonl ({"text_id", "feature"}), .npy, .fbin or a folder of .npy parts; without
    /// --reference row i belongs to picture i, or to picture i / N with N texts for each
    #[arg(long, requires = "image_features")]
    text_features: Option<PathBuf>,
    /// With features: a class a line for each picture; whatever has the same class is right (mAP by class)
    #[arg(
        long,
        requires = "text_labels",
        requires = "image_features",
        conflicts_with = "reference"
    )]
    image_labels: Option<PathBuf>,
    /// With features: a class a line for each text
    #[arg(long, requires = "image_labels")]
    text_labels: Option<PathBuf>,
    /// Two runs' results query by query: which is better, and is it chance?
    #[arg(long, num_args = 2)]
    compare: Vec<PathBuf>,
    /// Cut-off of --compare
    #[arg(long, default_value_t = 1, value_parser = number::whole(1..=number::MANY))]
    k: usize,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// Scores what is given.
pub fn run(args: &Args) -> Result<ExitCode> {
    if let (Some(predictions), Some(reference)) = (&args.predictions, &args.reference) {
        return predictions::run(predictions, reference);
    }
    if let (Some(images), Some(texts)) = (&args.image_features, &args.text_features) {
        let classes = args.image_labels.as_deref().zip(args.text_labels.as_deref());
        let classes = classes.map(|(images, texts)| features::ClassFiles { images, texts });
        features::run(images, texts, classes, args.reference.as_deref(), args.json)?;
        return Ok(ExitCode::SUCCESS);
    }
    if let [first, second] = &args.compare[..] {
        compare_runs([first, second], args)?;
        return Ok(ExitCode::SUCCESS);
    }
    bail!(Usage("nothing to score: give --predictions, --image-features or --compare".into()))
}

fn compare_runs(files: [&PathBuf; 2], args: &Args) -> Result<()> {
    let read = |path: &PathBuf| -> Result<Vec<(String, bool)>> {
        let hit = |(line, value): (usize, Value)| {
            let no_rank = || format!("{}, line {line}: no `rank`", path.display());
            let rank = value["rank"].as_u64().with_context(no_rank)?;
            Ok((value["query"].to_string(), rank as usize <= args.k))
        };
        predictions::objects(path)?.into_iter().map(hit).collect()
    };
    let [first, second] = [read(files[0])?, read(files[1])?];
    let same = first.len() == second.len() && first.iter().zip(&second).all(|(a, b)| a.0 == b.0);
    if !same {
        bail!("{} and {} are not about the same queries", files[0].display(), files[1].display());
    }
    let hits =
        |run: Vec<(String, bool)>| run.into_iter().map(|(_, hit)| hit).collect::<Vec<bool>>();
    let found = compare(&hits(first), &hits(second));
    if args.json {
        say!("{}", serde_json::to_string(&found)?);
        return Ok(());
    }
    say!(
        "R@{}: {:.2} and {:.2} of {} queries",
        args.k,
        found.recall[0],
        found.recall[1],
        found.queries
    );
    let [low, high] = found.interval;
    say!(
        "difference {:+.2}, 95% interval {low:+.2} to {high:+.2}; only the first {}, only the second {}; \
         p = {:.2e} (McNemar, exact)",
        found.difference,
        found.only[0],
        found.only[1],
        found.p
    );
    Ok(())
}
