//! `tuwen space eval SPACE CONFIG`

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;
use tuwen_eval::labelled::{
    Convention, Labelled, average_precisions, by_class, mean, precision_recall, rankings,
};
use tuwen_space::{Pairs, Stored};

use super::Opened;
use crate::query::Usage;
use crate::terminal::say;

/// Steps of recall of a curve.
const POINTS: usize = 10;

/// Measure a learned space on a set's test part: mAP by every convention, by class, precision over recall
#[derive(clap::Args)]
pub struct Args {
    /// What `tuwen space train` wrote
    space: PathBuf,
    /// The configuration whose set is measured
    config: PathBuf,
    /// Which part
    #[arg(long, default_value = "test", value_parser = ["test", "train"])]
    part: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// One direction.
#[derive(Serialize)]
struct Direction {
    map: BTreeMap<&'static str, f64>,
    by_class: BTreeMap<String, f64>,
    /// At recall 0.1, 0.2, … 1.
    precision: Vec<f64>,
}

#[derive(Serialize)]
struct Found {
    method: String,
    set: String,
    part: String,
    pairs: usize,
    image_to_text: Direction,
    text_to_image: Direction,
}

/// Measures.
pub fn run(args: &Args) -> Result<ExitCode> {
    let stored = Stored::load(&args.space)?;
    let Opened { config, set } = Opened::load(&args.config)?;
    let pairs = if args.part == "train" { &set.train } else { &set.test };
    let widths = [pairs.images.width, pairs.texts.width];
    if widths != stored.widths {
        return Err(Usage(format!(
            "{}: it was learned from features of {} and {} values; those of {} have {} and {}",
            args.space.display(),
            stored.widths[0],
            stored.widths[1],
            config.name,
            widths[0],
            widths[1]
        ))
        .into());
    }
    let found = Found {
        method: stored.method.clone(),
        set: config.name,
        part: args.part.clone(),
        pairs: pairs.len(),
        image_to_text: direction(&stored, pairs, &set.classes, true),
        text_to_image: direction(&stored, pairs, &set.classes, false),
    };
    if args.json {
        say!("{}", serde_json::to_string(&found)?);
    } else {
        print(&found);
    }
    Ok(ExitCode::SUCCESS)
}

fn direction(stored: &Stored, pairs: &Pairs, classes: &[String], from_images: bool) -> Direction {
    let images = stored.space.image.apply(&pairs.images);
    let texts = stored.space.text.apply(&pairs.texts);
    let (from, to) = if from_images { (images, texts) } else { (texts, images) };
    let queries = Labelled { values: &from.values, labels: &pairs.labels };
    let gallery = Labelled { values: &to.values, labels: &pairs.labels };
    let each = |convention| average_precisions(queries, gallery, convention);
    let map = Convention::NAMES.map(|(name, convention)| (name, mean(&each(convention))));
    let named = by_class(&each(Convention::All), &pairs.labels);
    Direction {
        map: map.into(),
        by_class: named.into_iter().map(|(class, map)| (classes[class].clone(), map)).collect(),
        precision: precision_recall(&rankings(queries, gallery, false), POINTS),
    }
}

fn print(found: &Found) {
    say!("{} on {} of {} ({} pairs)", found.method, found.part, found.set, found.pairs);
    say!("{:<16}{:>16}{:>16}", "mAP", "image -> text", "text -> image");
    let (a, b) = (&found.image_to_text, &found.text_to_image);
    for (name, _) in Convention::NAMES {
        say!("{name:<16}{:>16.3}{:>16.3}", a.map[name], b.map[name]);
    }
    say!("of a class (mAP `all`)");
    for (name, value) in &a.by_class {
        say!(
            "  {name:<14}{value:>16.3}{:>16.3}",
            b.by_class.get(name).copied().unwrap_or(f64::NAN)
        );
    }
    say!("precision at recall");
    for at in 0..POINTS {
        let recall = (at + 1) as f64 / POINTS as f64;
        say!("  {recall:<14.1}{:>16.3}{:>16.3}", a.precision[at], b.precision[at]);
    }
}
