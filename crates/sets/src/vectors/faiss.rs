//! faiss' files of flat indices, <https://github.com/facebookresearch/faiss/blob/main/faiss/impl/index_write.cpp>:
//! `IxFI` (inner product) and `IxF2` (Euclid), and these with ids (`IxMp`, `IxM2`). Others keep codes in the place of
//! vectors, or them in an order of their own.

/// Four letters and what every index begins with: D, how many rows, two numbers nobody uses, whether it was trained, and
/// the distance.
const HEADER: usize = 4 + 4 + 3 * 8 + 1 + 4;

/// Where the parts of a file lie.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) rows: usize,
    pub(super) dim: usize,
    /// Where values begin.
    pub(super) start: usize,
    /// Where ids begin, one i64 for each row, where there are such.
    pub(super) ids: Option<u64>,
}

/// Reads the head of a file of `len` bytes from its first ones.
///
/// # Errors
/// In words, what it is instead, or in what it differs from its head.
pub(super) fn head(bytes: &[u8], len: u64) -> Result<Shape, String> {
    let outer = bytes.get(..4).ok_or("it is cut short")?;
    let has_ids = matches!(outer, b"IxMp" | b"IxM2");
    let at = if has_ids { HEADER } else { 0 };
    let inner = bytes.get(at..).and_then(|rest| rest.get(..4)).ok_or("it is cut short")?;
    if !matches!(inner, b"IxFI" | b"IxF2") {
        return Err(format!(
            "it is {}; only flat indices (IndexFlatIP, IndexFlatL2, also in an IndexIDMap) keep vectors as they are: \
             save those, or `index.reconstruct_n()` as images.npy",
            kind(inner)
        ));
    }
    let number = |place: usize| -> Result<i64, String> {
        let bytes = bytes.get(place..place + 8).ok_or("it is cut short")?;
        Ok(i64::from_le_bytes(bytes.try_into().expect("eight bytes")))
    };
    let dim = bytes.get(at + 4..at + 8).ok_or("it is cut short")?;
    let dim = i32::from_le_bytes(dim.try_into().expect("four bytes"));
    let (rows, values) = (number(at + 8)?, number(at + HEADER)?);
    let start = (at + HEADER + 8) as u64;
    let wanted = rows.checked_mul(i64::from(dim)).filter(|_| dim > 0 && rows >= 0);
    if wanted != Some(values) {
        return Err(format!("it has {values} values for {rows} rows of {dim}"));
    }
    let ids = u64::try_from(values).ok().and_then(|n| n.checked_mul(4)?.checked_add(start));
    let behind = if has_ids { 8 + 8 * i128::from(rows) } else { 0 };
    let whole = ids.map(|ids| i128::from(ids) + behind);
    if whole != Some(i128::from(len)) {
        let whole = whole.map_or("more than there can be".to_owned(), |whole| whole.to_string());
        return Err(format!(
            "it has {len} bytes, {rows} rows of {dim} need {whole}: it is cut or no such file"
        ));
    }
    if has_ids && number(8)? != rows {
        return Err(format!("it has ids for {} rows, and {rows} rows", number(8)?));
    }
    let ids = ids.filter(|_| has_ids);
    Ok(Shape { rows: rows as usize, dim: dim as usize, start: start as usize, ids })
}

/// What people call the index with these letters.
fn kind(letters: &[u8]) -> String {
    let known = match letters {
        b"IwFl" => "an IVF index of vectors in lists",
        b"IwPQ" | b"IwQR" | b"IwPf" => "an IVF index with product quantisation",
        b"IwSq" => "an IVF index of scalars",
        b"IxPQ" | b"IxPq" | b"IPfs" => "an index with product quantisation",
        b"IxSQ" => "an index of scalars",
        b"IHNf" | b"IHNs" | b"IHNp" => "a graph (HNSW)",
        b"IxPT" => "an index behind a transformation",
        b"IxRF" => "an index with refinement",
        b"IBxF" => "an index of bits",
        _ => return format!("no index that is known (`{}`)", letters.escape_ascii()),
    };
    format!("{known} (`{}`)", letters.escape_ascii())
}
