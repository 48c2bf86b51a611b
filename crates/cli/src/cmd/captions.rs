//! `tuwen captions train CONFIG.toml`

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::Ordering::Relaxed;

use anyhow::Result;
use clap::Subcommand;
use tuwen_train::captions::{CaptionsEvent, CaptionsTrainConfig, Watch, train_captions};

use crate::progress::Tenths;
use crate::stop;
use crate::terminal::say;

/// Train a decoder that says what pictures show (`tuwen caption` uses it)
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  tuwen captions train configs/train/captions/tuwen-small.toml\n  \
    tuwen caption dog.jpg --decoder runs/tuwen-small-captions\n\n\
    The model's image tower stays as it is and gives its rows once, into the folder `cache`, which other trainings \
    share.\nStopped and started again, the same command goes on from where it measured last. Paths in a configuration \
    are\nrelative to the folder that it lies in."
)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train a decoder as a configuration says, and write it to its `out`
    Train(TrainArgs),
}

#[derive(clap::Args)]
struct TrainArgs {
    /// The configuration
    config: PathBuf,
}

/// Trains.
pub fn run(args: &Args) -> Result<ExitCode> {
    let Command::Train(args) = &args.command;
    let config = CaptionsTrainConfig::load(&args.config)?;
    let flag = super::stop_flag("stopping; the same command goes on from the last measurement")?;
    let tenths = Tenths::default();
    let tell = |event: CaptionsEvent| match &event {
        CaptionsEvent::Rows(what, done, all) if !tenths.is_new(what, *done, *all) => {}
        _ => line(&event),
    };
    let stop = || flag.load(Relaxed);
    match train_captions(&config, Watch { tell: &tell, stop: &stop }) {
        Err(tuwen_train::Error::Stopped) => {
            say!("stopped; the same command goes on from the last measurement");
            Ok(ExitCode::from(stop::CODE))
        }
        done => {
            done?;
            say!("done: the decoder lies in {} (--decoder {0})", config.out.display());
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn line(event: &CaptionsEvent) {
    match event {
        CaptionsEvent::Rows(what, done, all) => say!("rows of {what}: {done} of {all}"),
        CaptionsEvent::GoesOn(step) => say!("going on after step {step}"),
        CaptionsEvent::Loss(what, step, steps, mean) => {
            say!("step {step} of {steps}: {what} {mean:.4}")
        }
        CaptionsEvent::HeldOut(step, found, best) => {
            let each = found.iter().map(|(language, worth)| format!("{language} {worth:.3}"));
            let each = each.collect::<Vec<_>>().join(", ");
            let best = if *best { ", the best so far" } else { "" };
            say!("step {step}, held-out pictures: CIDEr-D {each}{best}");
        }
        CaptionsEvent::Measured(who, language, by, report) => {
            let number = |name: &str, found: &tuwen_eval::captions::Measured| {
                let [low, high] = found.interval;
                format!("{name} {:.4} ({low:.4}-{high:.4})", found.value)
            };
            say!(
                "validation pictures, {language} by {by}, {who}: {}, {}, {}, length {:.3}",
                number("CIDEr-D", &report.cider_d),
                number("BLEU-4", &report.bleu[3]),
                number("ROUGE-L", &report.rouge_l),
                report.length_ratio
            );
        }
    }
}
