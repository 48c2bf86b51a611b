//! Which encoding a text file has, and the file as UTF-8, a piece at a time.
//!
//! Decided by the whole file and not by its name (`guess`), unless the user says it: a byte order mark,
//! valid UTF-8, else what fits best; where two fit equally well, an error names them. What cannot be
//! decoded becomes U+FFFD and is counted, never dropped.

mod decoded;
mod guess;
mod look;

use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use encoding_rs::Decoder;

use self::decoded::Decoded;
use self::guess::Trial;
use self::look::Look;
use crate::{Error, Result, file};

/// Bytes that are read at once.
const PIECE: usize = 1 << 16;

/// A text encoding of the web's standard (<https://encoding.spec.whatwg.org>), by any of its labels there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding(&'static encoding_rs::Encoding);

impl Encoding {
    /// UTF-8, also with a byte order mark.
    pub const UTF_8: Self = Self(encoding_rs::UTF_8);
    /// UTF-16, lower byte first.
    pub const UTF_16LE: Self = Self(encoding_rs::UTF_16LE);
    /// UTF-16, higher byte first.
    pub const UTF_16BE: Self = Self(encoding_rs::UTF_16BE);
    /// GB18030, which contains GBK and GB2312.
    pub const GB18030: Self = Self(encoding_rs::GB18030);
    /// Big5.
    pub const BIG5: Self = Self(encoding_rs::BIG5);

    fn decoder(self) -> Decoder {
        self.0.new_decoder_without_bom_handling()
    }

    fn is_single_byte(self) -> bool {
        self.0.is_single_byte()
    }

    fn is_utf16(self) -> bool {
        self == Self::UTF_16LE || self == Self::UTF_16BE
    }
}

impl From<&'static encoding_rs::Encoding> for Encoding {
    /// GBK is read as what contains it.
    fn from(encoding: &'static encoding_rs::Encoding) -> Self {
        if encoding == encoding_rs::GBK { Self::GB18030 } else { Self(encoding) }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(if *self == Self::GB18030 { "GB18030" } else { self.0.name() })
    }
}

impl FromStr for Encoding {
    type Err = String;

    fn from_str(label: &str) -> Result<Self, String> {
        let lower = label.trim().to_ascii_lowercase();
        // Python's names, where they are not the web's.
        let name = match lower.as_str() {
            "utf-8-sig" | "utf8-sig" => "utf-8",
            "cp936" => "gbk",
            "cp950" => "big5",
            "cp932" => "shift_jis",
            "cp949" => "euc-kr",
            "latin-1" => "latin1",
            other => other,
        };
        let name = name.strip_prefix("windows-").filter(|n| *n == "936").map_or(name, |_| "gbk");
        encoding_rs::Encoding::for_label(name.as_bytes()).map(Self::from).ok_or_else(|| {
            format!(
                "`{label}` is no encoding: utf-8, gb18030 (gbk), big5, utf-16le, utf-16be, shift_jis, \
                 euc-jp, euc-kr, windows-1252 (latin1) and the other names of the web's standard are"
            )
        })
    }
}

impl serde::Serialize for Encoding {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Encoding {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let label = String::deserialize(from)?;
        label.parse().map_err(serde::de::Error::custom)
    }
}

/// A text file after a look at all of it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct TextFile {
    /// The file.
    pub path: PathBuf,
    /// What it is read as.
    pub encoding: Encoding,
    /// Whether it begins with a byte order mark of UTF-8 and is something else.
    pub false_mark: bool,
    /// Byte sequences that mean nothing in its encoding; each is read as U+FFFD.
    pub malformed: u64,
    /// The line of the first one, counted from 1.
    pub malformed_line: Option<usize>,
    /// Byte order marks after the beginning; they are left out.
    pub stray_marks: u64,
    /// Zero bytes, which no text has.
    pub zeros: u64,
    /// Bytes of its own byte order mark.
    skip: u64,
}

impl TextFile {
    /// Looks at a whole file, in constant memory.
    ///
    /// # Errors
    /// It cannot be read, or may have either of two encodings.
    pub fn look(path: &Path) -> Result<Self> {
        Self::look_at(path, None, "")
    }

    /// The same of a file whose encoding the user may say.
    ///
    /// # Errors
    /// As [`TextFile::look`].
    pub fn look_as(path: &Path, encoding: Option<Encoding>) -> Result<Self> {
        let cure =
            ", or say which with `--encoding NAME` (in a configuration `encoding = \"NAME\"`)";
        Self::look_at(path, encoding, cure)
    }

