//! `tuwen data translate`

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tuwen_files::encoding::Encoding;
use tuwen_files::file;

use tuwen_retrieve::Line;

use crate::chat::Chat;
use crate::query::captions;
use crate::terminal::say;
use crate::translator::Translator;
use crate::words::counted;
use crate::{output, progress, stop};

/// What to translate, and who does it.
#[derive(clap::Args)]
pub struct Args {
    /// A file with captions: CSV, TSV, JSONL or Flickr
    captions: PathBuf,
    /// The encoding of the captions, such as gbk, when it is not the one that their bytes show
    #[arg(long)]
    encoding: Option<Encoding>,
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
    let all = captions(&args.captions, args.encoding)?;
    if all.is_empty() {
        bail!("{}: there is no caption in it", args.captions.display());
    }
    if let Some(line) = all.iter().position(|line| line.image.is_none()) {
        bail!(
            "{}, caption {}: it does not say which picture it describes",
            args.captions.display(),
            line + 1
        );
    }
    let named = || args.output.display().to_string();
    let _lock = output::lock(&args.output, &[&args.captions])?;
    let done = done(&args.output, &all)?;
    let key = std::env::var(&args.key_variable).ok();
    let chat = Chat::new(&args.url, key, &args.model);
    let translator = Translator::new(chat, &args.to);
    let mut output = OpenOptions::new().create(true).append(true).open(&args.output);
    let output = output.as_mut().map_err(|e| anyhow::anyhow!("{}: {e}", named()))?;
    let bar = progress::bar(Some(all.len()), "captions");
    bar.set_position(done as u64);
    for batch in all[done..].chunks(usize::from(args.batch)) {
        let texts: Vec<String> = batch.iter().map(|line| line.text.clone()).collect();
        let translated = translator.translate(&texts)?;
        let mut lines = String::new();
        for (Line { image, text, .. }, caption) in batch.iter().zip(translated) {
            let image = image.as_deref().unwrap_or_default();
            ensure!(
                text.trim().is_empty() || !caption.trim().is_empty(),
                "{image}: the model `{}` answers nothing to the caption `{text}`",
                args.model
            );
            lines += &format!("{}\n", json!({ "image": image, "caption": caption }));
        }
        stop::undisturbed(|| append(output, &lines)).with_context(named)?;
        bar.inc(batch.len() as u64);
    }
    bar.finish_and_clear();
    say!("{}: {}", named(), counted(all.len(), "caption"));
    Ok(())
}

/// Appends whole lines or nothing: a line that is cut in two would end the work for good.
fn append(file: &mut File, lines: &str) -> std::io::Result<()> {
    let before = file.metadata()?.len();
    file.write_all(lines.as_bytes()).inspect_err(|_| {
        let _ = file.set_len(before);
    })
}

/// How many captions an earlier call has translated. A file that is anything else is refused.
fn done(output: &Path, all: &[Line]) -> Result<usize> {
    let named = output.display();
    if !output.exists() {
        return Ok(0);
    }
    let text = file::read(output, file::DOCUMENT)?;
    let text = String::from_utf8(text).with_context(|| format!("{named}: it is no UTF-8"))?;
    if !text.is_empty() && !text.ends_with('\n') {
        bail!("{named}: its last line is cut: remove that line");
    }
    for (number, line) in text.lines().enumerate() {
        let object: Option<Value> = serde_json::from_str(line).ok();
        let image = object.as_ref().and_then(|object| object["image"].as_str());
        let wanted = all.get(number).and_then(|line| line.image.as_deref());
        if image.is_none() || image != wanted {
            bail!(
                "{named}, line {}: it is no translation of these captions up to here: give another output",
                number + 1
            );
        }
    }
    Ok(text.lines().count())
}
