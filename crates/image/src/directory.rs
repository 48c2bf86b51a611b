//! TIFF's directories, which EXIF has as well: entries of a tag and values, anywhere in some bytes.
//!
//! TIFF 6.0, section 2 (<https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf>). Every place is
//! checked, and only what is asked for is looked at: a few kilobytes can claim directories within each
//! other that make billions of entries.

/// Entries of one directory that are looked at: there are a few dozen, a damaged one may claim any number.
const ENTRIES: u64 = 1 << 12;

/// Bytes with an order.
pub(super) struct Tiff<'b> {
    bytes: &'b [u8],
    little: bool,
    /// A BigTIFF is the same with wider offsets.
    big: bool,
}

/// An entry of a directory.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub tag: u16,
    /// How many values it has.
    pub count: u64,
    /// The first one as a short and as a long number, which lie in the entry as long as there is one.
    pub short: u64,
    pub long: u64,
    kind: u64,
    /// Where its values are, or the place of these.
    at: usize,
}

impl<'b> Tiff<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        let mut tiff = Self { bytes, little: bytes.first() == Some(&b'I'), big: false };
        tiff.big = tiff.number(2, 2) == 43;
        tiff
    }

    /// A number of `len` bytes; 0 beyond the end.
    fn number(&self, at: usize, len: usize) -> u64 {
        let bytes = self.bytes.get(at..at.saturating_add(len)).unwrap_or(&[]);
        let push = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        if self.little { bytes.iter().rev().fold(0, push) } else { bytes.iter().fold(0, push) }
    }

    /// The first directory, as far as it lies within the bytes.
    pub(super) fn first(&self) -> Vec<Entry> {
        self.directory(if self.big { self.number(8, 8) } else { self.number(4, 4) })
    }

    /// The directory at some place, as far as it lies within the bytes.
    pub(super) fn directory(&self, start: u64) -> Vec<Entry> {
        let (count, size, value) = if self.big { (8, 20, 12) } else { (2, 12, 8) };
        let Ok(start) = usize::try_from(start) else { return Vec::new() };
        let entries = self.number(start, count).min(ENTRIES) as usize;
        let read = |index: usize| {
            let at = start.saturating_add(count + index * size);
            let value_at = at.saturating_add(value);
            Entry {
                tag: self.number(at, 2) as u16,
                kind: self.number(at.saturating_add(2), 2),
                count: self.number(at.saturating_add(4), value - 4),
                short: self.number(value_at, 2),
                long: self.number(value_at, 4),
                at: value_at,
            }
        };
        (0..entries).map(read).collect()
    }

    /// The bytes of an entry's values; none beyond the end.
    pub(super) fn bytes_of(&self, entry: &Entry) -> &'b [u8] {
        let inside = if self.big { 8 } else { 4 };
        let length = entry.count.saturating_mul(width(entry.kind));
        let at = match length <= inside {
            true => entry.at as u64,
            false => self.number(entry.at, inside as usize),
        };
        let (Ok(at), Ok(length)) = (usize::try_from(at), usize::try_from(length)) else {
            return &[];
        };
        self.bytes.get(at..at.saturating_add(length)).unwrap_or(&[])
    }

    /// An entry's fractions, with a sign or without: up to `most` that have a denominator.
    pub(super) fn fractions(&self, entry: &Entry, most: usize) -> Vec<f64> {
        let signed = match entry.kind {
            5 => false,
            10 => true,
            _ => return Vec::new(),
        };
        let number = |bytes: &[u8]| -> Option<f64> {
            let bytes = *bytes.first_chunk()?;
            let bits =
                if self.little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) };
            Some(if signed { f64::from(bits as i32) } else { f64::from(bits) })
        };
        let fraction = |bytes: &[u8]| {
            let (above, below) = (number(bytes)?, number(bytes.get(4..)?)?);
            (below != 0.0).then_some(above / below)
        };
        self.bytes_of(entry).chunks_exact(8).take(most).map_while(fraction).collect()
    }
}

/// Bytes of a value of some type.
fn width(kind: u64) -> u64 {
    match kind {
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 | 16 | 17 | 18 => 8,
        _ => 1,
    }
}
