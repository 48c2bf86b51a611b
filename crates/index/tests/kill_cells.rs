//! Somebody who makes cells, adds, removes and merges is killed (`kill -9`) at 100 random moments, while another process
//! searches: no item that was acknowledged is lost, none is found twice or after it is gone, every file that has its name
//! is whole, and searches find what exact ones do, but for what cells miss.
//!
//! The test's program is its own writer, as in `kill.rs`.

use std::collections::{BTreeSet, HashSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tuwen_index::{CellsOptions, Gallery, Modality, ModelId, NewItem, Way};

const DIM: usize = 64;
const ROUNDS: u64 = 100;
/// More of them, on a busy machine, until so many states were searched in cells and so many writers killed while they
/// made some.
const MOST: u64 = 400;
const WANTED: (u32, u32) = (30, 5);
const PORTION: usize = 1500;

fn main() {
    if let Some(folder) = std::env::args().nth(1).filter(|first| first.starts_with('/')) {
        write_until_killed(Path::new(&folder));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (mut known, mut in_cells, mut parts) = (BTreeSet::new(), 0, 0);
    let mut rounds = 0;
    while rounds < ROUNDS || (rounds < MOST && (in_cells <= WANTED.0 || parts <= WANTED.1)) {
        let round = rounds;
        rounds += 1;
        let moment = Duration::from_micros(2000 + round * 791_929 % 1_500_000);
        for line in killed_after(folder.path(), moment) {
            let mut words = line.split(' ');
            let (sign, id) = (words.next(), words.next().and_then(|word| word.parse::<i64>().ok()));
            match (sign, id) {
                (Some("+"), Some(id)) => drop(known.insert(id)),
                (Some("-"), Some(id)) => drop(known.remove(&id)),
                // The line that was being written.
                _ => {}
            }
        }
        if !Gallery::is_in(folder.path()) {
            continue;
        }
        parts += u32::from(folder.path().join("vectors/image.cells.part").exists());
        in_cells += u32::from(check(folder.path(), &known, round));
    }
    assert!(in_cells > WANTED.0, "only {in_cells} of {rounds} states were searched in cells");
    assert!(parts > WANTED.1, "only {parts} of {rounds} were killed while they made cells");
    println!(
        "test result: ok. {rounds} kills, {parts} while cells were made, {in_cells} states searched in cells"
    );
}

fn model() -> ModelId {
    ModelId { name: "test".into(), fingerprint: "test-1".into(), dim: DIM }
}

fn mixed(at: u64) -> u64 {
    let z = at.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z ^ (z >> 31)
}

/// Around one of 40 centres.
fn vector(of: u64) -> Vec<f32> {
    let number = |seed: u64| (mixed(seed) >> 40) as f32 / (1u64 << 24) as f32 - 0.5;
    let value = |column: u64| {
        number(mixed(of) % 40 * 1000 + column) + 0.5 * number((of << 10) + column + (1 << 40))
    };
    (0..DIM as u64).map(value).collect()
}

fn options() -> CellsOptions<'static> {
    CellsOptions { always: true, texts: Vec::new(), target: 0.98, goes_on: &|_| true }
}

/// Adds, removes, merges and makes cells, and says what is committed.
fn write_until_killed(folder: &Path) -> ! {
    let mut out = std::io::stdout();
    loop {
        let gallery = Gallery::open_for_writing(folder, &model()).expect("a gallery");
        let first = gallery.last_id().expect("the last") as u64;
        let put = |gallery: &Gallery| {
            let all = (first..first + PORTION as u64).map(|of| {
                let vector = vector(of);
                gallery.insert(&NewItem {
                    origin: of.to_string().into_bytes(),
                    metadata: "{}".into(),
                    vector,
                    ..NewItem::default()
                })
            });
            all.collect::<tuwen_index::Result<Vec<i64>>>()
        };
        let added = gallery.transaction(put).expect("committed");
        say(&mut out, '+', &added);
        // What is removed is said first: from then on it may be there or not.
        let gone: Vec<i64> = added.iter().copied().filter(|id| id % 3 == 0).collect();
        say(&mut out, '-', &gone);
        let remove = |gallery: &Gallery| gone.iter().try_for_each(|&id| gallery.remove(id));
        gallery.transaction(remove).expect("removed");
        gallery.merge().expect("merged");
        drop(gallery);
        let gallery = Gallery::open(folder).expect("a gallery");
        gallery.make_cells(Modality::Image, &options()).expect("cells");
    }
}

fn say(out: &mut impl Write, sign: char, ids: &[i64]) {
    let lines: String = ids.iter().map(|id| format!("{sign} {id}\n")).collect();
    out.write_all(lines.as_bytes()).expect("said");
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

/// Whether searches look into cells.
fn check(folder: &Path, known: &BTreeSet<i64>, round: u64) -> bool {
    let gallery = Gallery::open(folder).unwrap_or_else(|e| panic!("round {round}: {e}"));
    let vectors = gallery.vectors(Modality::Image).unwrap_or_else(|e| panic!("round {round}: {e}"));
    assert_eq!(vectors.damaged_cells(), None, "round {round}");
    assert_eq!(gallery.verify(&|_| true).expect("verified"), [], "round {round}");
    let all = vectors.search_all_exact(&vector(1), usize::MAX, None).expect("hits").remove(0);
    let ids: HashSet<u64> = all.iter().map(|hit| hit.id).collect();
    assert_eq!((ids.len(), ids.len()), (all.len(), vectors.len()), "round {round}: each item once");
    assert!(known.iter().all(|&id| ids.contains(&(id as u64))), "round {round}: an item is lost");
    let (mut right, mut wanted) = (0, 0);
    for of in 0..10 {
        let query = vector(1_000_000 + of);
        let best = vectors.search_all_exact(&query, 10, None).expect("hits").remove(0);
        let found = vectors.search(&query, 10, None).expect("hits");
        assert_eq!(found.len(), best.len(), "round {round}");
        assert!(found.iter().all(|hit| ids.contains(&hit.id)), "round {round}: found what is gone");
        right += found.iter().filter(|hit| best.contains(hit)).count();
        wanted += best.len();
    }
    assert!(10 * right >= 9 * wanted, "round {round}: {right} of {wanted}");
    vectors.plan(&vector(1), 10, None).way == Way::Cells
}
