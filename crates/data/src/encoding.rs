//! Which encoding a text file has, and the file as UTF-8, a piece at a time.
//!
//! Decided by the whole file and not by its name: a byte order mark, valid UTF-8, else GB18030 or
//! Big5, whichever gives fewer malformed bytes and more of the commonest characters. What cannot be
//! decoded becomes U+FFFD and is counted, never dropped.

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use encoding_rs::{BIG5, CoderResult, Decoder, DecoderResult, GB18030, UTF_8, UTF_16BE, UTF_16LE};

use crate::{Error, Result, file};

/// Bytes that are read at once.
const PIECE: usize = 1 << 16;
/// The commonest characters of simplified and traditional Chinese.
const COMMON: &str = "的一是不了人我在有他这這中大来來上国國个個到说說们們为為子和你地出道也时時年得就那要下以生会會\
    自着著去之过過家学學对對可她里裡后後小么麼心多天而能好都然没沒日于於起还還发發成事只作当當想看文无無开開\
    手十用主行方又如前所本见見经經头頭面公同三已老从從动動两兩长長，。、";

/// A text encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// UTF-8, also with a byte order mark.
    Utf8,
    /// UTF-16, lower byte first.
    Utf16Le,
    /// UTF-16, higher byte first.
    Utf16Be,
    /// GB18030, which contains GBK and GB2312.
    Gb18030,
    /// Big5.
    Big5,
}

impl fmt::Display for Encoding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Utf8 => "UTF-8",
            Self::Utf16Le => "UTF-16LE",
            Self::Utf16Be => "UTF-16BE",
            Self::Gb18030 => "GB18030",
            Self::Big5 => "Big5",
        })
    }
}

impl Encoding {
    fn decoder(self) -> Decoder {
        let encoding = match self {
            Self::Utf8 => UTF_8,
            Self::Utf16Le => UTF_16LE,
            Self::Utf16Be => UTF_16BE,
            Self::Gb18030 => GB18030,
            Self::Big5 => BIG5,
        };
        encoding.new_decoder_without_bom_handling()
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

/// What a candidate makes of the file.
struct Trial {
    encoding: Encoding,
    decoder: Decoder,
    malformed: u64,
    /// The line it is in, and that of the first malformed sequence.
    line: usize,
    malformed_line: Option<usize>,
    common: u64,
    strays: u64,
}

impl Trial {
    fn new(encoding: Encoding) -> Self {
        let decoder = encoding.decoder();
        let (malformed, line, malformed_line) = (0, 1, None);
        Self { encoding, decoder, malformed, line, malformed_line, common: 0, strays: 0 }
    }

    fn feed(&mut self, mut bytes: &[u8], last: bool) {
        let mut out = String::with_capacity(PIECE * 3);
        loop {
            let (result, read) =
                self.decoder.decode_to_string_without_replacement(bytes, &mut out, last);
            bytes = &bytes[read..];
            self.common +=
                out.chars().filter(|&c| c > '\u{7f}' && COMMON.contains(c)).count() as u64;
            self.strays += out.chars().filter(|&c| c == '\u{feff}').count() as u64;
            self.line += out.matches('\n').count();
            out.clear();
            match result {
                DecoderResult::InputEmpty => return,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => {
                    self.malformed += 1;
                    self.malformed_line.get_or_insert(self.line);
                }
            }
        }
    }

    /// The higher, the likelier.
    fn score(&self) -> i64 {
        self.common as i64 - 10 * self.malformed as i64
    }
}

impl TextFile {
    /// Looks at a whole file, in constant memory.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn look(path: &Path) -> Result<Self> {
        let failed = |e| Error::io(path, e);
        let mut file = file::open(path)?;
        let mut first = Vec::new();
        file.by_ref().take(PIECE as u64).read_to_end(&mut first).map_err(failed)?;
        let (candidates, skip): (&[Encoding], u64) = match &first[..] {
            [0xff, 0xfe, ..] => (&[Encoding::Utf16Le], 2),
            [0xfe, 0xff, ..] => (&[Encoding::Utf16Be], 2),
            [0xef, 0xbb, 0xbf, ..] => (&[Encoding::Utf8, Encoding::Gb18030, Encoding::Big5], 3),
            _ => (&[Encoding::Utf8, Encoding::Gb18030, Encoding::Big5], 0),
        };
        let wide = matches!(candidates, [Encoding::Utf16Le | Encoding::Utf16Be]);
        let mut trials: Vec<Trial> =
            candidates.iter().map(|&encoding| Trial::new(encoding)).collect();
        let (mut piece, mut zeros) = (first.split_off(skip as usize), 0);
        while !piece.is_empty() {
            zeros += piece.iter().filter(|&&byte| byte == 0 && !wide).count() as u64;
            trials.iter_mut().for_each(|trial| trial.feed(&piece, false));
            piece.clear();
            file.by_ref().take(PIECE as u64).read_to_end(&mut piece).map_err(failed)?;
        }
        trials.iter_mut().for_each(|trial| trial.feed(&[], true));
        // Valid UTF-8 is UTF-8: nothing else looks like it by chance.
        let best = match trials.iter().position(|trial| trial.malformed == 0) {
            Some(0) => 0,
            _ => (1..trials.len()).fold(0, |best, at| {
                if trials[at].score() > trials[best].score() { at } else { best }
            }),
        };
        let best = &trials[best];
        Ok(Self {
            path: path.to_path_buf(),
            encoding: best.encoding,
            false_mark: skip == 3 && best.encoding != Encoding::Utf8,
            malformed: best.malformed,
            malformed_line: best.malformed_line,
            stray_marks: best.strays,
            zeros,
            skip,
        })
    }

    /// The file as UTF-8, in constant memory.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(&self) -> Result<Box<dyn BufRead + Send>> {
        let failed = |e| Error::io(&self.path, e);
        let mut file = file::open(&self.path)?;
        std::io::copy(&mut file.by_ref().take(self.skip), &mut std::io::sink()).map_err(failed)?;
        Ok(Box::new(BufReader::with_capacity(PIECE, Decoded::new(file, self.encoding))))
    }

