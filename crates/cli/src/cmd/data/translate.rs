//! `tuwen data translate`

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use tuwen_hub::Translator;

use crate::query::captions;
use crate::terminal::say;

/// What to translate, and who does it.
#[derive(clap::Args)]
pub struct Args {
    /// A file with captions: CSV, TSV, JSONL or Flickr
    captions: PathBuf,
    /// The file to write, {"image", "caption"} a line; where it is there already, the work goes on behind
    /// its last line
    output: PathBuf,
    /// An OpenAI-compatible API, such as http://localhost:8080/v1
    #[arg(long)]
    url: String,
    /// The model's name there
    #[arg(long)]
    model: String,
    /// Into which language
    #[arg(long, default_value = "Simplified Chinese")]
    to: String,
    /// The environment variable with the key, where the API wants one
    #[arg(long, default_value = "OPENAI_API_KEY")]
    key_variable: String,
    /// Captions in one request
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=500))]
    batch: u16,
}

/// Translates, batch by batch, each written before the next is asked for.
pub fn run(args: &Args) -> Result<()> {
    let all = captions(&args.captions)?;
    if let Some(line) = all.iter().position(|(image, _)| image.is_none()) {
        bail!(
            "{}, caption {}: it does not say which picture it describes",
            args.captions.display(),
            line + 1
        );
    }
    let named = || args.output.display().to_string();
    let done = match std::fs::read_to_string(&args.output) {
        Ok(text) if !text.is_empty() && !text.ends_with('\n') => {
            bail!("{}: its last line is cut: remove that line", named())
        }
        Ok(text) => text.lines().count(),
        Err(_) => 0,
    };
    let key = std::env::var(&args.key_variable).ok();
    let translator = Translator::new(&args.url, key, &args.model, &args.to);
    let mut file = OpenOptions::new().create(true).append(true).open(&args.output);
    let file = file.as_mut().map_err(|e| anyhow::anyhow!("{}: {e}", named()))?;
    let stop = super::super::stop_flag("stopping; the same command goes on from there")?;
    let bar = ProgressBar::new(all.len() as u64);
    bar.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len} captions, {eta} left")?);
    bar.set_position(done as u64);
    for batch in all[done.min(all.len())..].chunks(usize::from(args.batch)) {
        if stop.load(Ordering::Relaxed) {
            bail!("stopped; the same command goes on from there");
        }
        let texts: Vec<String> = batch.iter().map(|(_, text)| text.clone()).collect();
        let translated = translator.translate(&texts)?;
        let mut lines = String::new();
        for ((image, _), caption) in batch.iter().zip(translated) {
            lines += &format!("{}\n", json!({ "image": image, "caption": caption }));
        }
        file.write_all(lines.as_bytes()).with_context(named)?;
        bar.inc(batch.len() as u64);
    }
    bar.finish_and_clear();
    say!("{}: {} captions", named(), all.len());
    Ok(())
}
