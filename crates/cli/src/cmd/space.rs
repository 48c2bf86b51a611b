//! `tuwen space`: common spaces of two feature sets, learned, measured and compared.

mod bench;
mod eval;
mod hash;
mod plot;
mod project;
mod train;

use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::Ordering::Relaxed;

use anyhow::Result;
use clap::Subcommand;
use tuwen_encode::{Encoder, builtin};
use tuwen_space::bench::Contender;
use tuwen_space::config::{Config, MethodConfig};
use tuwen_space::{Error, Features, Set};

use crate::stop;

/// Learn a common space of two feature sets (CCA, ACMR, DSCMR, MASLN, ours), and compare methods by one protocol
#[derive(clap::Args)]
#[command(after_help = "Example:\n  tuwen space bench configs/space/wikipedia.toml\n  \
    tuwen space train configs/space/wikipedia.toml --method MASLN --out masln.space\n  \
    tuwen space eval masln.space configs/space/wikipedia.toml\n\n\
    Features come from .npy, .mat (v5 to v7) or lines of text. docs/common-space.md has methods, protocol and tables.")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Train(train::Args),
    Eval(eval::Args),
    Bench(bench::Args),
    Project(project::Args),
    Plot(plot::Args),
    Hash(hash::Args),
}

/// Does what is asked for.
pub fn run(args: &Args) -> Result<ExitCode> {
    match &args.command {
        Command::Train(args) => train::run(args),
        Command::Eval(args) => eval::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Project(args) => project::run(args),
        Command::Plot(args) => plot::run(args),
        Command::Hash(args) => hash::run(args),
    }
}

/// A set as a configuration says, with the methods to compare.
struct Opened {
    config: Config,
    set: Set,
}

impl Opened {
    fn load(path: &Path) -> Result<Self> {
        let config = Config::load(path)?;
        let set = config.set()?;
        Ok(Self { config, set })
    }

    /// The methods of these names, all where none is named, each with what stands for classes.
    fn contenders(&self, names: &[String]) -> Result<Vec<Contender<'_>>> {
        let chosen: Vec<&MethodConfig> = match names {
            [] => self.config.methods.iter().collect(),
            names => names.iter().map(|name| self.config.method(name)).collect::<Result<_, _>>()?,
        };
        let usual = &self.config.classes.meanings;
        let mut found = Vec::new();
        for config in chosen {
            let meanings = config.meanings.as_ref().unwrap_or(usual);
            found.push(Contender { config, meanings: meanings.rows(&self.set.classes, tower)? });
        }
        Ok(found)
    }
}

/// What the built-in model's text tower says of names.
fn tower(names: &[String]) -> tuwen_space::Result<Features> {
    let failed = |e: &dyn std::fmt::Display| Error::Input(format!("classes.meanings: {e}"));
    let encoder = builtin::open().map_err(|e| failed(&e))?;
    let texts: Vec<&str> = names.iter().map(String::as_str).collect();
    let values = encoder.encode_texts(&texts).map_err(|e| failed(&e))?;
    Ok(Features { values, width: encoder.dim() })
}

/// Whether a signal asked for the end; `says` is what the user is told.
fn stopper(says: &'static str) -> Result<impl Fn() -> bool + Sync> {
    let flag = super::stop_flag(says)?;
    Ok(move || flag.load(Relaxed))
}

/// The exit code of what was stopped; any other failure stays one.
fn unless_stopped<T>(done: tuwen_space::Result<T>) -> Result<Option<T>> {
    match done {
        Ok(done) => Ok(Some(done)),
        Err(Error::Stopped) => Ok(None),
        Err(other) => Err(other.into()),
    }
}

/// What a stopped command gives.
fn stopped() -> ExitCode {
    ExitCode::from(stop::CODE)
}
