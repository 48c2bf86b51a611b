//! Damaged sets, texts and pictures are errors or records, and never a crash.

mod damage;

use std::path::{Path, PathBuf};

use damage::{damaged, rounds};
use tuwen_files::encoding::TextFile;
use tuwen_image::rng::Rng;
use tuwen_image::{Limits, decode};
use tuwen_sets::ImageSource;
use tuwen_sets::export::{Target, Writer};
use tuwen_sets::import::Source;
use tuwen_sets::vectors::{Layout, VectorWriter, Vectors};
use tuwen_sets::{Caption, Sample};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../image/tests/golden/pictures").join(name)
}

fn sample(id: &str, text: &str) -> Sample {
    let caption = Caption::new(text);
    Sample {
        id: id.into(),
        image: ImageSource::File(golden("rgb.png")),
        captions: vec![caption.clone(), caption],
        split: Some("train".into()),
        metadata: Default::default(),
    }
}

/// Reads a set to its end, pictures included.
fn read_all(path: &Path) {
    let Ok(opened) = Source::guess(path).and_then(|source| source.open()) else { return };
    for sample in opened.records.flatten().take(100) {
        let _ = sample.image.read();
    }
}

#[test]
fn damaged_sets_of_every_format() {
    for (target, file) in [
        (Target::Csv, "captions.csv"),
        (Target::Jsonl, "captions.jsonl"),
        (Target::Flickr, "captions.txt"),
        (Target::Coco, "annotations.json"),
        (Target::ChineseClip, "train_imgs.tsv"),
        (Target::ChineseClip, "train_texts.jsonl"),
        (Target::ChineseClipLmdb, "lmdb/train/imgs/data.mdb"),
        (Target::ChineseClipLmdb, "lmdb/train/pairs/data.mdb"),
        (Target::Parquet, "data/train-00000-of-00001.parquet"),
        (Target::Shards, "00000.tar"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let set = folder.path().join("set");
        let mut writer = Writer::create(&set, target).expect("a new folder");
        for (id, text) in [("a", "一只狗，在\"草地\"上"), ("b", "a cat, on a sofa")] {
            let sample = sample(id, text);
            writer.write(&sample, &sample.image.read().expect("bytes")).expect("a record");
        }
        writer.finish().expect("a set");
        let one_file =
            matches!(target, Target::Csv | Target::Jsonl | Target::Flickr | Target::Coco);
        let path = if one_file { set.join(file) } else { set.clone() };
        let bytes = std::fs::read(set.join(file)).expect("bytes");
        let mut rng = Rng::new(&[file.len() as u64]);
        for _ in 0..rounds(300) {
            std::fs::write(set.join(file), damaged(&bytes, &mut rng)).expect("a file");
            read_all(&path);
        }
    }
}

#[test]
fn damaged_vectors() {
    let folder = tempfile::tempdir().expect("a folder");
    for (layout, file) in [
        (Layout::ClipRetrieval, "img_emb/img_emb_0.npy"),
        (Layout::ClipRetrieval, "text_emb"),
        (Layout::ChineseClip, "img_feat.jsonl"),
        (Layout::Fbin, "texts.fbin"),
    ] {
        let set = folder.path().join(format!("{layout:?}{}", file.len()));
        let mut writer = VectorWriter::create(&set, layout, 2).expect("a new folder");
        writer.write(&sample("a", "x"), &[0.6, 0.8], &[1.0, 0.0, 0.0, 1.0]).expect("a row");
        writer.finish().expect("a set");
        let path = set.join(file);
        let whole = Vectors::read(&path, "image_id").expect("what was written");
        let part = if path.is_dir() { path.join("text_emb_0.npy") } else { path.clone() };
        let bytes = std::fs::read(&part).expect("bytes");
        let mut rng = Rng::new(&[file.len() as u64, 3]);
        for _ in 0..rounds(500) {
            std::fs::write(&part, damaged(&bytes, &mut rng)).expect("a file");
            if let Ok(found) = Vectors::read(&path, "image_id") {
                assert_eq!(found.values.len(), found.ids.len() * found.dim);
                assert!(found.values.iter().all(|value| value.abs() <= 1.0 + 1e-5));
            }
        }
        assert_eq!(whole.dim, 2);
    }
}

#[test]
fn damaged_pictures() {
    for name in [
        "rgb.jpg",
        "palette.png",
        "alpha.webp",
        "animated.gif",
        "palette.bmp",
        "lzw.tif",
        "turned.jpg",
        "../avif/420.avif",
        "../avif/alpha.avif",
    ] {
        let bytes = std::fs::read(golden(name)).expect("a golden picture");
        let mut rng = Rng::new(&[name.len() as u64]);
        for _ in 0..rounds(300) {
            let limits = Limits { pixels: 1_000_000, bytes: 1 << 20 };
            if let Ok(picture) = decode(&damaged(&bytes, &mut rng), limits) {
                tuwen_image::Preprocess::squash(8).fit(&picture);
            }
        }
    }
}

#[test]
fn any_bytes_are_text_of_some_encoding() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("t");
    let mut rng = Rng::new(&[9]);
    for _ in 0..rounds(500) {
        let len = rng.below(300);
        let bytes: Vec<u8> = (0..len).map(|_| rng.below(256) as u8).collect();
        std::fs::write(&path, &bytes).expect("a file");
        let file = TextFile::look(&path).expect("any file");
        let mut text = String::new();
        std::io::Read::read_to_string(&mut file.open().expect("any file"), &mut text)
            .expect("UTF-8");
        let marks = text.chars().filter(|&c| c == '\u{fffd}').count() as u64;
        assert!(marks >= file.malformed, "nothing is dropped in silence: {bytes:?}");
    }
}
