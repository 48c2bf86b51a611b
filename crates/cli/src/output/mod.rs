//! What commands write: one way for all, so that no file is lost.
//!
//! A file is written beside its place and renamed, so that a full disk or a stopped program leaves the old one
//! whole. An output that is one of the command's inputs is refused. What is there already is replaced when
//! tuwen wrote it, and refused otherwise unless `--force` says so. That tuwen wrote a file shows
//!
//! - in itself: pages, SVG and PNG carry a mark ([`mark`]);
//! - in a folder of results, by the list `.tuwen-outputs` there, which holds the name and the content's hash of
//!   each file ([`OutputFolder`]), so that a file that somebody edited counts as theirs.
//!
//! A single file without a place for a mark (CSV, JSON, ids, TOML) cannot show it: `--force` replaces it. An empty
//! file has nothing to lose, and devices and pipes are written as they are.
//!
//! Folders that are written as a whole (`data convert`, `data embed`, `model convert`) must be new:
//! [`tuwen_files::staged`] writes them under another name, [`StagedOutput`] announces that name to
//! [`crate::stop`].

mod folder;
pub mod mark;
mod staged;

pub use folder::OutputFolder;
pub use staged::StagedOutput;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use tuwen_files::Error;
use tuwen_files::file::identity;
use tuwen_files::lock::Lock;

use crate::query::Usage;
use crate::stop;

/// Whether a foreign file may be replaced; part of the arguments of every command that writes files.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct Force {
    /// Replace files even where tuwen did not write them
    #[arg(long)]
    pub force: bool,
}

impl Force {
    /// In a folder that is tuwen's own, such as a run's.
    pub const OWN_FOLDER: Self = Self { force: true };
}

/// A file that a command is going to write: checked before the work begins, written at its end.
pub struct OutputFile {
    path: PathBuf,
    inputs: Inputs,
    force: Force,
}

impl OutputFile {
    /// Looks whether the file can be written.
    ///
    /// # Errors
    /// It is one of the inputs, a file that tuwen did not write, or its folder is missing or read-only.
    pub fn plan(path: &Path, inputs: &[&Path], force: Force) -> Result<Self> {
        let file = Self { path: path.to_path_buf(), inputs: Inputs::of(inputs), force };
        file.look()?;
        if !is_stream(path) {
            let place = place(path)?;
            let folder = parent(&place);
            if !folder.is_dir() {
                bail!("{}: there is no folder {}: make it first", path.display(), folder.display());
            }
            // Made and taken away again: whether one may write here is known before the work.
            claim(&place)?;
        }
        Ok(file)
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the file as a whole.
    ///
    /// # Errors
    /// As [`Self::plan`], or the disk fails: then what was there before still is.
    pub fn write(&self, bytes: &[u8]) -> Result<()> {
        self.look()?;
        replace(&self.path, bytes)
    }

    fn look(&self) -> Result<()> {
        self.inputs.refuse(&self.path)?;
        let Ok(found) = std::fs::metadata(&self.path) else { return Ok(()) };
        if found.is_dir() {
            bail!("{}: it is a folder; a file's name is needed here", self.path.display());
        }
        if found.is_file() && mark::is_treasure(&self.path) {
            bail!(
                "{}: it is a picture or a database, which this command does not write and --force does not \
                 give up: give another name",
                self.path.display()
            );
        }
        if self.force.force || !found.is_file() || found.len() == 0 || mark::shows(&self.path) {
            return Ok(());
        }
        refuse(&self.path)
    }
}

/// The files that a command reads.
#[derive(Default)]
struct Inputs(Vec<(PathBuf, Place)>);

impl Inputs {
    fn of(paths: &[&Path]) -> Self {
        let known = |path: &&Path| Some((path.to_path_buf(), Place::of(path)?));
        Self(paths.iter().filter_map(known).collect())
    }

    /// Refuses an output that is an input, by whatever name.
    fn refuse(&self, output: &Path) -> Result<()> {
        let Some(place) = Place::of(output) else { return Ok(()) };
        let Some((input, _)) = self.0.iter().find(|(_, known)| *known == place) else {
            return Ok(());
        };
        let what = "it is read by this command and cannot be written by it: give another name";
        if input == output {
            bail!(Usage(format!("{}: {what}", output.display())));
        }
        bail!(Usage(format!("{} (the same as {}): {what}", output.display(), input.display())))
    }
}

/// What tells whether two names lead to one thing: device and number where the system tells them, so that hard
/// links are found, and elsewhere the path with all links resolved.
#[derive(PartialEq)]
enum Place {
    Inode((u64, u64)),
    Path(PathBuf),
}

impl Place {
    /// Of what is there.
    fn of(path: &Path) -> Option<Self> {
        let found = std::fs::metadata(path).ok()?;
        match identity(&found) {
            Some(identity) => Some(Self::Inode(identity.inode)),
            None => std::fs::canonicalize(path).ok().map(Self::Path),
        }
    }
}

fn refuse(path: &Path) -> Result<()> {
    bail!(
        "{} exists already, and nothing shows that tuwen wrote it: give another name, or --force to \
         replace it",
        path.display()
    )
}

/// A device or a pipe.
fn is_stream(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
}

/// Keeps others away from a file that a command writes bit by bit, for as long as the value lives.
///
/// # Errors
/// It is one of the inputs, somebody else is writing it, or its folder cannot be written.
pub fn lock(path: &Path, inputs: &[&Path]) -> Result<(stop::Temporary, Lock)> {
    Inputs::of(inputs).refuse(path)?;
    claim(&place(path)?)
}

/// Where a link leads, so that the file is replaced and not the link.
fn place(path: &Path) -> Result<PathBuf> {
    if path.is_symlink() {
        return std::fs::canonicalize(path)
            .with_context(|| format!("{}: the link leads nowhere", path.display()));
    }
    Ok(path.to_path_buf())
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The temporary file beside a place, which nobody else is writing.
fn claim(place: &Path) -> Result<(stop::Temporary, Lock)> {
    let name = place.file_name().with_context(|| format!("{}: no file's name", place.display()))?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(".part");
    let temporary = parent(place).join(hidden);
    stop::temporary(&temporary, || Lock::take(&temporary)).map_err(|error| match error {
        Error::Io { source, .. } => {
            anyhow!("{}: its folder cannot be written: {source}", place.display())
        }
        other => other.into(),
    })
}

/// Writes a file beside its place and renames it.
fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = || path.display().to_string();
    if is_stream(path) {
        let mut stream = std::fs::OpenOptions::new().write(true).open(path).with_context(failed)?;
        return stream.write_all(bytes).with_context(failed);
    }
    let place = place(path)?;
    let (_announced, lock) = claim(&place)?;
    let mut file = lock.file();
    let written = file.set_len(0).and_then(|()| file.write_all(bytes));
    written.and_then(|()| file.sync_all()).with_context(failed)?;
    if let Ok(old) = std::fs::metadata(&place) {
        file.set_permissions(old.permissions()).with_context(failed)?;
    }
    lock.check()?;
    std::fs::rename(lock.path(), &place).with_context(failed)?;
    sync_folder(parent(&place)).with_context(failed)
}

/// Waits until a folder's names are on the disk, where folders can be opened.
fn sync_folder(folder: &Path) -> std::io::Result<()> {
    match cfg!(unix) {
        true => std::fs::File::open(folder).and_then(|folder| folder.sync_all()),
        false => Ok(()),
    }
}
