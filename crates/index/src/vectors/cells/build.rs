//! A file of cells is made: centres from some rows, then the nearest centre of every row, then the cells, as many at a
//! time as fit into a gigabyte. Rows are read block by block from their segments, so that memory does not grow with
//! the gallery but for four bytes a row. The file gets its name when it is whole.

use std::fs::{File, OpenOptions};
use std::io::{Error as IoError, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::code::{self, RowHead, put_signs, row_len, write_row, write_signs};
use super::kernel::BLOCK_ROWS;
use super::layout::{Head, Place, Sizes, Stamp};
use super::query::dot;
use super::rotate::Rotation;
use super::train::{Centres, codes, mean};
use super::{head_check, path};
use crate::item::Modality;
use crate::vectors::codes::has_code;
use crate::vectors::codes::kernel::{COLUMNS, LINE, PANEL};
use crate::vectors::segment::{BLOCK, Segment, SegmentBlock};
use crate::{Error, Result};

/// Rows of a cell, about; more cells than the last are not made.
const ROWS_OF_CELL: usize = 256;
const MOST_CELLS: usize = 1 << 14;
/// Rows that centres are made of, at most: half a gigabyte of 512 values each.
const TRAINED: usize = 1 << 18;
/// Blocks that are read at once.
const BLOCKS: usize = 32;
/// Bytes of cells that are made at once, at most, where one cell is not larger.
const TOGETHER: usize = 1 << 30;

/// Who waits for cells.
pub(crate) struct Building<'a> {
    /// Is told how far it is, from 0 to 1, and answers whether to go on.
    pub(crate) goes_on: &'a (dyn Fn(f32) -> bool + Sync),
    /// The mean of queries of words and of pictures, (D), where they are known.
    pub(crate) kinds: [Option<Vec<f32>>; 2],
}

/// What all steps need.
struct Work<'a> {
    segments: &'a [Segment],
    dim: usize,
    rotation: Rotation,
    /// Full blocks, whose order is that of rows' places.
    blocks: Vec<SegmentBlock<'a>>,
    building: &'a Building<'a>,
    folder: &'a Path,
}

/// Makes the cells of a modality's segments, in the place of those that were there; how many. Nothing where it was
/// stopped, or where there are too few rows.
///
/// # Errors
/// A segment is damaged, the disk is full or read-only, or another program makes them.
pub(crate) fn build(
    folder: &Path,
    modality: Modality,
    dim: usize,
    segments: &[Segment],
    building: &Building<'_>,
) -> Result<Option<usize>> {
    let full = |segment: &Segment| segment.rows() / BLOCK;
    let of = |segment| (0..full(segment)).map(move |block| SegmentBlock { segment, block });
    let (blocks, rotation) = (segments.iter().flat_map(of).collect(), Rotation::new(dim));
    let work = Work { segments, dim, rotation, blocks, building, folder };
    let count = (work.rows() / ROWS_OF_CELL).min(MOST_CELLS);
    if count == 0 || !super::super::codes::WIDTHS.contains(&dim) {
        return Ok(None);
    }
    let path = path(folder, modality);
    let part = path.with_extension("cells.part");
    let gallery = folder.parent().unwrap_or(folder);
    let failed = |error: IoError| crate::gallery::unwritable(gallery, &error);
    let Some(mut file) = own(&part).map_err(failed)? else {
        return Err(Error::Busy(gallery.to_path_buf()));
    };
    let mut make = || {
        let Some(centres) = work.train(count)? else { return Ok(false) };
        let Some(nearest) = work.nearest(&centres)? else { return Ok(false) };
        work.write(&mut file, &centres, &nearest)?.map_err(failed)
    };
    let made = make();
    if !matches!(made, Ok(true)) {
        let _ = std::fs::remove_file(&part);
        return made.map(|_| None);
    }
    let named = || {
        file.sync_all()?;
        std::fs::rename(&part, &path)?;
        crate::gallery::sync_folder(folder)
    };
    named().map_err(failed)?;
    Ok(Some(count))
}

/// The empty file that cells are written to; nothing where another program writes it.
fn own(part: &PathBuf) -> std::io::Result<Option<File>> {
    crate::vectors::own(part)?;
    let file = OpenOptions::new().write(true).read(true).create(true).truncate(false).open(part)?;
    if file.try_lock().is_err() {
        return Ok(None);
    }
    file.set_len(0)?;
    Ok(Some(file))
}

