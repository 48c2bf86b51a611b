//! The power goes while a store is copied: what the copy has sent is there, or what was there before it, and the same
//! command, given again, goes on and ends with a copy that is equal.
//!
//! As `power_loss.rs`: the copy runs once, recorded, and is replayed to many moments. First one store is copied into an
//! empty folder, then another one over it, whose items have the same numbers and other vectors, less some and with more.

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
    use std::cell::Cell;
    use std::collections::BTreeMap;
    use std::io::Write;
    use std::path::{Path, PathBuf};

    use tuwen_index::Gallery;
    use tuwen_index::store::{Copied, Copying, copy};

    use super::power::harness::{self, FATES, Lost};
    use super::power::{self, Disk, Names};
    use super::writer::{self, Said};

    /// Moments of each model of names and each fate.
    const MOMENTS: usize = 5;
    /// Items of the first store, and what those of the second are made of.
    const FIRST: usize = 2000;
    const SECOND: usize = 2200;
    const OTHERS: usize = 5000;

    pub fn main() {
        let args: Vec<PathBuf> = std::env::args().skip(1).map(PathBuf::from).collect();
        if let [folder, first, second] = &args[..] {
            return copy_both(folder, [first, second]);
        }
        let tools = tempfile::tempdir().expect("a folder");
        let Some(recorder) = harness::recorder(tools.path()) else {
            return println!("test result: not run. There is no C compiler (cc) to record with");
        };
        let stores = [tools.path().join("first"), tools.path().join("second")];
        fill(&stores);
        let [first, second] = &stores;
        let (mut losses, mut with_items, mut over) = (0, 0, 0);
        for names in [Names::Journaled, Names::ByFolder] {
            let folder = tempfile::tempdir().expect("a folder");
            let disk = Disk::new(folder.path(), names);
            let journal = tools.path().join(format!("{names:?}"));
            harness::record(&recorder, folder.path(), &journal, &[first, second]);
            let events = power::read(&journal);
            harness::look_at(&events, [100, 20, 16]);
            for number in 0..harness::moments(MOMENTS) * FATES.len() {
                let lost = harness::lose(&disk, names, &events, &[], number);
                let said = check(&lost, &stores);
                with_items += usize::from(!said.there.is_empty());
                over += usize::from(said.removals > 0);
                losses += 1;
            }
        }
        assert!(with_items * 2 > losses, "{with_items} of {losses} had acknowledged anything");
        assert!(over * 5 > losses, "{over} of {losses} copied over another copy");
        println!(
            "test result: ok. {losses} losses of power, {with_items} of them with items, {over} while another store was \
             copied over the first"
        );
    }

    /// What the items of a store are made of, by their numbers.
    fn items(store: usize) -> BTreeMap<i64, usize> {
        match store {
            0 => (0..FIRST).map(|of| (of as i64 + 1, of)).collect(),
            _ => {
                let all = (0..SECOND).map(|of| (of as i64 + 1, OTHERS + of));
                all.filter(|(id, _)| !is_gone(*id)).collect()
            }
        }
    }

    fn is_gone(id: i64) -> bool {
        id % 3 == 0 && id as usize <= FIRST
    }

    fn fill([first, second]: &[PathBuf; 2]) {
        let gallery = Gallery::open_for_writing(first, &writer::model()).expect("a gallery");
        writer::add(&gallery, 0, FIRST);
        let gallery = Gallery::open_for_writing(second, &writer::model()).expect("a gallery");
        writer::add(&gallery, OTHERS, SECOND);
        let remove = |gallery: &Gallery| {
            (1..=FIRST as i64).filter(|&id| is_gone(id)).try_for_each(|id| gallery.remove(id))
        };
        gallery.transaction(remove).expect("removed");
    }

    /// Copies one store and then the other, and says what the copy has stored.
    fn copy_both(folder: &Path, stores: [&PathBuf; 2]) {
        for (number, store) in stores.into_iter().enumerate() {
            let all: Vec<(i64, usize)> = items(number).into_iter().collect();
            if number > 0 {
                // From now on each may be as it was, as it is to be, or gone.
                say((1..=FIRST).map(|id| format!("- {id}\n")).collect());
            }
            let (read, told) = (Cell::new(0), Cell::new(0));
            let goes_on = |some: u64| {
                // What was read before this portion is stored.
                let stored = read.get().min(all.len());
                say(all[told.get()..stored]
                    .iter()
                    .map(|(id, of)| format!("+ {id} {of}\n"))
                    .collect());
                told.set(stored);
                read.set(read.get() + some as usize);
                true
            };
            let copied = transfer(store, folder, &goes_on);
            assert!(copied.digest.is_some());
            if number > 0 {
                let gone = (1..=FIRST as i64).filter(|&id| is_gone(id));
                say(gone.map(|id| format!("! {id}\n")).collect());
            }
        }
    }

    fn say(lines: String) {
        if !lines.is_empty() {
            std::io::stdout().write_all(lines.as_bytes()).expect("said");
        }
    }

    fn transfer(from: &Path, to: &Path, goes_on: &dyn Fn(u64) -> bool) -> Copied {
        let from = Gallery::open(from).expect("a gallery");
        let to = Gallery::open_for_writing(to, &writer::model()).expect("a gallery");
        let copying = Copying { delete: true, force: true, goes_on };
        copy(&from, &to, &copying).expect("a copy")
    }

    /// Looks at what is left, and copies again; what had been acknowledged.
    fn check(Lost { folder, said: lines, moment }: &Lost, stores: &[PathBuf; 2]) -> Said {
        let mut said = Said::default();
        lines.lines().for_each(|line| said.hear(line));
        let place = folder.path();
        if !said.there.is_empty() {
            writer::check(place, &said, moment);
        }
        let is_second = said.removals > 0;
        for (number, store) in stores.iter().enumerate().skip(usize::from(is_second)) {
            let copied = transfer(store, place, &|_| true);
            assert!(copied.digest.is_some() && copied.surplus == 0, "{moment}: {copied:?}");
            if number == usize::from(is_second) {
                let sent = said.there.len() as u64;
                assert!(copied.unchanged >= sent, "{moment}: {copied:?} after {sent} were sent");
            }
            let there = items(number);
            let gone = (1..=FIRST as i64).filter(|&id| number > 0 && is_gone(id)).collect();
            let whole = Said { there, gone, removals: 0 };
            assert_eq!(copied.items, whole.there.len() as u64, "{moment}");
            writer::check(place, &whole, &format!("{moment}, after the next copy"));
        }
        said
    }
}
