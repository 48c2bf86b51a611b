//! Rows of a gallery in cells, for approximate search in many of them: a query looks into the cells whose centres are
//! nearest, at codes of one bit and then, of the rows that may be among the best, of four bits; what is left is scored
//! from f32, so that scores are those of every search and only the choice of rows is approximate.
//!
//! The file `KIND.cells` beside the segments is derived and never the truth: `layout` is its head, `code` and `kernel`
//! what its rows are, `rotate` what codes need, `train` and `build` make it, `query` and `look` search in it, `widths`
//! is how many cells that takes. It covers full blocks of segments, as their checksums say; rows that were
//! added since are searched exactly, and rows that are gone are tombstones here too. What is missing, of other rows or
//! damaged, is not used, and the search is exact.

mod build;
mod code;
mod kernel;
mod layout;
mod look;
mod query;
mod rotate;
mod train;
mod widths;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

pub(crate) use self::build::{Building, build, mean_of};
use self::code::{Row, row_len};
use self::layout::{Head, PAGE, Sizes, Stamp, WIDTHS_AT};
use self::rotate::Rotation;
pub use self::widths::{DEPTHS, QueryKind, Widths};
use super::file::Written;
use super::segment::Segment;
use super::{BLOCK, MEMORY};
use crate::Error;
use crate::item::Modality;

/// The file of a modality's cells.
pub(crate) fn path(folder: &Path, modality: Modality) -> PathBuf {
    folder.join(format!("{}.cells", modality.name()))
}

/// An open file of cells.
#[derive(Debug)]
pub(crate) struct Cells {
    file: Written,
    sizes: Sizes,
    head: Head,
    widths: Widths,
    rotation: Rotation,
    /// The first place of each stamp's rows.
    starts: Vec<usize>,
    /// Where a stamp's segment is among those that are open; none where it is gone.
    segments: Vec<Option<usize>>,
    slots: Vec<Slot>,
    keeps_signs: bool,
    keeps_codes: bool,
    /// What was found to be wrong with the file.
    wrong: OnceLock<String>,
}

/// What is in memory of a cell.
#[derive(Debug, Default)]
struct Slot {
    signs: OnceLock<Vec<u64>>,
    codes: OnceLock<Vec<u64>>,
}

/// A file of cells that is not as it was written: the search goes on without it.
#[derive(Clone, Copy, Debug)]
struct Damaged;

