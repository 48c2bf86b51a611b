//! `tuwen demo`

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result};
use tuwen_encode::Encoder;
use tuwen_encode::{CpuEncoder, builtin};
use tuwen_eval::evaluate;
use tuwen_index::{Gallery, Modality};
use tuwen_retrieve::walk::{Rules, Walk};
use tuwen_retrieve::{Engine, Indexer, Query, Search, Settings, model_id};

use crate::cmd::search;
use crate::demo_assets::{PICTURES, captions};
use crate::output::{Force, OutputFile, OutputFolder};
use crate::page;
use crate::terminal::say;

/// A dozen queries in both languages.
const QUERIES: [&str; 12] = [
    "a dog running on the grass",
    "草莓",
    "a red car on the road",
    "夜晚的月亮和星星",
    "a slice of pizza",
    "背包",
    "children playing football",
    "钢琴",
    "sunglasses",
    "热气球",
    "airplane in the sky",
    "一杯咖啡",
];
/// Hits printed for each query.
const SHOWN: usize = 3;
/// Hits on the page for each query.
const ON_PAGE: usize = 6;

/// Index and search 96 drawn pictures that the model has never seen
#[derive(clap::Args)]
pub struct Args {
    /// Where pictures, gallery and page go
    #[arg(long, default_value = "tuwen-demo")]
    folder: PathBuf,
    #[command(flatten)]
    force: Force,
}

/// Writes the pictures, indexes, searches and scores them.
pub fn run(args: &Args) -> Result<ExitCode> {
    let mut output = OutputFolder::plan(&args.folder, &[], args.force)?;
    let html = OutputFile::plan(&output.join("demo.html"), &[], args.force)?;
    let pictures = output.join("pictures");
    for (name, bytes) in PICTURES {
        output.write(&format!("pictures/{name}"), bytes)?;
    }
    let encoder = builtin::open()?;
    let folder = args.folder.join("gallery");
    let added = index(&pictures, &folder, &encoder)?;
    let engine = Engine::of(Gallery::open(&folder)?, encoder)?;
    say!("{added} pictures indexed in {}", folder.display());
    say!("");
    let mut rows = Vec::new();
    for query in QUERIES {
        let vector = engine.embed(&Query::words(query))?.vector;
        let hits = engine.find(&vector, None, &Search::all(Modality::Image, ON_PAGE))?;
        say!("{query}");
        hits.iter().take(SHOWN).for_each(search::print);
        rows.push((query.to_owned(), hits));
    }
    page::write(&html, "tuwen demo", &rows)?;
    say!();
    say!("the pictures are shown in {}", html.path().display());
    score(&engine.gallery(), engine.encoder())?;
    say!(
        "search them yourself: tuwen search \"a cat\" --gallery {} --html hits.html",
        folder.display()
    );
    Ok(ExitCode::SUCCESS)
}

/// Makes the gallery anew; returns the number of its pictures.
fn index(pictures: &Path, folder: &Path, encoder: &CpuEncoder) -> Result<usize> {
    let gallery = Gallery::rebuild(folder, &model_id(builtin::BUILT_IN, encoder)?)?;
    let stop = AtomicBool::new(false);
    let pictures = std::fs::canonicalize(pictures).context("the demo's pictures")?;
    let walk = Walk::of(&[pictures], &Rules::default(), &stop, &|_| {})?;
    let mut indexer = Indexer::new(&gallery, encoder, Settings::default(), &stop, &|_| {})?;
    indexer.pictures(walk)?;
    let added = indexer.finish().added;
    gallery.finish()?;
    Ok(added)
}

/// Recall of the pictures by their own captions, as it is.
fn score(gallery: &Gallery, encoder: &dyn Encoder) -> Result<()> {
    let items = gallery.all(Modality::Image)?;
    let ids: Vec<i64> = items.iter().map(|item| item.id).collect();
    let images = gallery.vectors_of(&ids)?;
    let names: Vec<String> =
        items.iter().map(|i| String::from_utf8_lossy(&i.origin).into()).collect();
    for language in ["en", "zh"] {
        let (mut texts, mut owners) = (Vec::new(), Vec::new());
        for (name, text) in captions(language) {
            let owner = names.iter().position(|path| path.ends_with(&format!("/{name}")));
            owners.push(vec![owner.context("every caption has its picture")?]);
            texts.push(text);
        }
        let vectors = encoder.encode_texts(&texts)?;
        let report = evaluate(&images, &vectors, encoder.dim(), &owners).text_to_image;
        let [r1, r5, _] = report.recall;
        let [c1, c5, _] = report.chance;
        say!(
            "own captions, {language}: R@1 {r1:.1}, R@5 {r5:.1} of {} queries (chance {c1:.1}, {c5:.1})",
            report.queries
        );
    }
    Ok(())
}
