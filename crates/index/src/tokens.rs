//! Multi-vectors of pictures beside a gallery's segments: what a head that looks twice reads of a photo.
//!
//! One file for each kind of tokens, `vectors/NAME.tokens`, NAME being the fingerprint of what made them. It is derived
//! and never the truth: pictures are found in it by the hash of their content, so that it does not mind merges, moved
//! files or a rebuilt gallery, and each record has a checksum, so that one that is missing, cut or damaged is as good as
//! none. A writer, who holds the gallery's lock, only appends, and what is read is copied: a file that somebody cuts
//! while it is open ends nothing.
//!
//! The file is blocks of 256 records: a table of 24 bytes a record (16 of the content's hash, CRC-32 of the tokens,
//! CRC-32 of those 20 bytes) and the tokens of all of them, which have one length.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::gallery::segments_folder;
use crate::vectors::own;
use crate::{Error, Gallery, Result};

/// Records of a block.
const BLOCK: usize = 256;
/// Bytes of a record's entry in the table.
const ENTRY: usize = 24;
/// Bytes of a content's hash that are kept.
const HASH: usize = 16;
/// A file with so many records that nobody wants any more is written anew.
const STALE: usize = 256;

/// The tokens that a gallery keeps of one kind.
#[derive(Debug)]
pub struct TokenStore {
    path: PathBuf,
    /// Bytes of a picture's tokens.
    len: usize,
    /// None where there is no file.
    file: Option<Mutex<File>>,
    /// Where the tokens of a content are, and their checksum.
    places: HashMap<[u8; HASH], (usize, u32)>,
    /// Records in the file, those that do not fit as well.
    records: usize,
}

/// Bytes that so many pictures take up, whose tokens have `len` bytes each.
pub fn token_bytes(pictures: usize, len: usize) -> u64 {
    let blocks = pictures.div_ceil(BLOCK) * BLOCK * ENTRY;
    (blocks + pictures * len) as u64
}

fn short(hash: &[u8]) -> Option<[u8; HASH]> {
    hash.first_chunk().copied()
}

