//! NumPy's format, <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>: numbers of one or two
//! axes, little-endian, in either order.

use std::path::Path;

use super::Table;
use tuwen_files::{Error, Result, file};

const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// Reads one number of so many bytes.
type Number = (usize, fn(&[u8]) -> f64);

pub(super) fn read(path: &Path) -> Result<Table> {
    parse(&file::read(path, file::ANY)?).map_err(|what| Error::data_set(path, what))
}

macro_rules! number {
    ($type:ty) => {
        (size_of::<$type>(), |bytes| {
            <$type>::from_le_bytes(bytes.try_into().expect("of this size")) as f64
        })
    };
}

fn number(name: &str) -> Option<Number> {
    Some(match name {
        "<f8" => number!(f64),
        "<f4" => number!(f32),
        "<f2" => (2, |bytes| half(u16::from_le_bytes([bytes[0], bytes[1]]))),
        "<i8" => number!(i64),
        "<u8" => number!(u64),
        "<i4" => number!(i32),
        "<u4" => number!(u32),
        "<i2" => number!(i16),
        "<u2" => number!(u16),
        "|i1" => number!(i8),
        "|u1" | "|b1" => number!(u8),
        _ => return None,
    })
}

/// A 16-bit float: sign, 5 bits of exponent, 10 bits.
fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    sign * match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
    }
}

fn parse(bytes: &[u8]) -> Result<Table, String> {
    let rest = bytes.strip_prefix(MAGIC).ok_or("no .npy file")?;
    let (len, start): (usize, usize) = match rest {
        [1, _, a, b, ..] => (usize::from(u16::from_le_bytes([*a, *b])), 10),
        [2 | 3, _, a, b, c, d, ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, 12),
        _ => return Err("an unknown version of .npy".into()),
    };
    let header = bytes.get(start..start.saturating_add(len));
    let header = String::from_utf8_lossy(header.ok_or("it is cut short")?);
    let after = |key: &str, open: char, close: char| {
        let (_, rest) = header.split_once(key)?;
        let (_, rest) = rest.split_once(open)?;
        rest.split_once(close).map(|(value, _)| value.to_owned())
    };
    let kind = after("'descr':", '\'', '\'').ok_or("its header has no simple type")?;
    let (size, number) = number(&kind).ok_or_else(|| {
        format!("its values are {kind}; f2, f4, f8 and whole numbers, little-endian, are read")
    })?;
    let shape = after("'shape':", '(', ')').ok_or("its header has no shape")?;
    let sizes: Result<Vec<usize>, _> =
        shape.split(',').map(str::trim).filter(|s| !s.is_empty()).map(str::parse).collect();
    let (rows, columns) = match sizes.as_deref() {
        Ok([rows]) => (*rows, 1),
        Ok([rows, columns]) => (*rows, *columns),
        _ => return Err(format!("its shape is ({shape}); (n) or (n, d) is needed")),
    };
    let data = &bytes[start + len..];
    if rows.checked_mul(columns).and_then(|n| n.checked_mul(size)) != Some(data.len()) {
        return Err(format!("{} bytes for a shape of ({shape}) of {kind}", data.len()));
    }
    let values: Vec<f64> = data.chunks_exact(size).map(number).collect();
    let by_columns = header.contains("'fortran_order': True");
    Ok(match by_columns {
        true => super::mat::turned(rows, columns, &values),
        false => Table { rows, columns, values },
    })
}

pub(super) fn write(values: &[f32], columns: usize) -> Vec<u8> {
    let rows = values.len() / columns.max(1);
    let mut text =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    let len = (MAGIC.len() + 4 + text.len() + 1).next_multiple_of(64) - MAGIC.len() - 4;
    text.extend(std::iter::repeat_n(' ', len - 1 - text.len()));
    text.push('\n');
    let mut out = MAGIC.to_vec();
    out.extend([1, 0]);
    out.extend((len as u16).to_le_bytes());
    out.extend(text.as_bytes());
    out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(descr: &str, order: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let text =
            format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
        let mut out = MAGIC.to_vec();
        out.extend([1, 0]);
        out.extend((text.len() as u16).to_le_bytes());
        out.extend(text.as_bytes());
        out.extend(data);
        out
    }

    #[test]
    fn types_orders_and_axes() {
        let doubles: Vec<u8> =
            [1f64, 2.0, 3.0, 4.0, 5.0, 6.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        let rows = parse(&made("<f8", "False", "(2, 3)", &doubles)).expect("read");
        assert_eq!((rows.rows, rows.columns, &rows.values[..3]), (2, 3, &[1.0, 2.0, 3.0][..]));
        let columns = parse(&made("<f8", "True", "(2, 3)", &doubles)).expect("read");
        assert_eq!(columns.values, [1.0, 3.0, 5.0, 2.0, 4.0, 6.0]);
        let labels = parse(&made("|u1", "False", "(3,)", &[7, 0, 255])).expect("read");
        assert_eq!((labels.rows, labels.columns, labels.values), (3, 1, vec![7.0, 0.0, 255.0]));
        // 1.5, -2, the smallest above 0.
        let halves = parse(&made("<f2", "False", "(3,)", &[0, 0x3e, 0, 0xc0, 1, 0])).expect("read");
        assert_eq!(halves.values, [1.5, -2.0, 2f64.powi(-24)]);
        assert_eq!(parse(&write(&[1.0, 2.0], 2)).expect("ours").values, [1.0, 2.0]);
    }

    #[test]
    fn what_is_not_read_is_said() {
        let wrong = |bytes: &[u8]| parse(bytes).expect_err("wrong");
        assert!(wrong(b"PK\x03\x04").contains("no .npy"));
        assert!(wrong(&made("<c8", "False", "(1,)", &[0; 8])).contains("<c8"));
        assert!(wrong(&made("<f8", "False", "(1, 1, 1)", &[0; 8])).contains("(1, 1, 1)"));
        assert!(wrong(&made("<f8", "False", "(2,)", &[0; 8])).contains("8 bytes"));
        assert!(
            wrong(&made("<f8", "False", "(9999999999999, 9999999999)", &[0; 8]))
                .contains("8 bytes")
        );
        assert!(wrong(&made("<f8", "False", "(2,)", &[0; 8])[..30]).contains("cut"));
    }
}
