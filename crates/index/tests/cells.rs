//! Cells on the disk: what is found is among the best, always as much as there is, and all of it exactly as without
//! cells where the file is missing, cut, damaged, hostile, or of other rows.

use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tuwen_index::{CellsOptions, Gallery, Hit, IdSet, Modality, ModelId, NewItem, Vectors, Way};

const DIM: usize = 72;
const K: usize = 10;
const ROWS: usize = 12_000;

fn model() -> ModelId {
    ModelId { name: "test".into(), fingerprint: "test-1".into(), dim: DIM }
}

/// Seeded numbers: <https://prng.di.unimi.it/splitmix64.c>.
fn mixed(at: u64) -> u64 {
    let z = at.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Around one of 60 centres, far from texts.
fn vector(of: usize, kind: u64) -> Vec<f32> {
    let number = |seed: u64| (mixed(seed) >> 40) as f32 / (1u64 << 24) as f32 - 0.5;
    let value = |column: usize| {
        let column = column as u64;
        let centre = number(mixed(of as u64) % 60 * 1000 + column);
        let gap = number(column + 900_000 + kind * 1000);
        1.5 * gap + centre + 0.7 * number(((of as u64) << 12) + column + kind * (1 << 50))
    };
    let values: Vec<f32> = (0..DIM).map(value).collect();
    let length = values.iter().map(|v| v * v).sum::<f32>().sqrt();
    values.into_iter().map(|v| v / length).collect()
}

fn add(gallery: &Gallery, modality: Modality, items: std::ops::Range<usize>) {
    let kind = u64::from(modality == Modality::Text);
    let put = |gallery: &Gallery| {
        items.clone().try_for_each(|of| {
            let item = NewItem {
                modality,
                origin: of.to_string().into_bytes(),
                metadata: "{}".into(),
                vector: vector(of, kind),
                ..NewItem::default()
            };
            gallery.insert(&item).map(drop)
        })
    };
    gallery.transaction(put).expect("committed");
}

fn options() -> CellsOptions<'static> {
    CellsOptions { always: true, texts: Vec::new(), target: 0.98, goes_on: &|_| true }
}

/// A gallery of pictures and texts with cells.
fn filled(folder: &Path) -> Gallery {
    let gallery = Gallery::open_for_writing(folder, &model()).expect("a gallery");
    add(&gallery, Modality::Image, 0..ROWS);
    add(&gallery, Modality::Text, 0..600);
    let made = gallery.make_cells(Modality::Image, &options()).expect("cells").expect("cells");
    assert_eq!(made.cells, ROWS / 256);
    let least = made.recall.iter().map(|recall| recall.recall).fold(1.0, f64::min);
    assert!(least > 0.93, "{:?}", made.recall);
    gallery
}

fn vectors(folder: &Path) -> Vectors {
    Gallery::open(folder).and_then(|gallery| gallery.vectors(Modality::Image)).expect("vectors")
}

fn file(folder: &Path) -> PathBuf {
    folder.join("vectors/image.cells")
}

/// Queries of words that no gallery has.
fn query(at: usize) -> Vec<f32> {
    vector(1_000_000 + at, 1)
}

fn way(vectors: &Vectors, among: Option<&IdSet>) -> Way {
    vectors.plan(&query(0), K, among).way
}

/// The share of the best that is found; scores of all that is found are exact.
fn recall(vectors: &Vectors, among: Option<&IdSet>) -> f64 {
    let (mut right, mut all) = (0, 0);
    for at in 0..60 {
        let found = vectors.search(&query(at), K, among).expect("hits");
        let wanted = vectors.search_all_exact(&query(at), K, among).expect("hits").remove(0);
        assert_eq!(found.len(), wanted.len(), "always as many as there are");
        right += found.iter().filter(|hit| wanted.contains(hit)).count();
        all += wanted.len();
    }
    right as f64 / all as f64
}

/// The same hits, bits and order as without cells.
fn is_exact(vectors: &Vectors) {
    for at in 0..5 {
        let wanted: Vec<Hit> =
            vectors.search_all_exact(&query(at), K, None).expect("hits").remove(0);
        assert_eq!(vectors.search(&query(at), K, None).expect("hits"), wanted);
    }
}

