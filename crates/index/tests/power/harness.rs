//! What tests of lost power share: a program that is recorded, and the moments at which its disk forgets.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Disk, Event, Fate, Names};

pub const FATES: [Fate; 4] = [Fate::Lost, Fate::First, Fate::Some, Fate::Torn];

/// What is loaded before a program's system calls; nothing without a C compiler.
pub fn recorder(into: &Path) -> Option<PathBuf> {
    let (source, to) = (into.join("record.c"), into.join("record.so"));
    std::fs::write(&source, include_str!("record.c")).expect("written");
    let mut cc = Command::new("cc");
    cc.args(["-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o"]).arg(&to).arg(&source);
    let done = cc.arg("-ldl").status().ok()?;
    assert!(done.success(), "record.c is compiled");
    Some(to)
}

/// How many moments for each fate; `TUWEN_POWER_LOSSES` is another number.
pub fn moments(usual: usize) -> usize {
    std::env::var("TUWEN_POWER_LOSSES")
        .map_or(usual, |number| number.parse().expect("TUWEN_POWER_LOSSES is a number of moments"))
}

/// Runs this program with the folder and more arguments, to its end.
pub fn record(recorder: &Path, folder: &Path, journal: &Path, more: &[&Path]) {
    let program = std::env::current_exe().expect("this program");
    let folder = folder.canonicalize().expect("a folder");
    let mut writer = Command::new(program);
    writer.arg(&folder).args(more).stdout(Stdio::piped()).env("LD_PRELOAD", recorder);
    writer.env("RECORD_FOLDER", &folder).env("RECORD_JOURNAL", journal);
    let out = writer.output().expect("a writer");
    assert!(out.status.success(), "the writer: {}", String::from_utf8_lossy(&out.stderr));
}

/// That the journal has what there is to lose: so many writes, synchronisations and lines.
pub fn look_at(events: &[Event], least: [usize; 3]) {
    let count = |which: fn(&Event) -> bool| events.iter().filter(|event| which(event)).count();
    let found = [
        count(|event| matches!(event, Event::Change { .. })),
        count(|event| matches!(event, Event::Synchronised { .. })),
        count(|event| matches!(event, Event::Said(_))),
    ];
    let enough = found.iter().zip(least).all(|(found, least)| *found >= least);
    assert!(enough, "{found:?} writes, synchronisations and lines of at least {least:?}");
}

/// What is left after a loss of power.
pub struct Lost {
    pub folder: tempfile::TempDir,
    /// What the program had said until then.
    pub said: String,
    /// For what fails.
    pub moment: String,
}

/// Takes the power away at the moment with that number: behind one of the events whose numbers are given, or any.
pub fn lose(
    disk: &Disk<'_>,
    names: Names,
    events: &[Event],
    among: &[usize],
    number: usize,
) -> Lost {
    let mut state = number as u64 + 1;
    // SplitMix64 (Steele, Lea and Flood 2014).
    let mut draw = move |below: usize| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % below as u64) as usize
    };
    let end = match among {
        [] => draw(events.len() + 1),
        some => some[draw(some.len())],
    };
    let fate = FATES[number % FATES.len()];
    let moment = format!("{names:?}, {fate:?}, event {end} of {}", events.len());
    let (mut disk, mut spoken) = (disk.clone(), Vec::new());
    for event in &events[..end] {
        disk.happen(event);
        if let Event::Said(bytes) = event {
            spoken.extend_from_slice(bytes);
        }
    }
    let said = String::from_utf8(spoken).expect("lines");
    let folder = tempfile::tempdir().expect("a folder");
    disk.after_loss(folder.path(), fate, &mut draw);
    Lost { folder, said, moment }
}
