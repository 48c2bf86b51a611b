//! Codes on the disk: beside rows that come, go and are merged; missing, damaged, cut, of other rows. What is found is
//! always what sorting all scores gives.

use std::fs::OpenOptions;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tuwen_index::{Error, Gallery, Hit, IdSet, Modality, ModelId, NewItem, Vectors, exact};

const DIM: usize = 72;
const K: usize = 7;

fn model() -> ModelId {
    ModelId { name: "test".into(), fingerprint: "test-1".into(), dim: DIM }
}

/// Some are equal, so that ties are common.
fn vector(of: usize) -> Vec<f32> {
    let of = if of.is_multiple_of(5) { of % 40 } else { of };
    let value = |column: usize| ((of * 7919 + column * 104_729) % 65_521) as f32 / 65_521.0 - 0.3;
    (0..DIM).map(value).collect()
}

fn item(of: usize) -> NewItem {
    NewItem {
        origin: of.to_string().into_bytes(),
        metadata: "{}".into(),
        vector: vector(of),
        ..NewItem::default()
    }
}

fn add(gallery: &Gallery, items: std::ops::Range<usize>) {
    for some in items.collect::<Vec<_>>().chunks(333) {
        let put =
            |gallery: &Gallery| some.iter().try_for_each(|&of| gallery.insert(&item(of)).map(drop));
        gallery.transaction(put).expect("committed");
    }
}

fn filled(folder: &Path, items: usize) -> Gallery {
    let gallery = Gallery::open_for_writing(folder, &model()).expect("a gallery");
    add(&gallery, 0..items);
    gallery
}

fn vectors(folder: &Path) -> Vectors {
    Gallery::open(folder).and_then(|gallery| gallery.vectors(Modality::Image)).expect("vectors")
}

/// Searches as `vectors` does and by sorting all scores, with and without a filter. How many scores were bounded by
/// codes.
fn check(vectors: &Vectors, items: &[(u64, usize)]) -> u64 {
    let before = vectors.work().bounded;
    let third: IdSet = items.iter().map(|(id, _)| *id).filter(|id| id % 3 == 0).collect();
    for of in [3, 500, 9999] {
        for among in [None, Some(&third)] {
            let wanted = items.iter().filter(|(id, _)| among.is_none_or(|set| set.contains(*id)));
            let score = |&(id, row): &(u64, usize)| Hit {
                id,
                score: exact::score(&vector(of), &vector(row)),
            };
            let mut wanted: Vec<Hit> = wanted.map(score).collect();
            wanted.sort();
            assert_eq!(vectors.search(&vector(of), K, among).expect("hits"), wanted[..K]);
        }
    }
    vectors.work().bounded - before
}

fn codes(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder.join("vectors")).expect("segments");
    let files = files.map(|entry| entry.expect("an entry").path());
    files.filter(|path| path.extension().is_some_and(|end| end == "codes")).collect()
}

fn write_at(path: &Path, at: u64, bytes: &[u8]) {
    let mut file = OpenOptions::new().write(true).open(path).expect("the file");
    file.seek(SeekFrom::Start(at)).and_then(|_| file.write_all(bytes)).expect("written");
}

/// Items as a filled gallery numbers them.
fn all(items: usize) -> Vec<(u64, usize)> {
    (0..items).map(|of| (of as u64 + 1, of)).collect()
}

#[test]
fn full_blocks_have_codes_at_once_and_tombstones_and_merges_change_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let gallery = filled(folder.path(), 3000);
    assert_eq!(codes(folder.path()).len(), 1);
    let reader = vectors(folder.path());
    // Three queries without a filter, three with one that leaves a third: 11 full blocks of 256 rows.
    let (third, rows) = (11 * 256 / 3, 11 * 256);
    assert_eq!(check(&reader, &all(3000)), 3 * (rows + third));
    let remove = |gallery: &Gallery| (1..=1500).try_for_each(|id| gallery.remove(id));
    gallery.transaction(remove).expect("removed");
    gallery.exclude(1600).expect("excluded");
    let rest: Vec<_> = all(3000).into_iter().filter(|(id, _)| *id > 1500 && *id != 1600).collect();
    assert!(check(&vectors(folder.path()), &rest) > 0);
    gallery.merge().expect("merged");
    gallery.restore(1600).expect("restored");
    let rest = &all(3000)[1500..];
    assert_eq!(codes(folder.path()).len(), 1, "the old segment's codes are gone with it");
    assert!(check(&vectors(folder.path()), rest) > 3 * 1200);
    assert_eq!(check(&reader, &all(3000)), 3 * (rows + third), "as it was mapped");
    add(&gallery, 3000..4000);
    let more = [rest, &all(4000)[3000..]].concat();
    assert!(check(&vectors(folder.path()), &more) > 3 * 2300);
}

