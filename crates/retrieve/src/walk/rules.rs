//! What a walk leaves out: by the name of an entry, and by patterns.

use std::ffi::OsStr;
use std::path::Path;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use tuwen_files::encoding::TextFile;

use crate::{Error, Result};

/// Patterns of what to leave out, in the folder they are for.
const IGNORE_FILE: &str = ".tuwenignore";
/// What systems, disks and network stores leave in folders of pictures, beside names with a dot.
const SYSTEM: [&str; 13] = [
    "@eaDir",
    "#recycle",
    "#snapshot",
    "@Recycle",
    "@Recently-Snapshot",
    "$RECYCLE.BIN",
    "RECYCLER",
    "System Volume Information",
    "lost+found",
    "__MACOSX",
    "Thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
];

/// What a walk of folders takes and what it leaves out.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Take hidden files and folders too, and what systems leave behind.
    pub hidden: bool,
    /// Leave out what matches, in .gitignore's syntax.
    pub exclude: Vec<String>,
}

/// Why an entry is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// By its name.
    Hidden,
    /// By a pattern.
    Excluded,
}

/// The patterns that hold in a folder: those of the command line, and of each folder from the root
/// down to it.
pub struct Patterns<'a> {
    rules: &'a Rules,
    given: Gitignore,
    folders: Vec<Gitignore>,
}

impl<'a> Patterns<'a> {
    /// For a walk below `root`.
    ///
    /// # Errors
    /// A pattern that makes no sense.
    pub fn new(rules: &'a Rules, root: &Path) -> Result<Self> {
        let mut builder = GitignoreBuilder::new(root);
        for pattern in &rules.exclude {
            let added = builder.add_line(None, pattern);
            added.map_err(|e| Error::Usage(format!("--exclude {pattern}: {e}")))?;
        }
        let given = builder.build().map_err(|e| Error::Usage(format!("--exclude: {e}")))?;
        Ok(Self { rules, given, folders: Vec::new() })
    }

    /// Enters a folder and obeys its own file of patterns.
    ///
    /// # Errors
    /// That file cannot be read, or has a pattern that makes no sense.
    pub fn enter(&mut self, folder: &Path) -> Result<()> {
        let file = folder.join(IGNORE_FILE);
        let mut builder = GitignoreBuilder::new(folder);
        if file.symlink_metadata().is_ok() {
            for (line, pattern) in TextFile::read(&file)?.lines().enumerate() {
                let added = builder.add_line(None, pattern);
                let at = format!("{}, line {}", file.display(), line + 1);
                added.map_err(|e| Error::place(Path::new(&at), e))?;
            }
        }
        self.folders.push(builder.build().map_err(|e| Error::place(&file, e))?);
        Ok(())
    }

    /// Leaves the folder that was entered last.
    pub fn leave(&mut self) {
        self.folders.pop();
    }

    /// Whether an entry of the folder that was entered last is left out, and why.
    pub fn leaves_out(&self, path: &Path, is_folder: bool) -> Option<Reason> {
        if !self.rules.hidden && path.file_name().is_some_and(is_hidden) {
            return Some(Reason::Hidden);
        }
        // The command line has the first word, then the nearest folder.
        let all = std::iter::once(&self.given).chain(self.folders.iter().rev());
        let decided = all.map(|patterns| patterns.matched(path, is_folder)).find(|m| !m.is_none());
        matches!(decided, Some(Match::Ignore(_))).then_some(Reason::Excluded)
    }
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
        || SYSTEM.iter().any(|other| name.eq_ignore_ascii_case(other))
}
