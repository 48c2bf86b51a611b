//! `tuwen taidi prepare`

use std::path::PathBuf;

use anyhow::Result;

use super::super::data::{self, SourceArgs};

/// What to prepare.
#[derive(clap::Args)]
pub struct Args {
    /// The contest's folder, with 附件1
    root: PathBuf,
    /// Another seed gives another split
    #[arg(long, default_value_t = 42)]
    seed: u64,
}

/// Counts 附件1 and divides it.
pub fn run(args: &Args) -> Result<()> {
    let table = args.root.join("附件1/ImageWordData.csv");
    data::stats::run(&data::stats::Args::new(SourceArgs::new(table.clone())))?;
    data::split::run(&data::split::Args::new(
        SourceArgs::new(table),
        args.root.join("tuwen/split"),
        args.seed,
    ))
}