    fn look_at(path: &Path, encoding: Option<Encoding>, cure: &str) -> Result<Self> {
        let mut file = file::open(path)?;
        let mut feed = |each: &mut dyn FnMut(&[u8], bool)| -> std::io::Result<()> {
            let mut piece = Vec::new();
            loop {
                piece.clear();
                file.by_ref().take(PIECE as u64).read_to_end(&mut piece)?;
                each(&piece, piece.is_empty());
                if piece.is_empty() {
                    return std::io::Seek::rewind(&mut file);
                }
            }
        };
        let found = Look::at(&mut feed, encoding).map_err(|e| Error::io(path, e))?;
        let unsure = |what| Error::data_set(path, format!("{what}{cure}"));
        found.map_err(unsure).map(|look| look.of(path))
    }

    /// The file as UTF-8, in constant memory.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(&self) -> Result<Box<dyn BufRead + Send>> {
        let mut file = file::open(&self.path)?;
        std::io::copy(&mut file.by_ref().take(self.skip), &mut std::io::sink())
            .map_err(|e| Error::io(&self.path, e))?;
        Ok(Box::new(BufReader::with_capacity(PIECE, Decoded::new(file, self.encoding))))
    }

    /// A small file as UTF-8, whole: labels, prompts, configurations, lists of ids.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("labels.txt");
    /// std::fs::write(&path, "狗\n猫\n".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>())?;
    /// // Without a mark the encoding is not certain; with one it is.
    /// std::fs::write(&path, [&b"\xff\xfe"[..], &std::fs::read(&path)?].concat())?;
    /// assert_eq!(tuwen_files::encoding::TextFile::read(&path)?, "狗\n猫\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// It cannot be read, is larger than [`file::TEXT`], or has bytes that are no text.
    pub fn read(path: &Path) -> Result<String> {
        Self::read_up_to(path, file::TEXT)
    }

    /// The same of a file that may be as large as [`file::DOCUMENT`]: JSON documents, predictions.
    ///
    /// # Errors
    /// As [`TextFile::read`].
    pub fn read_document(path: &Path) -> Result<String> {
        Self::read_up_to(path, file::DOCUMENT)
    }

    fn read_up_to(path: &Path, limit: u64) -> Result<String> {
        let bytes = file::open(path)?.metadata().map_err(|e| Error::io(path, e))?.len();
        if bytes > limit {
            let what = format!("it has {bytes} bytes; such a file may have {limit}");
            return Err(Error::data_set(path, what));
        }
        let look = Self::look(path)?;
        if let Some(line) = look.malformed_line {
            let what = format!("its bytes are no {}; save it as UTF-8", look.encoding);
            return Err(Error::record(path, line, what));
        }
        let mut text = String::new();
        look.open()?.read_to_string(&mut text).map_err(|e| Error::io(path, e))?;
        Ok(text)
    }

    /// What is wrong with it, in words; nothing where all is well.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if self.false_mark {
            remarks.push(format!("begins with UTF-8's byte order mark and is {}", self.encoding));
        }
        for (count, what) in [
            (self.malformed, "byte sequences mean nothing in its encoding and became U+FFFD"),
            (self.stray_marks, "byte order marks inside the text are left out"),
            (self.zeros, "zero bytes"),
        ] {
            if count > 0 {
                remarks.push(format!("{count} {what}"));
            }
        }
        remarks
    }
}

/// Bytes of a text in memory as UTF-8.
///
/// ```
/// let text = tuwen_files::encoding::decode("一只狗在雪地里奔跑".as_bytes())?;
/// assert_eq!(text, "一只狗在雪地里奔跑");
/// # Ok::<(), String>(())
/// ```
///
/// # Errors
/// In words: bytes that are no text in the encoding that fits best, or two encodings that fit equally well.
pub fn decode(bytes: &[u8]) -> Result<String, String> {
    let mut feed = |each: &mut dyn FnMut(&[u8], bool)| -> std::io::Result<()> {
        bytes.chunks(PIECE).for_each(|piece| each(piece, false));
        each(&[], true);
        Ok(())
    };
    let look = Look::at(&mut feed, None).expect("memory is read without a failure")?;
    let Trial { encoding, malformed, malformed_line, .. } = look.trial;
    if malformed > 0 {
        let line = malformed_line.unwrap_or(1);
        return Err(format!("line {line}: its bytes are no {encoding}; save it as UTF-8"));
    }
    let mut text = String::new();
    Decoded::new(&bytes[look.skip..], encoding)
        .read_to_string(&mut text)
        .map_err(|e| e.to_string())?;
    Ok(text)
}

