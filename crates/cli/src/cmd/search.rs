//! `tuwen search "words" | --image FILE`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::ValueEnum;
use tuwen_index::Kind;

use crate::output::{Force, OutputFile};
use crate::page;
use crate::query::{FoundItem, TextArgs, Usage, embed_query, find, open};
use crate::terminal::{note, say};

/// Find pictures or texts by words, by a picture, or by both
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  tuwen search \"a dog running on grass\"\n  \
    tuwen search 草地上奔跑的狗 -k 20 --html hits.html\n  \
    tuwen search --image dog.jpg --kind text\n  tuwen search \"in the snow\" --image dog.jpg --json")]
pub struct Args {
    /// The words
    words: Option<String>,
    /// A picture to search with
    #[arg(long)]
    image: Option<PathBuf>,
    /// The gallery's folder
    #[arg(long, default_value = ".tuwen")]
    gallery: PathBuf,
    /// What to find
    #[arg(long, value_enum, default_value_t = KindArg::Image)]
    kind: KindArg,
    /// How many hits
    #[arg(short, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    k: u32,
    /// The model; the gallery knows its own
    #[arg(long)]
    model: Option<String>,
    /// Print the hits as JSON
    #[arg(long)]
    json: bool,
    /// Write a page with the hits' pictures
    #[arg(long)]
    html: Option<PathBuf>,
    #[command(flatten)]
    force: Force,
    #[command(flatten)]
    text_args: TextArgs,
}

#[derive(Clone, Copy, ValueEnum)]
enum KindArg {
    Image,
    Text,
}

/// Searches and prints the hits.
pub fn run(args: &Args) -> Result<ExitCode> {
    if args.words.is_none() && args.image.is_none() {
        bail!(Usage("nothing to search for: give some words, or --image FILE".into()));
    }
    if args.words.as_ref().is_some_and(|words| words.trim().is_empty()) && args.image.is_none() {
        bail!(Usage("the query is empty: give some words, or --image FILE".into()));
    }
    let inputs: Vec<&Path> = args.image.as_deref().into_iter().collect();
    let plan = |path: &PathBuf| OutputFile::plan(path, &inputs, args.force);
    let html = args.html.as_ref().map(plan).transpose()?;
    let kind = match args.kind {
        KindArg::Image => Kind::Image,
        KindArg::Text => Kind::Text,
    };
    let (gallery, encoder) = open(&args.gallery, args.model.as_deref(), &args.text_args)?;
    let query = embed_query(&encoder, args.words.as_deref(), args.image.as_deref())?;
    let hits = find(&gallery, &query, kind, args.k as usize)?;
    if let Some(file) = html {
        page::write(&file, "tuwen", &[(title(args), hits.clone())])?;
        note!("the hits are shown in {}", file.path().display());
    }
    if args.json {
        say!("{}", serde_json::to_string(&hits)?);
    } else if hits.is_empty() {
        say!("the gallery has no {} items", if kind == Kind::Image { "image" } else { "text" });
    } else {
        hits.iter().for_each(print);
    }
    Ok(ExitCode::SUCCESS)
}

fn title(args: &Args) -> String {
    let image = args.image.as_ref().map(|path| path.display().to_string());
    let parts: Vec<String> = args.words.clone().into_iter().chain(image).collect();
    parts.join(" + ")
}

/// One line for a hit.
pub fn print(hit: &FoundItem) {
    let what = hit.text.as_ref().unwrap_or(&hit.path);
    say!("{:>4}  {:.3}  {what}", hit.rank, hit.score);
}
