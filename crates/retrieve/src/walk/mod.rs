//! Pictures below some folders, found before any of them is read: what is taken, and how much was left
//! out for which reason. `rules` decides by names and patterns, `sort` by content.
//!
//! A walk stays inside the places it was given. A link is followed when what it leads to lies there
//! too; every file is taken once, also when several paths, links or hard links lead to it.

mod rules;
mod sort;

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::UNIX_EPOCH;

use serde::Serialize;
use tuwen_files::file;
use tuwen_image::{ARCHIVES, FileType};
use tuwen_index::Gallery;

use self::rules::{Patterns, Reason};
use crate::{Error, FileName, Result};

pub use self::rules::Rules;

/// A picture's file.
#[derive(Clone, Debug)]
pub struct Found {
    /// Where it was found, under the place it was looked for.
    pub path: PathBuf,
    /// The path without links, where it is another.
    real: Option<PathBuf>,
    /// In bytes.
    pub size: u64,
    /// Last change, in nanoseconds since 1970.
    pub mtime_ns: i64,
    /// Whether the user named this very file.
    pub named: bool,
}

impl Found {
    fn real(&self) -> &Path {
        self.real.as_ref().unwrap_or(&self.path)
    }
}

/// A file or folder that could not be read.
#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    /// Which one.
    #[serde(flatten)]
    pub file: FileName,
    /// Why.
    pub reason: String,
    /// Whether the user named this very file.
    #[serde(skip)]
    pub named: bool,
}

impl Failure {
    /// Of a path.
    pub fn new(path: &Path, named: bool, reason: impl ToString) -> Self {
        let reason = reason.to_string();
        let again = reason.strip_prefix(&format!("{}: ", path.display())).map(str::to_owned);
        Self { file: path.into(), reason: again.unwrap_or(reason), named }
    }
}

/// What was not taken, and is no failure.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LeftOut {
    /// Hidden files and folders, and what systems leave behind.
    pub hidden: usize,
    /// What matches a pattern.
    pub excluded: usize,
    /// Links that lead out of the given places.
    pub links_outside: usize,
    /// Files and folders that were reached before: overlapping places, links, loops, hard links.
    pub repeated: usize,
    /// Devices, pipes and sockets.
    pub devices: usize,
    /// Media that are not read, by kind.
    pub unsupported: BTreeMap<String, usize>,
}

/// What a walk found.
#[derive(Debug, Default)]
pub struct Walk {
    /// The given places without links.
    pub places: Vec<PathBuf>,
    /// The pictures, in the order of the places, each in the order of its names.
    pub files: Vec<Found>,
    /// What was left out.
    pub left_out: LeftOut,
    /// What could not be read.
    pub failed: Vec<Failure>,
    /// Places that could not be looked into.
    pub unreadable: Vec<PathBuf>,
}

impl Walk {
    /// Looks for pictures below `roots`, which are taken whatever the rules say. `progress` hears how many
    /// were found so far; after a stop the walk has what was found until then.
    ///
    /// # Errors
    /// A root that does not exist or is no file or folder, or a pattern that makes no sense.
    pub fn of(
        roots: &[PathBuf],
        rules: &Rules,
        stop: &AtomicBool,
        progress: &dyn Fn(u64),
    ) -> Result<Self> {
        let mut walk = Self::default();
        for root in roots {
            let place = root.canonicalize().map_err(|e| Error::io(root, e))?;
            walk.places.push(place);
        }
        let mut walker = Walker {
            walk,
            stop,
            progress,
            folders: HashSet::new(),
            inodes: HashSet::new(),
            links: VecDeque::new(),
        };
        for (at, root) in roots.iter().enumerate() {
            let place = walker.walk.places[at].clone();
            let mut patterns = Patterns::new(rules, root)?;
            if place.is_dir() {
                walker.folder(root, &place, &mut patterns)?;
                walker.follow_links(&mut patterns)?;
            } else {
                walker.named(root, &place)?;
            }
        }
        Ok(walker.walk.without_repeated())
    }

    /// Files that were named and lie in a folder that was walked as well are there twice.
    fn without_repeated(mut self) -> Self {
        let named: HashSet<PathBuf> =
            self.files.iter().filter(|f| f.named).map(|f| f.real().to_path_buf()).collect();
        let (before, mut taken) = (self.files.len(), HashSet::new());
        if !named.is_empty() {
            self.files.retain(|file| match named.contains(file.real()) {
                true => file.named && taken.insert(file.real().to_path_buf()),
                false => true,
            });
        }
        self.left_out.repeated += before - self.files.len();
        self
    }
}

struct Walker<'a> {
    walk: Walk,
    stop: &'a AtomicBool,
    progress: &'a dyn Fn(u64),
    /// Folders that were walked, without links.
    folders: HashSet<PathBuf>,
    /// Files of several names, by device and number.
    inodes: HashSet<(u64, u64)>,
    /// Links that were met: where they are.
    links: VecDeque<PathBuf>,
}