#[test]
fn missing_damaged_cut_and_foreign_codes_are_as_good_as_none() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(filled(folder.path(), 2600));
    let path = codes(folder.path()).pop().expect("codes");
    let whole = std::fs::read(&path).expect("codes");
    let items = all(2600);
    let full = check(&vectors(folder.path()), &items);
    let record = whole.len() / 10;
    // A byte of every part of the third record: its head, mean, table and codes.
    for at in [0, 9, 13, 17, 21, 70, 400, 3000, record - 1] {
        write_at(&path, (2 * record + at) as u64, &[whole[2 * record + at] ^ 0x10]);
        let first = vectors(folder.path());
        let bounded = check(&first, &items);
        assert!(bounded > 0 && bounded < full, "byte {at}: {bounded} of {full}");
        assert_eq!(check(&first, &items), full, "byte {at}: made in memory");
        std::fs::write(&path, &whole).expect("restored");
    }
    for len in [0, 100, record, record * 5 + 77, whole.len() - 1] {
        std::fs::write(&path, &whole[..len]).expect("cut");
        assert!(check(&vectors(folder.path()), &items) < full, "{len} bytes");
    }
    let mut foreign = whole.clone();
    foreign[..record].copy_from_slice(&whole[record..2 * record]);
    std::fs::write(&path, &foreign).expect("of other rows");
    assert!(check(&vectors(folder.path()), &items) < full);
    std::fs::remove_file(&path).expect("removed");
    let without = vectors(folder.path());
    assert!(check(&without, &items) < full);
    assert_eq!(check(&without, &items), full);
    assert!(codes(folder.path()).is_empty(), "who reads writes nothing");
    let gallery = Gallery::open_for_writing(folder.path(), &model()).expect("a writer");
    gallery.finish().expect("put in order");
    assert_eq!(std::fs::read(&path).expect("codes"), whole, "the same bytes again");
    assert_eq!(check(&vectors(folder.path()), &items), full);
}

/// Cuts a file where it lies, as another program might.
fn cut(path: &Path, len: u64) {
    OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(len)).expect("cut");
}

#[test]
fn codes_that_are_cut_while_they_are_searched_are_as_good_as_none() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(filled(folder.path(), 2600));
    let path = codes(folder.path()).pop().expect("codes");
    let items = all(2600);
    let full = check(&vectors(folder.path()), &items);
    let len = path.metadata().expect("the file").len();
    for left in [len - 1, len / 2, 0] {
        // One that has read none yet, one that has read some, one that has all in memory.
        let readers = [(); 3].map(|()| vectors(folder.path()));
        readers[1].search(&vector(3), K, None).expect("hits");
        readers[2].warm().expect("warm");
        cut(&path, left);
        assert!(check(&readers[0], &items) < full);
        assert!(check(&readers[1], &items) < full);
        assert_eq!(check(&readers[2], &items), full);
    }
}

