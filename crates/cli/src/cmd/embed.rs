//! `tuwen embed`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use serde_json::json;
use tuwen_encode::builtin;

use crate::query::{TextArgs, Usage, embed_query, in_words, open_model};
use crate::terminal::{note, say};

/// Print the embeddings of pictures and texts, one JSON object a line
#[derive(clap::Args)]
#[command(after_help = "Example:\n  tuwen embed --text 一只狗 --text \"a dog\" --image dog.jpg")]
pub struct Args {
    /// A text
    #[arg(long)]
    text: Vec<String>,
    /// A picture
    #[arg(long)]
    image: Vec<PathBuf>,
    /// A name of `tuwen model list`, a folder with weights, or a .pt file
    #[arg(long, default_value = builtin::BUILT_IN)]
    model: String,
    #[command(flatten)]
    text_args: TextArgs,
}

/// Embeds and prints. A picture that cannot be read is reported and skipped; the exit code is 1.
pub fn run(args: &Args) -> Result<ExitCode> {
    if args.text.is_empty() && args.image.is_empty() {
        bail!(Usage("nothing to embed: give --text or --image".into()));
    }
    let encoder = open_model(&args.model, &args.text_args)?;
    for text in &args.text {
        let embedding = embed_query(&encoder, Some(text), None)?;
        say!("{}", json!({ "text": text, "embedding": embedding }));
    }
    let mut code = ExitCode::SUCCESS;
    for path in &args.image {
        match embed_query(&encoder, None, Some(path)) {
            Ok(embedding) => {
                say!("{}", json!({ "image": path.to_string_lossy(), "embedding": embedding }));
            }
            Err(error) => {
                note!("skipped {}", in_words(&error));
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}
