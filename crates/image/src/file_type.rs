//! What a file is, by its first bytes: a picture that is read, another medium that is not, or neither.

use super::tiff;

/// Bytes from the beginning of a file that tell its type.
pub const HEAD: usize = 4096;

/// What the beginning of a file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileType {
    /// A picture that [`decode`](super::decode) reads.
    Picture,
    /// A picture, a film or a document that is not read, by its common name.
    Unsupported(&'static str),
    /// Nothing that is known here.
    Unknown,
}

/// First bytes of pictures that are read. BMP's two letters could begin any text; see [`is_bmp`].
const PICTURES: [&[u8]; 6] =
    [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II+\0", b"MM\0+"];

/// First bytes of what is not read.
const OTHERS: [(&[u8], &str); 30] = [
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"II\xbc", "JPEG XR"),
    (b"8BPS", "PSD"),
    (b"\0\0\x01\0", "ICO"),
    (b"\0\0\x02\0", "ICO"),
    (b"qoif", "QOI"),
    (b"v/1\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"DDS ", "DDS"),
    (b"AT&TFORM", "DjVu"),
    (b"BPG\xfb", "BPG"),
    (b"gimp xcf ", "XCF"),
    (b"%PDF-", "PDF"),
    (b"%!PS", "PostScript"),
    (b"FUJIFILMCCD-RAW", "RAW"),
    (b"IIU\0", "RAW"),
    (b"IIRO", "RAW"),
    (b"MMOR", "RAW"),
    (b"\x1a\x45\xdf\xa3", "Matroska or WebM"),
    (b"FLV\x01", "FLV"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "WMV"),
    (b"\0\0\x01\xba", "MPEG"),
    (b"\0\0\x01\xb3", "MPEG"),
    (b"PK\x03\x04", "ZIP"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "RAR"),
    (b"\x1f\x8b", "gzip"),
];

/// Archives: they may hold pictures, but every office document is a ZIP as well.
pub const ARCHIVES: [&str; 5] = ["ZIP", "7z", "RAR", "gzip", "tar"];

/// The type of a file that begins with `head`, which may be all of it.
///
/// ```
/// use tuwen_image::{FileType, file_type};
///
/// assert_eq!(file_type(b"\xff\xd8\xff\xe0"), FileType::Picture);
/// assert_eq!(file_type(b"8BPS\0\x01"), FileType::Unsupported("PSD"));
/// assert_eq!(file_type(b"image,caption\n"), FileType::Unknown);
/// ```
pub fn file_type(head: &[u8]) -> FileType {
    let at = |start: usize, what: &[u8]| head.get(start..).is_some_and(|h| h.starts_with(what));
    if at(0, b"II*\0") || at(0, b"MM\0*") {
        return if tiff::is_raw(head) { FileType::Unsupported("RAW") } else { FileType::Picture };
    }
    if PICTURES.iter().any(|magic| at(0, magic)) || is_bmp(head) {
        return FileType::Picture;
    }
    if at(0, b"RIFF") {
        return match head.get(8..12) {
            Some(b"WEBP") => FileType::Picture,
            Some(b"AVI ") => FileType::Unsupported("AVI"),
            _ => FileType::Unknown,
        };
    }
    if at(4, b"ftyp") {
        return boxes(head);
    }
    if let Some((_, name)) = OTHERS.iter().find(|(magic, _)| at(0, magic)) {
        return FileType::Unsupported(name);
    }
    if at(4, b"moov") || at(4, b"mdat") || at(4, b"wide") {
        return FileType::Unsupported("MOV");
    }
    if at(257, b"ustar") {
        return FileType::Unsupported("tar");
    }
    if at(128, b"DICM") {
        return FileType::Unsupported("DICOM");
    }
    if is_svg(head) { FileType::Unsupported("SVG") } else { FileType::Unknown }
}

/// The name of a picture's format, as far as it is one that [`decode`](super::decode) reads.
///
/// ```
/// assert_eq!(tuwen_image::format(b"GIF89a..."), Some("gif"));
/// assert_eq!(tuwen_image::format(b"a text"), None);
/// ```
pub fn format(head: &[u8]) -> Option<&'static str> {
    let name = match head.get(..4)? {
        [0xff, 0xd8, 0xff, _] => "jpeg",
        b"\x89PNG" => "png",
        b"GIF8" => "gif",
        b"RIFF" => "webp",
        [b'B', b'M', ..] => "bmp",
        b"II*\0" | b"MM\0*" | b"II+\0" | b"MM\0+" => "tiff",
        _ => "avif",
    };
    (file_type(head) == FileType::Picture).then_some(name)
}

