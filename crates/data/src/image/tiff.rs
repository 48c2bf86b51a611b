//! Whether a TIFF has one bit for each pixel or a palette: its first directory says so.
//!
//! TIFF 6.0, sections 2 and 8 (<https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf>). Pillow
//! opens such files in the modes `1` and `P`, which it resizes by the nearest pixel.

const BITS_PER_SAMPLE: u16 = 258;
const PHOTOMETRIC: u16 = 262;
const SAMPLES_PER_PIXEL: u16 = 277;
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

/// Whether Pillow would see indices or bits in the first picture of the file.
pub(super) fn is_indexed(bytes: &[u8]) -> bool {
    let file = Reader { bytes, little: bytes.first() == Some(&b'I') };
    // A BigTIFF is the same with wider offsets.
    let big = file.number(2, 2) == 43;
    let (start, count, entry, value) = match big {
        true => (file.number(8, 8), 8, 20, 12),
        false => (file.number(4, 4), 2, 12, 8),
    };
    let Ok(start) = usize::try_from(start) else { return false };
    // A directory has a few dozen entries; a damaged one may claim any number.
    let entries = file.number(start, count).min(1 << 12) as usize;
    let (mut bits, mut photometric, mut samples) = (1, 1, 1);
    for index in 0..entries {
        let at = start.saturating_add(count + index * entry);
        // Short values lie in the entry itself, as long as there is one of them.
        let short = file.number(at.saturating_add(value), 2);
        match file.number(at, 2) as u16 {
            BITS_PER_SAMPLE if file.number(at + 4, if big { 8 } else { 4 }) == 1 => bits = short,
            BITS_PER_SAMPLE => bits = 8,
            PHOTOMETRIC => photometric = short,
            SAMPLES_PER_PIXEL => samples = short,
            _ => {}
        }
    }
    entries > 0 && samples == 1 && (bits == 1 || photometric == PALETTE)
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
