//! A writer is killed (`kill -9`) at 100 random moments, among them while it writes a segment, merges one, or
//! brings a gallery of the first format to today's: every item that it acknowledged is there, with its vector, and
//! codes that it left say nothing else than the rows they stand for.
//!
//! The test's program is its own writer: with a folder as argument it writes there until it is killed, and says
//! on standard output what is committed: `+ ID NUMBER` for an item, `- ID` for one that was removed.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tuwen_index::{Gallery, Modality, ModelId, NewItem, Vectors};

/// Vectors as wide as those that have codes.
const DIM: usize = 64;
const ROUNDS: u64 = 100;
/// Items of an old gallery that is migrated.
const OLD: usize = 3000;

fn main() {
    if let Some(folder) = std::env::args().nth(1).filter(|first| first.starts_with('/')) {
        write_until_killed(Path::new(&folder));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut known: BTreeMap<i64, usize> = BTreeMap::new();
    let (mut killed_in_migration, mut removals, mut bounded) = (0, 0, 0);
    for round in 0..ROUNDS {
        if round % 3 == 0 {
            known = old_gallery(folder.path());
        }
        // A migration is over soon; what follows it needs longer until everything has happened once.
        let longest = if round % 3 == 0 { 60_000 } else { 400_000 };
        let moment = Duration::from_micros(round * 791_929 % longest);
        for line in killed_after(folder.path(), moment) {
            let mut words = line.split(' ');
            let sign = words.next();
            let mut number = || words.next().and_then(|word| word.parse::<i64>().ok());
            match (sign, number(), number()) {
                (Some("+"), Some(id), Some(of)) => drop(known.insert(id, of as usize)),
                (Some("-"), Some(id), _) => removals += usize::from(known.remove(&id).is_some()),
                // The line that was being written.
                _ => {}
            }
        }
        killed_in_migration += usize::from(is_old(folder.path()));
        bounded += check(folder.path(), &known, round);
    }
    assert!(
        killed_in_migration > 3,
        "{killed_in_migration} of {ROUNDS} were killed before their migration ended"
    );
    assert!(removals > 2000, "only {removals} items were removed: no merge was killed");
    assert!(bounded > 100_000, "only {bounded} scores were bounded by codes");
    println!(
        "test result: ok. {ROUNDS} kills, {killed_in_migration} before the end of a migration, {removals} \
         items removed"
    );
}

fn model() -> ModelId {
    ModelId { name: "test".into(), fingerprint: "test-1".into(), dim: DIM }
}

fn vector(of: usize) -> Vec<f32> {
    (0..DIM).map(|column| ((of * 31 + column * 17) % 997) as f32 / 997.0).collect()
}

fn item(of: usize) -> NewItem {
    NewItem {
        origin: of.to_string().into_bytes(),
        metadata: "{}".into(),
        vector: vector(of),
        ..NewItem::default()
    }
}

/// Adds, removes and merges, and says so.
fn write_until_killed(folder: &Path) -> ! {
    let gallery = Gallery::open_for_writing(folder, &model()).expect("a gallery");
    let mut of = gallery.last_id().expect("the last") as usize;
    let mut out = std::io::stdout();
    loop {
        for _ in 0..8 {
            let put = |gallery: &Gallery| {
                (of..of + 200).map(|of| Ok((gallery.insert(&item(of))?, of))).collect()
            };
            let added: Vec<(i64, usize)> = gallery.transaction(put).expect("committed");
            let lines: String = added.iter().map(|(id, of)| format!("+ {id} {of}\n")).collect();
            out.write_all(lines.as_bytes()).expect("said");
            of += 200;
        }
        let first = of as i64 - 1600;
        let gone: Vec<i64> = (first..first + 1400).collect();
        // What is removed is said first: from then on it may be there or not.
        let lines: String = gone.iter().map(|id| format!("- {id}\n")).collect();
        out.write_all(lines.as_bytes()).expect("said");
        let remove = |gallery: &Gallery| gone.iter().try_for_each(|&id| gallery.remove(id));
        gallery.transaction(remove).expect("removed");
        gallery.merge().expect("merged");
    }
}

/// What a writer said until it was killed that long after its start.
fn killed_after(folder: &Path, moment: Duration) -> Vec<String> {
    let program = std::env::current_exe().expect("this program");
    let child = Command::new(program).arg(folder).stdout(Stdio::piped()).spawn();
    let mut child = child.expect("a writer");
    let said = BufReader::new(child.stdout.take().expect("its output"));
    let said = std::thread::spawn(move || said.lines().map_while(Result::ok).collect());
    std::thread::sleep(moment);
    child.kill().and_then(|()| child.wait()).expect("killed");
    said.join().expect("what it said")
}

fn is_old(folder: &Path) -> bool {
    let db = rusqlite::Connection::open(folder.join("gallery.sqlite")).expect("the database");
    db.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0)).expect("a version") == 1
}

/// How many scores codes have bounded.
fn check(folder: &Path, known: &BTreeMap<i64, usize>, round: u64) -> u64 {
    let gallery = Gallery::open(folder).unwrap_or_else(|e| panic!("round {round}: {e}"));
    let vectors = gallery.vectors(Modality::Image).unwrap_or_else(|e| panic!("round {round}: {e}"));
    let found = vectors.search(&vector(1), usize::MAX, None);
    let found = found.unwrap_or_else(|e| panic!("round {round}: {e}"));
    let ids: std::collections::HashSet<u64> = found.iter().map(|hit| hit.id).collect();
    assert_eq!(ids.len(), found.len(), "round {round}: each item once");
    assert_eq!(found.len(), gallery.count(Modality::Image).expect("a count"), "round {round}");
    for (&id, &of) in known {
        assert!(ids.contains(&(id as u64)), "round {round}: item {id} is lost");
        assert_eq!(gallery.vector(id).expect("a vector"), vector(of), "round {round}: item {id}");
    }
    check_codes(&vectors, round)
}

/// The best by codes are those of all rows in their order, which are scored from f32.
fn check_codes(vectors: &Vectors, round: u64) -> u64 {
    for of in [1, 77, 4000] {
        let all = vectors.search(&vector(of), usize::MAX, None).expect("hits");
        let best = vectors.search(&vector(of), 10, None).expect("hits");
        assert_eq!(best, all[..10.min(all.len())], "round {round}");
    }
    vectors.work().bounded
}

/// A gallery as the first format had it, in the place of whatever is there.
fn old_gallery(folder: &Path) -> BTreeMap<i64, usize> {
    for entry in std::fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        let removed = if path.is_dir() {
            std::fs::remove_dir_all(&path)
        } else {
            std::fs::remove_file(&path)
        };
        removed.expect("removed");
    }
    let db = rusqlite::Connection::open(folder.join("gallery.sqlite")).expect("a database");
    db.execute_batch(include_str!("galleries/format-1.sql")).expect("its tables");
    db.execute("UPDATE meta SET value = ?1 WHERE key = 'dim'", [DIM.to_string()]).expect("a width");
    let transaction = db.unchecked_transaction().expect("a transaction");
    for of in 0..OLD {
        let bytes: Vec<u8> = vector(of).iter().flat_map(|v| v.to_le_bytes()).collect();
        let sql = "INSERT INTO item (kind, origin, hash, size, mtime_ns, metadata, vector) \
                   VALUES ('image', ?1, zeroblob(32), 0, 0, '{}', ?2)";
        db.execute(sql, rusqlite::params![of.to_string().into_bytes(), bytes]).expect("an item");
    }
    transaction.commit().expect("committed");
    (0..OLD).map(|of| (of as i64 + 1, of)).collect()
}
