//! Bits change on the disk, at random places of every file of a gallery: what is searched is right, or an error names
//! the file. `TUWEN_DAMAGES` is how many places of each file are changed.

mod writer;

use std::path::{Path, PathBuf};

use tuwen_index::{CellsOptions, Gallery, Item, Modality, NewItem};

const ITEMS: usize = 1500;
const PLACES: u64 = 10;

/// What a user can see of a gallery.
#[derive(Debug, PartialEq)]
struct Seen {
    hits: Vec<Vec<(u64, u32)>>,
    exact: Vec<Vec<(u64, u32)>>,
    items: Vec<Item>,
    vectors: Vec<Vec<f32>>,
}

/// What became of a changed bit.
#[derive(Debug, Default)]
struct Outcomes {
    /// An error where something was read.
    refused: usize,
    /// All is as before, and `verify` names the file.
    verified: usize,
    /// All is as before, and nothing is said: nothing of worth was there.
    harmless: usize,
    /// A text or a number of an item is another one.
    silent: usize,
}

#[test]
fn changed_bits_are_refused_or_change_nothing() {
    let places = std::env::var("TUWEN_DAMAGES")
        .map_or(PLACES, |number| number.parse().expect("TUWEN_DAMAGES is a number of places"));
    let folder = tempfile::tempdir().expect("a folder");
    fill(folder.path());
    let whole = look(folder.path()).expect("a whole gallery");
    let mut files = Vec::new();
    list(folder.path(), &mut files);
    for file in files {
        let bytes = std::fs::read(&file).expect("a file");
        if bytes.is_empty() {
            continue;
        }
        let mut outcomes = Outcomes::default();
        for place in 0..places {
            let mut changed = bytes.clone();
            let mixed = (place + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let at = (mixed >> 16) as usize % bytes.len();
            changed[at] ^= 1 << (mixed % 8);
            std::fs::write(&file, &changed).expect("changed");
            judge(folder.path(), &file, at, &whole, &mut outcomes);
        }
        std::fs::write(&file, &bytes).expect("as it was");
        println!("{}: {outcomes:?}", file.file_name().expect("a name").display());
        // The database's pages have no checksums, so that a letter of a text may be another one.
        let is_database = file.ends_with("gallery.sqlite");
        assert!(is_database || outcomes.silent == 0, "{}: {outcomes:?}", file.display());
    }
    assert_eq!(look(folder.path()).expect("a whole gallery"), whole);
}

fn judge(folder: &Path, file: &Path, at: usize, whole: &Seen, outcomes: &mut Outcomes) {
    let seen = look(folder);
    let wrong = Gallery::open(folder).and_then(|gallery| gallery.verify(&|_| true));
    let named = wrong.map_or(true, |wrong| wrong.iter().any(|wrong| wrong.path == file));
    match seen {
        Err(_) => outcomes.refused += 1,
        Ok(seen) => {
            let what = format!("byte {at} of {}", file.display());
            assert_eq!(seen.hits, whole.hits, "{what}");
            assert_eq!(seen.exact, whole.exact, "{what}");
            assert_eq!(seen.vectors, whole.vectors, "{what}");
            match (named, seen.items == whole.items) {
                (true, _) => outcomes.verified += 1,
                (false, true) => outcomes.harmless += 1,
                (false, false) => outcomes.silent += 1,
            }
        }
    }
}

fn fill(folder: &Path) {
    let gallery = Gallery::open_for_writing(folder, &writer::model()).expect("a gallery");
    writer::add(&gallery, 0, ITEMS);
    let texts = |gallery: &Gallery| {
        (0..300).try_for_each(|of| {
            let text = NewItem {
                modality: Modality::Text,
                origin: format!("captions.txt:{of}").into_bytes(),
                metadata: format!("{{\"text\": \"a dog number {of} on the beach\"}}"),
                vector: (0..writer::DIM).map(|at| ((of * 7 + at * 3) % 101) as f32).collect(),
                ..NewItem::default()
            };
            let id = gallery.insert(&text)?;
            gallery.describe(id, &Default::default(), &format!("a dog number {of} on the beach"))
        })
    };
    gallery.transaction(texts).expect("texts");
    drop(gallery);
    let gallery = Gallery::open(folder).expect("a gallery");
    let options =
        CellsOptions { always: true, texts: Vec::new(), target: 0.98, goes_on: &|_| true };
    gallery.make_cells(Modality::Image, &options).expect("cells");
}

fn look(folder: &Path) -> tuwen_index::Result<Seen> {
    let gallery = Gallery::open(folder)?;
    let mut seen =
        Seen { hits: Vec::new(), exact: Vec::new(), items: Vec::new(), vectors: Vec::new() };
    for modality in [Modality::Image, Modality::Text] {
        let vectors = gallery.vectors(modality)?;
        for of in 0..3 {
            let query: Vec<f32> =
                (0..writer::DIM).map(|at| ((of * 31 + at * 17) % 97) as f32).collect();
            let exact = vectors.search_all_exact(&query, usize::MAX, None)?.remove(0);
            let plain = |hits: Vec<tuwen_index::Hit>| {
                hits.iter().map(|hit| (hit.id, hit.score.to_bits())).collect::<Vec<_>>()
            };
            // Without cells hits are exact; the cells' own misses are no damage.
            let best = vectors.search(&query, 10, None)?;
            assert!(best.iter().all(|hit| exact.contains(hit)), "scores are exact");
            if modality == Modality::Text {
                seen.hits.push(plain(best));
            }
            seen.exact.push(plain(exact));
        }
        let items = gallery.all(modality)?;
        for item in &items {
            seen.vectors.push(gallery.vector(item.id)?);
        }
        seen.items.extend(items);
    }
    Ok(seen)
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { list(&path, files) } else { files.push(path) }
    }
}
