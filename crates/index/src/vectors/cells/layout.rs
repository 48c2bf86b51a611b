//! The head of a file of cells: what the file covers, where its cells lie, and their centres in 8 bits.
//!
//! ```text
//! 0      first page: magic, checksum, sizes; at 1024 and 2048 two places of `Widths`, each with its own checksum
//! 4096   stamps: segment (i64), full blocks (u64), checksum of their checksums (u32), nothing (u32)
//!        the direction `mean` (P), means of the queries (2, P), all f32
//!        table: offset of the cell's signs (u64) and of its rows (u64), rows (u32), spread (f32), two checksums (u32)
//!        scales of the centres (f32) and their codes, panels of 64 as of `codes::kernel`, counts filled up to 64
//! ...    cells: centre (P, f32), blocks of signs (`code`); and behind all of these their rows with four bits
//! ```
//!
//! All little-endian; P is the rotated width. Everything but the widths is written once, before the file gets its name.
//! Sizes and places follow from the numbers on the first page, and a file that says otherwise is refused before
//! anything of that size is read.

use super::code::{block_len, row_len};
use super::kernel::BLOCK_ROWS;
use super::rotate::wide;

/// First bytes: the layout, the rotation and how codes are computed.
const MAGIC: [u8; 8] = *b"tuwcell1";
/// Bytes of the first page.
pub(super) const PAGE: usize = 4096;
/// Where the two places of widths are.
pub(super) const WIDTHS_AT: [usize; 2] = [1024, 2048];
/// More cells or segments nobody makes.
const MOST: usize = 1 << 20;
/// Centres of a panel.
pub(super) const PANEL: usize = 64;

/// What a file says of itself before anything else is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    /// Width of a vector, D.
    pub(super) dim: usize,
    pub(super) cells: usize,
    pub(super) stamps: usize,
    /// Rows that are covered.
    pub(super) rows: usize,
}

/// A segment's full blocks as they were covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) segment: i64,
    pub(super) blocks: usize,
    pub(super) check: u32,
}

/// Where a cell is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    pub(super) signs: u64,
    pub(super) codes: u64,
    pub(super) rows: u32,
    /// How far its rows are from the centre in one direction, a standard deviation.
    pub(super) spread: f32,
    pub(super) signs_check: u32,
    pub(super) codes_check: u32,
}

/// All of a head but the widths.
#[derive(Clone, Debug, Default)]
pub(super) struct Head {
    pub(super) stamps: Vec<Stamp>,
    /// A direction of length 1, rotated (P): what queries have in common.
    pub(super) mean: Vec<f32>,
    /// What queries of words and what pictures have in common, (2, P); zeros where it is not known.
    pub(super) kinds: Vec<f32>,
    pub(super) places: Vec<Place>,
    /// Of the centres' codes, filled up to 64s.
    pub(super) scales: Vec<f32>,
    pub(super) panels: Vec<u8>,
}

impl Sizes {
    /// Centres, filled up.
    pub(super) fn centres(self) -> usize {
        self.cells.next_multiple_of(PANEL)
    }

    /// Bytes of a head.
    pub(super) fn head_len(self) -> usize {
        let width = wide(self.dim);
        let table = 24 * self.stamps + 12 * width + 32 * self.cells;
        (PAGE + table + self.centres() * (4 + width)).next_multiple_of(PANEL)
    }

    /// Bytes of a cell's centre and signs.
    pub(super) fn signs_len(self, rows: usize) -> usize {
        let width = wide(self.dim);
        4 * width + rows.div_ceil(BLOCK_ROWS) * block_len(width)
    }

    /// Bytes of a cell's rows.
    pub(super) fn codes_len(self, rows: usize) -> usize {
        rows * row_len(wide(self.dim))
    }

    /// The first page.
    pub(super) fn page(self, check: u32) -> Vec<u8> {
        let mut page = MAGIC.to_vec();
        page.extend(check.to_le_bytes());
        for number in [self.dim, self.cells, self.stamps] {
            page.extend((number as u32).to_le_bytes());
        }
        page.extend((self.rows as u64).to_le_bytes());
        page.resize(PAGE, 0);
        page
    }

