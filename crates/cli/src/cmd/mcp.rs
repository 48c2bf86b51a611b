//! `tuwen mcp`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use tuwen_encode::Encoder;
use tuwen_serve::{State, serve_assistant};

use super::serve::config::Config;
use crate::terminal::note;

/// Serve galleries to an assistant on standard input and output (Model Context Protocol)
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  tuwen mcp --gallery ~/Pictures/.tuwen\n\n\
    In an assistant's configuration:\n  \
    {\"mcpServers\": {\"tuwen\": {\"command\": \"tuwen\", \"args\": [\"mcp\", \"--gallery\", \"/photos/.tuwen\"]}}}\n\n\
    The tools: search_images, similar, describe_gallery, and with --write add_folder. `tuwen serve` has the same \
    over HTTP, at /mcp.")]
pub struct Args {
    /// A gallery's folder, and the name that the assistant calls it; several times. Without it: the environment's
    /// TUWEN_GALLERY, else .tuwen here, else .tuwen in the nearest folder above
    #[arg(long, value_name = "[NAME=]DIR")]
    gallery: Vec<PathBuf>,
    /// Let the assistant have folders indexed
    #[arg(long)]
    write: bool,
    /// The model; the gallery knows its own
    #[arg(long)]
    model: Option<String>,
}

/// Serves until the assistant goes away.
pub fn run(args: &Args) -> Result<ExitCode> {
    let config = Config {
        gallery: args.gallery.clone(),
        model: args.model.clone(),
        read_only: Some(!args.write),
        ..Config::default()
    };
    let config = config.usual();
    let state = State::open(config.sources(), config.settings()?)?;
    for (name, encoder) in state.models() {
        note!("the gallery {name} with the model {}", encoder.name());
    }
    let warming = state.clone();
    std::thread::spawn(move || {
        if let Err(error) = warming.warm() {
            note!("error: not ready: {error}");
        }
    });
    serve_assistant(&state)?;
    state.close();
    Ok(ExitCode::SUCCESS)
}
