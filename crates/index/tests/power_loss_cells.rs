//! The power goes while cells are made, and made again after items came and went: no item is lost, the file of cells is
//! whole where it has its name, it has its name once that was said, and searches find what exact ones do.
//!
//! As `power_loss.rs`: the writer runs once, recorded, and is replayed to many moments.

#[cfg(target_os = "linux")]
mod power;
mod writer;

fn main() {
    #[cfg(target_os = "linux")]
    linux::main();
    #[cfg(not(target_os = "linux"))]
    println!("test result: not run. Writes are recorded on Linux alone");
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::HashSet;
    use std::io::Write;
    use std::path::Path;

    use tuwen_index::{CellsOptions, Gallery, Modality, Way, Wrong};

    use super::power::harness::{self, FATES, Lost};
    use super::power::{self, Disk, Event, NameEvent, Names};
    use super::writer::{self, Said};

    /// Moments of each model of names and each fate.
    const MOMENTS: usize = 6;
    /// Items that are there before, and that come and go.
    const BEFORE: usize = 4000;
    const MORE: usize = 800;

    pub fn main() {
        if let Some(folder) = std::env::args().nth(1).filter(|first| first.starts_with('/')) {
            return write(Path::new(&folder));
        }
        let tools = tempfile::tempdir().expect("a folder");
        let Some(recorder) = harness::recorder(tools.path()) else {
            return println!("test result: not run. There is no C compiler (cc) to record with");
        };
        let (mut losses, mut in_cells, mut parts) = (0, 0, 0);
        for names in [Names::Journaled, Names::ByFolder] {
            let folder = tempfile::tempdir().expect("a folder");
            let gallery = Gallery::open_for_writing(folder.path(), &writer::model());
            let mut before = Said::default();
            let lines = writer::add(&gallery.expect("a gallery"), 0, BEFORE);
            lines.lines().for_each(|line| before.hear(line));
            let disk = Disk::new(folder.path(), names);
            let journal = tools.path().join(format!("{names:?}"));
            harness::record(&recorder, folder.path(), &journal, &[]);
            let events = power::read(&journal);
            harness::look_at(&events, [30, 8, 5]);
            let making = making(&events);
            for number in 0..harness::moments(MOMENTS) * FATES.len() {
                // Cells are written with few calls, so that half of the moments are among these.
                let among =
                    if (number / FATES.len()).is_multiple_of(2) { &making[..] } else { &[] };
                let lost = harness::lose(&disk, names, &events, among, number);
                parts += usize::from(lost.folder.path().join("vectors/image.cells.part").exists());
                in_cells += usize::from(check(&lost, before.clone()));
                losses += 1;
            }
        }
        assert!(in_cells * 4 > losses, "{in_cells} of {losses} were searched in cells");
        println!(
            "test result: ok. {losses} losses of power, {in_cells} searched in cells, {parts} with a part of a file"
        );
    }

    /// Between the first name of a file of cells and a few events behind its own, or one that writes into it later.
    fn making(events: &[Event]) -> Vec<usize> {
        let (mut all, mut is_made, mut behind) = (Vec::new(), false, 0);
        for (number, event) in events.iter().enumerate() {
            match event {
                Event::Name(NameEvent::File { name, .. }) if name.ends_with(".cells.part") => {
                    is_made = true;
                }
                Event::Name(NameEvent::Renamed { to, .. }) if to.ends_with(".cells") => {
                    (is_made, behind) = (false, 12);
                }
                _ => {}
            }
            if is_made || behind > 0 {
                all.push(number + 1);
                behind = if is_made { 0 } else { behind - 1 };
            }
        }
        assert!(all.len() > 20, "{} events while cells are made", all.len());
        all
    }

    fn options() -> CellsOptions<'static> {
        CellsOptions { always: true, texts: Vec::new(), target: 0.98, goes_on: &|_| true }
    }

    /// Makes cells, adds, removes, merges, makes them again and measures them again; `=` says that they are there.
    fn write(folder: &Path) {
        let mut out = std::io::stdout();
        let mut say = |lines: String| out.write_all(lines.as_bytes()).expect("said");
        let cells = || {
            let gallery = Gallery::open(folder).expect("a gallery");
            let made = gallery.make_cells(Modality::Image, &options()).expect("cells");
            assert!(made.is_some(), "cells are made of {BEFORE} rows");
        };
        cells();
        say("=\n".into());
        let gallery = Gallery::open_for_writing(folder, &writer::model()).expect("a gallery");
        say(writer::add(&gallery, BEFORE, MORE));
        let gone: Vec<i64> = (1..=MORE as i64).map(|id| 4 * id).collect();
        say(gone.iter().map(|id| format!("- {id}\n")).collect());
        let remove = |gallery: &Gallery| gone.iter().try_for_each(|&id| gallery.remove(id));
        gallery.transaction(remove).expect("removed");
        say(gone.iter().map(|id| format!("! {id}\n")).collect());
        gallery.merge().expect("merged");
        drop(gallery);
        cells();
        say("=\n".into());
        let gallery = Gallery::open(folder).expect("a gallery");
        gallery.tune_cells(Modality::Image, &options(), true).expect("measured");
        say("=\n".into());
    }

    /// Looks at what is left, and makes cells again; whether searches looked into cells.
    fn check(Lost { folder, said: lines, moment }: &Lost, mut said: Said) -> bool {
        lines.lines().for_each(|line| said.hear(line));
        let way = search(folder.path(), &said, moment);
        if lines.lines().last() == Some("=") {
            assert_eq!(way, Way::Cells, "{moment}: cells that were said to be there");
        }
        let gallery = Gallery::open(folder.path()).expect("a gallery");
        let made = gallery.make_cells(Modality::Image, &options());
        made.unwrap_or_else(|e| panic!("{moment}, made again: {e}")).expect("cells");
        drop(gallery);
        let again = search(folder.path(), &said, &format!("{moment}, made again"));
        assert_eq!(again, Way::Cells, "{moment}, made again");
        way == Way::Cells
    }

    /// Compares searches with exact ones; which way they went.
    fn search(folder: &Path, said: &Said, moment: &str) -> Way {
        let gallery = Gallery::open(folder).unwrap_or_else(|e| panic!("{moment}: {e}"));
        let vectors = gallery.vectors(Modality::Image).unwrap_or_else(|e| panic!("{moment}: {e}"));
        assert_eq!(vectors.damaged_cells(), None, "{moment}");
        // Codes are written behind the rows and not waited for: who lacks some makes them again.
        let is_codes = |wrong: &Wrong| {
            wrong.derived && wrong.path.extension().is_some_and(|end| end == "codes")
        };
        let mut wrong = gallery.verify(&|_| true).expect("verified");
        wrong.retain(|wrong| !is_codes(wrong));
        assert_eq!(wrong, [], "{moment}");
        let exact =
            |query: &[f32], k| vectors.search_all_exact(query, k, None).expect("hits").remove(0);
        let all = exact(&writer::query(1), usize::MAX);
        let ids: HashSet<u64> = all.iter().map(|hit| hit.id).collect();
        assert_eq!((ids.len(), ids.len()), (all.len(), vectors.len()), "{moment}: each item once");
        for id in said.there.keys() {
            assert!(ids.contains(&(*id as u64)), "{moment}: item {id} is lost");
        }
        for id in &said.gone {
            assert!(!ids.contains(&(*id as u64)), "{moment}: item {id} was removed and is there");
        }
        let (mut right, mut wanted) = (0, 0);
        for of in [3, 77, 400, 777, 901] {
            let query = writer::query(of);
            let best = exact(&query, 10);
            let found = vectors.search(&query, 10, None).expect("hits");
            assert_eq!(found.len(), best.len(), "{moment}");
            // Equal vectors are in the order of their items.
            let least = best.last().map_or(0.0, |hit| hit.score);
            right += found.iter().filter(|hit| ids.contains(&hit.id) && hit.score >= least).count();
            wanted += best.len();
        }
        assert!(10 * right >= 9 * wanted, "{moment}: {right} of {wanted}");
        vectors.plan(&writer::query(1), 10, None).way
    }
}
