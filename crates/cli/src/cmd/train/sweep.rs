//! `tuwen train sweep`

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tuwen_train::{Options, Stop, TrainConfig, train};

use super::super::runs;
use super::dashboard::Dashboard;
use crate::number;
use crate::terminal::say;

/// Which rates, and how long.
#[derive(clap::Args)]
pub struct Args {
    /// The configuration whose learning rates are multiplied
    config: PathBuf,
    /// By this; give several
    #[arg(long, default_values_t = [0.3, 1.0, 3.0], value_parser = number::weight())]
    factor: Vec<f32>,
    /// Epochs of each try, instead of the configuration's
    #[arg(long, value_parser = number::whole(1..=number::MANY))]
    epochs: Option<usize>,
    /// Stop after so many minutes in all; the same command goes on from there
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=number::MANY))]
    minutes: Option<u64>,
}

/// Runs each factor in a folder of its own under `OUT-sweep`, and prints them side by side.
pub fn run(args: &Args) -> Result<ExitCode> {
    let config = TrainConfig::load(&args.config)?;
    let stop = super::super::stop_flag(super::STOPPING)?;
    let end = args.minutes.map(|minutes| Instant::now() + Duration::from_secs(60 * minutes));
    let spent = || end.is_some_and(|end| Instant::now() >= end);
    let folder = beside(&config.out)?;
    let tries = args.factor.iter().map(|&factor| {
        let mut tried = scaled(config.clone(), factor);
        tried.out = folder.join(format!("x{factor}"));
        tried.epochs = args.epochs.unwrap_or(config.epochs);
        Ok((factor, tried.checked()?))
    });
    let tries: Vec<(f32, TrainConfig)> = tries.collect::<Result<_>>()?;
    let mut done = Vec::new();
    for (factor, tried) in tries {
        if spent() {
            say!("the budget is spent before {factor}: the same command goes on from there");
            break;
        }
        say!("learning rates x {factor}: {}", tried.out.display());
        one(&tried, &|| stop.load(Ordering::Relaxed) || spent())?;
        if stop.load(Ordering::Relaxed) {
            say!("stopped; run the same command to go on");
            return Ok(ExitCode::from(crate::stop::CODE));
        }
        done.push(tried.out);
    }
    runs::show(&done, false)?;
    Ok(ExitCode::SUCCESS)
}

/// The folder of all tries, beside the run's own.
fn beside(run: &Path) -> Result<PathBuf> {
    let run = match run.file_name() {
        Some(_) => run.to_path_buf(),
        // `.` has its name elsewhere.
        None => run.canonicalize().with_context(|| run.display().to_string())?,
    };
    let mut name = run.into_os_string();
    name.push("-sweep");
    Ok(PathBuf::from(name))
}

fn one(config: &TrainConfig, stop: &Stop<'_>) -> Result<()> {
    let dashboard = Dashboard::new()?;
    let options = Options::default();
    let done = train(config, &options, stop, &|event| dashboard.show(event));
    dashboard.finish();
    match done {
        // That a rate is too high is a result.
        Err(error @ tuwen_train::Error::Diverged { .. }) => say!("{error}"),
        other => drop(other?),
    }
    Ok(())
}

fn scaled(mut config: TrainConfig, factor: f32) -> TrainConfig {
    let optim = &mut config.optim;
    let rates = [&mut optim.image_lr, &mut optim.text_lr, &mut optim.embed_lr, &mut optim.heads_lr];
    rates.into_iter().for_each(|rate| *rate *= factor);
    if let Some(lora) = &mut config.lora {
        lora.lr *= factor;
    }
    config
}