impl Work<'_> {
    fn rows(&self) -> usize {
        self.blocks.len() * BLOCK
    }

    /// Centres of evenly chosen rows.
    fn train(&self, count: usize) -> Result<Option<Centres>> {
        let width = self.rotation.width();
        let every = self.rows().div_ceil(TRAINED).max(1);
        let mut some = Vec::with_capacity(self.rows() / every * width);
        for (at, blocks) in self.blocks.chunks(BLOCKS).enumerate() {
            if !(self.building.goes_on)(0.1 * (at * BLOCKS) as f32 / self.blocks.len() as f32) {
                return Ok(None);
            }
            let read = |(nth, &SegmentBlock { segment, block }): (usize, &SegmentBlock<'_>)| {
                let (mut values, mut out) = (Vec::new(), Vec::new());
                let first = (at * BLOCKS + nth) * BLOCK;
                let rows = segment.values(block, &mut values)?;
                let rows = rows.chunks_exact(self.dim).enumerate();
                for (_, row) in rows.filter(|(row, _)| (first + row).is_multiple_of(every)) {
                    out.resize(out.len() + width, 0.0);
                    let last = out.len() - width;
                    self.rotation.turn(row, &mut out[last..]);
                }
                Ok(out)
            };
            let read: Result<Vec<Vec<f32>>> = blocks.par_iter().enumerate().map(read).collect();
            read?.iter().for_each(|rows| some.extend_from_slice(rows));
        }
        if some.iter().any(|value| !value.is_finite()) {
            return Err(self.refused());
        }
        let stop = |pass: usize| !(self.building.goes_on)(0.1 + 0.03 * pass as f32);
        Ok(Centres::train(&some, width, count.min(some.len() / width), &stop))
    }

    fn refused(&self) -> Error {
        let what = "a vector is not finite, or as long as no model's: its cell is not known";
        Error::DamagedSegment { path: self.folder.join("cells"), what: what.into() }
    }

    /// The nearest centre of every row.
    fn nearest(&self, centres: &Centres) -> Result<Option<Vec<u32>>> {
        let (width, mut nearest) = (self.rotation.width(), Vec::with_capacity(self.rows()));
        for (at, blocks) in self.blocks.chunks(BLOCKS).enumerate() {
            if !(self.building.goes_on)(
                0.35 + 0.35 * (at * BLOCKS) as f32 / self.blocks.len() as f32,
            ) {
                return Ok(None);
            }
            let read = |&SegmentBlock { segment, block }: &SegmentBlock<'_>| {
                let mut values = Vec::new();
                let rows = segment.values(block, &mut values)?;
                if rows.chunks_exact(self.dim).any(|row| !has_code(row)) {
                    return Err(self.refused());
                }
                let mut turned = vec![0.0; BLOCK * width];
                for (row, out) in rows.chunks_exact(self.dim).zip(turned.chunks_exact_mut(width)) {
                    self.rotation.turn(row, out);
                }
                Ok(centres.nearest_of(&turned))
            };
            let found: Result<Vec<Vec<u32>>> = blocks.par_iter().map(read).collect();
            nearest.extend(found?.into_iter().flatten());
        }
        Ok(Some(nearest))
    }

    /// Writes the cells and then the head; whether it was not stopped.
    fn write(
        &self,
        file: &mut File,
        centres: &Centres,
        nearest: &[u32],
    ) -> Result<std::io::Result<bool>> {
        let count = centres.values.len() / self.rotation.width();
        let mut places = vec![Place::default(); count];
        nearest.iter().for_each(|&cell| places[cell as usize].rows += 1);
        let stamps = self.stamps();
        let sizes = Sizes { dim: self.dim, cells: count, stamps: stamps.len(), rows: self.rows() };
        let mut at = sizes.head_len() as u64;
        for place in &mut places {
            place.signs = at;
            at += sizes.signs_len(place.rows as usize) as u64;
        }
        for place in &mut places {
            place.codes = at;
            at += sizes.codes_len(place.rows as usize) as u64;
        }
        let len = at;
        let mut head = self.head(stamps, centres);
        let all = |place: &Place| {
            let rows = place.rows as usize;
            sizes.signs_len(rows) + sizes.codes_len(rows)
        };
        let (mut first, mut done) = (0, 0);
        while first < count {
            let (mut last, mut bytes) = (first, 0);
            while last < count && (last == first || bytes + all(&places[last]) <= TOGETHER) {
                bytes += all(&places[last]);
                last += 1;
            }
            let share = [done as f32 / len as f32, (done + bytes) as f32 / len as f32];
            let some =
                Group { first, places: &mut places[first..last], sizes, share, mean: &head.mean };
            match some.write(self, file, centres, nearest)? {
                Ok(true) => {}
                other => return Ok(other),
            }
            (first, done) = (last, done + bytes);
        }
        head.places = places;
        let rest = head.bytes(sizes);
        let mut page = sizes.page(0);
        page = sizes.page(head_check(&page, &rest));
        let mut write = || {
            file.set_len(len)?;
            file.seek(SeekFrom::Start(0))?;
            file.write_all(&page)?;
            file.write_all(&rest)
        };
        Ok(write().map(|()| true))
    }

    fn stamps(&self) -> Vec<Stamp> {
        let stamp = |segment: &Segment| {
            let blocks = segment.rows() / BLOCK;
            let check = segment.stamp(blocks)?;
            Some(Stamp { segment: segment.number(), blocks, check })
                .filter(|stamp| stamp.blocks > 0)
        };
        self.segments.iter().filter_map(stamp).collect()
    }

    /// All of a head but the places.
    fn head(&self, stamps: Vec<Stamp>, centres: &Centres) -> Head {
        let width = self.rotation.width();
        let turned = |vector: &Option<Vec<f32>>| {
            let mut out = vec![0.0; width];
            vector.iter().for_each(|vector| self.rotation.turn(vector, &mut out));
            out
        };
        let [text, picture] = [0, 1].map(|at| turned(&self.building.kinds[at]));
        let mut common = if dot(&text, &text) > 0.0 { text.clone() } else { picture.clone() };
        let length = dot(&common, &common).sqrt();
        common.iter_mut().for_each(|value| *value /= length.max(f32::MIN_POSITIVE));
        let (bytes, mut scales) = codes(&centres.values, width);
        let count = scales.len().next_multiple_of(PANEL);
        scales.resize(count, 0.0);
        let mut panels = vec![128; count * width];
        for (row, bytes) in bytes.chunks_exact(width).enumerate() {
            for (word, four) in bytes.as_chunks::<COLUMNS>().0.iter().enumerate() {
                let at = (row / PANEL * (width / COLUMNS) + word) * LINE + row % PANEL * COLUMNS;
                let four = four.map(|byte| byte.cast_unsigned() ^ 0x80);
                panels[at..at + COLUMNS].copy_from_slice(&four);
            }
        }
        let kinds = [text, picture].concat();
        Head { stamps, mean: common, kinds, places: Vec::new(), scales, panels }
    }
}