impl Walker<'_> {
    /// A file of the command line.
    fn named(&mut self, path: &Path, real: &Path) -> Result<()> {
        let data = std::fs::metadata(path).map_err(|e| Error::io(path, e))?;
        if !data.is_file() {
            let what = "it is a device or a pipe; give pictures, or folders of them";
            return Err(Error::place(path, what));
        }
        match sort::content(path) {
            Err(error) => self.unreadable(path, true, &error),
            // Whatever else it is: reading it will tell.
            Ok(FileType::Picture | FileType::Unknown) => self.take(path, real, &data, true),
            Ok(FileType::Unsupported(name)) => {
                let what = match ARCHIVES.contains(&name) {
                    true => format!(
                        "this is an archive ({name}): unpack it and give the folder; \
                         a set of pictures with captions in a tar is read by `tuwen data convert`"
                    ),
                    false => tuwen_files::Error::Unsupported { kind: name }.to_string(),
                };
                self.walk.failed.push(Failure::new(path, true, what));
            }
        }
        Ok(())
    }

    fn folder(&mut self, path: &Path, real: &Path, patterns: &mut Patterns<'_>) -> Result<()> {
        if !self.folders.insert(real.to_path_buf()) {
            self.walk.left_out.repeated += 1;
            return Ok(());
        }
        let entries =
            std::fs::read_dir(path).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
        let mut entries = match entries {
            Ok(entries) => entries,
            Err(error) => {
                let named = self.walk.places.iter().any(|place| place == real);
                self.unreadable(path, named, &error);
                return Ok(());
            }
        };
        entries.sort_unstable_by_key(std::fs::DirEntry::file_name);
        patterns.enter(path)?;
        for entry in entries {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            self.entry(&entry, real, patterns)?;
        }
        patterns.leave();
        Ok(())
    }

    fn entry(
        &mut self,
        entry: &std::fs::DirEntry,
        folder: &Path,
        patterns: &mut Patterns<'_>,
    ) -> Result<()> {
        let path = entry.path();
        let kind = match entry.file_type() {
            Ok(kind) => kind,
            Err(error) => {
                self.unreadable(&path, false, &error);
                return Ok(());
            }
        };
        match patterns.leaves_out(&path, kind.is_dir()) {
            Some(Reason::Hidden) => self.walk.left_out.hidden += 1,
            Some(Reason::Excluded) => self.walk.left_out.excluded += 1,
            None if kind.is_dir() && Gallery::is_in(&path) => {}
            None if kind.is_dir() => {
                self.folder(&path, &folder.join(entry.file_name()), patterns)?;
            }
            None if kind.is_symlink() => self.links.push_back(path),
            None if kind.is_file() => {
                let data = entry.metadata();
                self.file(&path, &folder.join(entry.file_name()), data);
            }
            None => self.walk.left_out.devices += 1,
        }
        Ok(())
    }

    /// A regular file of a folder.
    fn file(&mut self, path: &Path, real: &Path, data: std::io::Result<std::fs::Metadata>) {
        match data.and_then(|data| Ok((sort::sort(path)?, data))) {
            Ok((FileType::Picture, data)) => self.take(path, real, &data, false),
            Ok((FileType::Unsupported(name), _)) => {
                *self.walk.left_out.unsupported.entry(name.to_owned()).or_default() += 1;
            }
            Ok((FileType::Unknown, _)) => {}
            Err(error) => self.unreadable(path, false, &error),
        }
    }

    fn take(&mut self, path: &Path, real: &Path, data: &std::fs::Metadata, named: bool) {
        // File systems without numbers of their own say that every file has one name.
        let identity = file::identity(data).filter(|identity| identity.names > 1);
        if !named && identity.is_some_and(|identity| !self.inodes.insert(identity.inode)) {
            self.walk.left_out.repeated += 1;
            return;
        }
        self.walk.files.push(Found {
            path: path.to_path_buf(),
            real: (path != real).then(|| real.to_path_buf()),
            size: data.len(),
            mtime_ns: modified_ns(data),
            named,
        });
        (self.progress)(self.walk.files.len() as u64);
    }

    /// Links come last: what they lead to is taken by its own name where it has one here.
    fn follow_links(&mut self, patterns: &mut Patterns<'_>) -> Result<()> {
        if self.links.is_empty() {
            return Ok(());
        }
        let mut taken: HashSet<PathBuf> =
            self.walk.files.iter().map(|file| file.real().to_path_buf()).collect();
        while let Some(path) = self.links.pop_front() {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let target = path.canonicalize().and_then(|real| Ok((real.metadata()?, real)));
            let (data, real) = match target {
                Ok(target) => target,
                Err(error) => {
                    self.walk.failed.push(Failure::new(&path, false, format!("a link: {error}")));
                    self.walk.unreadable.push(path);
                    continue;
                }
            };
            if !self.walk.places.iter().any(|place| real.starts_with(place)) {
                self.walk.left_out.links_outside += 1;
            } else if data.is_dir() {
                self.folder(&path, &real, patterns)?;
            } else if !data.is_file() {
                self.walk.left_out.devices += 1;
            } else if taken.insert(real.clone()) {
                self.file(&path, &real, Ok(data));
            } else {
                self.walk.left_out.repeated += 1;
            }
        }
        Ok(())
    }

    fn unreadable(&mut self, path: &Path, named: bool, error: &dyn std::fmt::Display) {
        self.walk.failed.push(Failure::new(path, named, error));
        self.walk.unreadable.push(path.to_path_buf());
    }
}

/// When a file was last changed, in nanoseconds since 1970.
pub(crate) fn modified_ns(metadata: &std::fs::Metadata) -> i64 {
    let since = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_nanos() as i64)
}
