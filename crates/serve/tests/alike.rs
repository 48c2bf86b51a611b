//! Where the line between a copy and another photo lies: of photos of Flickr8k and changed copies of them, how many copies
//! each similarity folds, and how many pairs of different photos. The numbers stand beside `tuwen_retrieve::alike::ALIKE`.
//!
//! Needs the development data: `TUWEN_SHARED` (default `../shared`).

use std::io::Read;
use std::path::{Path, PathBuf};

use tuwen_encode::{CpuEncoder, Encoder, builtin};
use tuwen_image::{Filter, Limits, Picture, RgbImage, decode, encode_jpeg, resize};
use tuwen_index::exact;
use tuwen_retrieve::alike::ALIKE;

/// Photos, and those of them that are changed.
const PHOTOS: usize = 1_000;
const CHANGED: usize = 200;
/// Photos that become vectors at once.
const TOGETHER: usize = 32;

/// Makes a copy of a photo that is another file.
type Change = fn(&RgbImage) -> RgbImage;

/// What happens to photos on their way through programs and people.
const CHANGES: [(&str, Change); 5] = [
    ("saved as JPEG of quality 40", |photo| {
        decode(&encode_jpeg(photo, 40), Limits::default()).expect("our own JPEG").into_rgb()
    }),
    ("half as large", |photo| half(photo, 2)),
    ("a quarter as large", |photo| half(photo, 4)),
    ("cropped by a tenth", |photo| {
        let (width, height) = photo.dimensions();
        let (left, top) = (width / 20, height / 20);
        RgbImage::from_fn(width - 2 * left, height - 2 * top, |x, y| {
            *photo.get_pixel(x + left, y + top)
        })
    }),
    ("a fifth brighter", |photo| {
        let mut photo = photo.clone();
        photo.iter_mut().for_each(|value| *value = (u32::from(*value) * 6 / 5).min(255) as u8);
        photo
    }),
];

fn half(photo: &RgbImage, by: u32) -> RgbImage {
    resize(photo, photo.width() / by, photo.height() / by, Filter::Bicubic)
}

/// The first photos of the training set.
fn photos(shared: &Path) -> Vec<RgbImage> {
    let file = std::fs::File::open(shared.join("data/flickr8k/flickr8k-train.tar"));
    let mut archive = tar::Archive::new(file.expect("the photos"));
    let entries = archive.entries().expect("an archive").take(PHOTOS);
    let read = |entry: std::io::Result<tar::Entry<'_, std::fs::File>>| {
        let mut bytes = Vec::new();
        entry.expect("a member").read_to_end(&mut bytes).expect("a photo");
        decode(&bytes, Limits::default()).expect("a photo").into_rgb()
    };
    entries.map(read).collect()
}

/// The vectors of photos, (N, D).
fn embed(encoder: &CpuEncoder, photos: &[RgbImage]) -> Vec<f32> {
    let some = |photos: &[RgbImage]| {
        let fitted =
            photos.iter().map(|photo| encoder.preprocess().fit(&Picture::Rgb(photo.clone())));
        encoder.encode_images(&fitted.collect::<Vec<_>>()).expect("vectors")
    };
    photos.chunks(TOGETHER).flat_map(some).collect()
}

#[test]
fn copies_are_folded_and_other_photos_are_not() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let shared = std::env::var_os("TUWEN_SHARED").map_or(root.join("../shared"), PathBuf::from);
    if !shared.join("data/flickr8k/flickr8k-train.tar").is_file() {
        eprintln!("NOT RUN: Flickr8k is not in {} (TUWEN_SHARED)", shared.display());
        return;
    }
    let encoder = builtin::open().expect("the built-in model");
    let (photos, dim) = (photos(&shared), encoder.dim());
    assert_eq!(photos.len(), PHOTOS);
    let vectors = embed(&encoder, &photos);
    let mut copies: Vec<(&str, Vec<f32>)> = Vec::new();
    for (name, change) in CHANGES {
        let changed: Vec<RgbImage> = photos[..CHANGED].iter().map(change).collect();
        let embedded = embed(&encoder, &changed);
        let of =
            |at: usize| exact::score(&vectors[at * dim..][..dim], &embedded[at * dim..][..dim]);
        copies.push((name, (0..CHANGED).map(of).collect()));
    }
    let mut scores = vec![0.0; PHOTOS * PHOTOS];
    exact::scores(&vectors, &vectors, dim, &mut scores, PHOTOS);
    let pairs = (0..PHOTOS).flat_map(|a| (0..a).map(move |b| (a, b)));
    let mut pairs: Vec<f32> = pairs.map(|(a, b)| scores[a * PHOTOS + b]).collect();
    pairs.sort_by(|a, b| b.total_cmp(a));
    let from = |scores: &[f32], least: f32| scores.iter().filter(|&&score| score >= least).count();
    println!("{} with fingerprint {}", encoder.name(), encoder.fingerprint());
    for least in (90..=98).map(|hundredths| hundredths as f32 / 100.0) {
        let folded: Vec<String> =
            copies.iter().map(|(name, scores)| format!("{name} {}", from(scores, least))).collect();
        let all: usize = copies.iter().map(|(_, scores)| from(scores, least)).sum();
        let (most, wrong) = (CHANGED * CHANGES.len(), from(&pairs, least));
        println!(
            "{least:.2}: {all} of {most} copies, {wrong} pairs of photos; {}",
            folded.join(", ")
        );
    }
    println!("the most similar pairs: {:?}", &pairs[..10]);
    // A later model may draw the line elsewhere; then the constant has to be chosen anew.
    let folded: usize = copies.iter().map(|(_, scores)| from(scores, ALIKE)).sum();
    assert!(folded * 10 >= CHANGED * CHANGES.len() * 6, "{folded} copies are folded");
    assert!(from(&pairs, ALIKE) <= 10, "{:?}", &pairs[..20]);
}