#[test]
fn vectors_that_are_cut_while_they_are_searched_are_an_error_that_names_the_file() {
    for end in ["vectors", "ids"] {
        let folder = tempfile::tempdir().expect("a folder");
        drop(filled(folder.path(), 2600));
        let path = folder.path().join(format!("vectors/000001.{end}"));
        let [fresh, warm] = [(); 2].map(|()| vectors(folder.path()));
        warm.warm().expect("warm");
        warm.search(&vector(3), K, None).expect("hits");
        cut(&path, 0);
        let among: IdSet = (1..=2600).step_by(20).collect();
        for among in [None, Some(&among)] {
            for (k, vectors) in [(K, &fresh), (2600, &fresh), (2600, &warm)] {
                let Err(error) = vectors.search(&vector(900), k, among) else {
                    assert_eq!(end, "ids", "items' numbers are in memory");
                    continue;
                };
                let said = error.to_string();
                assert!(said.contains(&path.display().to_string()), "{said}");
                assert!(said.contains("0 bytes of the ") && said.contains("--rebuild"), "{said}");
            }
            assert!(fresh.search(&vector(900), K, among).is_err(), "{end}");
        }
    }
}

#[test]
fn codes_that_are_damaged_inside_are_told_and_written_again() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(filled(folder.path(), 2600));
    let path = codes(folder.path()).pop().expect("codes");
    let whole = std::fs::read(&path).expect("codes");
    let at = whole.len() / 10 * 3 + 3000;
    write_at(&path, at as u64, &[whole[at] ^ 1]);
    let reader = vectors(folder.path());
    check(&reader, &all(2600));
    assert_eq!(reader.damaged_codes(), [path.as_path()]);
    let gallery = Gallery::open_for_writing(folder.path(), &model()).expect("a writer");
    gallery.finish().expect("put in order");
    assert_eq!(std::fs::read(&path).expect("codes"), whole, "as they were");
    let reader = vectors(folder.path());
    check(&reader, &all(2600));
    assert!(reader.damaged_codes().is_empty());
}

#[test]
fn a_folder_in_the_place_of_codes_is_no_harm() {
    let folder = tempfile::tempdir().expect("a folder");
    let gallery = filled(folder.path(), 100);
    std::fs::create_dir(folder.path().join("vectors/000001.codes")).expect("a folder");
    add(&gallery, 100..2000);
    check(&vectors(folder.path()), &all(2000));
}

#[test]
fn a_damaged_row_is_found_when_it_is_scored() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(filled(folder.path(), 2600));
    let path = folder.path().join("vectors/000001.vectors");
    let at = 1256 * DIM * 4 + 11;
    let before = std::fs::read(&path).expect("vectors")[at];
    write_at(&path, at as u64, &[before ^ 1]);
    let vectors = vectors(folder.path());
    // The best of others are found without it.
    let others: IdSet = (1..=600).collect();
    assert_eq!(vectors.search(&vector(500), K, Some(&others)).expect("hits").len(), K);
    let error = vectors.search(&vector(701), K, None).expect_err("it is the best of all");
    let said = error.to_string();
    assert!(matches!(error, Error::DamagedSegment { .. }), "{said}");
    assert!(said.contains("row 232 of block 4") && said.contains("--rebuild"), "{said}");
}

#[test]
fn warming_verifies_codes_and_makes_those_that_are_missing() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(filled(folder.path(), 2600));
    let full = check(&vectors(folder.path()), &all(2600));
    std::fs::remove_file(codes(folder.path()).pop().expect("codes")).expect("removed");
    let vectors = vectors(folder.path());
    vectors.warm().expect("warm");
    assert_eq!(check(&vectors, &all(2600)), full);
}

#[cfg(unix)]
#[test]
fn a_link_in_the_place_of_codes_is_not_written_through() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(filled(folder.path(), 600));
    let [file] = &codes(folder.path())[..] else { panic!("one segment") };
    for (at, hard) in [false, true].into_iter().enumerate() {
        let other = folder.path().join(if hard { "hard.txt" } else { "soft.txt" });
        std::fs::write(&other, "precious").expect("a file");
        std::fs::remove_file(file).expect("codes");
        match hard {
            true => std::fs::hard_link(&other, file),
            false => std::os::unix::fs::symlink(&other, file),
        }
        .expect("a link");
        let gallery = Gallery::open_for_writing(folder.path(), &model()).expect("a gallery");
        add(&gallery, 600 + 700 * at..1300 + 700 * at);
        gallery.finish().expect("codes are completed");
        assert_eq!(std::fs::read(&other).expect("still there"), b"precious");
    }
}