/// ISO base media: the brands of the first box, the main one and those it is compatible with.
fn boxes(head: &[u8]) -> FileType {
    let size = head.first_chunk().map_or(0, |&size| u32::from_be_bytes(size) as usize);
    let brands = head.get(8..size.clamp(12, 512).min(head.len())).unwrap_or(&[]);
    let mut brands = brands.chunks_exact(4).enumerate().filter(|(at, _)| *at != 1).map(|(_, b)| b);
    let main = brands.next().unwrap_or(&[]);
    let all: Vec<&[u8]> = brands.collect();
    let has = |names: &[&[u8]]| names.contains(&main) || all.iter().any(|b| names.contains(b));
    match main {
        b"qt  " => FileType::Unsupported("MOV"),
        b"crx " => FileType::Unsupported("RAW"),
        _ if has(&[b"avif", b"avis"]) => FileType::Picture,
        _ if has(&[b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"]) => {
            FileType::Unsupported("HEIC")
        }
        _ if main.starts_with(b"3g") => FileType::Unsupported("3GP"),
        _ => FileType::Unsupported("MP4"),
    }
}

/// Two letters, and a header whose size is one of the six that exist.
fn is_bmp(head: &[u8]) -> bool {
    let size = head.get(14..18).and_then(|b| b.first_chunk().copied()).map(u32::from_le_bytes);
    head.starts_with(b"BM") && matches!(size, Some(12 | 40 | 52 | 56 | 64 | 108 | 124))
}

/// A drawing, possibly behind a declaration and comments.
fn is_svg(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    text.starts_with("<svg")
        || (text.starts_with("<?xml") || text.starts_with("<!--")) && text.contains("<svg")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brands_tell_pictures_from_films() {
        let file = |main: &[u8; 4], also: &[u8; 4]| {
            [b"\0\0\0\x18ftyp", &main[..], b"\0\0\0\0", b"miaf", &also[..]].concat()
        };
        for (main, also, wanted) in [
            (b"avif", b"mif1", FileType::Picture),
            (b"mif1", b"avif", FileType::Picture),
            (b"heic", b"mif1", FileType::Unsupported("HEIC")),
            (b"mif1", b"heic", FileType::Unsupported("HEIC")),
            (b"isom", b"mp41", FileType::Unsupported("MP4")),
            (b"qt  ", b"qt  ", FileType::Unsupported("MOV")),
            (b"crx ", b"isom", FileType::Unsupported("RAW")),
        ] {
            assert_eq!(file_type(&file(main, also)), wanted, "{}", String::from_utf8_lossy(main));
        }
    }

    #[test]
    fn a_tiff_that_is_a_thumbnail_is_raw() {
        let tiff = |tag: u16, value: u32| {
            let mut file = b"II*\0\x08\0\0\0\x01\0".to_vec();
            file.extend(tag.to_le_bytes());
            file.extend([4, 0, 1, 0, 0, 0]);
            file.extend(value.to_le_bytes());
            file
        };
        assert_eq!(file_type(&tiff(254, 1)), FileType::Unsupported("RAW"));
        assert_eq!(file_type(&tiff(50706, 1)), FileType::Unsupported("RAW"));
        assert_eq!(file_type(&tiff(254, 2)), FileType::Picture, "a page of several");
        assert_eq!(
            file_type(b"II*\0\xff\xff\xff\xff"),
            FileType::Picture,
            "the decoder says what is wrong"
        );
    }

    #[test]
    fn words_are_no_picture() {
        for words in [&b"BM is short for"[..], b"RIFFRAFF and more words", b"", b"GIF8", b"<xml>"] {
            assert_eq!(file_type(words), FileType::Unknown, "{}", String::from_utf8_lossy(words));
        }
        assert_eq!(file_type(b"<?xml version=\"1.0\"?>\n<svg>"), FileType::Unsupported("SVG"));
    }
}
