//! `tuwen search WORDS... | --image FILE | --queries FILE`

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::ValueEnum;
use serde::Serialize;
use tuwen_encode::CpuEncoder;
use tuwen_index::Kind;

use crate::gallery::{FoundItem, GalleryArg, find, open, queries};
use crate::output::{Force, OutputFile};
use crate::page;
use crate::query::{TextArgs, Usage, embed_query, in_words};
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

#[derive(Clone, Copy, ValueEnum)]
enum KindArg {
    Image,
    Text,
}

/// What is searched for.
struct Query<'a> {
    words: Option<String>,
    image: Option<&'a Path>,
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
    let (gallery, encoder) =
        open(&args.gallery.place().folder, args.model.as_deref(), &args.text_args)?;
    let matrix = gallery.matrix(kind)?;
    if matrix.is_empty() && !args.json {
        note!("the gallery has no {} items", if kind == Kind::Image { "image" } else { "text" });
    }
    let (mut rows, mut code) = (Vec::new(), ExitCode::SUCCESS);
    for query in &queries {
        let vector = match query.embed(&encoder) {
            Ok(vector) => vector,
            Err(error) if args.queries.is_some() => {
                note!("skipped {:?}: {}", query.title(), in_words(&error));
                code = ExitCode::FAILURE;
                continue;
            }
            Err(error) => return Err(error),
        };
        let hits = find(&gallery, &matrix, &vector, args.k as usize)?;
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

fn wanted(args: &Args) -> Result<Vec<Query<'_>>> {
    if let Some(file) = &args.queries {
        let all = queries(file)?.into_iter();
        return Ok(all.map(|words| Query { words: Some(words), image: None }).collect());
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
    Ok(vec![Query { words, image: args.image.as_deref() }])
}

/// What --json prints for each of several queries.
#[derive(Serialize)]
struct Line<'a> {
    query: Option<&'a str>,
    hits: &'a [FoundItem],
}

impl Query<'_> {
    fn embed(&self, encoder: &CpuEncoder) -> Result<Vec<f32>> {
        embed_query(encoder, self.words.as_deref(), self.image)
    }

    fn title(&self) -> String {
        let image = self.image.map(|path| path.display().to_string());
        let parts: Vec<String> = self.words.clone().into_iter().chain(image).collect();
        parts.join(" + ")
    }
}

impl Args {
    fn print(&self, query: &Query<'_>, hits: &[FoundItem]) -> Result<()> {
        match (&self.queries, self.json) {
            (Some(_), true) => {
                let line = Line { query: query.words.as_deref(), hits };
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
pub fn print(hit: &FoundItem) {
    let name = hit.file.to_string();
    let what = hit.text.as_ref().unwrap_or(&name);
    say!("{:>4}  {:.3}  {what}", hit.rank, hit.score);
}