/// Bytes of a text in memory in a named encoding; nothing where they are none in it.
pub fn decode_as(bytes: &[u8], name: &str) -> Option<String> {
    let encoding = encoding_rs::Encoding::for_label(name.as_bytes())?;
    encoding.decode_without_bom_handling_and_without_replacement(bytes).map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;
    use encoding_rs::{BIG5, GB18030, SHIFT_JIS, WINDOWS_1252};

    fn look(bytes: &[u8]) -> (TextFile, String) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("t.txt");
        std::fs::write(&path, bytes).expect("a file");
        let file = TextFile::look(&path).expect("a file");
        let mut text = String::new();
        file.open().expect("a file").read_to_string(&mut text).expect("UTF-8");
        (file, text)
    }

    const SIMPLE: &str = "一只狗在草地上奔跑，后面有两个人。\n大厨告诉你家常做法\n";
    const FULL: &str = "一隻狗在草地上奔跑，後面有兩個人。\n這是我們的學校\n";

    #[test]
    fn every_encoding_is_recognised_and_read() {
        let utf16 = |swap: bool| -> Vec<u8> {
            let units = std::iter::once(0xfeff).chain(SIMPLE.encode_utf16());
            units.flat_map(|u| if swap { u.to_be_bytes() } else { u.to_le_bytes() }).collect()
        };
        for (bytes, encoding, text) in [
            (SIMPLE.as_bytes().to_vec(), Encoding::UTF_8, SIMPLE),
            (format!("\u{feff}{SIMPLE}").into_bytes(), Encoding::UTF_8, SIMPLE),
            (GB18030.encode(SIMPLE).0.into_owned(), Encoding::GB18030, SIMPLE),
            (BIG5.encode(FULL).0.into_owned(), Encoding::BIG5, FULL),
            (utf16(false), Encoding::UTF_16LE, SIMPLE),
            (utf16(true), Encoding::UTF_16BE, SIMPLE),
            (b"plain".to_vec(), Encoding::UTF_8, "plain"),
            (Vec::new(), Encoding::UTF_8, ""),
        ] {
            let (file, found) = look(&bytes);
            assert_eq!((file.encoding, found.as_str()), (encoding, text));
            assert!(file.remarks().is_empty(), "{:?}", file.remarks());
        }
    }

    #[test]
    fn what_is_wrong_is_counted_and_nothing_is_dropped() {
        let mut bytes = SIMPLE.as_bytes().to_vec();
        bytes.push(0xff);
        bytes.extend("\u{feff}尾\0".as_bytes());
        let (file, text) = look(&bytes);
        assert_eq!(
            (file.encoding, file.malformed, file.stray_marks, file.zeros),
            (Encoding::UTF_8, 1, 1, 1)
        );
        assert_eq!(text, format!("{SIMPLE}\u{fffd}尾\0"));
        let mut lying = vec![0xef, 0xbb, 0xbf];
        lying.extend(&*GB18030.encode(SIMPLE).0);
        let (file, text) = look(&lying);
        assert!(file.false_mark && file.encoding == Encoding::GB18030);
        assert_eq!(text, SIMPLE);
    }

    #[test]
    fn pieces_do_not_cut_characters() {
        let long = SIMPLE.repeat(5000);
        assert_eq!(look(&GB18030.encode(&long).0).1, long);
        assert_eq!(look(format!("a{long}").as_bytes()).1, format!("a{long}"));
    }

    #[test]
    fn other_languages_keep_their_encodings() {
        for (encoding, text) in [
            (
                WINDOWS_1252,
                "Un café près de la forêt, où l'été dure.\nMüllers Häuser sind größer\n",
            ),
            (WINDOWS_1252, "image,caption\na.jpg,café\n"),
            (SHIFT_JIS, "草の上を走る犬がいます。\n赤い車と小さな家\n"),
            (GB18030, "1.jpg,红色连衣裙\n2.jpg,运动鞋\n"),
        ] {
            let (bytes, ..) = encoding.encode(text);
            let (file, found) = look(&bytes);
            assert_eq!(found, text, "{}", file.encoding);
        }
    }

    #[test]
    fn two_encodings_that_fit_equally_well_are_named() {
        let error = decode(&GB18030.encode("1.jpg,狗\n").0).expect_err("Chinese or Korean");
        assert!(error.contains("GB18030 or EUC-KR"), "{error}");
    }

    #[test]
    fn what_the_user_says_counts_and_bad_names_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("t.txt");
        std::fs::write(&path, &*SHIFT_JIS.encode("犬").0).expect("a file");
        let said = TextFile::look_as(&path, Some("cp932".parse().expect("a name")));
        let mut text = String::new();
        said.expect("a file").open().expect("a file").read_to_string(&mut text).expect("UTF-8");
        assert_eq!(text, "犬");
        assert!("klingon".parse::<Encoding>().expect_err("no name").contains("`klingon`"));
        for label in ["gbk", "cp936", "GB2312", "gb18030"] {
            assert_eq!(label.parse::<Encoding>().expect("a name"), Encoding::GB18030, "{label}");
        }
    }
}
