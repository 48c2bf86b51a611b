//! Which encoding bytes have, where nobody says it: what each candidate makes of all of them.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Decoder, DecoderResult};

use super::{Encoding, PIECE};

/// The commonest characters of simplified and traditional Chinese.
const COMMON: &str = "的一是不了人我在有他这這中大来來上国國个個到说說们們为為子和你地出道也时時年得就那要下以生会會\
    自着著去之过過家学學对對可她里裡后後小么麼心多天而能好都然没沒日于於起還还发發成事只作当當想看文无無开開\
    手十用主行方又如前所本见見经經头頭面公同三已老从從动動两兩长長，。、";
/// Among so many characters beyond ASCII one of the commonest makes a text Chinese; in real ones it is
/// every third.
const ONE_IN: u64 = 8;
/// So many right sequences for each wrong one make a damaged UTF-8 file UTF-8: no other encoding's text
/// looks like it by chance.
const RIGHT: u64 = 10;

/// Fewer characters than these say too little of the language: East Asian encodings share their bytes.
const SHORT: u64 = 16;

/// What a candidate makes of the bytes.
pub(super) struct Trial {
    pub(super) encoding: Encoding,
    decoder: Decoder,
    pub(super) malformed: u64,
    /// The line it is in, and that of the first malformed sequence.
    line: usize,
    pub(super) malformed_line: Option<usize>,
    /// Characters beyond ASCII, and of them the commonest Chinese ones.
    wide: u64,
    common: u64,
    pub(super) strays: u64,
}

impl Trial {
    pub(super) fn new(encoding: Encoding) -> Self {
        let (malformed, line, malformed_line) = (0, 1, None);
        let (wide, common, strays) = (0, 0, 0);
        let decoder = encoding.decoder();
        Self { encoding, decoder, malformed, line, malformed_line, wide, common, strays }
    }

    pub(super) fn feed(&mut self, mut bytes: &[u8], last: bool) {
        let mut out = String::with_capacity(PIECE * 3);
        loop {
            let (result, read) =
                self.decoder.decode_to_string_without_replacement(bytes, &mut out, last);
            bytes = &bytes[read..];
            for c in out.chars().filter(|&c| c > '\u{7f}') {
                self.wide += 1;
                self.common += u64::from(COMMON.contains(c));
                self.strays += u64::from(c == '\u{feff}');
            }
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

    fn is_chinese(&self) -> bool {
        self.common > 0 && self.common * ONE_IN >= self.wide && self.malformed * RIGHT <= self.wide
    }
}

/// All that is tried at once.
pub(super) struct Guess {
    /// UTF-8 first.
    trials: Vec<Trial>,
    detector: EncodingDetector,
}

/// What came out.
pub(super) enum Found {
    /// One of the trials.
    Tried(Trial),
    /// Another encoding, to be tried.
    Other(Encoding),
    /// Either of two.
    Unsure(Encoding, Encoding),
}

impl Guess {
    pub(super) fn new() -> Self {
        let trials = [Encoding::UTF_8, Encoding::GB18030, Encoding::BIG5].map(Trial::new).into();
        Self { trials, detector: EncodingDetector::new(Iso2022JpDetection::Deny) }
    }

    pub(super) fn feed(&mut self, bytes: &[u8], last: bool) {
        self.trials.iter_mut().for_each(|trial| trial.feed(bytes, last));
        self.detector.feed(bytes, last);
    }

    /// Valid UTF-8 is UTF-8, and damaged UTF-8, too; a text with the commonest Chinese characters is
    /// Chinese; of the rest the detector of Firefox says what it is, unless a Chinese encoding fits it
    /// just as well.
    pub(super) fn decide(mut self) -> Found {
        let utf8 = &self.trials[0];
        if utf8.malformed == 0 || utf8.wide - utf8.strays >= RIGHT * utf8.malformed {
            return Found::Tried(self.trials.swap_remove(0));
        }
        let best = if self.trials[2].score() > self.trials[1].score() { 2 } else { 1 };
        let chinese = &self.trials[best];
        let guessed = self.detector.guess(None, Utf8Detection::Deny);
        let guessed = Encoding::from(guessed);
        let agreed = self.trials.iter().skip(1).any(|trial| trial.encoding == guessed);
        if chinese.is_chinese() || agreed {
            let best = match chinese.is_chinese() {
                true => best,
                false => 1 + usize::from(self.trials[2].encoding == guessed),
            };
            return Found::Tried(self.trials.swap_remove(best));
        }
        let short = chinese.wide < SHORT && !guessed.is_single_byte();
        if chinese.malformed == 0 && (chinese.common > 0 || short) {
            return Found::Unsure(chinese.encoding, guessed);
        }
        Found::Other(guessed)
    }
}
