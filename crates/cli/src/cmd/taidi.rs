//! `tuwen taidi prepare | train | report | predict | validate`

mod predict;
mod prepare;
mod report;
mod train;
mod validate;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

/// The Taidi Cup 2024, problem B, on the folder as the contest hands it out
#[derive(clap::Args)]
#[command(
    after_help = "Example, in the folder with 附件1, 附件2 and 附件3:\n  tuwen taidi prepare .\n  \
    tuwen taidi train .\n  \
    tuwen taidi report . --model tuwen/run\n  tuwen taidi predict . --model tuwen/run\n  tuwen taidi validate ."
)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Read 附件1 and divide it into train and validation, 80/20, seed 42, near-duplicates together
    Prepare(prepare::Args),
    /// Fine-tune a model on 附件1; the same command resumes
    Train(train::Args),
    /// Measure a model on the validation part of 附件1, with a page to look at
    Report(report::Args),
    /// Answer 附件2 and 附件3: result1.csv and result2.csv
    Predict(predict::Args),
    /// Check result1.csv and result2.csv: columns, ids, ranks, order, encoding; exit code 1 when wrong
    Validate(validate::Args),
}

/// Does what was asked for.
pub fn run(args: &Args) -> Result<ExitCode> {
    match &args.command {
        Command::Prepare(args) => prepare::run(args)?,
        Command::Train(args) => return train::run(args),
        Command::Report(args) => report::run(args)?,
        Command::Predict(args) => predict::run(args)?,
        Command::Validate(args) => return validate::run(args),
    }
    Ok(ExitCode::SUCCESS)
}
