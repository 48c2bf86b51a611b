//! `tuwen search WORDS... | --image FILE | --queries FILE`

mod judged;
mod print;
mod unwanted;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use tuwen_explain::Word;
use tuwen_index::filter::Filter;
use tuwen_index::{Modality, Plan};
use tuwen_qdrant::Address;
use tuwen_retrieve::{
    Found, Fusion, Hit, Options, Query, Search, Stored, UNWANTED, Words, language,
};
use tuwen_text::visible;

use crate::gallery::{AmongArgs, GalleryArg, Networks, note_fields, open, queries};
use crate::number;
use crate::output::{Force, OutputFile};
use crate::page;
use crate::query::{TextArgs, Usage, in_words};
use crate::rerank::RerankArgs;
use crate::terminal::note;
use judged::{matches_nothing, why};
pub use print::print;
pub use unwanted::with_unwanted_words;

/// Find pictures or texts by words, by a picture, or by both
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  tuwen search a dog running on grass\n  \
    tuwen search 草地上奔跑的狗 -k 20 --html hits.html\n  \
    tuwen search --image dog.jpg --kind text\n  tuwen search in the snow --image dog.jpg --json\n  \
    tuwen search in the snow --image dog.jpg --combiner runs/tuwen-small-queries.safetensors\n  \
    tuwen search --queries queries.txt --json\n  \
    tuwen search a cat --paths -0\n  \
    tuwen search 海滩 --where 'year >= 2020 AND NOT folder = 备份'\n  \
    tuwen search A7M4 --exact-words\n  \
    tuwen search 'two dogs fight over a stick' --rerank late:128\n  \
    tuwen search beach -people year:2020..2023\n  \
    tuwen search 海滩 --explain\n  \
    tuwen search 'a dog on the beach' --why\n  \
    tuwen search 海滩 --store qdrant://localhost:6334/photos\n\n\
    --where knows width, height, date, year, camera, folder, tag and others (`tuwen fields` lists those of a \
    gallery), and what caption files bring: =, !=, <, <=, >, >=, IN (…), BETWEEN … AND …, CONTAINS, STARTS WITH, \
    HAS, AND, OR, NOT, parentheses.\n\n\
    The words may say more: -people keeps away, 2:red counts twice, \"birthday cake\" must \
    stand in a caption or name, year:2020..2023, tag:dog, -folder:backup, before:2024-05 filter, kind:text finds \
    captions, image:17 what is like item 17, image:dog.jpg like that file. Any other colon is text; --plain takes all of it as \
    words. Behind -- all are words, \
    also those that look like options: tuwen search -k 5 -- -k beach.")]
