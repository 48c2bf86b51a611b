//! The first directory of a TIFF, as far as it tells what kind of picture the file holds.

/// Numbers of a TIFF's fields.
pub(super) const NEW_SUBFILE_TYPE: u32 = 254;
pub(super) const BITS_PER_SAMPLE: u32 = 258;
pub(super) const PHOTOMETRIC: u32 = 262;
pub(super) const DNG_VERSION: u32 = 50706;

/// The fields of the first directory with the first value of each; nothing where it lies beyond the
/// bytes, or where they are no TIFF. A value that is not a whole number is where it lies.
pub(super) fn fields(bytes: &[u8]) -> Vec<(u32, u32)> {
    let big = bytes.starts_with(b"MM");
    let number = |at: usize, size: usize| -> Option<u32> {
        let bytes = bytes.get(at..at.checked_add(size)?)?;
        let add = |sum: u32, &byte: &u8| sum << 8 | u32::from(byte);
        Some(if big { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) })
    };
    // Number, type, count, value or its place.
    let entry = |at: usize| -> Option<(u32, u32)> {
        const SHORT: u32 = 3;
        let (kind, count) = (number(at + 2, 2)?, number(at + 4, 4)?);
        let value = match (kind, count) {
            (SHORT, 0..=2) => number(at + 8, 2)?,
            (SHORT, _) => number(number(at + 8, 4)? as usize, 2).unwrap_or(0),
            _ => number(at + 8, 4)?,
        };
        Some((number(at, 2)?, value))
    };
    let Some(start) = number(4, 4).map(|at| at as usize) else { return Vec::new() };
    let count = number(start, 2).unwrap_or(0) as usize;
    let places = (0..count).map(|index| start.saturating_add(2 + 12 * index));
    places.map_while(entry).collect()
}
