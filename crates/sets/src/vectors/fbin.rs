//! big-ann's format (<https://big-ann-benchmarks.com/neurips21.html>): the numbers of rows and columns
//! as u32, then the values as f32, all little-endian.

use std::path::Path;

use super::Vectors;
use tuwen_files::{Error, Result, file};

pub(super) fn read(path: &Path) -> Result<Vectors> {
    let bytes = file::read(path, file::ANY)?;
    let (words, rest) = bytes.as_chunks::<4>();
    let number = |at: usize| words.get(at).map_or(0, |&word| u32::from_le_bytes(word) as usize);
    let (rows, dim) = (number(0), number(1));
    let values = words.len().saturating_sub(2);
    if dim == 0 || !rest.is_empty() || rows.checked_mul(dim) != Some(values) {
        let what = format!("{values} values for {rows} rows of {dim}");
        return Err(Error::data_set(path, what));
    }
    let values = words[2..].iter().map(|&word| f32::from_le_bytes(word)).collect();
    Ok(Vectors::numbered(values, rows, dim))
}

/// What stands before the values.
pub(super) fn header(rows: usize, dim: usize) -> Vec<u8> {
    [rows, dim].iter().flat_map(|&number| (number as u32).to_le_bytes()).collect()
}
