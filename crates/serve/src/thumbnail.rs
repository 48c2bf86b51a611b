//! Small pictures of items: made once, upright, and kept beside the gallery, or in memory where that cannot be
//! written. They are named by their content's hash, so that one that is there is right.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tuwen_files::file;
use tuwen_image::{Limits, decode_then, encode_jpeg, shrink};
use tuwen_index::Item;

use crate::hits::hex;
use crate::lru::Lru;
use crate::problem::{Problem, ProblemType};

/// The longer side of a thumbnail; another wish is rounded up, so that few of each are kept.
const SIDES: [u32; 4] = [160, 320, 640, 1024];
/// The side where none is asked for.
pub(crate) const SIDE: u32 = 320;
const QUALITY: u8 = 82;
/// Bytes of a thumbnail's file; what is larger is none of ours.
const LARGEST: u64 = 4 << 20;
/// Bytes in memory, of galleries that cannot be written.
const MEMORY: usize = 32 << 20;
/// The folder in a gallery's.
const FOLDER: &str = "thumbnails";
/// Thumbnails of one hash are made one after the other.
const LOCKS: usize = 16;

type Key = (Vec<u8>, u32);

/// See the module.
pub(crate) struct Thumbnails {
    memory: Mutex<Lru<Key, Vec<u8>>>,
    making: [Mutex<()>; LOCKS],
}

impl Default for Thumbnails {
    fn default() -> Self {
        Self { memory: Mutex::new(Lru::new(MEMORY)), making: Default::default() }
    }
}

/// The side that is made for a wish.
pub(crate) fn side_for(wish: u32) -> Result<u32, Problem> {
    let most = SIDES[SIDES.len() - 1];
    let found = SIDES.into_iter().find(|&side| (1..=side).contains(&wish));
    let wrong = || Problem::value(format!("side: {wish} is not between 1 and {most} pixels"));
    found.ok_or_else(wrong)
}

impl Thumbnails {
    /// The JPEG of a picture of the gallery in `folder`. Blocks.
    pub fn get(
        &self,
        folder: &Path,
        item: &Item,
        side: u32,
        limits: Limits,
    ) -> Result<Vec<u8>, Problem> {
        let (key, path) = ((item.hash.clone(), side), path_for(folder, &item.hash, side));
        let _one = self.making[item.hash.first().map_or(0, |&byte| usize::from(byte) % LOCKS)]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = self.kept(&key, &path) {
            return Ok(bytes);
        }
        let made = make(&original(item, limits)?, side, limits)?;
        if write(&path, &made).is_err() {
            let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
            memory.put(key, made.clone(), made.len());
        }
        Ok(made)
    }

    fn kept(&self, key: &Key, path: &Path) -> Option<Vec<u8>> {
        if let Ok(bytes) = file::read(path, LARGEST)
            && tuwen_image::format(&bytes) == Some("jpeg")
        {
            return Some(bytes);
        }
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).get(key)
    }
}

fn path_for(folder: &Path, hash: &[u8], side: u32) -> PathBuf {
    let (hash, shelf) = (hex(hash), hex(&hash[..hash.len().min(1)]));
    folder.join(FOLDER).join(shelf).join(format!("{hash}-{side}.jpg"))
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    std::fs::create_dir_all(path.parent().unwrap_or(path))?;
    file::replace(path, bytes).map_err(std::io::Error::other)
}

fn make(bytes: &[u8], side: u32, limits: Limits) -> Result<Vec<u8>, Problem> {
    let small = decode_then(bytes, limits, |picture| shrink(&picture.over_white(), side));
    let gone = |error| Problem::new(ProblemType::FileGone, format!("{error}"));
    Ok(encode_jpeg(&small.map_err(gone)?, QUALITY))
}

/// The bytes of an item's picture, as they were indexed. Blocks.
pub(crate) fn original(item: &Item, limits: Limits) -> Result<Vec<u8>, Problem> {
    tuwen_retrieve::original(item, limits)
        .map_err(|error| Problem::new(ProblemType::FileGone, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_are_rounded_up() {
        for (wish, side) in [(1, 160), (160, 160), (161, 320), (1024, 1024)] {
            assert_eq!(side_for(wish).expect("a side"), side);
        }
        assert!(side_for(0).is_err() && side_for(1025).is_err());
    }
}
