//! A disk that forgets what was not synchronised.
//!
//! A journal of what a program did to its files (`record.c`) is replayed up to a moment; of what lies between the last
//! synchronisation and that moment, each write may have reached the disk, or not, or in part, in any order.

pub mod harness;

use std::collections::{BTreeMap, HashMap};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// One record of the journal.
pub enum Event {
    /// Bytes, written at a place; None: cut to that length.
    Change {
        inode: u64,
        at: u64,
        bytes: Option<Vec<u8>>,
    },
    Synchronised {
        inode: u64,
    },
    FolderSynchronised {
        name: String,
    },
    Name(NameEvent),
    /// The program's standard output.
    Said(Vec<u8>),
}

/// A name that came or went.
pub enum NameEvent {
    File { name: String, inode: u64 },
    Folder(String),
    Renamed { from: String, to: String },
    Removed(String),
}

/// The records of a journal.
pub fn read(journal: &Path) -> Vec<Event> {
    let bytes = std::fs::read(journal).expect("the journal");
    let (mut rest, mut events) = (&bytes[..], Vec::new());
    while let Some((&kind, after)) = rest.split_first() {
        let number = |at: usize| {
            u64::from_ne_bytes(after[at * 8..at * 8 + 8].try_into().expect("eight bytes"))
        };
        let (inode, at, name, data) =
            (number(0), number(1), number(2) as usize, number(3) as usize);
        let (name, after) = after[32..].split_at(name);
        let (data, after) = after.split_at(data);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("a name in UTF-8");
        let name = text(name);
        events.push(match kind {
            b'W' => Event::Change { inode, at, bytes: Some(data.to_vec()) },
            b'T' => Event::Change { inode, at, bytes: None },
            b'S' => Event::Synchronised { inode },
            b'D' => Event::FolderSynchronised { name },
            b'C' => Event::Name(NameEvent::File { name, inode }),
            b'M' => Event::Name(NameEvent::Folder(name)),
            b'R' => Event::Name(NameEvent::Renamed { from: name, to: text(data) }),
            b'U' | b'X' => Event::Name(NameEvent::Removed(name)),
            b'A' => Event::Said(data.to_vec()),
            other => panic!("a record of kind {other}"),
        });
        rest = after;
    }
    events
}

/// When a name that came or went is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// With whatever is synchronised next, in their order, as on ext4 and XFS.
    Journaled,
    /// With the next synchronisation of their folder and with nothing else, which is all that POSIX says.
    ByFolder,
}

/// What becomes of writes that were not synchronised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Lost,
    /// So many of the first ones are there.
    First,
    /// Some are there, in no order.
    Some,
    /// Some are there, some of these in part, by sectors of 512 bytes.
    Torn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    Folder,
    File(usize),
}

#[derive(Clone, Default)]
struct File<'e> {
    durable: Vec<u8>,
    pending: Vec<(u64, Option<&'e [u8]>)>,
}

/// What is on the disk, and what is on its way.
#[derive(Clone)]
pub struct Disk<'e> {
    names: Names,
    files: Vec<File<'e>>,
    by_inode: HashMap<u64, usize>,
    entries: BTreeMap<String, Entry>,
    pending: Vec<(&'e NameEvent, usize)>,
}

impl<'e> Disk<'e> {
    /// A folder as it is, all of it synchronised.
    pub fn new(folder: &Path, names: Names) -> Self {
        let mut disk = Self {
            names,
            files: Vec::new(),
            by_inode: HashMap::new(),
            entries: BTreeMap::new(),
            pending: Vec::new(),
        };
        disk.take(folder, "");
        disk
    }

