//! `tuwen`: find images by words and words by images.
//!
//! The entry point is a table of contents: parse, dispatch, print. Exit codes: 0 done, 1 failed,
//! 2 wrong usage.

mod cmd;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Find images by words and words by images, in Chinese and English, offline.
#[derive(Parser)]
#[command(version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Train(cmd::train::Args),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Train(args) => cmd::train::run(&args),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
