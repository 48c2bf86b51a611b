//! MATLAB's level 5 files, v5 to v7 (<https://www.mathworks.com/help/pdf_doc/matlab/matfile_format.pdf>): numeric
//! matrices, compressed or not. Cells, structs, objects, text and sparse matrices are refused by name; nothing is
//! believed of a length before the bytes are there.

use std::io::Read;
use std::path::Path;

use flate2::bufread::ZlibDecoder;

use super::Table;
use tuwen_files::{Error, Result, file};

const HEADER: usize = 128;
const MATRIX: u32 = 14;
const COMPRESSED: u32 = 15;
/// zlib makes at most so many bytes of one: a longer announcement is a lie.
const MOST_FROM_ONE: usize = 1032;

/// What the kinds of arrays that are not read are called, by their number.
const REFUSED: [(u8, &str); 7] = [
    (1, "a cell array"),
    (2, "a struct"),
    (3, "an object"),
    (4, "text"),
    (5, "a sparse matrix"),
    (16, "a function"),
    (17, "an object"),
];

/// Reads the variable of that name, or the only numeric one.
pub(super) fn read(path: &Path, name: Option<&str>) -> Result<Table> {
    let bytes = file::read(path, file::DOCUMENT)?;
    parse(&bytes, name).map_err(|what| Error::data_set(path, what))
}

/// An element: its type and its content.
struct Element<'b> {
    kind: u32,
    data: &'b [u8],
}

/// Elements one behind the other.
struct Elements<'b>(&'b [u8]);

impl<'b> Elements<'b> {
    fn next(&mut self) -> Result<Option<Element<'b>>, String> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let word = |at: usize| -> Result<u32, String> {
            let bytes = self.0.get(at..at + 4).ok_or("it is cut short")?;
            Ok(u32::from_le_bytes(bytes.try_into().expect("four")))
        };
        let first = word(0)?;
        let (kind, start, len) = match first >> 16 {
            0 => (first, 8, word(4)? as usize),
            small => (first & 0xffff, 4, small as usize),
        };
        if start == 4 && len > 4 {
            return Err(format!("a small element of {len} bytes; it has room for 4"));
        }
        let end = start + len;
        let data = self.0.get(start..end).ok_or_else(|| {
            format!("an element of {len} bytes, but {} are there: it is cut", self.0.len())
        })?;
        // Compressed elements are not padded.
        let next = if kind == COMPRESSED { end } else { end.next_multiple_of(8) };
        self.0 = self.0.get(next..).unwrap_or_default();
        Ok(Some(Element { kind, data }))
    }

    fn must(&mut self, what: &str) -> Result<Element<'b>, String> {
        self.next()?.ok_or_else(|| format!("a variable without its {what}: it is cut"))
    }
}

/// What stands before a variable's values.
struct Head {
    name: String,
    class: u8,
    complex: bool,
    sizes: Vec<usize>,
}

fn parse(bytes: &[u8], wanted: Option<&str>) -> Result<Table, String> {
    if bytes.starts_with(b"\x89HDF") || bytes.get(512..516) == Some(b"\x89HDF") {
        return Err("this is MATLAB's v7.3 (HDF5), which is not read: save it with -v7".into());
    }
    match bytes.get(124..HEADER) {
        Some([_, _, b'I', b'M']) => (),
        Some([_, _, b'M', b'I']) => return Err("it is big-endian, which is not read".into()),
        _ => return Err("no MATLAB file of level 5".into()),
    }
    let mut elements = Elements(&bytes[HEADER..]);
    let (mut found, mut seen) = (None, Vec::new());
    while let Some(element) = elements.next()? {
        let unpacked;
        let body = match element.kind {
            MATRIX => element.data,
            COMPRESSED => {
                unpacked = unpack(element.data)?;
                let inner = Elements(&unpacked).next()?.filter(|inner| inner.kind == MATRIX);
                inner.ok_or("what is compressed is no variable")?.data
            }
            _ => continue,
        };
        let mut parts = Elements(body);
        let head = head(&mut parts)?;
        let takes = wanted.map_or_else(|| refusal(&head).is_none(), |name| name == head.name);
        let sizes: Vec<String> = head.sizes.iter().map(usize::to_string).collect();
        seen.push(format!("{} ({})", head.name, sizes.join(" x ")));
        if takes {
            if found.is_some() {
                return Err(format!(
                    "several variables: say which `variable` ({})",
                    seen.join(", ")
                ));
            }
            found = Some(values(&head, &mut parts)?);
        }
    }
    let there = if seen.is_empty() { "nothing".into() } else { seen.join(", ") };
    found.ok_or_else(|| match wanted {
        Some(name) => format!("there is no variable {name}; there is {there}"),
        None => format!("there is no numeric matrix; there is {there}"),
    })
}

