//! The boxes around AVIF's pictures (ISO/IEC 23008-12, HEIF): which item is the picture, where its bytes
//! lie, how it is to be shown. Every offset is checked; nothing is allocated by what a file claims.

use std::borrow::Cow;
use std::collections::HashMap;

use super::bytes::{Boxes, Bytes};
use super::wrong;
use tuwen_files::Result;

/// What the opacity of a picture is called.
const ALPHA: [&[u8]; 2] =
    [b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1"];
/// Properties that change nothing here, or whose content the stream repeats.
const KNOWN: [&[u8; 4]; 10] =
    [b"av1C", b"ispe", b"pixi", b"pasp", b"colr", b"auxC", b"clli", b"mdcv", b"a1lx", b"clap"];

/// The parts of a file that matter.
#[derive(Default)]
pub(super) struct Container<'a> {
    file: &'a [u8],
    /// Bytes inside of the description itself.
    inner: &'a [u8],
    primary: u32,
    kinds: HashMap<u32, [u8; 4]>,
    places: HashMap<u32, Place>,
    /// From an item to others, by the kind of the reference.
    references: Vec<([u8; 4], u32, Vec<u32>)>,
    properties: Vec<([u8; 4], &'a [u8])>,
    /// The properties of an item by their positions, and whether each must be understood.
    of_item: HashMap<u32, Vec<(usize, bool)>>,
}

/// Where an item's bytes lie.
struct Place {
    inner: bool,
    /// Start and length; a length of 0 is up to the end.
    parts: Vec<(u64, u64)>,
}

/// How large a picture is, in pixels, before turning.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Size {
    pub width: u32,
    pub height: u32,
}

/// How an item is to be shown.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// Before turning.
    pub size: Size,
    /// By how many quarters to the left, before mirroring.
    pub quarters: u8,
    /// Along which axis: 0 exchanges top and bottom, 1 left and right.
    pub mirror: Option<u8>,
    /// The number of the colour matrix, and whether values use all numbers.
    pub colours: Option<(u16, bool)>,
}

/// Tiles that make up a picture.
pub(super) struct Grid {
    /// Tiles in a row.
    pub columns: u32,
    /// Of the whole.
    pub size: Size,
    /// The items, row by row.
    pub tiles: Vec<u32>,
}

impl<'a> Container<'a> {
    /// Reads the description of a file.
    pub(super) fn of(file: &'a [u8]) -> Result<Self> {
        let mut all = Self { file, ..Self::default() };
        let meta = Boxes(file).find(|(kind, _)| kind == b"meta");
        let (_, meta) = meta.ok_or_else(|| wrong("it has no still picture"))?;
        for (kind, content) in Boxes(meta.get(4..).unwrap_or(&[])) {
            let parsed = match &kind {
                b"pitm" => all.primary(content),
                b"iloc" => all.places(content),
                b"iinf" => all.kinds(content),
                b"iref" => all.references(content),
                b"iprp" => all.properties(content),
                b"idat" => {
                    all.inner = content;
                    Some(())
                }
                _ => Some(()),
            };
            parsed.ok_or_else(|| wrong(format!("its box {} is damaged", name(&kind))))?;
        }
        Ok(all)
    }

    fn primary(&mut self, content: &[u8]) -> Option<()> {
        let (version, mut bytes) = Bytes::versioned(content)?;
        self.primary = bytes.number(if version == 0 { 2 } else { 4 })? as u32;
        Some(())
    }

    fn kinds(&mut self, content: &[u8]) -> Option<()> {
        let (version, mut bytes) = Bytes::versioned(content)?;
        bytes.number(if version == 0 { 2 } else { 4 })?;
        for (_, entry) in Boxes(bytes.rest()).filter(|(kind, _)| kind == b"infe") {
            let (version, mut entry) = Bytes::versioned(entry)?;
            let id = entry.number(if version < 3 { 2 } else { 4 })? as u32;
            entry.number(2)?;
            self.kinds.insert(id, entry.kind()?);
        }
        Some(())
    }

