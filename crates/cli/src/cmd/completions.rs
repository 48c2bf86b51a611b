//! `tuwen completions SHELL`

use std::process::ExitCode;

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
    clap_complete::generate(args.shell, &mut C::command(), "tuwen", &mut std::io::stdout());
    Ok(ExitCode::SUCCESS)
}
