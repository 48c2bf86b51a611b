//! A writer that says what it has committed, and what has to be true of its gallery whatever ended it.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

use tuwen_index::{Gallery, Modality, ModelId, NewItem, Vectors};

/// Vectors as wide as those that have codes.
pub const DIM: usize = 64;
/// Items of an old gallery that is migrated.
const OLD: usize = 3000;

pub fn model() -> ModelId {
    ModelId { name: "test".into(), fingerprint: "test-1".into(), dim: DIM }
}

fn vector(of: usize) -> Vec<f32> {
    (0..DIM).map(|column| ((of * 31 + column * 17) % 997) as f32 / 997.0).collect()
}

/// A vector to ask with.
pub fn query(of: usize) -> Vec<f32> {
    vector(of)
}

/// Of an item and a query.
pub fn score(of: usize, query: &[f32]) -> f32 {
    vector(of).iter().zip(query).map(|(a, b)| a * b).sum()
}

fn item(of: usize) -> NewItem {
    NewItem {
        origin: of.to_string().into_bytes(),
        metadata: "{}".into(),
        vector: vector(of),
        ..NewItem::default()
    }
}

/// What a writer has said.
#[derive(Clone, Default)]
pub struct Said {
    /// Items that are there, and what each was made of.
    pub there: BTreeMap<i64, usize>,
    /// Items that are gone.
    pub gone: BTreeSet<i64>,
    /// How many were to be removed.
    pub removals: usize,
}

impl Said {
    /// `+ ID NUMBER`: an item is there; `- ID`: it may be gone from now on; `! ID`: it is.
    pub fn hear(&mut self, line: &str) {
        let mut words = line.split(' ');
        let sign = words.next();
        let mut number = || words.next().and_then(|word| word.parse::<i64>().ok());
        match (sign, number(), number()) {
            (Some("+"), Some(id), Some(of)) => drop(self.there.insert(id, of as usize)),
            (Some("-"), Some(id), _) => {
                self.removals += usize::from(self.there.remove(&id).is_some());
            }
            (Some("!"), Some(id), _) => drop(self.gone.insert(id)),
            // The line that was being written.
            _ => {}
        }
    }
}

/// Adds, removes and merges that many times, and says so on standard output.
pub fn write(folder: &Path, turns: usize) {
    let gallery = Gallery::open_for_writing(folder, &model()).expect("a gallery");
    let mut of = gallery.last_id().expect("the last") as usize;
    let mut out = std::io::stdout();
    let mut say = |lines: String| out.write_all(lines.as_bytes()).expect("said");
    for _ in 0..turns {
        for _ in 0..8 {
            say(add(&gallery, of, 200));
            of += 200;
        }
        let first = of as i64 - 1600;
        let gone: Vec<i64> = (first..first + 1400).collect();
        // What is removed is said first: from then on it may be there or not.
        say(gone.iter().map(|id| format!("- {id}\n")).collect());
        let remove = |gallery: &Gallery| gone.iter().try_for_each(|&id| gallery.remove(id));
        gallery.transaction(remove).expect("removed");
        say(gone.iter().map(|id| format!("! {id}\n")).collect());
        gallery.merge().expect("merged");
    }
}

/// Commits items, and what is to be said of them.
pub fn add(gallery: &Gallery, of: usize, count: usize) -> String {
    let put = |gallery: &Gallery| {
        (of..of + count).map(|of| Ok((gallery.insert(&item(of))?, of))).collect()
    };
    let added: Vec<(i64, usize)> = gallery.transaction(put).expect("committed");
    added.iter().map(|(id, of)| format!("+ {id} {of}\n")).collect()
}

/// How many scores codes have bounded in a gallery that has all that was said; `moment` names it in a failure.
pub fn check(folder: &Path, said: &Said, moment: &str) -> u64 {
    let gallery = Gallery::open(folder).unwrap_or_else(|e| panic!("{moment}: {e}"));
    let vectors = gallery.vectors(Modality::Image).unwrap_or_else(|e| panic!("{moment}: {e}"));
    let found = vectors.search(&vector(1), usize::MAX, None);
    let found = found.unwrap_or_else(|e| panic!("{moment}: {e}"));
    let ids: BTreeSet<u64> = found.iter().map(|hit| hit.id).collect();
    assert_eq!(ids.len(), found.len(), "{moment}: each item once");
    assert_eq!(found.len(), gallery.count(Modality::Image).expect("a count"), "{moment}");
    for (&id, &of) in &said.there {
        assert!(ids.contains(&(id as u64)), "{moment}: item {id} is lost");
        assert_eq!(gallery.vector(id).expect("a vector"), vector(of), "{moment}: item {id}");
    }
    for &id in &said.gone {
        assert!(!ids.contains(&(id as u64)), "{moment}: item {id} was removed and is there");
    }
    check_codes(&vectors, moment)
}

/// The best by codes are those of all rows in their order, which are scored from f32.
fn check_codes(vectors: &Vectors, moment: &str) -> u64 {
    for of in [1, 77, 4000] {
        let all = vectors.search(&vector(of), usize::MAX, None).expect("hits");
        let best = vectors.search(&vector(of), 10, None).expect("hits");
        assert_eq!(best, all[..10.min(all.len())], "{moment}");
    }
    vectors.work().bounded
}

/// A gallery as the first format had it, in an empty folder, and what is in it.
pub fn old_gallery(folder: &Path) -> Said {
    let db = rusqlite::Connection::open(folder.join("gallery.sqlite")).expect("a database");
    db.execute_batch(include_str!("../galleries/format-1.sql")).expect("its tables");
    db.execute("UPDATE meta SET value = ?1 WHERE key = 'dim'", [DIM.to_string()]).expect("a width");
    let transaction = db.unchecked_transaction().expect("a transaction");
    for of in 0..OLD {
        let bytes: Vec<u8> = vector(of).iter().flat_map(|v| v.to_le_bytes()).collect();
        let sql = "INSERT INTO item (kind, origin, hash, size, mtime_ns, metadata, vector) \
                   VALUES ('image', ?1, zeroblob(32), 0, 0, '{}', ?2)";
        db.execute(sql, rusqlite::params![of.to_string().into_bytes(), bytes]).expect("an item");
    }
    transaction.commit().expect("committed");
    Said { there: (0..OLD).map(|of| (of as i64 + 1, of)).collect(), ..Said::default() }
}
