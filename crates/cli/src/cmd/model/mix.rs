//! `tuwen model mix`

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use tuwen_files::staged::StagedFolder;

use crate::number;
use crate::output::StagedOutput;
use crate::query::Usage;
use crate::terminal::say;

/// Which models, and how much of each.
#[derive(clap::Args)]
pub struct Args {
    /// Names of `tuwen model list`, folders with weights, or .pt files, all of one architecture
    #[arg(required = true, num_args = 2..)]
    models: Vec<String>,
    /// A share for each, in their order; all the same when not given
    #[arg(long, value_parser = number::weight())]
    weight: Vec<f32>,
    /// The new model's folder
    #[arg(long)]
    out: PathBuf,
}

/// Writes the mean of the weights.
pub fn run(args: &Args) -> Result<()> {
    let (models, weights) = (args.models.len(), args.weight.len());
    let shares = match weights {
        0 => vec![1.0; models],
        _ if weights == models => args.weight.clone(),
        _ => bail!(Usage(format!("{weights} --weight for {models} models: give one for each"))),
    };
    let inputs: Vec<&Path> = args.models.iter().map(Path::new).collect();
    let begin = || StagedFolder::create(&args.out);
    let (_announced, staged) = StagedOutput::begin(&args.out, &inputs, begin)?;
    let model = tuwen_train::soup(&args.models, &shares, staged.path())?;
    staged.finish()?;
    say!("{}: {}, mean of {models} models", args.out.display(), model.config.name);
    Ok(())
}