impl Cells {
    /// Opens the cells of some segments; nothing where there is no file.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub(crate) fn open(
        path: PathBuf,
        dim: usize,
        segments: &[Segment],
    ) -> Result<Option<Self>, String> {
        if std::fs::symlink_metadata(&path).is_err() {
            return Ok(None);
        }
        let file = Written::open(path, 0).map_err(|e| what(&e))?;
        let len = file.there().map_err(|e| e.to_string())?;
        let mut page = vec![0u8; PAGE.min(len as usize)];
        file.read(0, &mut page).map_err(|e| what(&e))?;
        let (sizes, check) = Sizes::read(&page, len)?;
        if sizes.dim != dim {
            return Err(format!("vectors of {} values, the gallery's have {dim}", sizes.dim));
        }
        let mut rest = vec![0u8; sizes.head_len() - PAGE];
        file.read(PAGE, &mut rest).map_err(|e| what(&e))?;
        if head_check(&page, &rest) != check {
            return Err("the checksum of its head does not fit".into());
        }
        let head = Head::read(&rest, sizes, len)?;
        let read = WIDTHS_AT.map(|at| Widths::read(&page[at..], sizes.cells));
        let widths = read.into_iter().flatten().max_by_key(|widths| widths.sequence);
        Ok(Some(Self::of(file, sizes, head, widths, segments)))
    }

    fn of(
        file: Written,
        sizes: Sizes,
        head: Head,
        widths: Option<Widths>,
        segments: &[Segment],
    ) -> Self {
        let mut starts = vec![0];
        for stamp in &head.stamps {
            starts.push(starts[starts.len() - 1] + stamp.blocks * BLOCK);
        }
        let same = |stamp: &Stamp| {
            segments.iter().position(|segment| {
                segment.number() == stamp.segment
                    && segment.stamp(stamp.blocks) == Some(stamp.check)
            })
        };
        let codes: usize = sizes.codes_len(sizes.rows);
        let signs: usize =
            head.places.iter().map(|place| sizes.signs_len(place.rows as usize)).sum();
        Self {
            file,
            sizes,
            widths: widths.unwrap_or_else(|| Widths::guess(sizes.cells)),
            rotation: Rotation::new(sizes.dim),
            starts,
            segments: head.stamps.iter().map(same).collect(),
            slots: head.places.iter().map(|_| Slot::default()).collect(),
            head,
            keeps_signs: signs <= MEMORY,
            keeps_codes: signs + codes <= MEMORY,
            wrong: OnceLock::new(),
        }
    }

    /// Full blocks of each of so many segments that are covered.
    pub(crate) fn covered(&self, segments: usize) -> Vec<usize> {
        let mut covered = vec![0; segments];
        for (segment, stamp) in self.segments.iter().zip(&self.head.stamps) {
            if let Some(segment) = segment {
                covered[*segment] = stamp.blocks;
            }
        }
        covered
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.file.path
    }

    /// What was found to be wrong with it.
    pub(crate) fn wrong(&self) -> Option<&str> {
        self.wrong.get().map(String::as_str)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.sizes.cells
    }

    /// How many of them a search looks into.
    pub(crate) fn widths(&self) -> Widths {
        self.widths
    }

    /// The same with other widths.
    pub(crate) fn set_widths(&mut self, widths: Widths) {
        self.widths = widths;
    }

    /// Writes other widths into the file: into the older of two places, so that one of them is always whole.
    pub(crate) fn store_widths(&mut self, widths: Widths) -> std::io::Result<()> {
        let sequence = self.widths.sequence.wrapping_add(1).max(1);
        let widths = Widths { sequence, ..widths };
        let mut file = std::fs::OpenOptions::new().write(true).open(self.path())?;
        let at = WIDTHS_AT[sequence as usize % 2] as u64;
        std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(at))?;
        std::io::Write::write_all(&mut file, &widths.bytes())?;
        file.sync_data()?;
        self.widths = widths;
        Ok(())
    }

    /// Reads all of it and compares the checksums.
    ///
    /// # Errors
    /// What is wrong.
    pub(crate) fn verify(&self) -> Result<(), String> {
        let (mut signs, mut codes) = (Vec::new(), Vec::new());
        for cell in 0..self.sizes.cells {
            let whole =
                self.read_signs(cell, &mut signs).and_then(|()| self.read_codes(cell, &mut codes));
            if whole.is_err() {
                return Err(self.wrong().unwrap_or_default().to_owned());
            }
        }
        Ok(())
    }

    /// The centre and signs of a cell, in `buffer` where they are not in memory.
    fn signs<'b>(&'b self, cell: usize, buffer: &'b mut Vec<u64>) -> Result<&'b [u8], Damaged> {
        let slot = &self.slots[cell].signs;
        if let Some(words) = slot.get() {
            return Ok(bytemuck::cast_slice(words));
        }
        self.read_signs(cell, buffer)?;
        if self.keeps_signs {
            return Ok(bytemuck::cast_slice(slot.get_or_init(|| buffer.clone())));
        }
        Ok(bytemuck::cast_slice(buffer))
    }

    fn read_signs(&self, cell: usize, buffer: &mut Vec<u64>) -> Result<(), Damaged> {
        let place = self.head.places[cell];
        buffer.resize(self.sizes.signs_len(place.rows as usize) / 8, 0);
        self.read(place.signs, buffer, place.signs_check, cell)
    }

    fn read_codes(&self, cell: usize, buffer: &mut Vec<u64>) -> Result<(), Damaged> {
        let place = self.head.places[cell];
        buffer.resize(self.sizes.codes_len(place.rows as usize) / 8, 0);
        self.read(place.codes, buffer, place.codes_check, cell)
    }

    fn read(&self, at: u64, buffer: &mut [u64], check: u32, cell: usize) -> Result<(), Damaged> {
        let read = self.file.read(at as usize, buffer).map_err(|e| what(&e));
        let fits = crc32fast::hash(bytemuck::cast_slice(buffer)) == check;
        read.and_then(|()| {
            if fits { Ok(()) } else { Err(format!("the checksum of cell {cell} does not fit")) }
        })
        .map_err(|what| self.is_damaged(what))
    }

    /// A row of a cell with its code of four bits, in `buffer` where it is not in memory.
    fn row<'b>(
        &'b self,
        cell: usize,
        at: usize,
        buffer: &'b mut Vec<u64>,
    ) -> Result<Row<'b>, Damaged> {
        let len = row_len(self.rotation.width());
        let slot = &self.slots[cell].codes;
        if self.keeps_codes && slot.get().is_none() {
            let mut whole = Vec::new();
            self.read_codes(cell, &mut whole)?;
            slot.get_or_init(|| whole);
        }
        if let Some(words) = slot.get() {
            let bytes: &[u8] = bytemuck::cast_slice(words);
            return Ok(Row::new(&bytes[at * len..][..len]));
        }
        buffer.resize(len / 8, 0);
        let from = self.head.places[cell].codes as usize + at * len;
        self.file.read(from, buffer).map_err(|e| self.is_damaged(what(&e)))?;
        let row = Row::new(bytemuck::cast_slice(buffer));
        match row.is_whole() {
            true => Ok(row),
            false => {
                Err(self
                    .is_damaged(format!("the checksum of row {at} of cell {cell} does not fit")))
            }
        }
    }

    fn is_damaged(&self, what: String) -> Damaged {
        self.wrong.get_or_init(|| what);
        Damaged
    }
}

/// The checksum of a head: its sizes, and all behind its first page.
fn head_check(page: &[u8], rest: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&page[12..WIDTHS_AT[0]]);
    hasher.update(rest);
    hasher.finalize()
}

/// What is wrong with a file, without its name and without the advice for segments.
fn what(error: &Error) -> String {
    match error {
        Error::DamagedSegment { what, .. } => what.clone(),
        Error::Segment { source, .. } => source.to_string(),
        other => other.to_string(),
    }
}