#[test]
fn cells_find_nearly_all_also_with_filters_new_rows_and_rows_that_are_gone() {
    let folder = tempfile::tempdir().expect("a folder");
    let gallery = filled(folder.path());
    let opened = vectors(folder.path());
    assert_eq!(way(&opened, None), Way::Cells);
    assert!(opened.plan(&query(0), K, None).why.contains("words"));
    assert!(opened.plan(&vector(3, 0), K, None).why.contains("a picture"));
    assert!(recall(&opened, None) > 0.95, "{}", recall(&opened, None));
    let half: IdSet = (0..ROWS as u64).filter(|id| mixed(*id).is_multiple_of(2)).collect();
    assert_eq!(way(&opened, Some(&half)), Way::Cells);
    assert!(recall(&opened, Some(&half)) > 0.9, "{}", recall(&opened, Some(&half)));
    let few: IdSet = (0..ROWS as u64).filter(|id| mixed(*id).is_multiple_of(40)).collect();
    assert_eq!(way(&opened, Some(&few)), Way::Scan);
    assert_eq!(recall(&opened, Some(&few)), 1.0);
    assert_eq!(opened.search(&query(1), ROWS, None).expect("hits").len(), ROWS);

    // A new row is found at once, one that is gone is not.
    let new = query(7);
    let item = NewItem {
        origin: b"new".into(),
        metadata: "{}".into(),
        vector: new.clone(),
        ..NewItem::default()
    };
    let id = gallery.transaction(|gallery| gallery.insert(&item)).expect("committed");
    let opened = vectors(folder.path());
    assert_eq!(way(&opened, None), Way::Cells);
    assert_eq!(opened.search(&new, 1, None).expect("hits")[0].id, id as u64);
    let best = opened.search(&query(9), 3, None).expect("hits")[0].id;
    gallery.transaction(|gallery| gallery.remove(best as i64)).expect("committed");
    let opened = vectors(folder.path());
    assert!(opened.search(&query(9), 50, None).expect("hits").iter().all(|hit| hit.id != best));

    // Most rows are new: all are searched exactly until cells are made again.
    add(&gallery, Modality::Image, ROWS..3 * ROWS);
    let opened = vectors(folder.path());
    assert_eq!(way(&opened, None), Way::Codes);
    assert!(opened.plan(&query(0), K, None).why.contains("compact"));
    is_exact(&opened);
    gallery.make_cells(Modality::Image, &options()).expect("cells");
    let opened = vectors(folder.path());
    assert_eq!(way(&opened, None), Way::Cells);
    assert!(recall(&opened, None) > 0.95);
}

#[test]
fn rows_of_a_merged_segment_are_searched_exactly() {
    let folder = tempfile::tempdir().expect("a folder");
    let gallery = filled(folder.path());
    let gone: Vec<i64> = (1..=ROWS as i64).filter(|id| id % 3 == 0).collect();
    let remove = |gallery: &Gallery| gone.iter().try_for_each(|&id| gallery.remove(id));
    gallery.transaction(remove).expect("removed");
    let opened = vectors(folder.path());
    assert_eq!(way(&opened, None), Way::Cells);
    let hits = opened.search(&query(2), 100, None).expect("hits");
    assert!(hits.iter().all(|hit| hit.id % 3 != 0) && hits.len() == 100);
    gallery.merge().expect("merged");
    let merged = vectors(folder.path());
    assert_eq!(way(&merged, None), Way::Codes);
    is_exact(&merged);
}

