//! Forgetting what is gone, and only that.
//!
//! Files that are left out now (hidden, excluded) are not gone: they stay until the user asks for
//! `--prune`. When all pictures of a place are gone at once, or a folder that held some is empty, then
//! most likely a disk is not mounted: they stay until the user says `--force`.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use tuwen_index::{Item, Modality};

use super::summary::Missing;
use super::{Indexer, emptied};
use crate::Result;
use crate::origin::{bytes_of, path_of};

impl Indexer<'_> {
    /// Removes pictures that lay below `places` and are gone.
    pub(super) fn forget_missing(
        &mut self,
        places: &[PathBuf],
        unreadable: &[PathBuf],
    ) -> Result<()> {
        let below = |path: &Path, all: &[PathBuf]| all.iter().any(|place| path.starts_with(place));
        let (mut gone, mut left_out) = (Vec::new(), Vec::new());
        // Of each place: whether a picture from before this run is still there, where it was.
        let mut alive = vec![false; places.len()];
        // How many more moved than went: a folder that was put in order lost few.
        let mut balance = vec![0i64; places.len()];
        for item in self.gallery.all(Modality::Image)? {
            let path = path_of(&item.origin);
            if item.id > self.run.last || !below(&path, places) {
                continue;
            }
            let here = || (0..places.len()).filter(|&at| path.starts_with(&places[at]));
            let seen = self.run.seen.contains(&item.id);
            let kept = below(&path, unreadable);
            if self.run.moved.contains(&item.id) {
                here().for_each(|at| balance[at] += 1);
            } else if seen || kept || !is_gone(&path) {
                here().for_each(|at| alive[at] = true);
                if !seen && !kept {
                    left_out.push(item);
                }
            } else {
                here().for_each(|at| balance[at] -= 1);
                gone.push((item, path));
            }
        }
        let gone = if self.settings.force {
            gone.into_iter().map(|(item, _)| item).collect()
        } else {
            let dead = (0..places.len()).filter(|&at| !alive[at] && balance[at] < 0);
            self.keep_suspicious(gone, &dead.map(|at| &places[at]).collect::<Vec<_>>())
        };
        self.remove(&gone)?;
        match self.settings.prune {
            true => self.remove(&left_out),
            false => {
                self.run.summary.kept += left_out.len();
                Ok(())
            }
        }
    }

    /// Those that are gone for good; the others stay and are counted by folder.
    fn keep_suspicious(&mut self, gone: Vec<(Item, PathBuf)>, dead: &[&PathBuf]) -> Vec<Item> {
        let mut known: HashMap<PathBuf, Option<PathBuf>> = HashMap::new();
        let mut missing: BTreeMap<PathBuf, usize> = BTreeMap::new();
        let mut sure = Vec::new();
        for (item, path) in gone {
            let place = dead.iter().find(|place| path.starts_with(place));
            let folder = match (place, path.parent()) {
                (Some(place), _) => Some((*place).clone()),
                (None, Some(parent)) => {
                    known.entry(parent.to_path_buf()).or_insert_with(|| emptied(&path)).clone()
                }
                (None, None) => None,
            };
            match folder {
                Some(folder) => *missing.entry(folder).or_default() += 1,
                None => sure.push(item),
            }
        }
        let missing = missing.into_iter().map(|(folder, items)| Missing::new(&folder, items));
        self.run.summary.missing.extend(missing);
        sure
    }

    /// Counts, or with `--prune` removes, texts whose file is gone.
    ///
    /// # Errors
    /// A gallery that cannot be written.
    pub fn texts_without_file(&mut self) -> Result<()> {
        for (origin, texts) in self.gallery.origins(Modality::Text)? {
            let path = path_of(&origin);
            if !is_gone(&path) {
                continue;
            }
            let on_lost_disk = !self.settings.force && emptied(&path).is_some();
            if self.settings.prune && !on_lost_disk {
                let items = self.gallery.from_origin(Modality::Text, bytes_of(&path))?;
                self.remove(&items)?;
            } else {
                self.run.summary.texts_without_file.push(Missing::new(&path, texts));
            }
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, items: &[Item]) -> Result<()> {
        self.gallery
            .transaction(|gallery| items.iter().try_for_each(|item| gallery.remove(item.id)))?;
        self.run.summary.removed += items.len();
        Ok(())
    }
}

/// Whether there is nothing at that path; one that may not be looked at is not known to be gone.
fn is_gone(path: &Path) -> bool {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    path.symlink_metadata().is_err_and(|e| matches!(e.kind(), NotFound | NotADirectory))
}