    /// Reads the first page, with the checksum of the rest of the head.
    pub(super) fn read(page: &[u8], len: u64) -> Result<(Self, u32), String> {
        if page.get(..8) != Some(&MAGIC[..]) || page.len() < 32 {
            return Err("it does not begin as cells do".into());
        }
        let word = |at: usize| u32::from_le_bytes(*page[at..].first_chunk().expect("a page"));
        let [dim, cells, stamps] = [12, 16, 20].map(|at| word(at) as usize);
        let rows = u64::from_le_bytes(*page[24..].first_chunk().expect("a page"));
        let sizes = Self { dim, cells, stamps, rows: rows as usize };
        let fits = (1..=MOST).contains(&cells) && stamps <= MOST && rows < u64::from(u32::MAX);
        if !fits || !crate::vectors::codes::WIDTHS.contains(&dim) {
            return Err(format!("{rows} rows of {dim} in {cells} cells of {stamps} segments"));
        }
        if sizes.head_len() as u64 > len {
            return Err(format!("{len} bytes, its head alone has {}", sizes.head_len()));
        }
        Ok((sizes, word(8)))
    }
}

impl Head {
    /// Bytes behind the first page.
    pub(super) fn bytes(&self, sizes: Sizes) -> Vec<u8> {
        let mut out = Vec::with_capacity(sizes.head_len());
        for stamp in &self.stamps {
            out.extend(stamp.segment.to_le_bytes());
            out.extend((stamp.blocks as u64).to_le_bytes());
            out.extend(stamp.check.to_le_bytes());
            out.extend([0; 4]);
        }
        out.extend_from_slice(bytemuck::cast_slice(&self.mean));
        out.extend_from_slice(bytemuck::cast_slice(&self.kinds));
        for place in &self.places {
            out.extend(place.signs.to_le_bytes());
            out.extend(place.codes.to_le_bytes());
            out.extend(place.rows.to_le_bytes());
            out.extend(place.spread.to_le_bytes());
            out.extend(place.signs_check.to_le_bytes());
            out.extend(place.codes_check.to_le_bytes());
        }
        out.extend_from_slice(bytemuck::cast_slice(&self.scales));
        out.extend_from_slice(&self.panels);
        out.resize(sizes.head_len() - PAGE, 0);
        out
    }

    /// Reads what lies behind the first page: `bytes` are as many as [`Sizes::head_len`] says, `len` those of the file.
    pub(super) fn read(bytes: &[u8], sizes: Sizes, len: u64) -> Result<Self, String> {
        let mut rest = Rest(bytes);
        let width = wide(sizes.dim);
        let stamps = (0..sizes.stamps).map(|_| {
            let stamp =
                Stamp { segment: rest.i64(), blocks: rest.u64() as usize, check: rest.u32() };
            rest.u32();
            stamp
        });
        let stamps: Vec<Stamp> = stamps.collect();
        let (mean, kinds) = (rest.floats(width), rest.floats(2 * width));
        let places = (0..sizes.cells).map(|_| Place {
            signs: rest.u64(),
            codes: rest.u64(),
            rows: rest.u32(),
            spread: rest.f32(),
            signs_check: rest.u32(),
            codes_check: rest.u32(),
        });
        let places: Vec<Place> = places.collect();
        let scales = rest.floats(sizes.centres());
        let panels = rest.take(sizes.centres() * width).to_vec();
        let head = Self { stamps, mean, kinds, places, scales, panels };
        head.check(sizes, len).map(|()| head)
    }

    /// Refuses places that are not one behind the other to the end of the file.
    fn check(&self, sizes: Sizes, len: u64) -> Result<(), String> {
        let covered = self.stamps.iter().map(|stamp| stamp.blocks as u128).sum::<u128>();
        let there = self.places.iter().map(|place| u64::from(place.rows)).sum::<u64>();
        let blocks = crate::vectors::BLOCK as u128;
        if covered * blocks != sizes.rows as u128 || there != sizes.rows as u64 {
            let rows = sizes.rows;
            return Err(format!("{there} rows in its cells and {covered} blocks for {rows} rows"));
        }
        let mut at = sizes.head_len() as u64;
        let mut next = |found: u64, bytes: usize| {
            let fits = found == at;
            at += bytes as u64;
            fits
        };
        let signs = self.places.iter().all(|p| next(p.signs, sizes.signs_len(p.rows as usize)));
        let codes = self.places.iter().all(|p| next(p.codes, sizes.codes_len(p.rows as usize)));
        match signs && codes && at == len {
            true => Ok(()),
            false => Err(format!("{len} bytes, its cells end at {at}")),
        }
    }
}

/// Numbers one behind the other.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    /// Zeros behind the end: a head is as long as its sizes say.
    fn take(&mut self, len: usize) -> &'a [u8] {
        let (some, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        some
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        self.take(N).try_into().unwrap_or([0; N])
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.array())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }

    fn i64(&mut self) -> i64 {
        i64::from_le_bytes(self.array())
    }

    fn f32(&mut self) -> f32 {
        f32::from_le_bytes(self.array())
    }

    fn floats(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.f32()).collect()
    }
}
