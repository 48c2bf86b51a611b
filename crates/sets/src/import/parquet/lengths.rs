//! A look at a Parquet file's footer and at the headers of its pages before its library sees them: the
//! library believes the lengths of lists and texts, and a file of 600 bytes can make it ask for 17 GB,
//! which ends the program, or think for half a minute.
//!
//! Thrift's compact protocol,
//! <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

/// Structures within structures: more than any footer has.
const DEEPEST: usize = 32;

/// Whether every list of the footer can be as long as it claims.
///
/// # Errors
/// In words, what is wrong; or the file cannot be read.
pub(super) fn check_footer(file: &mut File) -> Result<(), String> {
    let words = |e: std::io::Error| e.to_string();
    let length = file.metadata().map_err(words)?.len();
    let mut end = [0; 8];
    if length < 12 {
        return Err("it is too short".into());
    }
    file.seek(SeekFrom::End(-8)).and_then(|_| file.read_exact(&mut end)).map_err(words)?;
    let (size, magic) = end.split_at(4);
    if magic != b"PAR1" {
        return Err("it does not end like a Parquet file: is it cut short?".into());
    }
    let size = u64::from(u32::from_le_bytes(size.try_into().expect("four bytes")));
    if size + 12 > length {
        return Err(format!("its footer of {size} bytes is longer than the file"));
    }
    let mut footer = vec![0; size as usize];
    let start = SeekFrom::End(-8 - size as i64);
    file.seek(start).and_then(|_| file.read_exact(&mut footer)).map_err(words)?;
    let mut rest = &footer[..];
    structure(&mut rest, 0).ok_or("its footer is damaged")?;
    Ok(())
}

/// Bytes in which a page's header must have its end.
const HEADER: usize = 1 << 20;
/// The field of a page's header that says how many bytes follow it.
const COMPRESSED: i64 = 3;

/// Whether every page of a column has a header that can be what it claims.
///
/// # Errors
/// In words, what is wrong; or the file cannot be read.
pub(super) fn check_pages(file: &mut File, start: u64, len: u64) -> Result<(), String> {
    let (mut at, end) = (start, start.saturating_add(len));
    let mut window = Vec::new();
    while at < end {
        let most = HEADER.min((end - at) as usize) as u64;
        window.clear();
        file.seek(SeekFrom::Start(at))
            .and_then(|_| file.take(most).read_to_end(&mut window))
            .map_err(|e| e.to_string())?;
        let (mut rest, mut follows) = (&window[..], None);
        let mut look = |id: i64, value: i64| {
            if id == COMPRESSED {
                follows = u64::try_from(value).ok();
            }
        };
        fields(&mut rest, 0, &mut look).ok_or("a page's header is damaged")?;
        let follows = follows.ok_or("a page's header lacks its size")?;
        at = at.saturating_add((window.len() - rest.len()) as u64).saturating_add(follows);
    }
    Ok(())
}

/// The kinds of values.
mod kind {
    pub(super) const STOP: u8 = 0;
    pub(super) const TRUE: u8 = 1;
    pub(super) const FALSE: u8 = 2;
    pub(super) const BYTE: u8 = 3;
    pub(super) const I16: u8 = 4;
    pub(super) const I64: u8 = 6;
    pub(super) const DOUBLE: u8 = 7;
    pub(super) const BINARY: u8 = 8;
    pub(super) const LIST: u8 = 9;
    pub(super) const SET: u8 = 10;
    pub(super) const MAP: u8 = 11;
    pub(super) const STRUCT: u8 = 12;
    pub(super) const UUID: u8 = 13;
}

/// Walks over a structure; none where it leads out of the bytes.
fn structure(rest: &mut &[u8], depth: usize) -> Option<()> {
    fields(rest, depth, &mut |_, _| {})
}

/// The same; `look` hears the numbers and values of its own integers.
fn fields(rest: &mut &[u8], depth: usize, look: &mut dyn FnMut(i64, i64)) -> Option<()> {
    let mut id = 0;
    loop {
        let header = take(rest, 1)?[0];
        let of = header & 15;
        if header == kind::STOP {
            return Some(());
        }
        id = match header >> 4 {
            0 => signed(varint(rest)?),
            delta => id + i64::from(delta),
        };
        match of {
            // A boolean field is its kind.
            kind::TRUE | kind::FALSE => {}
            kind::I16..=kind::I64 => look(id, signed(varint(rest)?)),
            _ => value(rest, of, depth)?,
        }
    }
}

/// A number whose last bit is its sign.
fn signed(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

fn value(rest: &mut &[u8], of: u8, depth: usize) -> Option<()> {
    if depth == DEEPEST {
        return None;
    }
    match of {
        kind::TRUE | kind::FALSE | kind::BYTE => drop(take(rest, 1)?),
        kind::I16..=kind::I64 => drop(varint(rest)?),
        kind::DOUBLE => drop(take(rest, 8)?),
        kind::UUID => drop(take(rest, 16)?),
        kind::BINARY => {
            let len = varint(rest)?;
            take(rest, usize::try_from(len).ok()?)?;
        }
        kind::LIST | kind::SET => {
            let header = take(rest, 1)?[0];
            let count = if header >> 4 == 15 { varint(rest)? } else { u64::from(header >> 4) };
            several(rest, count, &[header & 15], depth)?;
        }
        kind::MAP => {
            let count = varint(rest)?;
            if count > 0 {
                let kinds = take(rest, 1)?[0];
                several(rest, count, &[kinds >> 4, kinds & 15], depth)?;
            }
        }
        kind::STRUCT => structure(rest, depth + 1)?,
        _ => return None,
    }
    Some(())
}

/// Elements of a list, or pairs of a map; each has a byte at least.
fn several(rest: &mut &[u8], count: u64, kinds: &[u8], depth: usize) -> Option<()> {
    if count > rest.len() as u64 {
        return None;
    }
    for _ in 0..count {
        kinds.iter().try_for_each(|&of| value(rest, of, depth + 1))?;
    }
    Some(())
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(rest, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
