//! `tuwen embed`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::json;
use tuwen_encode::{CpuEncoder, Encoder, builtin, stream};
use tuwen_image::{Limits, RgbImage, decode_file};
use tuwen_retrieve::{FileName, Query};

use crate::query::{TextArgs, Usage, in_words, open_model};
use crate::terminal::{note, say};

/// Print the embeddings of pictures and texts, one JSON object a line
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  tuwen embed --text 一只狗 --text \"a dog\" --image dog.jpg\n\n\
    A whole set, also as one of N parts (--shard I/N), is embedded by `tuwen data embed`."
)]
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

/// Embeds and prints. A text or a picture that cannot be embedded is reported and skipped; the exit code
/// is 1.
pub fn run(args: &Args) -> Result<ExitCode> {
    if args.text.is_empty() && args.image.is_empty() {
        bail!(Usage("nothing to embed: give --text or --image".into()));
    }
    let encoder = open_model(&args.model, &args.text_args)?;
    let mut code = ExitCode::SUCCESS;
    let mut print = |embedding: Result<Vec<f32>>, what: serde_json::Value| match embedding {
        Ok(embedding) => {
            let mut line = what;
            line["embedding"] = json!(embedding);
            say!("{line}");
        }
        Err(error) => {
            note!("skipped {}", in_words(&error));
            code = ExitCode::FAILURE;
        }
    };
    for text in &args.text {
        let embedding = match text.trim().is_empty() {
            true => Err(anyhow!("--text {text:?}: there is nothing in it to embed")),
            false => embed(&encoder, &Query::words(text)),
        };
        print(embedding, json!({ "text": text }));
    }
    let read = |path: &&PathBuf| -> Result<RgbImage> {
        let picture = decode_file(path, Limits::default());
        Ok(encoder.preprocess().fit(&picture.with_context(|| path.display().to_string())?))
    };
    stream::each(&encoder, &args.image, read, |path, vector| {
        print(vector.map(<[f32]>::to_vec), image(path)?);
        anyhow::Ok(())
    })?;
    Ok(code)
}

fn embed(encoder: &CpuEncoder, query: &Query) -> Result<Vec<f32>> {
    let embedded = query.embed(encoder, || Ok(None))?;
    embedded.remarks.iter().for_each(|remark| note!("note: {remark}"));
    Ok(embedded.vector)
}

/// The picture's name as it is printed.
fn image(path: &Path) -> Result<serde_json::Value> {
    let mut name = serde_json::to_value(FileName::from(path))?;
    let bytes = name.get_mut("path_bytes").map(serde_json::Value::take);
    let mut line = json!({ "image": path.to_string_lossy() });
    if let Some(bytes) = bytes {
        line["image_bytes"] = bytes;
    }
    Ok(line)
}
