//! A writer is killed (`kill -9`) at 100 random moments, among them while it writes a segment, merges one, or
//! brings a gallery of the first format to today's: every item that it acknowledged is there, with its vector, none
//! that was removed is, and codes that it left say nothing else than the rows they stand for.
//!
//! The test's program is its own writer: with a folder as argument it writes there until it is killed, and says
//! on standard output what is committed.

mod writer;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use writer::Said;

const ROUNDS: u64 = 100;

fn main() {
    if let Some(folder) = std::env::args().nth(1).filter(|first| first.starts_with('/')) {
        writer::write(Path::new(&folder), usize::MAX);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut said = Said::default();
    let (mut killed_in_migration, mut removals, mut bounded) = (0, 0, 0);
    for round in 0..ROUNDS {
        if round % 3 == 0 {
            removals += said.removals;
            empty(folder.path());
            said = writer::old_gallery(folder.path());
        }
        // A migration is over soon; what follows it needs longer until everything has happened once.
        let longest = if round % 3 == 0 { 60_000 } else { 400_000 };
        let moment = Duration::from_micros(round * 791_929 % longest);
        killed_after(folder.path(), moment).iter().for_each(|line| said.hear(line));
        killed_in_migration += usize::from(is_old(folder.path()));
        bounded += writer::check(folder.path(), &said, &format!("round {round}"));
    }
    removals += said.removals;
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

fn empty(folder: &Path) {
    for entry in std::fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        let removed = if path.is_dir() {
            std::fs::remove_dir_all(&path)
        } else {
            std::fs::remove_file(&path)
        };
        removed.expect("removed");
    }
}
