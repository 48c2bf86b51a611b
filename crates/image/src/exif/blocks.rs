//! Where a picture's file keeps EXIF, IPTC and XMP. Each is found once, the first one counts; compressed
//! ones are left alone, because a few kilobytes of them unpack to gigabytes.

use std::borrow::Cow;

use super::super::avif;
use super::super::directory::Tiff;

const XMP_OF_TIFF: u16 = 700;
const IPTC_OF_TIFF: u16 = 33_723;
/// Larger ones are no keywords.
const LARGEST: usize = 4 << 20;

/// What was found.
#[derive(Default)]
pub(super) struct Blocks<'b> {
    /// A TIFF.
    pub exif: Option<Cow<'b, [u8]>>,
    pub iptc: Option<&'b [u8]>,
    pub xmp: Option<&'b [u8]>,
}

impl<'b> Blocks<'b> {
    pub(super) fn find(bytes: &'b [u8]) -> Self {
        let mut blocks = Self::default();
        if bytes.starts_with(b"\xff\xd8") {
            blocks.jpeg(bytes);
        } else if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            blocks.png(bytes);
        } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
            blocks.webp(bytes);
        } else if [&b"II*\0"[..], b"MM\0*", b"II+\0", b"MM\0+"].iter().any(|m| bytes.starts_with(m))
        {
            blocks.tiff(bytes);
        } else if avif::is_avif(bytes) {
            blocks.exif = avif::exif(bytes);
        }
        blocks.iptc = blocks.iptc.filter(|block| block.len() <= LARGEST);
        blocks.xmp = blocks.xmp.filter(|block| block.len() <= LARGEST);
        blocks
    }

    fn tiff(&mut self, bytes: &'b [u8]) {
        let tiff = Tiff::new(bytes);
        for entry in tiff.first() {
            match entry.tag {
                XMP_OF_TIFF => self.xmp = self.xmp.or(Some(tiff.bytes_of(&entry))),
                IPTC_OF_TIFF => self.iptc = self.iptc.or(Some(tiff.bytes_of(&entry))),
                _ => {}
            }
        }
        self.exif = Some(Cow::Borrowed(bytes));
    }

    /// The segments before the first scan.
    fn jpeg(&mut self, bytes: &'b [u8]) {
        let mut at = 2;
        while let Some(&[0xff, marker, high, low]) = bytes.get(at..).and_then(|b| b.first_chunk()) {
            if marker == 0xff {
                at += 1;
                continue;
            }
            let length = usize::from(u16::from_be_bytes([high, low]));
            if matches!(marker, 0xd9 | 0xda) || length < 2 {
                return;
            }
            let Some(content) = bytes.get(at + 4..at + 2 + length) else { return };
            match marker {
                0xe1 => self.app1(content),
                0xed => {
                    let photoshop = content.strip_prefix(b"Photoshop 3.0\0");
                    self.iptc = self.iptc.or_else(|| iptc_of_photoshop(photoshop?));
                }
                _ => {}
            }
            at += 2 + length;
        }
    }

    fn app1(&mut self, content: &'b [u8]) {
        if let Some(tiff) = content.strip_prefix(b"Exif\0\0") {
            self.exif.get_or_insert(Cow::Borrowed(tiff));
        } else if let Some(xmp) = content.strip_prefix(b"http://ns.adobe.com/xap/1.0/\0") {
            self.xmp.get_or_insert(xmp);
        }
    }

    fn png(&mut self, bytes: &'b [u8]) {
        let mut at = 8;
        while let Some(&[a, b, c, d, ref name @ ..]) =
            bytes.get(at..).and_then(|b| b.first_chunk::<8>())
        {
            let length = u32::from_be_bytes([a, b, c, d]) as usize;
            let Some(content) = bytes.get(at + 8..(at + 8).saturating_add(length)) else { return };
            match name {
                b"eXIf" => {
                    self.exif.get_or_insert(Cow::Borrowed(content));
                }
                // Not compressed, in no language.
                b"iTXt" => {
                    let xmp = content.strip_prefix(b"XML:com.adobe.xmp\0\0\0\0\0");
                    self.xmp = self.xmp.or(xmp);
                }
                _ => {}
            }
            at += 12 + length;
        }
    }

    fn webp(&mut self, bytes: &'b [u8]) {
        let mut at = 12;
        while let Some(&[n0, n1, n2, n3, ref length @ ..]) =
            bytes.get(at..).and_then(|b| b.first_chunk::<8>())
        {
            let length = u32::from_le_bytes(*length) as usize;
            let Some(content) = bytes.get(at + 8..(at + 8).saturating_add(length)) else { return };
            match &[n0, n1, n2, n3] {
                b"EXIF" => {
                    // Some writers keep JPEG's mark.
                    let tiff = content.strip_prefix(b"Exif\0\0").unwrap_or(content);
                    self.exif.get_or_insert(Cow::Borrowed(tiff));
                }
                b"XMP " => {
                    self.xmp.get_or_insert(content);
                }
                _ => {}
            }
            at += 8 + length + length % 2;
        }
    }
}

/// IPTC's record among Photoshop's resources: mark, number, name, length and content, each of an even size.
fn iptc_of_photoshop(mut bytes: &[u8]) -> Option<&[u8]> {
    loop {
        let [_, _, _, _, high, low, name, ..] =
            *bytes.strip_prefix(b"8BIM").map(|_| bytes)?.first_chunk::<7>()?;
        let name = (usize::from(name) + 2) & !1;
        let rest = bytes.get(6 + name..)?;
        let length = u32::from_be_bytes(*rest.first_chunk()?) as usize;
        let content = rest.get(4..)?.get(..length)?;
        if u16::from_be_bytes([high, low]) == 0x0404 {
            return Some(content);
        }
        bytes = rest.get(4 + length + length % 2..)?;
    }
}