/// Some cells, one behind the other, that are made at once.
struct Group<'a> {
    first: usize,
    places: &'a mut [Place],
    sizes: Sizes,
    share: [f32; 2],
    mean: &'a [f32],
}

/// A row on its way into its cell.
struct Coded {
    cell: u32,
    squares: f32,
    signs: Vec<u8>,
    row: Vec<u8>,
}

impl Group<'_> {
    /// Makes and writes them; whether it was not stopped.
    fn write(
        self,
        work: &Work<'_>,
        file: &mut File,
        centres: &Centres,
        nearest: &[u32],
    ) -> Result<std::io::Result<bool>> {
        let Self { first, places, sizes, share, mean } = self;
        let width = work.rotation.width();
        let [from_signs, from_codes] = [places[0].signs, places[0].codes];
        let ends = places.last().map(|p| {
            let rows = p.rows as usize;
            [p.signs + sizes.signs_len(rows) as u64, p.codes + sizes.codes_len(rows) as u64]
        });
        let [signs_end, codes_end] = ends.unwrap_or([from_signs, from_codes]);
        let mut signs = vec![0u8; (signs_end - from_signs) as usize];
        let mut codes = vec![0u8; (codes_end - from_codes) as usize];
        let (mut filled, mut squares) = (vec![0usize; places.len()], vec![0f64; places.len()]);
        for (at, blocks) in work.blocks.chunks(BLOCKS).enumerate() {
            let within = (at * BLOCKS) as f32 / work.blocks.len() as f32;
            if !(work.building.goes_on)(0.7 + 0.3 * (share[0] + within * (share[1] - share[0]))) {
                return Ok(Ok(false));
            }
            let cells = first as u32..(first + places.len()) as u32;
            let coded = |(nth, &block): (usize, &SegmentBlock<'_>)| {
                let from = (at * BLOCKS + nth) * BLOCK;
                work.code(block, from, &nearest[from..][..BLOCK], cells.clone(), centres, mean)
            };
            let coded: Result<Vec<Vec<Coded>>> = blocks.par_iter().enumerate().map(coded).collect();
            for Coded { cell, squares: square, signs: row_signs, row } in
                coded?.into_iter().flatten()
            {
                let cell = cell as usize - first;
                let (place, nth) = (places[cell], filled[cell]);
                let block = (place.signs - from_signs) as usize
                    + 4 * width
                    + nth / BLOCK_ROWS * code::block_len(width);
                put_signs(
                    &row_signs,
                    nth % BLOCK_ROWS,
                    &mut signs[block..][..code::block_len(width)],
                );
                let to = (place.codes - from_codes) as usize + nth * row.len();
                codes[to..][..row.len()].copy_from_slice(&row);
                squares[cell] += f64::from(square);
                filled[cell] += 1;
            }
        }
        for (at, place) in places.iter_mut().enumerate() {
            let rows = place.rows as usize;
            let cell = &mut signs[(place.signs - from_signs) as usize..][..sizes.signs_len(rows)];
            let centre = &centres.values[(first + at) * width..][..width];
            cell[..4 * width].copy_from_slice(bytemuck::cast_slice(centre));
            place.signs_check = crc32fast::hash(cell);
            let cell = &codes[(place.codes - from_codes) as usize..][..sizes.codes_len(rows)];
            place.codes_check = crc32fast::hash(cell);
            place.spread = (squares[at] / (rows.max(1) * width) as f64).sqrt() as f32;
        }
        let mut write = || {
            file.seek(SeekFrom::Start(from_signs))?;
            file.write_all(&signs)?;
            file.seek(SeekFrom::Start(from_codes))?;
            file.write_all(&codes)
        };
        Ok(write().map(|()| true))
    }
}

