//! LMDB files, read as bytes.
//!
//! LMDB's own library maps the file and trusts every byte of it: a damaged one ends the program. So
//! this walks the pages of one tree itself, checks every offset, and writes nothing. Format: `MDB_page`,
//! `MDB_meta` and `MDB_node` in <https://github.com/LMDB/lmdb/blob/LMDB_0.9.31/libraries/liblmdb/mdb.c>;
//! 64-bit, little-endian files, as every machine of this field writes them.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use tuwen_files::{Error, Result};

const MAGIC: u32 = 0xbeef_c0de;
const HEADER: usize = 16;
const BRANCH: u16 = 1;
const LEAF: u16 = 2;
/// The value is on pages of its own.
const BIG: u16 = 1;
/// A tree deeper than this would hold more pages than a disk.
const DEEPEST: usize = 32;

/// Where a value lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) offset: u64,
    pub(super) len: u64,
}

/// All keys of the unnamed database with the places of their values, in the order of the keys' bytes.
/// After a damaged page or entry the walk goes on behind it.
pub(super) struct Lmdb {
    path: PathBuf,
    file: File,
    page_size: usize,
    /// Bytes of the file, and how many it had when it was written.
    length: u64,
    whole: u64,
    /// Pages on the way to the present one, with the number of the next entry.
    stack: Vec<(Vec<u8>, usize)>,
    /// The first page, not yet read.
    root: Option<u64>,
    /// Pages that may still be read; a tree that leads back to itself runs out of them.
    pages_left: u64,
}

impl Lmdb {
    /// Opens `FOLDER/data.mdb`.
    ///
    /// # Errors
    /// It is not there, is no LMDB, or ends before its tree begins.
    pub(super) fn open(folder: &Path) -> Result<Self> {
        let path = folder.join("data.mdb");
        let mut file = File::open(&path).map_err(|e| Error::io(&path, e))?;
        let length = file.metadata().map_err(|e| Error::io(&path, e))?.len();
        let first = read_at(&mut file, 0, 256).map_err(|e| Error::io(&path, e))?;
        let no = |what: &str| Error::data_set(&path, what);
        let page_size = meta(&first).ok_or_else(|| no("it is no LMDB of version 1"))?.page_size;
        if !(512..=65536).contains(&page_size) || !page_size.is_power_of_two() {
            return Err(no(&format!("an LMDB with pages of {page_size} bytes")));
        }
        let second = read_at(&mut file, page_size as u64, 256).unwrap_or_default();
        // The newer of the two is the last that was written completely.
        let metas = [meta(&first), meta(&second)].into_iter().flatten();
        let newest = metas.max_by_key(|meta| meta.transaction).expect("the first one is there");
        let whole = newest.last_page.saturating_add(1).saturating_mul(page_size as u64);
        let root = (newest.root != u64::MAX).then_some(newest.root);
        let pages_left = length / page_size as u64 + 1;
        Ok(Self { path, file, page_size, length, whole, stack: Vec::new(), root, pages_left })
    }

    /// The file itself.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A value's bytes.
    ///
    /// # Errors
    /// The disk fails.
    pub(super) fn value(&mut self, place: Place) -> Result<Vec<u8>> {
        read_at(&mut self.file, place.offset, place.len as usize)
            .map_err(|e| Error::io(&self.path, e))
    }

    fn wrong(&self, what: impl Into<String>) -> Error {
        Error::data_set(&self.path, what)
    }

    fn cut(&self, what: &str) -> Error {
        let (length, whole) = (self.length, self.whole);
        self.wrong(format!("the file is cut at {length} of {whole} bytes: {what} is missing"))
    }

    /// Reads a page and puts it on the stack.
    fn enter(&mut self, page: u64) -> Result<()> {
        if self.stack.len() == DEEPEST || self.pages_left == 0 {
            return Err(self.wrong(format!("page {page} leads back to pages before it")));
        }
        self.pages_left -= 1;
        let offset = page.checked_mul(self.page_size as u64);
        let inside = offset.filter(|&o| o.saturating_add(self.page_size as u64) <= self.length);
        let Some(offset) = inside else {
            return Err(self.cut(&format!("page {page}")));
        };
        let bytes = read_at(&mut self.file, offset, self.page_size);
        let bytes = bytes.map_err(|e| Error::io(&self.path, e))?;
        if number(&bytes, 0, 8) != Some(page) {
            return Err(self.wrong(format!("page {page} is damaged")));
        }
        self.stack.push((bytes, 0));
        Ok(())
    }

