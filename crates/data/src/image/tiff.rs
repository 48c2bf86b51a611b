//! Whether a TIFF has one bit for each pixel or a palette, or is a camera's raw file: its first directory
//! says so.
//!
//! TIFF 6.0, sections 2 and 8 (<https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf>). Pillow
//! opens such files in the modes `1` and `P`, which it resizes by the nearest pixel.

/// Bit 0: a smaller copy of another picture of the file.
const NEW_SUBFILE_TYPE: u16 = 254;
const BITS_PER_SAMPLE: u16 = 258;
const PHOTOMETRIC: u16 = 262;
const SAMPLES_PER_PIXEL: u16 = 277;
const DNG_VERSION: u16 = 50_706;
/// The colours are indices into a table.
const PALETTE: u64 = 3;

/// Bytes with an order.
struct Reader<'b> {
    bytes: &'b [u8],
    little: bool,
}

impl Reader<'_> {
    /// A number of `len` bytes; 0 beyond the end.
    fn number(&self, at: usize, len: usize) -> u64 {
        let bytes = self.bytes.get(at..at.saturating_add(len)).unwrap_or(&[]);
        let push = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        if self.little { bytes.iter().rev().fold(0, push) } else { bytes.iter().fold(0, push) }
    }
}

/// An entry of the first directory: its tag, how many values it has, and the first one as a short and as
/// a long number, which lie in the entry itself as long as there is one of them.
struct Entry {
    tag: u16,
    count: u64,
    short: u64,
    long: u64,
}

/// The first directory, as far as it lies within the bytes.
fn directory(bytes: &[u8]) -> Vec<Entry> {
    let file = Reader { bytes, little: bytes.first() == Some(&b'I') };
    // A BigTIFF is the same with wider offsets.
    let big = file.number(2, 2) == 43;
    let (start, count, entry, value) = match big {
        true => (file.number(8, 8), 8, 20, 12),
        false => (file.number(4, 4), 2, 12, 8),
    };
    let Ok(start) = usize::try_from(start) else { return Vec::new() };
    // A directory has a few dozen entries; a damaged one may claim any number.
    let entries = file.number(start, count).min(1 << 12) as usize;
    let read = |index: usize| {
        let at = start.saturating_add(count + index * entry);
        Entry {
            tag: file.number(at, 2) as u16,
            count: file.number(at.saturating_add(4), value - 4),
            short: file.number(at.saturating_add(value), 2),
            long: file.number(at.saturating_add(value), 4),
        }
    };
    (0..entries).map(read).collect()
}

/// Whether Pillow would see indices or bits in the first picture of the file.
pub(super) fn is_indexed(bytes: &[u8]) -> bool {
    let directory = directory(bytes);
    let (mut bits, mut photometric, mut samples) = (1, 1, 1);
    for entry in &directory {
        match entry.tag {
            BITS_PER_SAMPLE if entry.count == 1 => bits = entry.short,
            BITS_PER_SAMPLE => bits = 8,
            PHOTOMETRIC => photometric = entry.short,
            SAMPLES_PER_PIXEL => samples = entry.short,
            _ => {}
        }
    }
    !directory.is_empty() && samples == 1 && (bits == 1 || photometric == PALETTE)
}

/// Whether the file is a camera's: by Canon's mark, as Adobe's DNG, or because its first picture is only
/// a smaller copy of what the file holds. Whoever reads such a file as a TIFF gets the small one.
pub(super) fn is_raw(bytes: &[u8]) -> bool {
    let is_part = |entry: Entry| match entry.tag {
        NEW_SUBFILE_TYPE => entry.long & 1 == 1,
        DNG_VERSION => true,
        _ => false,
    };
    bytes.get(8..10) == Some(b"CR") || directory(bytes).into_iter().any(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header and a directory of (tag, count, value).
    fn tiff(little: bool, entries: &[(u16, u32, u16)]) -> Vec<u8> {
        let short = |v: u16| if little { v.to_le_bytes() } else { v.to_be_bytes() };
        let long = |v: u32| if little { v.to_le_bytes() } else { v.to_be_bytes() };
        let mut out = if little { b"II".to_vec() } else { b"MM".to_vec() };
        out.extend(short(42));
        out.extend(long(8));
        out.extend(short(entries.len() as u16));
        for &(tag, count, value) in entries {
            out.extend([short(tag), short(3)].concat());
            out.extend(long(count));
            out.extend([short(value), short(0)].concat());
        }
        out.extend(long(0));
        out
    }

    #[test]
    fn bits_and_palettes_are_told_from_greys_and_colours() {
        for little in [true, false] {
            let of = |entries: &[(u16, u32, u16)]| is_indexed(&tiff(little, entries));
            assert!(of(&[(258, 1, 1), (262, 1, 0), (277, 1, 1)]));
            // One bit is what a file without the entry has.
            assert!(of(&[(262, 1, 1)]));
            assert!(of(&[(258, 1, 8), (262, 1, 3)]));
            assert!(!of(&[(258, 1, 8), (262, 1, 1)]));
            assert!(!of(&[(258, 3, 90), (262, 1, 2), (277, 1, 3)]));
        }
        for bytes in [&b""[..], b"II", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff"] {
            let _ = is_indexed(bytes);
        }
        assert!(!is_indexed(b"II*\0\xff\xff\xff\xff"));
    }
}
