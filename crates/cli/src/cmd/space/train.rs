//! `tuwen space train CONFIG --method NAME --out FILE`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use tuwen_space::deep::{Epoch, Given};
use tuwen_space::{Space, Stored};

use super::{Opened, stopped, stopper, unless_stopped};
use crate::output::{Force, OutputFile};
use crate::terminal::say;

/// Learn a space from the training part by one method, and write it to a file
#[derive(clap::Args)]
pub struct Args {
    /// The configuration: set, protocol, methods
    config: PathBuf,
    /// The method, by its name in the configuration
    #[arg(long)]
    method: String,
    /// The file for the space
    #[arg(long)]
    out: PathBuf,
    /// Of first values, order and the validation part
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    force: Force,
}

/// Learns.
pub fn run(args: &Args) -> Result<ExitCode> {
    let out = OutputFile::plan(&args.out, &[&args.config], args.force)?;
    let opened = Opened::load(&args.config)?;
    let stop = stopper("stopping; nothing is written")?;
    let Some((space, curve)) = learned(&opened, &args.method, args.seed, &stop)? else {
        return Ok(stopped());
    };
    if let Some(best) = curve.iter().map(|epoch| epoch.valid).max_by(f64::total_cmp) {
        let at = curve.iter().position(|epoch| epoch.valid == best).unwrap_or(0) + 1;
        say!("epoch {at} of {} is the best: mAP {best:.3} on the validation part", curve.len());
    }
    let train = &opened.set.train;
    let stored = Stored {
        set: opened.config.name.clone(),
        method: args.method.clone(),
        seed: args.seed,
        widths: [train.images.width, train.texts.width],
        space,
    };
    out.write(&stored.to_bytes()?)?;
    say!("done: {} ({} learned from {} pairs)", args.out.display(), args.method, train.len());
    Ok(ExitCode::SUCCESS)
}

/// A space by one method, as the standard protocol learns it; none where it was stopped.
pub fn learned(
    opened: &Opened,
    method: &str,
    seed: u64,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Option<(Space, Vec<Epoch>)>> {
    let contenders = opened.contenders(&[method.to_owned()])?;
    let (config, all) = (contenders[0].config, &opened.set.train);
    let (train, valid) = match config.learn.chooses() {
        true => all.parted(opened.config.protocol.valid, seed),
        false => (all.clone(), all.pick(&[])),
    };
    let classes = &contenders[0].meanings;
    unless_stopped(contenders[0].fit(Given { train: &train, valid: &valid, classes, seed, stop }))
}
