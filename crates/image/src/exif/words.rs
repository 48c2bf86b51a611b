//! Keywords and descriptions of IPTC's records and of XMP.

use super::{Exif, text, trimmed};

const KEYWORD: u8 = 25;
const CAPTION: u8 = 120;

/// Reads IPTC's records: mark, record, number, length, content
/// (<https://www.iptc.org/std/IIM/4.2/specification/IIMV4.2.pdf>).
pub(super) fn iptc(mut bytes: &[u8], exif: &mut Exif) {
    while let Some(&[0x1c, record, number, high, low]) = bytes.first_chunk::<5>() {
        // The highest bit would say that the length is longer than two bytes: of no text.
        let length = usize::from(u16::from_be_bytes([high, low]));
        let Some(content) = bytes.get(5..5 + length) else { return };
        match (record, number) {
            (2, KEYWORD) => text(content).iter().for_each(|word| exif.tag(word)),
            (2, CAPTION) if exif.description.is_none() => exif.description = text(content),
            _ => {}
        }
        bytes = &bytes[5 + length..];
    }
}

/// Reads `dc:subject` and `dc:description` of XMP. They are lists of `rdf:li` as every program writes
/// them, so that the words between the marks are all there is to find: no parser, no entities of its own.
pub(super) fn xmp(xml: &str, exif: &mut Exif) {
    for word in entries(xml, "dc:subject") {
        exif.tag(&word);
    }
    if exif.description.is_none() {
        exif.description = entries(xml, "dc:description").next();
    }
}

/// The texts of a list.
fn entries<'x>(xml: &'x str, name: &str) -> impl Iterator<Item = String> + 'x {
    let mut rest = between(xml, &format!("<{name}"), &format!("</{name}>")).unwrap_or("");
    std::iter::from_fn(move || {
        let found = between(rest, "<rdf:li", "</rdf:li>")?;
        rest = &rest[offset(rest, found) + found.len()..];
        // An entry without words has no end of its own; a mark may have attributes (`xml:lang`).
        let last = found.rsplit("<rdf:li").next()?;
        Some(last.split_once('>').map_or("", |(_, text)| text))
    })
    .filter_map(|text| trimmed(&htmlize::unescape(text)))
}

fn between<'x>(text: &'x str, start: &str, end: &str) -> Option<&'x str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(inside, _)| inside)
}

/// Where a part of a text begins in it.
fn offset(whole: &str, part: &str) -> usize {
    part.as_ptr() as usize - whole.as_ptr() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xmp_lists_are_read() {
        let mut exif = Exif::default();
        let xml = "<rdf:Description><dc:subject>\n <rdf:Bag>\n<rdf:li>狗</rdf:li><rdf:li> A &amp; B \
                   </rdf:li><rdf:li/><rdf:li>狗</rdf:li></rdf:Bag></dc:subject><dc:description><rdf:Alt>\
                   <rdf:li xml:lang=\"x-default\">on the &lt;beach&gt;</rdf:li></rdf:Alt></dc:description>";
        xmp(xml, &mut exif);
        assert_eq!(exif.tags, ["狗", "A & B"]);
        assert_eq!(exif.description.as_deref(), Some("on the <beach>"));
    }

    #[test]
    fn iptc_records_are_read() {
        let record =
            |number: u8, text: &[u8]| [&[0x1c, 2, number, 0, text.len() as u8][..], text].concat();
        let mut exif = Exif::default();
        let bytes =
            [record(25, "草地".as_bytes()), record(25, b"dog"), record(120, b"a dog")].concat();
        iptc(&bytes, &mut exif);
        assert_eq!(exif.tags, ["草地", "dog"]);
        assert_eq!(exif.description.as_deref(), Some("a dog"));
    }
}
