//! Readers beside a writer: whatever moment a search falls into, every item that was acknowledged before it is found, once,
//! with its own score, and none that was gone. Five seconds, or `TUWEN_SOAK` of them.
//!
//! The test's program is its own writer, as in `kill.rs`.

mod writer;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tuwen_index::{Gallery, Modality};
use writer::Said;

const READERS: usize = 2;

fn main() {
    if let Some(folder) = std::env::args().nth(1).filter(|first| first.starts_with('/')) {
        return writer::write(Path::new(&folder), usize::MAX);
    }
    let seconds = std::env::var("TUWEN_SOAK")
        .map_or(5, |seconds| seconds.parse().expect("TUWEN_SOAK is a number of seconds"));
    let folder = tempfile::tempdir().expect("a folder");
    let program = std::env::current_exe().expect("this program");
    let child = Command::new(program).arg(folder.path()).stdout(Stdio::piped()).spawn();
    let mut child = child.expect("a writer");
    let said = Arc::new(Mutex::new(Said::default()));
    let lines = BufReader::new(child.stdout.take().expect("its output"));
    let heard = Arc::clone(&said);
    let hearing = std::thread::spawn(move || {
        lines
            .lines()
            .map_while(Result::ok)
            .for_each(|line| heard.lock().expect("no panic").hear(&line));
    });
    let end = Instant::now() + Duration::from_secs(seconds);
    let searches = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..READERS {
            scope.spawn(|| {
                while Instant::now() < end {
                    if !said.lock().expect("no panic").there.is_empty() {
                        look(folder.path(), &said);
                        searches.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let still = child.try_wait().expect("the writer").is_none();
    child.kill().and_then(|()| child.wait()).expect("ended");
    hearing.join().expect("heard");
    assert!(still, "the writer ended by itself");
    let said = said.lock().expect("no panic");
    writer::check(folder.path(), &said, "at the end");
    let searches = searches.into_inner();
    assert!(searches > seconds && said.removals > 0, "{searches} searches, {}", said.removals);
    println!(
        "test result: ok. {seconds} s, {searches} searches beside {} items added and {} removed",
        said.there.len() + said.removals,
        said.removals
    );
}

/// One search among all items, beside what is known before it and after it.
fn look(folder: &Path, said: &Mutex<Said>) {
    let before = said.lock().expect("no panic").clone();
    let gallery = Gallery::open(folder).expect("a gallery");
    let query: Vec<f32> = (0..writer::DIM).map(|at| at as f32 - 20.0).collect();
    let vectors = gallery.vectors(Modality::Image).expect("its vectors");
    let found = vectors.search(&query, usize::MAX, None).expect("hits");
    assert_eq!(vectors.search(&query, 10, None).expect("hits")[..], found[..10], "the best");
    let ids: BTreeSet<i64> = found.iter().map(|hit| hit.id as i64).collect();
    assert_eq!(ids.len(), found.len(), "each item once");
    let after = said.lock().expect("no panic").clone();
    for id in before.there.keys().filter(|id| after.there.contains_key(id)) {
        assert!(ids.contains(id), "item {id} is not found");
    }
    if let Some(id) = before.gone.iter().find(|id| ids.contains(id)) {
        panic!("item {id} was gone and is found");
    }
    for hit in &found {
        if let Some(&of) = before.there.get(&(hit.id as i64)) {
            let score = writer::score(of, &query);
            let beside = (hit.score - score).abs();
            assert!(beside <= 1e-5 * score.abs(), "item {}: {} and not {score}", hit.id, hit.score);
        }
    }
}