    /// The next entry of the page on top; none at the page's end.
    fn entry(&mut self) -> Option<Result<Entry>> {
        let (page, at) = self.stack.last_mut()?;
        let count = number(page, 12, 2)?.saturating_sub(HEADER as u64) as usize / 2;
        if *at >= count {
            return None;
        }
        let index = *at;
        *at += 1;
        let found = node(page, index);
        let number = number(page, 0, 8).unwrap_or_default();
        Some(found.ok_or_else(|| self.wrong(format!("entry {index} of page {number} is damaged"))))
    }

    /// Where the value is, with its offset still within the page on top.
    fn place(&self, value: Value) -> Result<Place> {
        let page = number(&self.stack.last().expect("within a page").0, 0, 8).unwrap_or_default();
        let size = self.page_size as u64;
        let (offset, len) = match value {
            Value::Here { at, len } => (page * size + at as u64, len),
            Value::Big { page, len } => (page.saturating_mul(size).saturating_add(16), len),
        };
        if offset.saturating_add(len) > self.length {
            return Err(self.cut(&format!("a value of {len} bytes")));
        }
        Ok(Place { offset, len })
    }
}

impl Iterator for Lmdb {
    type Item = Result<(Vec<u8>, Place)>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(root) = self.root.take()
            && let Err(error) = self.enter(root)
        {
            return Some(Err(error));
        }
        loop {
            if self.stack.is_empty() {
                return None;
            }
            match self.entry() {
                None => drop(self.stack.pop()),
                Some(Err(error)) => return Some(Err(error)),
                Some(Ok(Entry::Branch(page))) => {
                    if let Err(error) = self.enter(page) {
                        return Some(Err(error));
                    }
                }
                Some(Ok(Entry::Leaf(key, value))) => {
                    return Some(self.place(value).map(|place| (key, place)));
                }
            }
        }
    }
}

enum Entry {
    Branch(u64),
    Leaf(Vec<u8>, Value),
}

enum Value {
    Here { at: usize, len: u64 },
    Big { page: u64, len: u64 },
}

/// An entry of a page: none when it leads out of it.
fn node(page: &[u8], index: usize) -> Option<Entry> {
    let kind = number(page, 10, 2)? as u16;
    let at = number(page, HEADER + 2 * index, 2)? as usize;
    let [low, high, flags, key_len] = [0, 2, 4, 6].map(|o| number(page, at + o, 2));
    let (low, high, flags) = (low?, high?, flags? as u16);
    if kind & BRANCH != 0 {
        return Some(Entry::Branch(low | high << 16 | u64::from(flags) << 32));
    }
    // Values that are trees themselves (sub-databases, sorted duplicates) are not of this format.
    if kind & LEAF == 0 || flags & !BIG != 0 {
        return None;
    }
    let (key_at, len) = (at + 8, low | high << 16);
    let at = key_at + key_len? as usize;
    let key = page.get(key_at..at)?.to_vec();
    if flags & BIG != 0 {
        return Some(Entry::Leaf(key, Value::Big { page: number(page, at, 8)?, len }));
    }
    page.get(at..at.checked_add(len as usize)?)?;
    Some(Entry::Leaf(key, Value::Here { at, len }))
}

struct Meta {
    page_size: usize,
    root: u64,
    last_page: u64,
    transaction: u64,
}

/// The head of the file, of which there are two.
fn meta(page: &[u8]) -> Option<Meta> {
    let at = |offset, width| number(page, HEADER + offset, width);
    if at(0, 4)? != u64::from(MAGIC) || at(4, 4)? != 1 {
        return None;
    }
    // Behind magic, version, address and map size: the free list's tree, whose first field is the
    // page size, and the data's, whose last is its root (48 bytes each).
    Some(Meta {
        page_size: at(24, 4)? as usize,
        root: at(72 + 40, 8)?,
        last_page: at(120, 8)?,
        transaction: at(128, 8)?,
    })
}

/// A little-endian number of `width` bytes.
fn number(bytes: &[u8], at: usize, width: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(width)?)?;
    Some(bytes.iter().rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte)))
}

fn read_at(file: &mut File, offset: u64, len: usize) -> std::io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = vec![0; len];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}
