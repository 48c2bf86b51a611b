//! What `tuwen classify` prints and writes.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::json;
use tuwen_encode::CpuEncoder;
use tuwen_encode::Encoder;
use tuwen_eval::classify::{Accuracy, accuracy, ranking};

use super::{Args, Classified};
use crate::output::OutputFile;
use crate::terminal::say;
use crate::words::counted;

/// Classes whose confusions are printed as a table; of more, only the largest ones are.
const TABLE: usize = 12;
/// How many confusions are listed.
const LISTED: usize = 10;

/// The likeliest labels of each picture.
pub(super) fn pictures(args: &Args, labels: &[String], found: &[Classified]) -> Result<()> {
    for picture in found {
        let best = ranking(&picture.probabilities).into_iter().take(args.top as usize);
        if args.json {
            let best = best.map(|label| {
                json!({ "label": labels[label], "probability": picture.probabilities[label] })
            });
            let best: Vec<serde_json::Value> = best.collect();
            say!("{}", json!({ "path": picture.path.to_string_lossy(), "labels": best }));
        } else {
            say!("{}", picture.path.display());
            for label in best {
                say!("  {:5.1}%  {}", 100.0 * picture.probabilities[label], labels[label]);
            }
        }
    }
    Ok(())
}

/// The files that were asked for.
pub(super) struct Files {
    confusion: Option<OutputFile>,
    elevater: Option<OutputFile>,
}

impl Files {
    /// Looks whether they can be written.
    pub(super) fn plan(args: &Args) -> Result<Self> {
        let inputs: Vec<&Path> =
            [&args.data, &args.labels].into_iter().flatten().map(PathBuf::as_path).collect();
        let plan = |path: &Option<PathBuf>| {
            path.as_deref().map(|path| OutputFile::plan(path, &inputs, args.force)).transpose()
        };
        Ok(Self { confusion: plan(&args.confusion)?, elevater: plan(&args.elevater)? })
    }
}

/// Accuracy over a set, and the files that were asked for.
pub(super) fn measures(
    args: &Args,
    files: &Files,
    encoder: &CpuEncoder,
    labels: &[String],
    found: &[Classified],
    skipped: usize,
) -> Result<()> {
    let truth: Vec<usize> = found.iter().filter_map(|picture| picture.truth).collect();
    let rankings: Vec<Vec<usize>> =
        found.iter().map(|picture| ranking(&picture.probabilities)).collect();
    let measured = accuracy(&truth, &rankings, labels.len());
    if let Some(file) = &files.confusion {
        file.write(confusion_csv(&measured, labels).as_bytes())?;
    }
    if let Some(file) = &files.elevater {
        let set = args.data.as_deref().unwrap_or(Path::new(""));
        file.write(elevater(encoder, set, found)?.as_bytes())?;
    }
    if args.json {
        let mut json = serde_json::to_value(&measured)?;
        json["skipped"] = json!(skipped);
        say!("{json}");
        return Ok(());
    }
    say!(
        "top-1 {:.2} (chance {:.2}), top-5 {:.2}, mean per class {:.2}: {}, {}, {skipped} skipped",
        measured.top1,
        measured.chance,
        measured.top5,
        measured.mean_per_class,
        counted(measured.pictures, "picture"),
        counted(measured.labels, "label")
    );
    if labels.len() <= TABLE {
        table(&measured, labels);
    }
    confusions(&measured, labels);
    Ok(())
}

/// Rows are the classes, columns what they were taken for.
fn table(measured: &Accuracy, labels: &[String]) {
    let numbers: String = (0..labels.len()).map(|column| format!("{column:6}")).collect();
    say!("     {numbers}  taken for");
    for (row, (counts, label)) in measured.confusion.iter().zip(labels).enumerate() {
        let counts: String = counts.iter().map(|count| format!("{count:6}")).collect();
        say!("{row:4} {counts}  {label}");
    }
}

/// The pairs of classes that are mixed up most.
fn confusions(measured: &Accuracy, labels: &[String]) {
    let mut pairs = Vec::new();
    for (truth, row) in measured.confusion.iter().enumerate() {
        for (taken, &count) in row.iter().enumerate() {
            if taken != truth && count > 0 {
                pairs.push((count, truth, taken));
            }
        }
    }
    pairs.sort_by_key(|&(count, truth, taken)| (std::cmp::Reverse(count), truth, taken));
    for (count, truth, taken) in pairs.into_iter().take(LISTED) {
        let all: usize = measured.confusion[truth].iter().sum();
        say!("{count} of {all} `{}` taken for `{}`", labels[truth], labels[taken]);
    }
}

fn confusion_csv(measured: &Accuracy, labels: &[String]) -> String {
    let quoted = |label: &String| format!("\"{}\"", label.replace('"', "\"\""));
    let header: Vec<String> = labels.iter().map(quoted).collect();
    let mut out = format!("label,{}\n", header.join(","));
    for (row, label) in measured.confusion.iter().zip(labels) {
        let counts: Vec<String> = row.iter().map(ToString::to_string).collect();
        out += &format!("{},{}\n", quoted(label), counts.join(","));
    }
    out
}

/// As Chinese-CLIP's `zeroshot_evaluation.py` writes it: probabilities with six digits.
fn elevater(encoder: &CpuEncoder, set: &Path, found: &[Classified]) -> Result<String> {
    let shapes = encoder.config().weight_shapes();
    let count = |visual: bool| -> usize {
        let wanted = |name: &str| !visual || name.contains("image");
        let shapes = shapes.iter().filter(|(name, _)| wanted(name));
        shapes.map(|(_, shape)| shape.iter().product::<usize>()).sum()
    };
    let rounded = |p: &f32| (f64::from(*p) * 1e6).round() / 1e6;
    let predictions: Vec<Vec<f64>> =
        found.iter().map(|picture| picture.probabilities.iter().map(rounded).collect()).collect();
    let name = std::fs::canonicalize(set)?;
    let name = name.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    Ok(json!({
        "model_name": encoder.name(),
        "dataset_name": name,
        "num_trainable_params": 0,
        "num_params": count(false),
        "num_visual_params": count(true),
        "num_backbone_params": count(false),
        "n_shot": 0,
        "rnd_seeds": [123],
        "predictions": [predictions],
    })
    .to_string())
}