/// The content of a compressed element, which is one element.
fn unpack(data: &[u8]) -> Result<Vec<u8>, String> {
    let broken = |e: std::io::Error| format!("its compressed part is damaged: {e}");
    let mut decoder = ZlibDecoder::new(data);
    let mut out = vec![0; 8];
    decoder.read_exact(&mut out).map_err(broken)?;
    let len = u32::from_le_bytes(out[4..].try_into().expect("four")) as usize;
    if len > data.len().saturating_mul(MOST_FROM_ONE) {
        return Err(format!("it says that {} compressed bytes hold {len}: no", data.len()));
    }
    decoder.take(len as u64).read_to_end(&mut out).map_err(broken)?;
    Ok(out)
}

fn head(parts: &mut Elements<'_>) -> Result<Head, String> {
    let flags = parts.must("kind")?;
    let (Some(&class), Some(&bits)) = (flags.data.first(), flags.data.get(1)) else {
        return Err("a variable without its kind: it is damaged".into());
    };
    let size = |bytes: &[u8; 4]| {
        usize::try_from(i32::from_le_bytes(*bytes)).map_err(|_| "a negative size".to_owned())
    };
    let sizes = match class {
        // Opaque objects have no sizes.
        17 => Vec::new(),
        _ => parts
            .must("sizes")?
            .data
            .as_chunks::<4>()
            .0
            .iter()
            .map(size)
            .collect::<Result<_, _>>()?,
    };
    let name = String::from_utf8_lossy(parts.must("name")?.data).into_owned();
    Ok(Head { name, class, complex: bits & 8 != 0, sizes })
}

/// Why a variable is not read.
fn refusal(head: &Head) -> Option<String> {
    let kind = REFUSED.iter().find(|(class, _)| *class == head.class).map(|(_, name)| *name);
    let kind = match (kind, head.class) {
        (Some(kind), _) => kind,
        (None, 6..=15) if head.complex => "of complex numbers",
        (None, 6..=15) if head.sizes.len() != 2 => "no matrix of two axes",
        (None, 6..=15) => return None,
        _ => "of an unknown kind",
    };
    Some(format!(
        "variable {} is {kind}, which is not read; a matrix of real numbers is",
        head.name
    ))
}

fn values(head: &Head, parts: &mut Elements<'_>) -> Result<Table, String> {
    if let Some(why) = refusal(head) {
        return Err(why);
    }
    let part = parts.must("values")?;
    let numbers =
        numbers(&part).ok_or_else(|| format!("values of an unknown type {}", part.kind))?;
    let (rows, columns) = (head.sizes[0], head.sizes[1]);
    if rows.checked_mul(columns) != Some(numbers.len()) {
        let there = numbers.len();
        return Err(format!("variable {}: {there} values for {rows} x {columns}", head.name));
    }
    Ok(turned(rows, columns, &numbers))
}

/// What a matrix is whose columns lie one behind the other.
pub(super) fn turned(rows: usize, columns: usize, values: &[f64]) -> Table {
    let at = |at: usize| values[at % columns * rows + at / columns];
    Table { rows, columns, values: (0..values.len()).map(at).collect() }
}

/// The numbers of an element, whatever their type: MATLAB stores whole doubles as bytes.
fn numbers(element: &Element<'_>) -> Option<Vec<f64>> {
    macro_rules! of {
        ($type:ty) => {{
            let (all, _) = element.data.as_chunks::<{ size_of::<$type>() }>();
            all.iter().map(|bytes| <$type>::from_le_bytes(*bytes) as f64).collect()
        }};
    }
    Some(match element.kind {
        1 => of!(i8),
        2 => of!(u8),
        3 => of!(i16),
        4 => of!(u16),
        5 => of!(i32),
        6 => of!(u32),
        7 => of!(f32),
        9 => of!(f64),
        12 => of!(i64),
        13 => of!(u64),
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