pub struct Args {
    /// The words
    words: Vec<String>,
    /// Take the words as they stand, without the language of queries
    #[arg(long)]
    plain: bool,
    /// A picture to search with
    #[arg(long)]
    image: Option<PathBuf>,
    /// The picture's share beside words, from 0 to 1: half of the query when not given
    #[arg(long, value_name = "SHARE", value_parser = number::between(0.0f32, 1.0))]
    image_weight: Option<f32>,
    /// Join words and a picture by a network that `tuwen fuse train` wrote, instead of adding them
    #[arg(long, value_name = "FILE")]
    combiner: Option<PathBuf>,
    /// Words for what is not wanted
    #[arg(long, value_name = "WORDS", conflicts_with = "queries")]
    not: Vec<String>,
    /// Several queries, one a line; - is standard input. --json prints a line for each
    #[arg(long, value_name = "FILE", conflicts_with_all = ["words", "image"])]
    queries: Option<PathBuf>,
    #[command(flatten)]
    gallery: GalleryArg,
    /// Search a collection of Qdrant that `tuwen gallery copy` or `tuwen index --store` filled, instead of a gallery:
    /// qdrant://HOST:6334/COLLECTION
    #[arg(long, value_name = "ADDRESS", value_parser = crate::store::address, conflicts_with_all = ["gallery", "explain", "why"])]
    store: Option<Address>,
    #[command(flatten)]
    among: AmongArgs,
    /// Only items that have all words of the query in a caption, their file's or folders' names, description or
    /// keywords; a query in quotation marks as it stands
    #[arg(long, conflicts_with = "fuse")]
    exact_words: bool,
    /// Let such words count beside the vectors: by `ranks`, or with a share from 0 to 1
    #[arg(long, value_name = "ranks|SHARE", value_parser = fusion)]
    fuse: Option<Fusion>,
    #[command(flatten)]
    again: RerankArgs,
    /// Find the best for certain, also where a gallery is so large that searches look into cells
    #[arg(long)]
    exact: bool,
    /// Say which way the search went and why: all rows, codes or cells; with --json beside the hits
    #[arg(long, conflicts_with = "queries")]
    explain: bool,
    /// Say of each hit what each word of the query adds to it beyond what it adds to the other hits; with --json as `why`
    #[arg(long, conflicts_with_all = ["explain", "paths", "html"])]
    why: bool,
    /// Leave out hits with a lower score, so that nothing may be found
    #[arg(long, value_name = "SCORE", allow_negative_numbers = true)]
    threshold: Option<f32>,
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

/// Values of a field that are looked at to say what it has.
const VALUES: usize = 100_000;
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
    let line = args.line()?;
    line.remarks().for_each(|remark| note!("note: {remark}"));
    let mut queries = wanted(args, &line)?;
    let inputs = [args.image.as_deref(), args.queries.as_deref()];
    let inputs: Vec<&Path> = inputs.into_iter().flatten().collect();
    let plan = |path: &PathBuf| OutputFile::plan(path, &inputs, args.force);
    let html = args.html.as_ref().map(plan).transpose()?;
    let search = narrowed(args, &line)?;
    if args.why && !search.rerank.is_empty() {
        note!("note: --why weighs the words by the cosine, not by the scores of who looks again");
    }
    let modality = search.modality;
    let networks = Networks { heads: args.again.heads.clone(), combiner: args.combiner.clone() };
    if let Some(address) = &args.store {
        let stored = open_stored(args, address, &line, networks)?;
        let queries = shared(args, queries)?;
        let find = |query: Option<&Query>| Ok(stored.search(query, &search)?);
        let (rows, code) = answer(args, &queries, &line, &find, &|_, _| Ok(Beside::default()))?;
        show(html.as_ref(), &rows)?;
        return Ok(code);
    }
    let place = args.gallery.place();
    let engine = open(&place.folder, args.model.as_deref(), &args.text_args, networks)?;
    for &id in &line.like {
        let known = engine.gallery().item(id)?;
        let Some(item) = known else {
            bail!(Usage(format!("image:{id}: the gallery has no such item")))
        };
        let vector = engine.gallery().vector(item.id)?;
        let and_item = |query: Query| query.and_item(id, item.modality, vector.clone(), 1.0);
        queries = queries.into_iter().map(and_item).collect();
    }
    let queries = shared(args, queries)?;
    if engine.len(modality)? == 0 && !args.json {
        note!("{}", if modality == Modality::Image { NO_IMAGES } else { NO_TEXTS });
    }
    if search.filter.is_some() || search.words != Words::Ignored {
        note_fields(&engine.gallery(), &search)?;
    }
    let find = |query: Option<&Query>| Ok(engine.search(query, &search)?);
    let beside = |query: &Query, hits: &[Hit]| {
        Ok(Beside {
            plan: match args.explain && !query.is_empty() {
                true => Some(engine.plan(&engine.embed(query)?.vector, &search)?),
                false => None,
            },
            apart: if args.why { why(&engine, query, hits, modality)? } else { Vec::new() },
            nothing_matches: matches_nothing(&engine, query, &search, hits)?,
            unmet: match &search.filter {
                Some(filter) if hits.is_empty() => {
                    filter.unmet(&mut |field| engine.gallery().facet(field, None, VALUES))?
                }
                _ => Vec::new(),
            },
        })
    };
    let (rows, code) = answer(args, &queries, &line, &find, &beside)?;
    for (file, what) in engine.damaged_cells() {
        note!(
            "note: {}: it is damaged ({what}), and the search went without it: `tuwen gallery compact` writes it anew",
            file.display()
        );
    }
    for file in engine.damaged_codes() {
        note!(
            "note: {}: it is damaged, and its part was searched without it: the next `tuwen index` writes it anew",
            file.display()
        );
    }
    show(html.as_ref(), &rows)?;
    Ok(code)
}

/// A collection with its model, where all that is asked for can be had of one.
fn open_stored(
    args: &Args,
    address: &Address,
    line: &language::Line,
    networks: Networks,
) -> Result<Stored> {
    if !line.like.is_empty() {
        bail!(Usage(format!(
            "{address}: image:NUMBER is for galleries in folders: give --image FILE"
        )));
    }
    let Networks { heads, combiner } = networks;
    let options = Options { heads, combiner, ..Options::default() };
    crate::store::open(address, args.model.as_deref(), &args.text_args, options)
}

/// Queries with the share that their pictures have.
fn shared(args: &Args, queries: Vec<Query>) -> Result<Vec<Query>> {
    let Some(share) = args.image_weight else { return Ok(queries) };
    Ok(queries.into_iter().map(|query| query.with_share(share)).collect::<Result<_, _>>()?)
}

/// Queries and their hits, for a page.
type Rows = Vec<(String, Vec<Hit>)>;

/// What is said beside hits.
#[derive(Default)]
struct Beside {
    plan: Option<Plan>,
    apart: Vec<Vec<Word>>,
    nothing_matches: bool,
    /// Of a filter that has found nothing.
    unmet: Vec<String>,
}

