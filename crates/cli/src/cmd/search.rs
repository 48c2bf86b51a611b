//! `tuwen search WORDS... | --image FILE | --queries FILE`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use serde::Serialize;
use tuwen_index::Modality;
use tuwen_retrieve::{Fusion, Hit, Query, Search, UNWANTED, Words};

use crate::gallery::{AmongArgs, GalleryArg, note_fields, open, queries};
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
    tuwen search a cat --paths -0\n  \
    tuwen search 海滩 --where 'year >= 2020 AND NOT folder = 备份'\n  \
    tuwen search A7M4 --exact-words\n\n\
    --where knows width, height, date, year, camera, folder, tag and others (`tuwen fields` lists those of a \
    gallery), and what caption files bring: =, !=, <, <=, >, >=, IN (…), BETWEEN … AND …, CONTAINS, STARTS WITH, \
    HAS, AND, OR, NOT, parentheses.")]
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
    #[command(flatten)]
    among: AmongArgs,
    /// Only items that have all words of the query in a caption, their file's or folders' names, description or
    /// keywords; a query in quotation marks as it stands
    #[arg(long, conflicts_with = "fuse")]
    exact_words: bool,
    /// Let such words count beside the vectors: by `ranks`, or with a share from 0 to 1
    #[arg(long, value_name = "ranks|SHARE", value_parser = fusion)]
    fuse: Option<Fusion>,
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

const NO_IMAGES: &str = "the gallery has no image items (--kind text finds its texts)";
const NO_TEXTS: &str = "the gallery has no text items (--kind image finds its pictures)";

fn fusion(text: &str) -> Result<Fusion, String> {
    if text == "ranks" {
        return Ok(Fusion::Ranks);
    }
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.map(Fusion::Weight).ok_or_else(|| "not `ranks`, and no number from 0 to 1".to_owned())
}

/// Searches and prints the hits. Of several queries one that cannot be embedded is reported and skipped;
/// the exit code is 1.
pub fn run(args: &Args) -> Result<ExitCode> {
    let queries = wanted(args)?;
    let inputs = [args.image.as_deref(), args.queries.as_deref()];
    let inputs: Vec<&Path> = inputs.into_iter().flatten().collect();
    let plan = |path: &PathBuf| OutputFile::plan(path, &inputs, args.force);
    let html = args.html.as_ref().map(plan).transpose()?;
    let search = Search { words: args.words_count(), ..args.among.search(args.k as usize)? };
    let modality = search.modality;
    let engine = open(&args.gallery.place().folder, args.model.as_deref(), &args.text_args)?;
    if engine.len(modality)? == 0 && !args.json {
        note!("{}", if modality == Modality::Image { NO_IMAGES } else { NO_TEXTS });
    }
    if search.filter.is_some() || search.words != Words::Ignored {
        note_fields(&engine.gallery(), &search)?;
    }
    let (mut rows, mut code) = (Vec::new(), ExitCode::SUCCESS);
    for query in &queries {
        let found = match engine.search(Some(query).filter(|query| !query.is_empty()), &search) {
            Ok(found) => found,
            Err(error) if args.queries.is_some() => {
                note!("skipped {:?}: {}", query.title(), in_words(&error.into()));
                code = ExitCode::FAILURE;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        found.remarks.iter().for_each(|remark| note!("note: {remark}"));
        args.print(query, &found.hits)?;
        if found.hits.is_empty() && !args.json && !args.paths {
            note!("nothing was found");
        }
        if html.is_some() {
            rows.push((query.title(), found.hits));
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
    let nothing = words.is_none() && args.image.is_none();
    if nothing && (!args.among.has_filter() || !args.not.is_empty()) {
        bail!(Usage(
            "nothing to search for: give some words, --image FILE, --queries FILE or --where FILTER".into()
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

impl Args {
    fn words_count(&self) -> Words {
        match (self.exact_words, self.fuse) {
            (true, _) => Words::Exact,
            (false, Some(fusion)) => Words::Fused(fusion),
            (false, None) => Words::Ignored,
        }
    }

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
                    raw(&[hit.file.as_path().as_os_str().as_encoded_bytes(), end].concat());
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
    match hit.score {
        Some(score) => say!("{:>4}  {score:.3}  {what}", hit.rank),
        None => say!("{:>4}  {what}", hit.rank),
    }
}
