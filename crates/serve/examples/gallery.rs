//! A gallery for the load test of `scripts/bench/serve.sh`, without hours of embedding.
//!
//! `cargo run --release -p tuwen-serve --example gallery -- FOLDER ITEMS QUERIES`: ITEMS pictures in FOLDER/gallery.
//! Their vectors are random, as wide as the built-in model's, so that every search compares as many numbers as it
//! does with vectors of photos, and finds nothing that means anything. Their files are real, in FOLDER/pictures: so
//! many different JPEGs as FILES says, and links to them. FOLDER/queries.jsonl gets QUERIES bodies of searches by a
//! picture, each another one.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tuwen_encode::builtin;
use tuwen_image::rng::Rng;
use tuwen_image::{Filter, RgbImage, encode_jpeg, resize};
use tuwen_index::filter::{Fields, Value};
use tuwen_index::{Gallery, NewItem};
use tuwen_retrieve::model_id;

/// Pictures that differ.
const FILES: usize = 500;
/// Of a picture, those of the gallery and those that are searched by.
const SIZE: (u32, u32) = (640, 480);
/// Items of a transaction.
const AT_ONCE: usize = 5_000;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [folder, items, queries] = &args[..] else {
        panic!("three arguments: FOLDER ITEMS QUERIES");
    };
    let number = |text: &String| text.parse::<usize>().expect("a number");
    let (folder, items) = (PathBuf::from(folder), number(items));
    assert!(
        !folder.exists(),
        "{} is there already, perhaps half made: remove it",
        folder.display()
    );
    let hashes = pictures(&folder.join("pictures"), items);
    fill(&folder, items, &hashes);
    let mut bodies = String::new();
    for of in 0..number(queries) {
        let image = STANDARD.encode(picture(1, of));
        writeln!(bodies, "{{\"image\":\"data:image/jpeg;base64,{image}\",\"k\":20}}")
            .expect("into memory");
    }
    std::fs::write(folder.join("queries.jsonl"), bodies).expect("the queries");
}

/// Writes the files; hash and size of each that differs.
fn pictures(folder: &Path, items: usize) -> Vec<([u8; 32], u64)> {
    let mut known = Vec::new();
    for of in 0..items {
        let (path, first) = (path(folder, of), path(folder, of % FILES));
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        if of < FILES {
            let bytes = picture(0, of);
            std::fs::write(&path, &bytes).expect("a picture");
            known.push((*blake3::hash(&bytes).as_bytes(), bytes.len() as u64));
        } else {
            std::fs::hard_link(first, path).expect("a link");
        }
    }
    known
}

fn path(folder: &Path, of: usize) -> PathBuf {
    folder.join(format!("{:03}", of / 1_000)).join(format!("{of:06}.jpg"))
}

/// A JPEG of soft colours with some grain, of about the size of a photo's.
fn picture(seed: u64, of: usize) -> Vec<u8> {
    let mut rng = Rng::new(&[seed, of as u64]);
    let coarse = RgbImage::from_fn(8, 6, |_, _| {
        let bits = rng.next_u64().to_le_bytes();
        [bits[0], bits[1], bits[2]].into()
    });
    let mut fine = resize(&coarse, SIZE.0, SIZE.1, Filter::Bicubic);
    for pixel in fine.pixels_mut() {
        let grain = (rng.next_u64() % 24) as u8;
        pixel.0 = pixel.0.map(|value| value.saturating_add(grain));
    }
    encode_jpeg(&fine, 85)
}

fn fill(folder: &Path, items: usize, hashes: &[([u8; 32], u64)]) {
    let encoder = builtin::open().expect("the built-in model");
    let model = model_id(builtin::BUILT_IN, &encoder).expect("its name");
    let gallery = Gallery::open_for_writing(&folder.join("gallery"), &model).expect("a gallery");
    let pictures = folder.join("pictures").canonicalize().expect("the pictures");
    for start in (0..items).step_by(AT_ONCE) {
        let put = |gallery: &Gallery| {
            (start..(start + AT_ONCE).min(items)).try_for_each(|of| {
                let (path, (hash, size)) = (path(&pictures, of), hashes[of % FILES]);
                let mut fields = Fields::default();
                fields.push("width", Value::Number(f64::from(SIZE.0)));
                fields.push("height", Value::Number(f64::from(SIZE.1)));
                fields.push("year", Value::Number((2000 + of % 26) as f64));
                let item = NewItem {
                    origin: path.to_str().expect("a path in UTF-8").into(),
                    hash,
                    size,
                    metadata: format!("{{\"width\":{},\"height\":{}}}", SIZE.0, SIZE.1),
                    fields,
                    words: format!("{of:06}.jpg"),
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

/// A direction, all of which are as likely: sums of twelve numbers are nearly normal.
fn vector(of: usize, dim: usize) -> Vec<f32> {
    let mut rng = Rng::new(&[2, of as u64]);
    let values: Vec<f32> =
        (0..dim).map(|_| (0..12).map(|_| rng.unit()).sum::<f32>() - 6.0).collect();
    let length = values.iter().map(|v| v * v).sum::<f32>().sqrt();
    values.into_iter().map(|v| v / length).collect()
}