impl TokenStore {
    /// Those of the kind `name` in a gallery's folder, `len` bytes each; none where there is no such file.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn open(folder: &Path, name: &str, len: usize) -> Result<Self> {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "-_+.".contains(c) { c } else { '_' };
        let name: String = name.chars().map(plain).collect();
        let path = segments_folder(folder).join(format!("{name}.tokens"));
        let mut store = Self { path, len, file: None, places: HashMap::new(), records: 0 };
        if !store.path.is_file() {
            return Ok(store);
        }
        let mut file = File::open(&store.path).map_err(|e| store.error(&e))?;
        store.look(&mut file).map_err(|e| store.error(&e))?;
        store.file = Some(Mutex::new(file));
        Ok(store)
    }

    fn look(&mut self, file: &mut File) -> std::io::Result<()> {
        let block = (BLOCK * (ENTRY + self.len)) as u64;
        let end = file.metadata()?.len();
        let mut table = vec![0; BLOCK * ENTRY];
        for start in (0..end).step_by(block as usize) {
            let there = ((end - start) as usize).min(table.len());
            file.seek(SeekFrom::Start(start))?;
            file.read_exact(&mut table[..there])?;
            for entry in table[..there].chunks_exact(ENTRY) {
                if let Some((hash, check)) = read_entry(entry) {
                    self.places.insert(hash, (self.records, check));
                } else if entry.iter().all(|byte| *byte == 0) {
                    return Ok(());
                }
                self.records += 1;
            }
        }
        Ok(())
    }

    /// How many pictures have tokens.
    pub fn count(&self) -> usize {
        self.places.len()
    }

    /// Whether a picture of that content has tokens.
    pub fn contains(&self, hash: &[u8]) -> bool {
        short(hash).is_some_and(|hash| self.places.contains_key(&hash))
    }

    /// The tokens of a picture of that content; none where there are no such, or they are damaged.
    pub fn get(&self, hash: &[u8]) -> Option<Vec<u8>> {
        let &(record, check) = self.places.get(&short(hash)?)?;
        let mut tokens = vec![0; self.len];
        let mut file = self.file.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.place(record))).ok()?;
        file.read_exact(&mut tokens).ok()?;
        (crc32fast::hash(&tokens) == check).then_some(tokens)
    }

    /// Where a record's tokens begin.
    fn place(&self, record: usize) -> u64 {
        let (block, at) = (record / BLOCK, record % BLOCK);
        ((block * (ENTRY + self.len) + ENTRY) * BLOCK + at * self.len) as u64
    }

    fn entry_place(&self, record: usize) -> u64 {
        let (block, at) = (record / BLOCK, record % BLOCK);
        (block * (ENTRY + self.len) * BLOCK + at * ENTRY) as u64
    }

    fn error(&self, error: &std::io::Error) -> Error {
        Error::Unwritable { path: self.path.clone(), what: error.to_string() }
    }

    /// Puts a picture's tokens behind the others.
    ///
    /// # Errors
    /// The gallery is not open for writing, or the file cannot be written.
    ///
    /// # Panics
    /// When there are not as many bytes as the store was opened with.
    pub fn add(&mut self, gallery: &Gallery, hash: &[u8], tokens: &[u8]) -> Result<()> {
        gallery.check_writing()?;
        assert_eq!(tokens.len(), self.len, "tokens of one length");
        let Some(hash) = short(hash) else { return Ok(()) };
        let check = crc32fast::hash(tokens);
        self.append(hash, check, tokens).map_err(|e| self.error(&e))?;
        self.places.insert(hash, (self.records, check));
        self.records += 1;
        Ok(())
    }

    /// The tokens first and what says that they are there behind them: in between nobody finds half of them.
    fn append(&mut self, hash: [u8; HASH], check: u32, tokens: &[u8]) -> std::io::Result<()> {
        if self.file.is_none()
            && let Some(folder) = self.path.parent()
        {
            crate::gallery::make_folder(folder)?;
        }
        if self.records == 0 || self.file.is_none() {
            own(&self.path)?;
            let mut options = OpenOptions::new();
            let file =
                options.read(true).write(true).create(true).truncate(true).open(&self.path)?;
            self.file = Some(Mutex::new(file));
        }
        let (to, entry) = (self.place(self.records), self.entry_place(self.records));
        let file = self.file.as_mut().expect("just opened");
        let file = file.get_mut().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(to))?;
        file.write_all(tokens)?;
        file.seek(SeekFrom::Start(entry))?;
        file.write_all(&write_entry(hash, check))
    }

    /// Opens for adding. Where most of what is there belongs to contents that `wanted` does not know, those that it
    /// knows are written anew.
    ///
    /// # Errors
    /// The gallery is not open for writing, or the file cannot be read or written.
    pub fn open_for_writing(
        gallery: &Gallery,
        name: &str,
        len: usize,
        wanted: &dyn Fn(&[u8]) -> bool,
    ) -> Result<Self> {
        gallery.check_writing()?;
        let mut store = Self::open(gallery.folder(), name, len)?;
        let live: Vec<[u8; HASH]> = store.places.keys().copied().filter(|h| wanted(h)).collect();
        if store.records - live.len().min(store.records) > STALE.max(live.len()) {
            store.rewrite(gallery, live)?;
        } else if store.file.is_some() {
            own(&store.path).map_err(|e| store.error(&e))?;
            let file = OpenOptions::new().read(true).write(true).open(&store.path);
            match file {
                Ok(file) => store.file = Some(Mutex::new(file)),
                // It was a link to somebody else's file: the gallery begins one of its own.
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                    store = Self::open(gallery.folder(), name, len)?;
                }
                Err(e) => return Err(store.error(&e)),
            }
        }
        Ok(store)
    }

    fn rewrite(&mut self, gallery: &Gallery, mut live: Vec<[u8; HASH]>) -> Result<()> {
        live.sort_by_key(|hash| self.places[hash].0);
        let path = self.path.with_extension("tokens-new");
        let mut new = Self { path, len: self.len, file: None, places: HashMap::new(), records: 0 };
        for hash in live {
            if let Some(tokens) = self.get(&hash) {
                new.add(gallery, &hash, &tokens)?;
            }
        }
        if new.file.is_some() {
            std::fs::rename(&new.path, &self.path).map_err(|e| self.error(&e))?;
        }
        new.path.clone_from(&self.path);
        *self = new;
        Ok(())
    }

    /// Waits until all is on the disk.
    ///
    /// # Errors
    /// The disk is full or broken.
    pub fn finish(&self) -> Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let file = file.lock().unwrap_or_else(PoisonError::into_inner);
        file.sync_data().map_err(|e| self.error(&e))
    }
}

fn write_entry(hash: [u8; HASH], check: u32) -> [u8; ENTRY] {
    let mut entry = [0; ENTRY];
    entry[..HASH].copy_from_slice(&hash);
    entry[HASH..HASH + 4].copy_from_slice(&check.to_le_bytes());
    let own = crc32fast::hash(&entry[..HASH + 4]);
    entry[HASH + 4..].copy_from_slice(&own.to_le_bytes());
    entry
}

fn read_entry(entry: &[u8]) -> Option<([u8; HASH], u32)> {
    let word = |at: usize| entry.get(at..)?.first_chunk().map(|word| u32::from_le_bytes(*word));
    let fits = crc32fast::hash(&entry[..HASH + 4]) == word(HASH + 4)?;
    fits.then_some((short(entry)?, word(HASH)?))
}
