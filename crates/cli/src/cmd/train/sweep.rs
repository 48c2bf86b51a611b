//! `tuwen train sweep`

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use tuwen_train::{Engine, Options, TrainConfig, train};

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
    let mut name = config.out.clone().into_os_string();
    name.push("-sweep");
    let folder = PathBuf::from(name);
    let mut done = Vec::new();
    for &factor in &args.factor {
        let over = end.is_some_and(|end| Instant::now() >= end) || stop.load(Ordering::Relaxed);
        if over {
            say!("the budget is spent before {factor}: the same command goes on from there");
            break;
        }
        let out = folder.join(format!("x{factor}"));
        say!("learning rates x {factor}: {}", out.display());
        let tried = TrainConfig {
            out: out.clone(),
            epochs: args.epochs.unwrap_or(config.epochs),
            ..scaled(config.clone(), factor)
        };
        one(&tried, &stop, end)?;
        done.push(out);
    }
    runs::show(&done, false)?;
    Ok(ExitCode::SUCCESS)
}

fn one(config: &TrainConfig, stop: &AtomicBool, end: Option<Instant>) -> Result<()> {
    let dashboard = Dashboard::new()?;
    let options = Options { engine: Engine::Cpu, changed_data: false };
    let tell = |event: tuwen_train::Event<'_>| {
        if end.is_some_and(|end| Instant::now() >= end) {
            stop.store(true, Ordering::Relaxed);
        }
        dashboard.show(event);
    };
    let done = train(config, &options, stop, &tell);
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