/// Searches for each query and prints the hits.
fn answer(
    args: &Args,
    queries: &[Query],
    line: &language::Line,
    find: &dyn Fn(Option<&Query>) -> Result<Found>,
    beside: &dyn Fn(&Query, &[Hit]) -> Result<Beside>,
) -> Result<(Rows, ExitCode)> {
    let (mut rows, mut code) = (Vec::new(), ExitCode::SUCCESS);
    for query in queries {
        let mut found = match find(Some(query).filter(|query| !query.is_empty())) {
            Ok(found) => found,
            Err(error) if args.queries.is_some() => {
                note!("skipped {:?}: {}", query.title(), in_words(&error));
                code = ExitCode::FAILURE;
                continue;
            }
            Err(error) => return Err(error),
        };
        found.remarks.iter().for_each(|remark| note!("note: {remark}"));
        without(&mut found.hits, &line.like, args.k as usize);
        if let Some(least) = args.threshold {
            found.hits.retain(|hit| hit.score.is_none_or(|score| score >= least));
        }
        let Beside { plan, apart, nothing_matches, unmet } = beside(query, &found.hits)?;
        args.print(query, &found.hits, plan.as_ref(), &apart)?;
        if found.hits.is_empty() && !args.json && !args.paths {
            note!("nothing was found");
            unmet.iter().for_each(|remark| note!("note: {remark}"));
        } else if nothing_matches {
            note!("note: nothing here matches «{}»: these come nearest", query.title());
        }
        if args.html.is_some() {
            rows.push((query.title(), found.hits));
        }
    }
    Ok((rows, code))
}

/// Writes a page with the hits, where one was asked for.
fn show(html: Option<&OutputFile>, rows: &Rows) -> Result<()> {
    if let Some(file) = html {
        page::write(file, "tuwen", rows)?;
        note!("the hits are shown in {}", file.path().display());
    }
    Ok(())
}

/// Takes the items out that others are to be like, and what is then beyond `k`.
fn without(hits: &mut Vec<Hit>, like: &[i64], k: usize) {
    hits.retain(|hit| !like.contains(&hit.id));
    hits.truncate(k);
    hits.iter_mut().zip(1..).for_each(|(hit, rank)| hit.rank = rank);
}

/// Only what the options and the line of words say.
fn narrowed(args: &Args, line: &language::Line) -> Result<Search> {
    let k = args.k as usize + line.like.len();
    let mut search = Search { words: args.words_count(), ..args.among.search(k)? };
    search.modality = line.modality.unwrap_or(search.modality);
    search.rerank = args.again.stages()?;
    search.exact = args.exact;
    search.phrases.clone_from(&line.phrases);
    search.filter = match (search.filter.take(), line.filter.clone()) {
        (Some(given), Some(typed)) => Some(Filter::And(vec![given, typed])),
        (given, typed) => given.or(typed),
    };
    Ok(search)
}

fn wanted(args: &Args, line: &language::Line) -> Result<Vec<Query>> {
    if let Some(file) = &args.queries {
        let all = queries(file)?.into_iter();
        return Ok(all.map(Query::words).collect());
    }
    if !args.words.is_empty() && args.words.iter().all(|words| visible(words).trim().is_empty()) {
        bail!(Usage("the query is empty: give some words, or --image FILE alone".into()));
    }
    let mut query = Query::default();
    if !line.words.is_empty() {
        query = query.and_words(&line.words, 1.0);
    }
    query =
        line.weighted.iter().fold(query, |query, (words, weight)| query.and_words(words, *weight));
    for path in args.image.iter().cloned().chain(line.images.iter().map(PathBuf::from)) {
        query = query.and_picture(path, 1.0);
    }
    let unwanted: Vec<&String> = args.not.iter().chain(&line.not).collect();
    let nothing = query.is_empty() && line.like.is_empty();
    let filters = args.among.has_filter() || line.filter.is_some() || line.modality.is_some();
    if nothing && (!filters || !unwanted.is_empty()) {
        bail!(Usage(
            "nothing to search for: give some words, --image FILE, --queries FILE or --where FILTER".into()
        ));
    }
    Ok(vec![unwanted.into_iter().fold(query, |query, words| query.and_words(words, UNWANTED))])
}

impl Args {
    /// What the words say. Those that are nothing but words stay as they were typed.
    fn line(&self) -> Result<language::Line> {
        let words = unwanted::as_typed(&self.words.join(" "));
        let mut plain = language::Line { words: words.clone(), ..language::Line::default() };
        if self.plain {
            return Ok(plain);
        }
        let line = language::Line::parse(&words)?;
        if !line.is_plain() {
            return Ok(line);
        }
        (plain.misspelt, plain.unknown) = (line.misspelt, line.unknown);
        Ok(plain)
    }

    fn words_count(&self) -> Words {
        match (self.exact_words, self.fuse) {
            (true, _) => Words::Exact,
            (false, Some(fusion)) => Words::Fused(fusion),
            (false, None) => Words::Ignored,
        }
    }
}
