//! The power goes while a writer adds, removes and merges, or brings a gallery of the first format to today's: whatever
//! the disk has of what was not synchronised, every item that was acknowledged is there with its vector, none that was
//! removed is, and the next writer goes on.
//!
//! The test's program is its own writer, which runs once with `power/record.c` before its system calls; its journal is
//! replayed to many moments, and at each the disk forgets in another way.

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
    use std::path::Path;

    use tuwen_index::Gallery;

    use super::power::harness::{self, FATES, Lost};
    use super::power::{self, Disk, Names};
    use super::writer::{self, Said};

    /// Moments of each start, each model of names and each fate.
    const MOMENTS: usize = 12;

    pub fn main() {
        if let Some(folder) = std::env::args().nth(1).filter(|first| first.starts_with('/')) {
            return writer::write(Path::new(&folder), 2);
        }
        let tools = tempfile::tempdir().expect("a folder");
        let Some(recorder) = harness::recorder(tools.path()) else {
            return println!("test result: not run. There is no C compiler (cc) to record with");
        };
        let (mut losses, mut with_items) = (0, 0);
        for is_old in [false, true] {
            for names in [Names::Journaled, Names::ByFolder] {
                let folder = tempfile::tempdir().expect("a folder");
                let before =
                    if is_old { writer::old_gallery(folder.path()) } else { Said::default() };
                let disk = Disk::new(folder.path(), names);
                let journal = tools.path().join(format!("{is_old}-{names:?}"));
                harness::record(&recorder, folder.path(), &journal, &[]);
                let events = power::read(&journal);
                harness::look_at(&events, [201, 21, 20]);
                for number in 0..harness::moments(MOMENTS) * FATES.len() {
                    let lost = harness::lose(&disk, names, &events, &[], number);
                    with_items += usize::from(check(&lost, before.clone()));
                    losses += 1;
                }
            }
        }
        assert!(with_items * 2 > losses, "{with_items} of {losses} had acknowledged anything");
        println!("test result: ok. {losses} losses of power, {with_items} of them with items");
    }

    /// Looks at what is left; whether anything had been acknowledged.
    fn check(Lost { folder, said: lines, moment }: &Lost, mut said: Said) -> bool {
        lines.lines().for_each(|line| said.hear(line));
        let has_items = !said.there.is_empty();
        if has_items {
            writer::check(folder.path(), &said, moment);
        }
        go_on(folder.path(), said, moment);
        has_items
    }

    /// The next writer finds a gallery, also where none was acknowledged.
    fn go_on(folder: &Path, mut said: Said, moment: &str) {
        let gallery = Gallery::open_for_writing(folder, &writer::model());
        let gallery = gallery.unwrap_or_else(|e| panic!("{moment}, the next writer: {e}"));
        let of = gallery.last_id().expect("the last") as usize;
        writer::add(&gallery, of, 300).lines().for_each(|line| said.hear(line));
        drop(gallery);
        writer::check(folder, &said, &format!("{moment}, after the next writer"));
    }
}
