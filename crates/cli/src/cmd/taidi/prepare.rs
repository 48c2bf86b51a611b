//! `tuwen taidi prepare`

use std::path::PathBuf;

use anyhow::Result;

use super::super::data::{self, SourceArgs};
use crate::output::Force;

/// What to prepare.
#[derive(clap::Args)]
pub struct Args {
    /// The contest's folder, with 附件1
    root: PathBuf,
    /// Another seed gives another split
    #[arg(long, default_value_t = 42)]
    seed: u64,
    #[command(flatten)]
    force: Force,
}

/// Counts 附件1 and divides it.
pub fn run(args: &Args) -> Result<()> {
    let table = args.root.join("附件1/ImageWordData.csv");
    data::stats::run(&data::stats::Args::new(SourceArgs::new(table.clone())))?;
    let out = args.root.join("tuwen/split");
    let mut split = data::split::Args::new(SourceArgs::new(table), out, args.seed);
    split.force = args.force;
    data::split::run(&split)
}
