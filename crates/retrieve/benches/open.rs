//! How long it takes to open a gallery with its model and to search: the first time in a program, and again.
//!
//! `cargo bench -p tuwen-retrieve --bench open [TEXTS [FOLDER]]`: a gallery of so many texts (95,000 where nothing
//! is given) with vectors of the built-in model's width, kept in FOLDER where one is named.

use std::path::{Path, PathBuf};
use std::time::Instant;

use tuwen_encode::builtin;
use tuwen_index::{Gallery, Modality, NewItem};
use tuwen_retrieve::{Engine, Options, Query, Search, model_id};

fn main() {
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let texts = args.next().map_or(95_000, |arg| arg.parse().expect("a number of texts"));
    let named = args.next().map(PathBuf::from);
    let temporary = tempfile::tempdir().expect("a folder");
    let folder = named.as_deref().unwrap_or(temporary.path());
    if !Gallery::is_in(folder) {
        fill(folder, texts);
    }
    for attempt in 1..=5 {
        let begun = Instant::now();
        let engine = Engine::open(folder, &Options::default()).expect("the gallery");
        let opened = begun.elapsed();
        let search = Search::all(Modality::Text, 10);
        let found = engine.search(Some(&Query::words("a dog on the grass")), &search);
        let first = begun.elapsed() - opened;
        let again = Instant::now();
        engine.search(Some(&Query::words("ein Hund")), &search).expect("hits");
        println!(
            "{attempt}: open {:.1} ms, first search {:.1} ms, second {:.1} ms, {} hits",
            ms(opened),
            ms(first),
            ms(again.elapsed()),
            found.expect("hits").hits.len()
        );
    }
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        let memory = |line: &&str| line.starts_with("RssAnon") || line.starts_with("RssFile");
        status.lines().filter(memory).for_each(|line| println!("{line}"));
    }
}

fn ms(time: std::time::Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn fill(folder: &Path, texts: usize) {
    let encoder = builtin::open().expect("the built-in model");
    let model = model_id(builtin::BUILT_IN, &encoder).expect("its name");
    let gallery = Gallery::open_for_writing(folder, &model).expect("a gallery");
    for start in (0..texts).step_by(5000) {
        let put = |gallery: &Gallery| {
            (start..(start + 5000).min(texts)).try_for_each(|of| {
                let text = format!("a caption with the number {of} 第{of}张图");
                let item = NewItem {
                    modality: Modality::Text,
                    origin: b"/captions.csv".to_vec(),
                    text: Some(text.clone()),
                    metadata: "{}".into(),
                    words: text,
                    vector: vector(of, model.dim),
                    ..NewItem::default()
                };
                gallery.insert(&item).map(drop)
            })
        };
        gallery.transaction(put).expect("written");
    }
    gallery.finish().expect("finished");
}

fn vector(of: usize, dim: usize) -> Vec<f32> {
    let raw = |i: usize| ((of * 2_654_435_761 + i * 40_503) % 65_521) as f32 / 65_521.0 - 0.5;
    let values: Vec<f32> = (0..dim).map(raw).collect();
    let length = values.iter().map(|v| v * v).sum::<f32>().sqrt();
    values.into_iter().map(|v| v / length).collect()
}
