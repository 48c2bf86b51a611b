//! Indexing a folder of pictures beside the network's forward pass alone, in turn, with the built-in model:
//! `cargo bench --workspace --bench indexing -- FOLDER [TIMES]`. Prints pictures/s of both and the ratio; 1 would
//! be reading, decoding and storing hidden behind the network altogether.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use tuwen_encode::{CpuEncoder, Encoder, builtin};
use tuwen_image::{Limits, decode};
use tuwen_index::Gallery;
use tuwen_retrieve::walk::{Rules, Walk};
use tuwen_retrieve::{Indexer, Settings, model_id};

/// Pictures of a forward pass.
const BATCH: usize = 32;

fn main() {
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let Some(folder) = args.next().map(PathBuf::from) else {
        return println!("not run: give a folder of pictures");
    };
    let times = args.next().map_or(3, |arg| arg.parse().expect("a number"));
    let encoder = builtin::open().expect("the built-in model");
    encoder.load().expect("both towers");
    let files = walk(&folder).files;
    let fitted: Vec<_> = files.iter().map(|file| fit(&encoder, &file.path)).collect();
    let mut both = Vec::new();
    for _ in 0..times {
        let whole = indexed(&encoder, &folder, files.len());
        let start = Instant::now();
        for batch in fitted.chunks(BATCH) {
            encoder.encode_images(batch).expect("vectors");
        }
        let alone = fitted.len() as f64 / start.elapsed().as_secs_f64();
        println!("indexing {whole:.1} pictures/s, forward alone {alone:.1}: {:.3}", whole / alone);
        both.push(whole / alone);
    }
    both.sort_by(f64::total_cmp);
    println!("median {:.3} over {} pictures", both[both.len() / 2], files.len());
}

fn walk(folder: &Path) -> Walk {
    let (stop, rules) = (AtomicBool::new(false), Rules::default());
    Walk::of(&[folder.to_path_buf()], &rules, &stop, &|_| {}).expect("a folder")
}

fn fit(encoder: &CpuEncoder, path: &Path) -> tuwen_image::RgbImage {
    let bytes = std::fs::read(path).expect("a picture");
    encoder.preprocess().fit(&decode(&bytes, Limits::default()).expect("a picture"))
}

/// Pictures/s from a folder to a new gallery.
fn indexed(encoder: &CpuEncoder, folder: &Path, count: usize) -> f64 {
    let place = tempfile::tempdir().expect("a folder");
    let model = model_id(builtin::BUILT_IN, encoder).expect("its name");
    let start = Instant::now();
    let gallery = Gallery::open_for_writing(place.path(), &model).expect("a gallery");
    let stop = AtomicBool::new(false);
    let settings = Settings::default();
    let mut indexer =
        Indexer::new(&gallery, encoder, settings, &stop, &|_| {}).expect("an indexer");
    indexer.pictures(walk(folder)).expect("indexed");
    drop(indexer.finish());
    count as f64 / start.elapsed().as_secs_f64()
}
