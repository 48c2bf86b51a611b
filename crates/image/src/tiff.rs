//! Whether a TIFF has one bit for each pixel or a palette, or is a camera's raw file: its first directory
//! says so.
//!
//! TIFF 6.0, sections 2 and 8 (<https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf>). Pillow
//! opens such files in the modes `1` and `P`, which it resizes by the nearest pixel.

use super::directory::{Entry, Tiff};

/// Bit 0: a smaller copy of another picture of the file.
const NEW_SUBFILE_TYPE: u16 = 254;
const BITS_PER_SAMPLE: u16 = 258;
const PHOTOMETRIC: u16 = 262;
const SAMPLES_PER_PIXEL: u16 = 277;
const DNG_VERSION: u16 = 50_706;
/// The colours are indices into a table.
const PALETTE: u64 = 3;

/// Whether Pillow would see indices or bits in the first picture of the file.
pub(super) fn is_indexed(bytes: &[u8]) -> bool {
    let directory = Tiff::new(bytes).first();
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
    bytes.get(8..10) == Some(b"CR") || Tiff::new(bytes).first().into_iter().any(is_part)
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
