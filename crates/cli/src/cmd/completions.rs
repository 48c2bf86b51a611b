//! `tuwen completions SHELL`

use std::process::ExitCode;

use crate::terminal::raw;
use anyhow::Result;
use clap::CommandFactory;
use clap_complete::Shell;

/// Print completions for a shell
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  tuwen completions bash > ~/.local/share/bash-completion/completions/tuwen"
)]
pub struct Args {
    /// The shell
    shell: Shell,
}

/// Prints the script.
pub fn run<C: CommandFactory>(args: &Args) -> Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut C::command(), "tuwen", &mut script);
    raw(&script);
    Ok(ExitCode::SUCCESS)
}
