//! `tuwen serve`

pub mod config;

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use tuwen_encode::Encoder;
use tuwen_serve::{State, app, listen, start_telemetry};

use self::config::Config;
use super::stop_flag;
use crate::query::Usage;
use crate::terminal::{note, say};

/// Serve galleries over HTTP: search, items, embeddings, and a page
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  tuwen serve\n  \
    tuwen serve --gallery ~/Pictures/.tuwen --gallery shop=/data/shop/.tuwen --watch ~/Pictures\n  \
    tuwen serve --listen 0.0.0.0:8787 --key-file keys.txt --host photos.example.org\n  \
    tuwen serve --config serve.toml --print-config\n\n\
    A flag counts more than the environment (TUWEN_SERVE_MAX_BODY for --max-body), that more than the file of \
    --config (max-body = 1000000). A file of keys has one a line, `read:KEY` or `write:KEY`, of 16 characters or \
    more. A client sends it as `Authorization: Bearer KEY`, a browser as the password that it asks for.")]
pub struct Args {
    #[command(flatten)]
    flags: Config,
    /// A file with these settings, in TOML
    #[arg(long, value_name = "FILE", env = "TUWEN_SERVE_CONFIG")]
    config: Option<PathBuf>,
    /// Print all settings as such a file, and end
    #[arg(long)]
    print_config: bool,
}

/// Serves until a signal comes, then finishes what is being answered.
pub fn run(args: &Args) -> Result<ExitCode> {
    Config::check_environment()?;
    let file = args.config.as_deref().map(Config::read).transpose()?.unwrap_or_default();
    let config = args.flags.clone().over(file).usual();
    let settings = config.settings()?;
    if args.print_config {
        toml::to_string(&config.anywhere())?.lines().for_each(|line| say!("{line}"));
        return Ok(ExitCode::SUCCESS);
    }
    let telemetry = start_telemetry(config.level());
    let telemetry = telemetry.map_err(|error| Usage(error.to_string()))?;
    telemetry.notes.iter().for_each(|line| note!("note: {line}"));
    let connections = settings.connections.clone();
    let state = State::open(config.sources(), settings)?;
    let listener = TcpListener::bind(config.address()).with_context(|| {
        let listen = config.address();
        format!("{listen} cannot be listened on: is another server there? --listen takes another address")
    })?;
    let address = listener.local_addr()?;
    let stop = stop_flag("finishing what is being answered; once more ends at once")?;
    for (name, encoder) in state.models() {
        encoder.notes().iter().for_each(|line| note!("note: {}: {line}", encoder.name()));
        note!("the gallery {name} with the model {}", encoder.name());
    }
    say!("http://{address}/");
    // Meanwhile the first requests may come: they wait for what they need.
    let warming = state.clone();
    std::thread::spawn(move || {
        if let Err(error) = warming.warm() {
            note!("error: not ready: {error}");
        }
    });
    listen(listener, app(state.clone()), connections, &stop)?;
    state.close();
    telemetry.close();
    Ok(ExitCode::SUCCESS)
}