impl Work<'_> {
    /// Codes of a block's rows that belong to some cells.
    fn code(
        &self,
        SegmentBlock { segment, block }: SegmentBlock<'_>,
        from: usize,
        nearest: &[u32],
        cells: std::ops::Range<u32>,
        centres: &Centres,
        mean: &[f32],
    ) -> Result<Vec<Coded>> {
        if !nearest.iter().any(|cell| cells.contains(cell)) {
            return Ok(Vec::new());
        }
        let width = self.rotation.width();
        let (mut values, mut turned) = (Vec::new(), vec![0.0; width]);
        let rows = segment.values(block, &mut values)?;
        let mut out = Vec::new();
        for (at, (row, &cell)) in rows.chunks_exact(self.dim).zip(nearest).enumerate() {
            if !cells.contains(&cell) {
                continue;
            }
            self.rotation.turn(row, &mut turned);
            let centre = &centres.values[cell as usize * width..][..width];
            turned.iter_mut().zip(centre).for_each(|(value, centre)| *value -= centre);
            let (mut signs, mut coded) = (vec![0; code::signs_len(width)], vec![0; row_len(width)]);
            write_signs(&turned, mean, &mut signs);
            let check = crc32fast::hash(bytemuck::cast_slice(row));
            write_row(&turned, RowHead { place: (from + at) as u32, check }, &mut coded);
            out.push(Coded { cell, squares: dot(&turned, &turned), signs, row: coded });
        }
        Ok(out)
    }
}

/// The mean of vectors (N, D); nothing where there is none.
pub(crate) fn mean_of(vectors: &[f32], dim: usize) -> Option<Vec<f32>> {
    let mut out = vec![0.0; dim];
    mean(vectors.chunks_exact(dim), &mut out);
    (!vectors.is_empty()).then_some(out)
}