    fn places(&mut self, content: &[u8]) -> Option<()> {
        let (version, mut bytes) = Bytes::versioned(content)?;
        let (sizes, more) = (bytes.number(1)? as usize, bytes.number(1)? as usize);
        let (offset, length, base) = (sizes >> 4, sizes & 15, more >> 4);
        let index = if version > 0 { more & 15 } else { 0 };
        let wide = if version < 2 { 2 } else { 4 };
        for _ in 0..bytes.number(wide)? {
            let id = bytes.number(wide)? as u32;
            let inner = version > 0 && bytes.number(2)? & 15 == 1;
            bytes.number(2)?;
            let start = bytes.number(base)?;
            let mut parts = Vec::new();
            let count = bytes.number(2)?;
            // Parts without numbers cost nothing and could be any number.
            if count > 1 && index + offset + length == 0 {
                return None;
            }
            for _ in 0..count {
                bytes.number(index)?;
                parts.push((start.checked_add(bytes.number(offset)?)?, bytes.number(length)?));
            }
            self.places.insert(id, Place { inner, parts });
        }
        Some(())
    }

    fn references(&mut self, content: &[u8]) -> Option<()> {
        let (version, bytes) = Bytes::versioned(content)?;
        let wide = if version == 0 { 2 } else { 4 };
        for (kind, content) in Boxes(bytes.rest()) {
            let mut bytes = Bytes(content);
            let from = bytes.number(wide)? as u32;
            let count = bytes.number(2)?;
            let to = (0..count).map(|_| Some(bytes.number(wide)? as u32)).collect::<Option<_>>()?;
            self.references.push((kind, from, to));
        }
        Some(())
    }

    fn properties(&mut self, content: &'a [u8]) -> Option<()> {
        for (kind, content) in Boxes(content) {
            if &kind == b"ipco" {
                self.properties = Boxes(content).collect();
            } else if &kind == b"ipma" {
                let wide_index = content.get(3)? & 1 == 1;
                let (version, mut bytes) = Bytes::versioned(content)?;
                for _ in 0..bytes.number(4)? {
                    let id = bytes.number(if version == 0 { 2 } else { 4 })? as u32;
                    for _ in 0..bytes.number(1)? {
                        let value = bytes.number(if wide_index { 2 } else { 1 })? as usize;
                        let bit = if wide_index { 1 << 15 } else { 1 << 7 };
                        let of_item = self.of_item.entry(id).or_default();
                        of_item.push((value & (bit - 1), value & bit != 0));
                    }
                }
            }
        }
        Some(())
    }

    /// The properties of an item, and whether each must be understood.
    fn of_item(&self, item: u32) -> impl Iterator<Item = (&[u8; 4], &'a [u8], bool)> {
        let all = self.of_item.get(&item).map_or(&[][..], Vec::as_slice).iter();
        all.filter_map(|&(index, needed)| {
            let (kind, content) = self.properties.get(index.checked_sub(1)?)?;
            Some((kind, *content, needed))
        })
    }

    /// The item that is the picture.
    pub(super) fn picture(&self) -> u32 {
        self.primary
    }

    /// The first item of a kind that is no picture.
    pub(super) fn of_kind(&self, wanted: &[u8; 4]) -> Option<u32> {
        self.kinds.iter().filter(|(_, kind)| *kind == wanted).map(|(id, _)| *id).min()
    }

    /// How an item is to be shown.
    pub(super) fn shown(&self, item: u32) -> Result<Shown> {
        let mut shown = Shown::default();
        for (kind, content, needed) in self.of_item(item) {
            let mut bytes = Bytes(content);
            let read = match kind {
                b"ispe" => (|| {
                    let (_, mut bytes) = Bytes::versioned(content)?;
                    let (width, height) = (bytes.number(4)? as u32, bytes.number(4)? as u32);
                    shown.size = Size { width, height };
                    Some(())
                })(),
                b"irot" => bytes.number(1).map(|angle| shown.quarters = angle as u8 & 3),
                b"imir" => bytes.number(1).map(|axis| shown.mirror = Some(axis as u8 & 1)),
                b"colr" if content.starts_with(b"nclx") => (|| {
                    let mut bytes = Bytes(content.get(8..)?);
                    shown.colours = Some((bytes.number(2)? as u16, bytes.number(1)? & 128 != 0));
                    Some(())
                })(),
                known if !needed || KNOWN.contains(&known) => Some(()),
                other => {
                    let what = format!("it needs {}, which is not supported", name(other));
                    return Err(wrong(what));
                }
            };
            read.ok_or_else(|| wrong(format!("its property {} is damaged", name(kind))))?;
            if kind == b"clap" {
                check_aperture(content, shown.size)?;
            }
        }
        Ok(shown)
    }

