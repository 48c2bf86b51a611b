//! `tuwen space bench CONFIG`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use tuwen_eval::labelled::Convention;
use tuwen_space::bench::{Measure, On, Watch, bench, jobs};
use tuwen_space::report::Report;

use super::{Opened, stopped, stopper, unless_stopped};
use crate::cmd::by_name;
use crate::output::{Force, OutputFile};
use crate::progress;
use crate::terminal::say;

/// The names of `--on`.
const PARTS: [(&str, On); 2] = [("test", On::Test), ("valid", On::Valid)];

/// Compare all methods of a configuration by one protocol, in one table
#[derive(clap::Args)]
pub struct Args {
    /// The configuration: set, protocol, methods
    config: PathBuf,
    /// Only these methods, by name
    #[arg(long)]
    method: Vec<String>,
    /// `test` measures on the test part; `valid` on a fifth of the training part that nobody learns from: to choose
    /// settings
    #[arg(long, default_value = "test", value_parser = by_name(&PARTS))]
    on: On,
    /// Runs at the same time; numbers do not depend on it
    #[arg(long)]
    threads: Option<usize>,
    /// Print JSON: every run and the table
    #[arg(long)]
    json: bool,
    /// Write the table as Markdown as well
    #[arg(long)]
    markdown: Option<PathBuf>,
    #[command(flatten)]
    force: Force,
}

/// Runs everything and prints the table.
pub fn run(args: &Args) -> Result<ExitCode> {
    let inputs = [args.config.as_path()];
    let plan = |path: &PathBuf| OutputFile::plan(path, &inputs, args.force);
    let markdown = args.markdown.as_ref().map(plan).transpose()?;
    let opened = Opened::load(&args.config)?;
    let contenders = opened.contenders(&args.method)?;
    let stop = stopper("stopping; nothing is printed of runs that are not complete")?;
    let bar = progress::bar(Some(jobs(&opened.config, &contenders)), "runs");
    let done = |done: usize, _: usize, _: &str| bar.set_position(done as u64);
    let threads = args.threads.unwrap_or_else(rayon::current_num_threads);
    let watch = Watch { threads, stop: &stop, done: &done };
    let runs = unless_stopped(bench(&opened.config, &opened.set, &contenders, args.on, &watch))?;
    bar.finish_and_clear();
    let Some(runs) = runs else { return Ok(stopped()) };
    let protocol = &opened.config.protocol;
    let report = Report::new(&opened.config.name, &runs, &protocol.map, &opened.config.compare);
    if args.json {
        say!("{}", serde_json::to_string(&serde_json::json!({ "report": report, "runs": runs }))?);
    } else {
        print(&report);
    }
    if let Some(file) = markdown {
        file.write(report.to_markdown().as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print(report: &Report) {
    let mut before: Option<(Measure, Convention)> = None;
    let wide = report.rows.iter().map(|row| row.method.chars().count()).max().unwrap_or(0) + 2;
    for row in &report.rows {
        if before != Some((row.measure, row.convention)) {
            before = Some((row.measure, row.convention));
            let (name, convention) = (name_of(row.measure), row.convention.name());
            say!("{}, {name}: mAP `{convention}`, {} runs", report.set, row.runs);
            say!(
                "  {:<wide$}{:>16}{:>16}{:>16}{:>8}",
                "",
                "image -> text",
                "text -> image",
                "mean",
                "s"
            );
        }
        let [a, b, both] = row.map.map(|s| format!("{:.3} ± {:.3}", s.mean, s.deviation));
        say!("  {:<wide$}{a:>16}{b:>16}{both:>16}{:>8.1}", row.method, row.seconds);
    }
    for one in &report.better {
        let (name, [first, second]) = (name_of(one.measure), &one.methods);
        let paired = &one.paired;
        let p = paired.p.map_or_else(String::new, |p| format!(", p {p:.3}"));
        say!(
            "{second} over {first}, {name}: {:+.3} (95% {:+.3} to {:+.3}; better in {} of {}{p})",
            paired.difference,
            paired.interval[0],
            paired.interval[1],
            paired.better,
            paired.splits
        );
    }
}

fn name_of(measure: Measure) -> &'static str {
    Measure::NAMES.iter().find(|(_, one)| *one == measure).map_or("", |(name, _)| name)
}