    /// A small file as UTF-8, whole: labels, prompts, configurations, lists of ids.
    ///
    /// # Errors
    /// It cannot be read, is larger than [`file::TEXT`], or has bytes that are no text.
    pub fn read(path: &Path) -> Result<String> {
        let bytes = file::open(path)?.metadata().map_err(|e| Error::io(path, e))?.len();
        if bytes > file::TEXT {
            let what = format!("{bytes} bytes; such a file may have {}", file::TEXT);
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

/// A reader that turns any encoding into UTF-8.
struct Decoded<R> {
    inner: R,
    decoder: Decoder,
    raw: Vec<u8>,
    text: String,
    /// How much of `text` was handed out.
    given: usize,
    ended: bool,
}

impl<R: Read> Decoded<R> {
    fn new(inner: R, encoding: Encoding) -> Self {
        let (raw, text) = (Vec::new(), String::new());
        Self { inner, decoder: encoding.decoder(), raw, text, given: 0, ended: false }
    }

    fn refill(&mut self) -> std::io::Result<()> {
        self.raw.clear();
        self.ended = self.inner.by_ref().take(PIECE as u64).read_to_end(&mut self.raw)? == 0;
        self.text.clear();
        self.given = 0;
        let mut bytes = &self.raw[..];
        loop {
            self.text.reserve(PIECE);
            let (result, read, _) =
                self.decoder.decode_to_string(bytes, &mut self.text, self.ended);
            bytes = &bytes[read..];
            if result == CoderResult::InputEmpty {
                break;
            }
        }
        self.text.retain(|c| c != '\u{feff}');
        Ok(())
    }
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        while self.given == self.text.len() && !self.ended {
            self.refill()?;
        }
        let count = out.len().min(self.text.len() - self.given);
        out[..count].copy_from_slice(&self.text.as_bytes()[self.given..][..count]);
        self.given += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            (SIMPLE.as_bytes().to_vec(), Encoding::Utf8, SIMPLE),
            (format!("\u{feff}{SIMPLE}").into_bytes(), Encoding::Utf8, SIMPLE),
            (GB18030.encode(SIMPLE).0.into_owned(), Encoding::Gb18030, SIMPLE),
            (BIG5.encode(FULL).0.into_owned(), Encoding::Big5, FULL),
            (utf16(false), Encoding::Utf16Le, SIMPLE),
            (utf16(true), Encoding::Utf16Be, SIMPLE),
            (b"plain".to_vec(), Encoding::Utf8, "plain"),
            (Vec::new(), Encoding::Utf8, ""),
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
            (Encoding::Utf8, 1, 1, 1)
        );
        assert_eq!(text, format!("{SIMPLE}\u{fffd}尾\0"));
        let mut lying = vec![0xef, 0xbb, 0xbf];
        lying.extend(&*GB18030.encode(SIMPLE).0);
        let (file, text) = look(&lying);
        assert!(file.false_mark && file.encoding == Encoding::Gb18030);
        assert_eq!(text, SIMPLE);
    }

    #[test]
    fn pieces_do_not_cut_characters() {
        let long = SIMPLE.repeat(5000);
        assert_eq!(look(&GB18030.encode(&long).0).1, long);
        assert_eq!(look(format!("a{long}").as_bytes()).1, format!("a{long}"));
    }
}
