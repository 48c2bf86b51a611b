//! Files without what a decoder stumbles over and no pixel needs.

use std::borrow::Cow;

/// A PNG without its compressed texts and colour profile: a few megabytes of them unpack to gigabytes,
/// and no pixel depends on them here. What is no row of chunks any more stays as it is.
pub(super) fn png(bytes: &[u8]) -> Cow<'_, [u8]> {
    const SIGNATURE: usize = 8;
    let mut kept: Vec<_> = std::iter::once(0..SIGNATURE).collect();
    let mut at = SIGNATURE;
    while let Some(&[a, b, c, d, ref name @ ..]) =
        bytes.get(at..).and_then(|b| b.first_chunk::<8>())
    {
        // Length, name, data, checksum.
        let next = at.saturating_add(12 + u32::from_be_bytes([a, b, c, d]) as usize);
        if next > bytes.len() {
            break;
        }
        if !matches!(name, b"iCCP" | b"zTXt" | b"iTXt" | b"tEXt") {
            kept.push(at..next);
        }
        at = next;
    }
    kept.push(at..bytes.len());
    joined(bytes, &kept)
}

/// A JPEG without the bytes between its segments that belong to none: libjpeg passes them over.
///
/// # Errors
/// The end is missing, in words: the decoder is lenient and would fill the missing part with grey.
pub(super) fn jpeg(bytes: &[u8]) -> Result<Cow<'_, [u8]>, &'static str> {
    const TRUNCATED: &str = "the JPEG is truncated: its end marker is missing";
    let mut kept: Vec<_> = std::iter::once(0..2).collect();
    let mut at = 2;
    loop {
        let Some(skip) = bytes.get(at..).and_then(|b| b.windows(2).position(is_marker)) else {
            return Err(TRUNCATED);
        };
        at += skip;
        let length = match bytes[at + 1] {
            // The first scan: inside, FF is always escaped, so that the end marker cannot be data.
            0xda if !bytes[at..].windows(2).any(|pair| pair == [0xff, 0xd9]) => {
                return Err(TRUNCATED);
            }
            0xda => break,
            0xd9 => return Err("the JPEG has no picture before its end marker"),
            0x01 | 0xd0..=0xd8 => 0,
            _ => match bytes.get(at + 2..at + 4) {
                Some(&[high, low]) => usize::from(u16::from_be_bytes([high, low])),
                _ => return Err(TRUNCATED),
            },
        };
        let next = (at + 2 + length).min(bytes.len());
        kept.push(at..next);
        at = next;
    }
    kept.push(at..bytes.len());
    Ok(joined(bytes, &kept))
}

/// FF and a code; FF FF is padding and FF 00 an escaped value.
fn is_marker(pair: &[u8]) -> bool {
    pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xff)
}

/// The parts as one, without a copy where nothing lies between them.
fn joined<'a>(bytes: &'a [u8], parts: &[std::ops::Range<usize>]) -> Cow<'a, [u8]> {
    if parts.windows(2).all(|pair| pair[0].end == pair[1].start) {
        return Cow::Borrowed(bytes);
    }
    Cow::Owned(parts.iter().flat_map(|part| &bytes[part.clone()]).copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn junk_between_segments_is_passed_over() {
        let clean = b"\xff\xd8\xff\xe0\0\x03a\xff\xda\0\x02data\xff\xd9";
        assert!(matches!(jpeg(clean), Ok(Cow::Borrowed(_))));
        let junk = b"\xff\xd8\0junk\xff\0\xff\xff\xe0\0\x03amore\xff\xda\0\x02data\xff\xd9";
        assert_eq!(jpeg(junk).expect("a JPEG").as_ref(), clean);
        for cut in 2..clean.len() {
            assert!(jpeg(&clean[..cut]).is_err(), "{cut} bytes");
        }
    }

    #[test]
    fn only_texts_and_profiles_are_taken_out_of_a_png() {
        let chunk = |name: &[u8; 4], data: &[u8]| {
            [&(data.len() as u32).to_be_bytes()[..], name, data, b"sum!"].concat()
        };
        let start = [b"\x89PNG\r\n\x1a\n".to_vec(), chunk(b"IHDR", b"head")].concat();
        let end = [chunk(b"IDAT", b"pixels"), chunk(b"IEND", b"")].concat();
        let bomb = [start.clone(), chunk(b"iCCP", b"bomb"), chunk(b"zTXt", b""), end.clone()];
        assert_eq!(png(&bomb.concat()).as_ref(), [&start[..], &end].concat());
        let whole = [start, end].concat();
        assert!(matches!(png(&whole), Cow::Borrowed(_)));
        assert_eq!(png(&whole[..whole.len() - 3]).as_ref(), &whole[..whole.len() - 3]);
        assert_eq!(png(&whole[..20]).as_ref(), &whole[..20], "cut inside of a chunk");
    }
}