#[test]
fn a_damaged_file_is_noticed_and_the_search_is_exact() {
    let folder = tempfile::tempdir().expect("a folder");
    let gallery = filled(folder.path());
    assert_eq!(gallery.verify(&|_| true).expect("verified"), []);
    let path = file(folder.path());
    let whole = std::fs::read(&path).expect("the file");
    for round in 0..120 {
        let at = mixed(round) as usize % whole.len();
        let mut file = OpenOptions::new().read(true).write(true).open(&path).expect("the file");
        let mut byte = [0];
        file.seek(SeekFrom::Start(at as u64)).expect("there");
        file.read_exact(&mut byte).expect("a byte");
        file.seek(SeekFrom::Start(at as u64)).expect("there");
        file.write_all(&[byte[0] ^ (1 << (round % 8))]).expect("written");
        let opened = vectors(folder.path());
        // Where nobody looks nothing is wrong; what is found stays right.
        assert!(recall(&opened, None) > 0.95, "byte {at}");
        // The first page is mostly empty, and its places of widths have checksums of their own.
        let wrong = gallery.verify(&|_| true).expect("verified");
        let is_named = wrong.len() == 1 && wrong[0].path == path && wrong[0].derived;
        assert!(is_named || (at < 4096 && wrong.is_empty()), "byte {at}: {wrong:?}");
        file.seek(SeekFrom::Start(at as u64)).expect("there");
        file.write_all(&byte).expect("written");
    }
    // All cells at once: the damage is met and named.
    let mut bytes = whole.clone();
    let from = bytes.len() / 3;
    bytes[from..].iter_mut().step_by(50).for_each(|byte| *byte ^= 0x10);
    std::fs::write(&path, &bytes).expect("written");
    let opened = vectors(folder.path());
    is_exact(&opened);
    assert_eq!(opened.damaged_cells().map(|(path, _)| path.to_owned()), Some(path.clone()));
    assert_ne!(way(&opened, None), Way::Cells);
    assert!(opened.plan(&query(0), K, None).why.contains("damaged"));

    // Cut, empty, no file, a folder, a link to nothing.
    for len in [0, 7, 100, 4095, 4096, 5000, whole.len() / 2, whole.len() - 1, whole.len() + 1] {
        let mut bytes = whole.clone();
        bytes.resize(len, 0);
        std::fs::write(&path, &bytes).expect("written");
        let opened = vectors(folder.path());
        is_exact(&opened);
        assert!(opened.damaged_cells().is_some(), "{len} bytes");
    }
    std::fs::remove_file(&path).expect("removed");
    is_exact(&vectors(folder.path()));
    assert_eq!(vectors(folder.path()).damaged_cells(), None);
    std::fs::create_dir(&path).expect("a folder");
    is_exact(&vectors(folder.path()));
    assert!(vectors(folder.path()).damaged_cells().is_some());
    std::fs::remove_dir(&path).expect("removed");
    gallery.make_cells(Modality::Image, &options()).expect("cells");
    assert_eq!(way(&vectors(folder.path()), None), Way::Cells);
}

/// A first page that says anything, with the checksum that fits: refused before anything of its sizes is read, and
/// never more memory than the file has bytes.
#[test]
fn a_hostile_head_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(filled(folder.path()));
    let path = file(folder.path());
    let whole = std::fs::read(&path).expect("the file");
    let head = |bytes: &mut Vec<u8>, len: usize| {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&bytes[12..1024]);
        hasher.update(&bytes[4096..len.clamp(4096, bytes.len())]);
        let check = hasher.finalize();
        bytes[8..12].copy_from_slice(&check.to_le_bytes());
    };
    // Of this file, by its numbers: stamp, mean, kinds, table, scales and codes of the centres.
    let cells = ROWS / 256;
    let len = (4096 + 24 + 12 * 128 + 32 * cells + cells.next_multiple_of(64) * (4 + 128))
        .next_multiple_of(64);
    let mut same = whole.clone();
    head(&mut same, len);
    assert!(same == whole, "the head is as this test thinks");
    for round in 0..400 {
        let mut bytes = whole.clone();
        let draw = mixed(7000 + round);
        let at = if round % 2 == 0 {
            12 + draw as usize % 20
        } else {
            4096 + draw as usize % (len - 4096)
        };
        let value = [0u8, 1, 0x7f, 0x80, 0xff, (draw >> 32) as u8][(draw >> 24) as usize % 6];
        bytes[at] = value;
        head(&mut bytes, len);
        std::fs::write(&path, &bytes).expect("written");
        let opened = vectors(folder.path());
        // Whatever it says, what is found has its exact score, and is there.
        for at in 0..3 {
            let found = opened.search(&query(at), K, None).expect("hits");
            let scores = opened.search_all_exact(&query(at), ROWS, None).expect("hits").remove(0);
            assert_eq!(found.len(), K, "byte {at}");
            assert!(found.iter().all(|hit| scores.contains(hit)), "byte {at}");
        }
    }
}

#[test]
fn a_read_only_folder_and_a_second_builder_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let gallery = filled(folder.path());
    let part = folder.path().join("vectors/image.cells.part");
    let held =
        OpenOptions::new().write(true).create(true).truncate(false).open(&part).expect("a file");
    held.try_lock().expect("locked");
    let busy = gallery.make_cells(Modality::Image, &options()).expect_err("another builds");
    assert!(busy.to_string().contains("being written by another"), "{busy}");
    drop(held);
    let stopped = CellsOptions { goes_on: &|share| share < 0.3, ..options() };
    assert_eq!(gallery.make_cells(Modality::Image, &stopped).expect("stopped"), None);
    assert!(!part.exists(), "nothing is left of a build that was stopped");
    assert_eq!(way(&vectors(folder.path()), None), Way::Cells);
}
