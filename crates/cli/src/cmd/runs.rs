//! `tuwen runs`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::Value;
use tuwen_train::History;

use crate::terminal::say;

/// Compare training runs: the recall of each at its best step, as `best_by` chose it, with its interval,
/// steps and time
#[derive(clap::Args)]
#[command(after_help = "Example:\n  tuwen runs runs/*\n\n\
    Intervals are 95% bootstrap intervals over pictures. Where those of two runs overlap widely, \
    `tuwen score --compare` on their `tuwen eval --out` files tells whether the difference is chance.")]
pub struct Args {
    /// Run folders
    #[arg(required = true)]
    folders: Vec<PathBuf>,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// Reads and prints.
pub fn run(args: &Args) -> Result<ExitCode> {
    show(&args.folders, args.json)?;
    Ok(ExitCode::SUCCESS)
}

/// One source of captions of one run, at the run's best validation.
#[derive(Serialize)]
struct Line {
    run: String,
    source: String,
    /// Where it was best, and how many steps there were.
    best_step: u64,
    steps: u64,
    /// R@1/5/10 with their intervals, text to image and image to text.
    recall: [[Value; 3]; 2],
    interval: [[Value; 3]; 2],
    /// Of training alone.
    minutes: f64,
}

/// Prints runs side by side.
pub fn show(folders: &[PathBuf], json: bool) -> Result<()> {
    let mut lines = Vec::new();
    for folder in folders {
        lines.extend(read(folder)?);
    }
    if json {
        say!("{}", serde_json::to_string(&lines)?);
        return Ok(());
    }
    say!(
        "{:<28} {:<12} {:>11} {:>8}  {:<32} image-to-text",
        "run",
        "captions",
        "best step",
        "minutes",
        "text-to-image R@1/5/10"
    );
    for line in &lines {
        let cell = |direction: usize| {
            let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
            let recall = line.recall[direction].each_ref().map(number);
            let width =
                number(&line.interval[direction][0][1]) - number(&line.interval[direction][0][0]);
            let [r1, r5, r10] = recall;
            format!("{r1:.1}/{r5:.1}/{r10:.1} (R@1 ±{:.1})", width / 2.0)
        };
        say!(
            "{:<28} {:<12} {:>5}/{:<5} {:>8.1}  {:<32} {}",
            line.run,
            line.source,
            line.best_step,
            line.steps,
            line.minutes,
            cell(0),
            cell(1)
        );
    }
    Ok(())
}

fn read(folder: &Path) -> Result<Vec<Line>> {
    let history = History::read(folder)?;
    let best = history.best();
    let best = best.with_context(|| format!("{}: nothing was measured yet", folder.display()))?;
    let line = |(source, report): (&String, &Value)| {
        let parts = |key: &str| {
            ["text_to_image", "image_to_text"]
                .map(|direction| [0, 1, 2].map(|at| report[direction][key][at].clone()))
        };
        Line {
            run: name(folder),
            source: source.clone(),
            best_step: best["step"].as_u64().unwrap_or(0),
            steps: history.steps(),
            recall: parts("recall"),
            interval: parts("interval"),
            minutes: history.minutes(),
        }
    };
    Ok(best["valid"].as_object().into_iter().flatten().map(line).collect())
}

/// A run's name is its folder's; `.` has its name elsewhere.
fn name(folder: &Path) -> String {
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    folder.file_name().or(whole.file_name()).unwrap_or_default().to_string_lossy().into_owned()
}