    /// The item that is the opacity of another one.
    pub(super) fn alpha_of(&self, item: u32) -> Option<u32> {
        let is_alpha = |from: u32| {
            let mut auxiliary = self.of_item(from).filter(|(kind, ..)| *kind == b"auxC");
            auxiliary.any(|(_, content, _)| {
                let what = content.get(4..).unwrap_or(&[]);
                ALPHA.iter().any(|alpha| what.starts_with(alpha))
            })
        };
        let mut to_item = self.references.iter().filter(|(_, _, to)| to.contains(&item));
        to_item.find(|(kind, from, _)| kind == b"auxl" && is_alpha(*from)).map(|(_, from, _)| *from)
    }

    /// Whether an item's colours are multiplied by its opacity.
    pub(super) fn is_premultiplied(&self, item: u32) -> bool {
        self.references.iter().any(|(kind, from, _)| kind == b"prem" && *from == item)
    }

    /// The tiles of an item that is made of them.
    pub(super) fn grid(&self, item: u32) -> Result<Option<Grid>> {
        match self.kinds.get(&item) {
            Some(b"grid") => {}
            Some(b"av01") | None => return Ok(None),
            Some(other) => return Err(wrong(format!("its picture is {}, no AV1", name(other)))),
        }
        let content = self.bytes(item)?;
        let read = || {
            let wide = if content.get(1)? & 1 == 1 { 4 } else { 2 };
            let mut bytes = Bytes(content.get(2..)?);
            let (rows, columns) = (bytes.number(1)? as u32 + 1, bytes.number(1)? as u32 + 1);
            let (width, height) = (bytes.number(wide)? as u32, bytes.number(wide)? as u32);
            let size = Size { width, height };
            let mut parts = self.references.iter();
            let tiles = parts.find(|(kind, from, _)| kind == b"dimg" && *from == item)?.2.clone();
            (tiles.len() as u32 == rows * columns).then_some(Grid { columns, size, tiles })
        };
        read().map(Some).ok_or_else(|| wrong("its grid of tiles is damaged"))
    }

    /// The bytes of an item.
    pub(super) fn bytes(&self, item: u32) -> Result<Cow<'a, [u8]>> {
        let place = self.places.get(&item).ok_or_else(|| wrong("its picture is missing"))?;
        let whole = if place.inner { self.inner } else { self.file };
        let part = |&(start, length): &(u64, u64)| {
            let start = usize::try_from(start).ok()?;
            match length {
                0 => whole.get(start..),
                length => whole.get(start..start.checked_add(usize::try_from(length).ok()?)?),
            }
        };
        let parts: Option<Vec<&[u8]>> = place.parts.iter().map(part).collect();
        match parts.as_deref() {
            Some(&[one]) => Ok(Cow::Borrowed(one)),
            // Parts that overlap could make gigabytes of a small file.
            Some(parts) if parts.iter().map(|part| part.len()).sum::<usize>() <= whole.len() => {
                Ok(Cow::Owned(parts.concat()))
            }
            _ => Err(wrong("it is truncated")),
        }
    }
}

/// A part of the picture that alone is to be shown would change what is embedded, and Pillow does not
/// obey it.
fn check_aperture(content: &[u8], size: Size) -> Result<()> {
    let mut bytes = Bytes(content);
    let mut side = || Some((bytes.number(4)?, bytes.number(4)?));
    let whole = |(number, parts): (u64, u64), all: u32| number == u64::from(all) * parts;
    match (side(), side()) {
        (Some(wide), Some(high)) if whole(wide, size.width) && whole(high, size.height) => Ok(()),
        _ => Err(wrong("it is to be cropped (clap), which is not done; convert it to PNG first")),
    }
}

fn name(kind: &[u8; 4]) -> String {
    kind.escape_ascii().to_string()
}
