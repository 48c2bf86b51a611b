//! The files of vectors: what is damaged is said, what was not committed is cut off, what is gone is never found.

use std::fs::OpenOptions;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tuwen_index::{Error, Gallery, IdSet, Modality, ModelId, NewItem};

const DIM: usize = 8;

fn model() -> ModelId {
    ModelId { name: "test".into(), fingerprint: "test-1".into(), dim: DIM }
}

fn vector(of: usize) -> Vec<f32> {
    (0..DIM).map(|column| ((of * 31 + column * 17) % 97) as f32 / 97.0).collect()
}

fn item(of: usize) -> NewItem {
    NewItem {
        origin: of.to_string().into_bytes(),
        metadata: "{}".into(),
        vector: vector(of),
        ..NewItem::default()
    }
}

/// A gallery of so many items, a few in each transaction, so that checksums of blocks are continued.
fn filled(folder: &Path, items: usize) -> Gallery {
    let gallery = Gallery::open_for_writing(folder, &model()).expect("a gallery");
    let all: Vec<usize> = (0..items).collect();
    for some in all.chunks(100) {
        let put =
            |gallery: &Gallery| some.iter().try_for_each(|&of| gallery.insert(&item(of)).map(drop));
        gallery.transaction(put).expect("committed");
    }
    gallery
}

fn segment(folder: &Path, end: &str) -> PathBuf {
    let files = std::fs::read_dir(folder.join("vectors")).expect("segments");
    let mut files = files.map(|entry| entry.expect("an entry").path());
    files.find(|path| path.extension().is_some_and(|e| e == end)).expect("a segment")
}

fn write_at(path: &Path, at: SeekFrom, bytes: &[u8]) {
    let mut file = OpenOptions::new().write(true).open(path).expect("the file");
    file.seek(at).and_then(|_| file.write_all(bytes)).expect("written");
}

#[test]
fn a_changed_byte_is_found_when_its_block_is_read() {
    for end in ["vectors", "ids"] {
        let folder = tempfile::tempdir().expect("a folder");
        drop(filled(folder.path(), 700));
        let path = segment(folder.path(), end);
        let middle = path.metadata().expect("the file").len() / 2;
        write_at(&path, SeekFrom::Start(middle), &[0x55]);
        let gallery = Gallery::open(folder.path()).expect("opening reads no block");
        let vectors = gallery.vectors(Modality::Image).expect("nor does mapping");
        let error = vectors.search(&vector(1), 3, None).expect_err("a damaged block");
        assert!(matches!(&error, Error::DamagedSegment { .. }), "{error}");
        let said = error.to_string();
        assert!(said.contains("block 1") && said.contains("--rebuild"), "{said}");
        // Vectors of other blocks are found all the same, where only they are asked for.
        let among: IdSet = (1..=200).collect();
        let found = vectors.search(&vector(1), 3, Some(&among)).map(|hits| hits.len());
        assert_eq!(found.ok(), (end == "vectors").then_some(3));
    }
}

#[test]
fn a_cut_file_is_refused_and_an_uncommitted_tail_is_cut() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(filled(folder.path(), 300));
    let path = segment(folder.path(), "vectors");
    let length = path.metadata().expect("the file").len();
    assert_eq!(length, (300 * DIM * 4) as u64);
    write_at(&path, SeekFrom::End(0), b"half of a batch that nobody committed");
    let gallery = Gallery::open_for_writing(folder.path(), &model()).expect("it opens");
    let id = gallery.insert(&item(300)).expect("one more");
    assert_eq!(path.metadata().expect("the file").len(), length + (DIM * 4) as u64);
    assert_eq!(gallery.vector(id).expect("a vector"), vector(300));
    let vectors = gallery.vectors(Modality::Image).expect("vectors");
    assert_eq!(vectors.search(&vector(300), 301, None).expect("hits").len(), 301);
    drop((gallery, vectors));
    OpenOptions::new().write(true).open(&path).and_then(|f| f.set_len(length)).expect("cut");
    let gallery = Gallery::open(folder.path()).expect("the database is whole");
    let error = gallery.vectors(Modality::Image).expect_err("a row is missing");
    assert!(matches!(error, Error::DamagedSegment { .. }), "{error}");
}

#[test]
fn what_is_removed_or_replaced_is_not_found_and_a_merge_gives_its_place_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let gallery = filled(folder.path(), 3000);
    let reader = Gallery::open(folder.path()).expect("a reader");
    let before = reader.vectors(Modality::Image).expect("vectors");
    gallery.update(7, &item(5000)).expect("updated");
    let remove = |gallery: &Gallery| (1001..=2900).try_for_each(|id| gallery.remove(id));
    gallery.transaction(remove).expect("removed");
    let check = |gallery: &Gallery| {
        let vectors = gallery.vectors(Modality::Image).expect("vectors");
        let all = vectors.search(&vector(5000), 5000, None).expect("hits");
        let mut ids: Vec<u64> = all.iter().map(|hit| hit.id).collect();
        ids.sort_unstable();
        assert!(ids.iter().copied().eq((1..=1000).chain(2901..=3000)), "each that is there, once");
        assert_eq!((vectors.len(), gallery.vector(7).expect("a vector")), (1100, vector(5000)));
        assert_eq!(gallery.vector(2950).expect("a vector"), vector(2949));
    };
    check(&gallery);
    let old = segment(folder.path(), "vectors");
    gallery.merge().expect("merged");
    check(&gallery);
    check(&reader);
    let new = segment(folder.path(), "vectors");
    assert_ne!(old, new);
    assert_eq!(new.metadata().expect("the file").len(), (1100 * DIM * 4) as u64);
    assert_eq!(
        before.search(&vector(2000), 4000, None).expect("hits").len(),
        3000,
        "as it was mapped"
    );
    gallery.insert(&item(1)).expect("the merged segment grows");
    assert_eq!(gallery.vectors(Modality::Image).expect("vectors").len(), 1101);
}