    fn take(&mut self, folder: &Path, within: &str) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let entry = entry.expect("an entry");
            let name = format!("{within}{}", entry.file_name().to_str().expect("a name"));
            let meta = entry.metadata().expect("its kind");
            if meta.is_dir() {
                self.take(&entry.path(), &format!("{name}/"));
                self.entries.insert(name, Entry::Folder);
            } else {
                let durable = std::fs::read(entry.path()).expect("a file");
                self.files.push(File { durable, pending: Vec::new() });
                self.by_inode.insert(meta.ino(), self.files.len() - 1);
                self.entries.insert(name, Entry::File(self.files.len() - 1));
            }
        }
    }

    /// What happens next.
    pub fn happen(&mut self, event: &'e Event) {
        match event {
            Event::Change { inode, at, bytes } => {
                let file = self.by_inode[inode];
                self.files[file].pending.push((*at, bytes.as_deref()));
            }
            Event::Synchronised { inode } => {
                let file = &mut self.files[self.by_inode[inode]];
                let pending = std::mem::take(&mut file.pending);
                pending.iter().for_each(|&(at, bytes)| change(&mut file.durable, at, bytes));
                if self.names == Names::Journaled {
                    self.settle(|_| true);
                }
            }
            Event::FolderSynchronised { name } => match self.names {
                Names::Journaled => self.settle(|_| true),
                Names::ByFolder => self.settle(|event| parent(event) == name),
            },
            Event::Name(event) => {
                let mut file = 0;
                if let NameEvent::File { inode, .. } = event {
                    // An inode's number is used again when its file is gone.
                    self.files.push(File::default());
                    file = self.files.len() - 1;
                    self.by_inode.insert(*inode, file);
                }
                self.pending.push((event, file));
            }
            Event::Said(_) => {}
        }
    }

    fn settle(&mut self, which: impl Fn(&NameEvent) -> bool) {
        let (now, later) = self.pending.drain(..).partition(|(event, _)| which(event));
        self.pending = later;
        let now: Vec<(&NameEvent, usize)> = now;
        now.into_iter().for_each(|(event, file)| name(&mut self.entries, event, file));
    }

    /// The power is gone: what is found in `folder` when it is there again. `draw` gives numbers below what it is told.
    pub fn after_loss(&self, folder: &Path, fate: Fate, mut draw: impl FnMut(usize) -> usize) {
        let mut entries = self.entries.clone();
        let kept = match fate {
            Fate::Lost => 0,
            _ => draw(self.pending.len() + 1),
        };
        self.pending[..kept].iter().for_each(|&(event, file)| name(&mut entries, event, file));
        for (name, entry) in &entries {
            let path = folder.join(name);
            match entry {
                // What is in a folder whose name is lost is lost.
                _ if !path.parent().is_some_and(Path::is_dir) => {}
                Entry::Folder => std::fs::create_dir(&path).expect("made"),
                // The memory that programs share while they run: SQLite makes it anew.
                Entry::File(_) if name.ends_with("-shm") => {}
                Entry::File(file) => {
                    let bytes = remains(&self.files[*file], fate, &mut draw);
                    std::fs::write(&path, bytes).expect("written");
                }
            }
        }
    }
}

fn remains(file: &File<'_>, fate: Fate, draw: &mut impl FnMut(usize) -> usize) -> Vec<u8> {
    let mut bytes = file.durable.clone();
    let first = draw(file.pending.len() + 1);
    for (number, &(at, change_to)) in file.pending.iter().enumerate() {
        let is_there = match fate {
            Fate::Lost => false,
            Fate::First => number < first,
            Fate::Some | Fate::Torn => draw(2) == 0,
        };
        match change_to {
            _ if !is_there => {}
            Some(all) if fate == Fate::Torn && draw(3) == 0 => {
                let cut = (draw(all.len() / 512 + 1) * 512).min(all.len());
                match draw(2) {
                    0 => change(&mut bytes, at, Some(&all[..cut])),
                    _ => change(&mut bytes, at + cut as u64, Some(&all[cut..])),
                }
            }
            _ => change(&mut bytes, at, change_to),
        }
    }
    bytes
}

fn change(bytes: &mut Vec<u8>, at: u64, with: Option<&[u8]>) {
    let at = at as usize;
    match with {
        None => bytes.resize(at, 0),
        Some([]) => {}
        Some(with) => {
            bytes.resize(bytes.len().max(at + with.len()), 0);
            bytes[at..at + with.len()].copy_from_slice(with);
        }
    }
}

fn name(entries: &mut BTreeMap<String, Entry>, event: &NameEvent, file: usize) {
    match event {
        NameEvent::File { name, .. } => drop(entries.insert(name.clone(), Entry::File(file))),
        NameEvent::Folder(name) => drop(entries.insert(name.clone(), Entry::Folder)),
        NameEvent::Removed(name) => drop(entries.remove(name)),
        NameEvent::Renamed { from, to } => {
            if let Some(entry) = entries.remove(from) {
                entries.insert(to.clone(), entry);
            }
        }
    }
}

/// The folder in which a name came or went; a file that is renamed stays in its own here.
fn parent(event: &NameEvent) -> &str {
    let (NameEvent::File { name, .. }
    | NameEvent::Folder(name)
    | NameEvent::Removed(name)
    | NameEvent::Renamed { from: name, .. }) = event;
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}
