//! NumPy's format, <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>: f4 or f2,
//! little-endian, (n, d) row by row.

use std::path::Path;

use super::Vectors;
use tuwen_files::{Error, Result, file};

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// Bytes of the header that we write: room for any shape.
const HEADER: usize = 128;

pub(super) fn read(path: &Path) -> Result<Vectors> {
    let bytes = file::read(path, file::ANY)?;
    parse(&bytes).map_err(|what| Error::data_set(path, what))
}

/// What a head says: rows, columns, whether values have 16 bits, and where they begin.
pub(super) struct Shape {
    pub(super) rows: usize,
    pub(super) dim: usize,
    pub(super) half: bool,
    pub(super) start: usize,
}

/// Reads the head of a file from its first bytes.
pub(super) fn head(bytes: &[u8]) -> Result<Shape, String> {
    let rest = bytes.strip_prefix(MAGIC).ok_or("no .npy file")?;
    let (len, start) = match rest {
        [1, _, a, b, ..] => (usize::from(u16::from_le_bytes([*a, *b])), 10),
        [2 | 3, _, a, b, c, d, ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, 12),
        _ => return Err("an unknown version of .npy".into()),
    };
    let header = bytes.get(start..start + len).ok_or("it is cut short")?;
    let header = String::from_utf8_lossy(header);
    if !header.contains("'fortran_order': False") {
        return Err("its columns lie together; save it in C order".into());
    }
    let shape = header.split_once("'shape': (").and_then(|(_, rest)| rest.split_once(')'));
    let shape = shape.ok_or("its header has no shape")?.0;
    let sizes: Result<Vec<usize>, _> =
        shape.split(',').map(str::trim).filter(|s| !s.is_empty()).map(str::parse).collect();
    let Ok([rows, dim]) = sizes.as_deref() else {
        return Err(format!("its shape is ({shape}); (n, d) is needed"));
    };
    let (rows, dim) = (*rows, *dim);
    let half = header.contains("'<f2'");
    if !half && !header.contains("'<f4'") {
        return Err("its values are not f4 or f2".into());
    }
    Ok(Shape { rows, dim, half, start: start + len })
}

fn parse(bytes: &[u8]) -> Result<Vectors, String> {
    let Shape { rows, dim, half, start } = head(bytes)?;
    let data = &bytes[start..];
    let wanted = rows.checked_mul(dim).and_then(|n| n.checked_mul(if half { 2 } else { 4 }));
    if dim == 0 || wanted != Some(data.len()) {
        return Err(format!(
            "it is cut short: {} bytes for a shape of ({rows}, {dim})",
            data.len()
        ));
    }
    let values = if half {
        data.as_chunks::<2>().0.iter().map(|&b| half::f16::from_le_bytes(b).to_f32()).collect()
    } else {
        data.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect()
    };
    Ok(Vectors::numbered(values, rows, dim))
}

/// What stands before the values, of the same length for every shape.
pub(super) fn header(rows: usize, dim: usize) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend([1, 0]);
    out.extend(((HEADER - 10) as u16).to_le_bytes());
    let text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {dim}), }}");
    out.extend(text.as_bytes());
    out.resize(HEADER - 1, b' ');
    out.push(b'\n');
    out
}
