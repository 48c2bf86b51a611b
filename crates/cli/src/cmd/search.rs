//! `tuwen search WORDS... | --image FILE | --queries FILE`

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::ValueEnum;
use serde::Serialize;
use tuwen_index::Kind;
use tuwen_retrieve::{Engine, Hit, Query};

use crate::gallery::{GalleryArg, open, queries};
use crate::output::{Force, OutputFile};
use crate::page;
use crate::query::{TextArgs, Usage, in_words};
use crate::terminal::{note, raw, say};

/// Find pictures or texts by words, by a picture, or by both
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  tuwen search a dog running on grass\n  \
    tuwen search 草地上奔跑的狗 -k 20 --html hits.html\n  \
    tuwen search --image dog.jpg --kind text\n  tuwen search in the snow --image dog.jpg --json\n  \
    tuwen search --queries queries.txt --json\n  \
    tuwen search a cat --paths -0")]
pub struct Args {
    /// The words
    words: Vec<String>,
    /// A picture to search with
    #[arg(long)]
    image: Option<PathBuf>,
    /// Words for what is not wanted
    #[arg(long, value_name = "WORDS", conflicts_with = "queries")]
    not: Vec<String>,
    /// Several queries, one a line; - is standard input. --json prints a line for each
    #[arg(long, value_name = "FILE", conflicts_with_all = ["words", "image"])]
    queries: Option<PathBuf>,
    #[command(flatten)]
    gallery: GalleryArg,
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
    /// Print nothing but the hits' paths, one a line, as they are
    #[arg(long, conflicts_with = "json")]
    paths: bool,
    /// With --paths: end each with a zero byte instead of a line break
    #[arg(short = '0', long, requires = "paths")]
    null: bool,
    /// Write a page with the hits' pictures
    #[arg(long)]
    html: Option<PathBuf>,
    #[command(flatten)]
    force: Force,
    #[command(flatten)]
    text_args: TextArgs,
}

/// How much what is not wanted counts, beside 1 for what is.
const UNWANTED: f32 = -0.5;

#[derive(Clone, Copy, ValueEnum)]
enum KindArg {
    Image,
    Text,
}

/// Searches and prints the hits. Of several queries one that cannot be embedded is reported and skipped;
/// the exit code is 1.
pub fn run(args: &Args) -> Result<ExitCode> {
    let queries = wanted(args)?;
    let inputs = [args.image.as_deref(), args.queries.as_deref()];
    let inputs: Vec<&Path> = inputs.into_iter().flatten().collect();
    let plan = |path: &PathBuf| OutputFile::plan(path, &inputs, args.force);
    let html = args.html.as_ref().map(plan).transpose()?;
    let kind = match args.kind {
        KindArg::Image => Kind::Image,
        KindArg::Text => Kind::Text,
    };
    let engine = open(&args.gallery.place().folder, args.model.as_deref(), &args.text_args)?;
    if engine.len(kind)? == 0 && !args.json {
        note!("the gallery has no {} items", if kind == Kind::Image { "image" } else { "text" });
    }
    let (mut rows, mut code) = (Vec::new(), ExitCode::SUCCESS);
    for query in &queries {
        let vector = match embed(&engine, query) {
            Ok(vector) => vector,
            Err(error) if args.queries.is_some() => {
                note!("skipped {:?}: {}", query.title(), in_words(&error));
                code = ExitCode::FAILURE;
                continue;
            }
            Err(error) => return Err(error),
        };
        let hits = engine.find(&vector, kind, args.k as usize)?;
        args.print(query, &hits)?;
        if html.is_some() {
            rows.push((query.title(), hits));
        }
    }
    if let Some(file) = html {
        page::write(&file, "tuwen", &rows)?;
        note!("the hits are shown in {}", file.path().display());
    }
    Ok(code)
}

fn wanted(args: &Args) -> Result<Vec<Query>> {
    if let Some(file) = &args.queries {
        let all = queries(file)?.into_iter();
        return Ok(all.map(Query::words).collect());
    }
    let words = (!args.words.is_empty()).then(|| args.words.join(" "));
    if words.is_none() && args.image.is_none() {
        bail!(Usage(
            "nothing to search for: give some words, --image FILE or --queries FILE".into()
        ));
    }
    if words.as_ref().is_some_and(|words| words.trim().is_empty()) {
        bail!(Usage("the query is empty: give some words, or --image FILE alone".into()));
    }
    let mut query = words.map(Query::words).unwrap_or_default();
    if let Some(path) = &args.image {
        query = query.and_picture(path, 1.0);
    }
    query = args.not.iter().fold(query, |query, words| query.and_words(words, UNWANTED));
    Ok(vec![query])
}

/// What --json prints for each of several queries.
#[derive(Serialize)]
struct Line<'a> {
    query: Option<&'a str>,
    hits: &'a [Hit],
}

/// The query's vector; says what a user should know.
pub fn embed(engine: &Engine, query: &Query) -> Result<Vec<f32>> {
    let embedded = engine.embed(query)?;
    embedded.remarks.iter().for_each(|remark| note!("note: {remark}"));
    Ok(embedded.vector)
}

impl Args {
    fn print(&self, query: &Query, hits: &[Hit]) -> Result<()> {
        match (&self.queries, self.json) {
            (Some(_), true) => {
                let line = Line { query: query.wanted_words(), hits };
                say!("{}", serde_json::to_string(&line)?);
            }
            (None, true) => say!("{}", serde_json::to_string(hits)?),
            _ if self.paths => {
                let end = if self.null { b"\0" } else { b"\n" };
                for hit in hits {
                    raw(&[hit.file.as_path().as_os_str().as_bytes(), end].concat());
                }
            }
            (several, _) => {
                if several.is_some() {
                    say!("{}", query.title());
                }
                hits.iter().for_each(print);
            }
        }
        Ok(())
    }
}

/// One line for a hit.
pub fn print(hit: &Hit) {
    let name = hit.file.to_string();
    let what = hit.text.as_ref().unwrap_or(&name);
    say!("{:>4}  {:.3}  {what}", hit.rank, hit.score);
}
