//! `tuwen heads train CONFIG.toml`

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::Ordering::Relaxed;

use anyhow::Result;
use clap::Subcommand;
use tuwen_train::heads::{HeadsEvent, HeadsTrainConfig, Outcome, Watch, train_heads};

use crate::progress::Tenths;
use crate::stop;
use crate::terminal::say;

/// Train heads that look again at what a model found: late interaction and matching
#[derive(clap::Args)]
#[command(after_help = "Example:\n  tuwen heads train configs/train/heads/tuwen-small.toml\n  \
    tuwen search a dog in the snow --rerank late:128 --heads runs/tuwen-small-heads\n\n\
    The model's towers stay as they are and give their tokens once, into the folder `cache`, which other \
    trainings share. Paths in a configuration are relative to the folder that it lies in.")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train heads as a configuration says, and write them to its `out`
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
    let config = HeadsTrainConfig::load(&args.config)?;
    let flag =
        super::stop_flag("stopping; tokens that were computed are kept where a source is whole")?;
    let tenths = Tenths::default();
    let tell = |event: HeadsEvent| match &event {
        HeadsEvent::Tokens(what, done, all) if !tenths.is_new(what, *done, *all) => {}
        _ => line(&event),
    };
    let stop = || flag.load(Relaxed);
    match train_heads(&config, Watch { tell: &tell, stop: &stop }) {
        Err(tuwen_train::Error::Stopped) => {
            say!("stopped; the same command begins again with the tokens that are kept");
            Ok(ExitCode::from(stop::CODE))
        }
        done => {
            done?;
            say!("done: the heads lie in {} (--heads {0})", config.out.display());
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn line(event: &HeadsEvent) {
    let three = |recall: &[f64; 3]| recall.map(|value| format!("{value:.1}")).join("/");
    match event {
        HeadsEvent::Tokens(what, done, all) => say!("tokens of {what}: {done} of {all}"),
        HeadsEvent::Loss(head, step, steps, loss) => {
            say!("{head}, step {step} of {steps}: loss {loss:.4}")
        }
        HeadsEvent::Measured(way, source, before, Outcome { recall, against }) => {
            let [low, high] = against.interval;
            say!(
                "{way}, {source}, text -> image: R@1/5/10 {} (the dual encoder alone {}), R@1 {:+.1} ({low:+.1} to \
                 {high:+.1})",
                three(recall),
                three(before),
                against.difference
            );
        }
        HeadsEvent::Cosine(head, [first, second], all) => say!(
            "{head}: the cosine counts {first} and {second} times as each half of the pictures chose for the other, \
             {all} times in the heads that are written"
        ),
    }
}
