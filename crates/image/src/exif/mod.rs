//! What a picture's file says about the picture: when and where it was taken, with what, and its keywords.
//!
//! `blocks` finds EXIF, IPTC and XMP in the container, `tags` reads EXIF's directories, `words` the
//! keywords of the other two. How the picture is turned is not here: the decoder applies it, so that width
//! and height are those of the upright picture. kamadak-exif was considered: it makes an entry of whatever
//! a file claims, and directories that overlap make gigabytes of 64 kilobytes; here three directories are
//! read, whatever a file holds.

mod blocks;
mod tags;
mod words;

use std::fmt;

use self::blocks::Blocks;

/// What a file says. Everything may be missing; texts are trimmed, not empty and at most 2,000 characters.
///
/// ```
/// use tuwen_image::Exif;
/// assert_eq!(Exif::read(b"no picture at all"), Exif::default());
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exif {
    /// When it was taken; else digitised; else last changed.
    pub taken: Option<DateTime>,
    /// The camera: its maker, unless the model begins with it, and model.
    pub camera: Option<String>,
    /// The lens.
    pub lens: Option<String>,
    /// Where it was taken.
    pub place: Option<Place>,
    /// The program that wrote it.
    pub software: Option<String>,
    /// A description in words.
    pub description: Option<String>,
    /// Keywords of EXIF (Windows), IPTC and XMP, each once, in that order; at most 1,000.
    pub tags: Vec<String>,
}

/// A time of the clock at the place where the picture was taken; EXIF has no zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DateTime {
    /// 1 to 9999.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
}

impl fmt::Display for DateTime {
    /// `2020-05-17T21:30:15`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day, hour, minute, second } = self;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
    }
}

/// A place on the earth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// Degrees, north is positive.
    pub latitude: f64,
    /// Degrees, east is positive.
    pub longitude: f64,
    /// Metres above the sea.
    pub altitude: Option<f64>,
}

impl Exif {
    /// Reads what the bytes of a JPEG, TIFF, PNG, WebP or AVIF say. What is damaged is as if it were not
    /// there.
    pub fn read(bytes: &[u8]) -> Self {
        let blocks = Blocks::find(bytes);
        let mut exif = Self::default();
        if let Some(tiff) = blocks.exif.as_deref() {
            tags::read(tiff, &mut exif);
        }
        if let Some(iptc) = blocks.iptc {
            words::iptc(iptc, &mut exif);
        }
        if let Some(xmp) = blocks.xmp {
            words::xmp(&String::from_utf8_lossy(xmp), &mut exif);
        }
        exif
    }

    /// Adds a keyword that is not there yet.
    fn tag(&mut self, text: &str) {
        const MOST: usize = 1000;
        if let Some(text) = trimmed(text)
            && self.tags.len() < MOST
            && !self.tags.contains(&text)
        {
            self.tags.push(text);
        }
    }
}

/// A text without the spaces and zeros around it, where anything is left.
fn trimmed(text: &str) -> Option<String> {
    const LONGEST: usize = 2000;
    let text = text.trim_matches(|c: char| c.is_whitespace() || c.is_control());
    (!text.is_empty()).then(|| text.chars().take(LONGEST).collect())
}

/// Whether all bytes beyond ASCII are pairs that stand for signs or the common characters of GB 2312 (rows 1 to 3 and
/// 16 to 55): a word is too short for frequencies to tell it from Cyrillic, whose small letters are no such pairs.
fn is_chinese(mut bytes: &[u8]) -> bool {
    loop {
        bytes = match bytes {
            [] => return true,
            [0x00..=0x7f, rest @ ..] => rest,
            [0xa1..=0xa3 | 0xb0..=0xd7, 0xa1..=0xfe, rest @ ..] => rest,
            _ => return false,
        };
    }
}

/// Bytes as text: UTF-8 as the cameras of today write it, else the encoding that it looks like. Where
/// several are as likely, nothing is better than wrong words.
fn text(bytes: &[u8]) -> Option<String> {
    const LONGEST: usize = 1 << 16;
    let bytes = &bytes[..bytes.len().min(LONGEST)];
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    match std::str::from_utf8(&bytes[..end]) {
        Ok(text) => trimmed(text),
        Err(_) if is_chinese(&bytes[..end]) => {
            trimmed(&tuwen_files::encoding::decode_as(&bytes[..end], "gbk")?)
        }
        Err(_) => trimmed(&tuwen_files::encoding::decode(&bytes[..end]).ok()?),
    }
}
