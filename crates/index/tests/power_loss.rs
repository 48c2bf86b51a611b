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
    use std::path::{Path, PathBuf};
    use std::process::{Command, Stdio};

    use tuwen_index::Gallery;

    use super::power::{self, Disk, Event, Fate, Names};
    use super::writer::{self, Said};

    /// Moments of each start, each model of names and each fate; `TUWEN_POWER_LOSSES` is another number.
    const MOMENTS: usize = 12;
    const FATES: [Fate; 4] = [Fate::Lost, Fate::First, Fate::Some, Fate::Torn];

    pub fn main() {
        if let Some(folder) = std::env::args().nth(1).filter(|first| first.starts_with('/')) {
            return writer::write(Path::new(&folder), 2);
        }
        let tools = tempfile::tempdir().expect("a folder");
        let Some(recorder) = compile(tools.path()) else {
            return println!("test result: not run. There is no C compiler (cc) to record with");
        };
        let moments = std::env::var("TUWEN_POWER_LOSSES").map_or(MOMENTS, |number| {
            number.parse().expect("TUWEN_POWER_LOSSES is a number of moments")
        });
        let (mut losses, mut with_items) = (0, 0);
        for is_old in [false, true] {
            for names in [Names::Journaled, Names::ByFolder] {
                let folder = tempfile::tempdir().expect("a folder");
                let before =
                    if is_old { writer::old_gallery(folder.path()) } else { Said::default() };
                let disk = Disk::new(folder.path(), names);
                let journal = tools.path().join(format!("{is_old}-{names:?}"));
                record(&recorder, folder.path(), &journal);
                let events = power::read(&journal);
                look_at(&events);
                for number in 0..moments * FATES.len() {
                    let start = Start { disk: &disk, before: &before, events: &events };
                    with_items += usize::from(lose(start, names, number));
                    losses += 1;
                }
            }
        }
        assert!(with_items * 2 > losses, "{with_items} of {losses} had acknowledged anything");
        println!("test result: ok. {losses} losses of power, {with_items} of them with items");
    }

    fn compile(into: &Path) -> Option<PathBuf> {
        let (source, to) = (into.join("record.c"), into.join("record.so"));
        std::fs::write(&source, include_str!("power/record.c")).expect("written");
        let mut cc = Command::new("cc");
        cc.args(["-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o"]).arg(&to).arg(&source);
        let done = cc.arg("-ldl").status().ok()?;
        assert!(done.success(), "record.c is compiled");
        Some(to)
    }

    fn record(recorder: &Path, folder: &Path, journal: &Path) {
        let program = std::env::current_exe().expect("this program");
        let folder = folder.canonicalize().expect("a folder");
        let mut writer = Command::new(program);
        writer.arg(&folder).stdout(Stdio::piped()).env("LD_PRELOAD", recorder);
        writer.env("RECORD_FOLDER", &folder).env("RECORD_JOURNAL", journal);
        let out = writer.output().expect("a writer");
        assert!(out.status.success(), "the writer: {}", String::from_utf8_lossy(&out.stderr));
    }

    /// That the journal has all that there is to lose.
    fn look_at(events: &[Event]) {
        let count = |which: fn(&Event) -> bool| events.iter().filter(|event| which(event)).count();
        let changes = count(|event| matches!(event, Event::Change { .. }));
        let synchronised = count(|event| matches!(event, Event::Synchronised { .. }));
        let said = count(|event| matches!(event, Event::Said(_)));
        assert!(changes > 200, "{changes} writes");
        assert!(synchronised > 20, "{synchronised} synchronised");
        assert!(said >= 20, "{said} lines");
    }

    /// Where a loss begins.
    #[derive(Clone, Copy)]
    struct Start<'s> {
        disk: &'s Disk<'s>,
        before: &'s Said,
        events: &'s [Event],
    }

    /// Loses the power at a moment; whether anything had been acknowledged.
    fn lose(start: Start<'_>, names: Names, number: usize) -> bool {
        let mut state = number as u64 + 1;
        // SplitMix64 (Steele, Lea and Flood 2014).
        let mut draw = move |below: usize| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((mixed ^ (mixed >> 31)) % below as u64) as usize
        };
        let end = draw(start.events.len() + 1);
        let fate = FATES[number % FATES.len()];
        let moment = format!("{names:?}, {fate:?}, event {end} of {}", start.events.len());
        let (mut disk, mut said) = (start.disk.clone(), start.before.clone());
        let mut spoken = Vec::new();
        for event in &start.events[..end] {
            disk.happen(event);
            if let Event::Said(bytes) = event {
                spoken.extend_from_slice(bytes);
            }
        }
        String::from_utf8(spoken).expect("lines").lines().for_each(|line| said.hear(line));

        let folder = tempfile::tempdir().expect("a folder");
        disk.after_loss(folder.path(), fate, &mut draw);
        let has_items = !said.there.is_empty();
        if has_items {
            writer::check(folder.path(), &said, &moment);
        }
        go_on(folder.path(), said, &moment);
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
