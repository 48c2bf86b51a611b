//! `tuwen fuse train CONFIG.toml`

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::Ordering::Relaxed;

use anyhow::{Context, Result};
use clap::Subcommand;
use tuwen_train::fuse::{FuseEvent, FuseTrainConfig, Watch, train_fuser};

use crate::output::{Force, OutputFile};
use crate::progress::Tenths;
use crate::stop;
use crate::terminal::say;

/// Train a network that makes one vector of a picture's and a text's: of an item, or of a query
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  tuwen fuse train configs/train/fuse/tuwen-small-items.toml\n  \
    tuwen index photos --captions photos/captions.csv --fuse learned:runs/tuwen-small-items.safetensors\n  \
    tuwen fuse train configs/train/fuse/tuwen-small-queries.toml\n  \
    tuwen search in the snow --image dog.jpg --combiner runs/tuwen-small-queries.safetensors\n\n\
    The model stays as it is and gives its vectors once, into the folder `cache`, which other trainings share. Paths \
    in a configuration are relative to the folder that it lies in. `tuwen eval fused` and `tuwen eval composed` say \
    what it is worth."
)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train a fuser as a configuration says, and write it to its `out`
    Train(TrainArgs),
}

#[derive(clap::Args)]
struct TrainArgs {
    /// The configuration
    config: PathBuf,
    #[command(flatten)]
    force: Force,
}

/// Trains.
pub fn run(args: &Args) -> Result<ExitCode> {
    let Command::Train(args) = &args.command;
    let config = FuseTrainConfig::load(&args.config)?;
    // The folder is made, as those of other trainings are.
    if let Some(folder) = config.out.parent() {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    let _checked = OutputFile::plan(&config.out, &[&args.config], args.force)?;
    let flag =
        super::stop_flag("stopping; vectors that were computed are kept where they are whole")?;
    let tenths = Tenths::default();
    let tell = |event: FuseEvent| match event {
        FuseEvent::Vectors(what, done, all) => {
            if tenths.is_new(&what, done, all) {
                say!("vectors of {what}: {done} of {all}");
            }
        }
        FuseEvent::Questions(source, count) => {
            say!("{source}: its captions make {count} questions")
        }
        FuseEvent::Loss(step, steps, loss) => say!("step {step} of {steps}: loss {loss:.4}"),
    };
    let stop = || flag.load(Relaxed);
    match train_fuser(&config, Watch { tell: &tell, stop: &stop }) {
        Err(tuwen_train::Error::Stopped) => {
            say!("stopped; the same command begins again with the vectors that are kept");
            Ok(ExitCode::from(stop::CODE))
        }
        done => {
            done?;
            say!("done: the fuser is {}", config.out.display());
            Ok(ExitCode::SUCCESS)
        }
    }
}
