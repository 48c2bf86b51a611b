//! `tuwen taidi report`

use std::path::PathBuf;

use anyhow::{Result, bail};
use tuwen_encode::builtin;

use super::super::eval;
use crate::output::Force;
use crate::terminal::say;

/// What to measure.
#[derive(clap::Args)]
pub struct Args {
    /// The contest's folder, after `tuwen taidi prepare`
    root: PathBuf,
    /// A name of `tuwen model list`, a folder with weights, or a .pt file
    #[arg(long, default_value = builtin::BUILT_IN)]
    model: String,
    #[command(flatten)]
    force: Force,
}

/// Measures on val.ids: the truth of 附件2 and 附件3 was never published.
pub fn run(args: &Args) -> Result<()> {
    let ids = args.root.join("tuwen/split/val.ids");
    if !ids.is_file() {
        bail!("{} is not there: run `tuwen taidi prepare {}`", ids.display(), args.root.display());
    }
    let page = args.root.join("tuwen/report");
    let part = args.root.join("附件1");
    let (images, captions) = (part.join("ImageData"), part.join("ImageWordData.csv"));
    let mut eval = eval::Args::with_report(args.model.clone(), images, captions, ids, page.clone());
    eval.force = args.force;
    eval::run(&eval)?;
    say!("look at {}", page.join("index.html").display());
    Ok(())
}
