//! `tuwen train CONFIG.toml`, `tuwen train init | sweep | wise`

mod dashboard;
pub mod init;
mod sweep;
mod wise;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use tuwen_train::{Event, History, Options, TrainConfig, train};

use dashboard::Dashboard;

use crate::stop;
use crate::terminal::say;

/// Train a dual encoder; the same command resumes an interrupted run
#[derive(clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  \
    tuwen data split captions.csv --out split\n  \
    tuwen train init captions.csv --train-ids split/train.ids --valid-ids split/val.ids --out my.toml\n  \
    tuwen train my.toml --check\n  \
    tuwen train my.toml\n  \
    tuwen train sweep my.toml --factor 0.3 --factor 1 --factor 3 --epochs 2\n  \
    tuwen train wise my.toml\n\n\
    Paths in a configuration are relative to the folder that it lies in. The run folder (`out`) receives config.toml, log.jsonl, TensorBoard's events, checkpoints, the best \
    model, which `--model FOLDER` opens, curves.svg and, at the end, report.html."
)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// The run's configuration
    #[arg(required = true)]
    pub config: Option<PathBuf>,
    /// Where to compute; there is no way to a GPU yet
    #[arg(long, default_value = "cpu", value_parser = ["cpu", "gpu"])]
    pub device: String,
    /// Say what the run will need and what looks wrong, and take no step
    #[arg(long)]
    pub check: bool,
    /// Go on with a run whose data have changed since its checkpoint
    #[arg(long)]
    pub changed_data: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Write a configuration for your data from a preset
    Init(init::Args),
    /// Try a few learning rates with a small budget, and compare them
    Sweep(sweep::Args),
    /// Measure what lies between a run's start and its best model, on the validation set and on the
    /// other one, and keep the best (WiSE-FT)
    Wise(wise::Args),
}

impl Args {
    /// A run on the CPU.
    pub fn new(config: PathBuf) -> Self {
        let (command, config) = (None, Some(config));
        Self { command, config, device: "cpu".into(), check: false, changed_data: false }
    }
}

/// Trains.
pub fn run(args: &Args) -> Result<ExitCode> {
    match &args.command {
        Some(Command::Init(args)) => return init::run(args),
        Some(Command::Sweep(args)) => return sweep::run(args),
        Some(Command::Wise(args)) => return wise::run(args),
        None => {}
    }
    let config = TrainConfig::load(args.config.as_ref().context("clap asks for it")?)?;
    if args.check {
        return check(&config);
    }
    if args.device == "gpu" {
        bail!("this tuwen has no way to a GPU yet: train with --device cpu (which is the default)");
    }
    let dashboard = Dashboard::new()?;
    let options = Options { changed_data: args.changed_data };
    // While data are read there is nothing to finish: until then a signal ends the program at once.
    let flag = OnceLock::new();
    let stop = || flag.get().is_some_and(|flag: &Arc<AtomicBool>| flag.load(Relaxed));
    let tell = |event: Event<'_>| {
        if matches!(event, Event::Data { .. }) {
            flag.get_or_init(|| stop::flag(STOPPING));
        }
        dashboard.show(event);
    };
    let complete = train(&config, &options, &stop, &tell);
    dashboard.finish();
    if !complete? {
        say!("stopped; run the same command to go on");
        return Ok(ExitCode::from(stop::CODE));
    }
    done(&config);
    Ok(ExitCode::SUCCESS)
}

/// What lies where, and what comes next.
fn done(config: &TrainConfig) {
    let out = config.out.display();
    let best = History::read(&config.out).ok().and_then(|run| run.best()?["step"].as_u64());
    match best {
        Some(0) => say!(
            "done: no step was better than the start, and the model in {out} is that of step 0: look at \
             {out}/report.html, and at the learning rates"
        ),
        Some(step) => {
            say!(
                "done: the best model, of step {step}, lies in {out}, the report is {out}/report.html"
            );
        }
        None => say!("done: the best model lies in {out}, the report is {out}/report.html"),
    }
    if config.int8 {
        say!(
            "it learned for 8 bits and is kept in 16: `tuwen model convert {out} {out}-int8 --precision int8` writes \
             those"
        );
    }
}

const STOPPING: &str = "stopping after this step; the same command goes on from there";

/// Says what the run will need; the exit code is 1 when something is wrong.
fn check(config: &TrainConfig) -> Result<ExitCode> {
    let found = tuwen_train::check(config)?;
    for (name, value) in &found.facts {
        say!("{name:<28}{value}");
    }
    found.advice.iter().for_each(|advice| say!("look at this: {advice}"));
    if found.advice.is_empty() {
        say!("nothing looks wrong");
    }
    Ok(if found.advice.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
