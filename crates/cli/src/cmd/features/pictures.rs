//! Pictures in an order that rows keep: found below paths, or listed by name.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, bail};
use rayon::prelude::*;
use tuwen_files::encoding::TextFile;
use tuwen_image::{Limits, RgbImage, decode_then};
use tuwen_retrieve::walk::{Failure, Walk};
use tuwen_sets::ImageSource;
use tuwen_sets::import::ImageIndex;

use crate::indexed::left_out;
use crate::query::in_words;
use crate::terminal::note;
use crate::walk::WalkArgs;

/// A picture with the name that is written for it.
#[derive(Clone, Debug)]
pub struct Named {
    pub name: String,
    pub source: ImageSource,
}

impl Named {
    /// The decoded picture.
    pub fn read(&self) -> Result<RgbImage> {
        let bytes = self.source.read().with_context(|| self.name.clone())?;
        let picture = decode_then(&bytes, Limits::default(), |picture| picture.into_rgb());
        picture.with_context(|| self.name.clone())
    }
}

/// All pictures below paths.
pub fn below(paths: &[PathBuf], walk: &WalkArgs) -> Result<Vec<Named>> {
    let walk = Walk::of(paths, &walk.rules(), &AtomicBool::new(false), &|_| {})?;
    for Failure { file, reason, .. } in &walk.failed {
        note!("skipped {file}: {reason}");
    }
    for line in left_out(&walk.left_out) {
        note!("{line}");
    }
    if walk.files.is_empty() {
        bail!("there are no pictures in {}", paths[0].display());
    }
    let named =
        |path: PathBuf| Named { name: path.display().to_string(), source: ImageSource::File(path) };
    Ok(walk.files.into_iter().map(|file| named(file.path)).collect())
}

/// The pictures of a list, one name a line, in a folder or a tar archive.
pub fn listed(root: &Path, list: &Path) -> Result<Vec<Named>> {
    let (index, text) = (ImageIndex::open(root)?, TextFile::read(list)?);
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let name = line.trim();
        if name.is_empty() {
            continue;
        }
        let Some(source) = index.find(name)? else {
            bail!("{}, line {}: {} has no picture {name}", list.display(), at + 1, root.display());
        };
        found.push(Named { name: name.to_owned(), source });
    }
    if found.is_empty() {
        bail!("{}: no picture is listed", list.display());
    }
    Ok(found)
}

/// Pictures whose results are made before anybody is asked whether to end.
const PORTION: usize = 64;

/// What a picture that cannot be read is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// An error: others count on its row.
    Error,
    /// Said and left out.
    Note,
    /// Left out, as it was or will be said elsewhere.
    Silent,
}

/// Whether to end, who hears how many are done, and what of pictures that cannot be read.
pub struct Watch<'w> {
    pub stop: &'w (dyn Fn() -> bool + Sync),
    pub done: &'w dyn Fn(usize),
    pub unread: Unread,
}

/// What `of` makes of each picture, on all threads and in their order; nothing of one that is left out. None where it was
/// stopped.
pub fn each<T: Send>(
    pictures: &[Named],
    watch: &Watch<'_>,
    of: impl Fn(RgbImage) -> T + Sync,
) -> Result<Option<Vec<Option<T>>>> {
    let mut found = Vec::with_capacity(pictures.len());
    for part in pictures.chunks(PORTION) {
        if (watch.stop)() {
            return Ok(None);
        }
        let made: Vec<Result<T>> = part.par_iter().map(|one| Ok(of(one.read()?))).collect();
        for one in made {
            found.push(match (one, watch.unread) {
                (Ok(made), _) => Some(made),
                (Err(error), Unread::Error) => return Err(error),
                (Err(error), Unread::Note) => {
                    note!("skipped {}", in_words(&error));
                    None
                }
                (Err(_), Unread::Silent) => None,
            });
        }
        (watch.done)(found.len());
    }
    Ok(Some(found))
}
