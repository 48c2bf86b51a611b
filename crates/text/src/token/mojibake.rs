//! Mojibake: UTF-8 that was once read as another encoding, and how it is read back.
//!
//! Source: `fix_encoding` of ftfy 6.3 (<https://github.com/rspeer/python-ftfy>, Apache-2.0), whose
//! tables are in `mojibake.json` as `scripts/golden/mojibake_tables.py` wrote them.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::{Regex, bytes};
use serde::Deserialize;

#[derive(Deserialize)]
struct Written {
    badness: String,
    inside: String,
    utf8: String,
    altered: String,
    lossy: String,
    codecs: Vec<(String, String)>,
}

struct Tables {
    /// Characters that hardly ever follow each other in text as it was meant.
    badness: Regex,
    /// A character from within a garble: what follows it is not the start of one.
    inside: Regex,
    /// What UTF-8 looks like when each byte was read as a character.
    utf8: Regex,
    /// UTF-8 whose byte A0 became a space.
    altered: bytes::Regex,
    /// UTF-8 that lost a byte to a replacement character, which we write as byte 1A.
    lossy: bytes::Regex,
    codecs: Vec<Codec>,
}

/// A code page: every one keeps ASCII.
struct Codec {
    name: String,
    upper: HashMap<char, u8>,
    /// Reads U+FFFD as a byte that was lost (1A), as the reference's tolerant code pages do.
    sloppy: bool,
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let written: Written =
        serde_json::from_str(include_str!("mojibake.json")).expect("compiled in and tested");
    let text = |pattern: &str| Regex::new(pattern).expect("compiled in and tested");
    let bytes = |pattern: &str| bytes::Regex::new(pattern).expect("compiled in and tested");
    let codecs = written.codecs.into_iter().map(|(name, upper)| Codec {
        sloppy: name.starts_with("sloppy"),
        upper: upper.chars().zip(0x80..=0xff).collect(),
        name,
    });
    Tables {
        badness: text(&written.badness),
        inside: text(&written.inside),
        utf8: text(&written.utf8),
        altered: bytes(&written.altered),
        lossy: bytes(&written.lossy),
        codecs: codecs.collect(),
    }
});

impl Codec {
    /// The bytes this text would have been read from, if every character has one.
    fn encode(&self, text: &str) -> Option<Vec<u8>> {
        let byte = |c: char| match c {
            '\u{1a}' if self.sloppy => None,
            '\u{fffd}' if self.sloppy => Some(0x1a),
            '\0'..='\u{7f}' => Some(c as u8),
            _ => self.upper.get(&c).copied(),
        };
        text.chars().map(byte).collect()
    }
}

/// Reads back what was decoded wrongly, as often as it was; other text stays as it is.
pub(super) fn fix(text: String) -> String {
    let mut text = text;
    while let Some(fixed) = step(&text).filter(|fixed| *fixed != text) {
        text = fixed;
    }
    text
}

fn step(text: &str) -> Option<String> {
    if text.is_ascii() || !TABLES.badness.is_match(text) {
        return None;
    }
    if let Some(fixed) = TABLES.codecs.iter().find_map(|codec| reread(codec, text)) {
        return Some(fixed);
    }
    let fixed = fix_embedded(text);
    if fixed != text {
        return Some(fixed);
    }
    // Latin-1 with control characters was Windows-1252.
    let fixed: String = text.chars().map(super::clean::windows_1252).collect();
    Some(fixed)
}

/// The whole text as UTF-8 that was read in this code page.
fn reread(codec: &Codec, text: &str) -> Option<String> {
    let mut raw = codec.encode(text)?;
    // In Mac Roman this would take an en dash before a space for half a character.
    if codec.name != "macroman" && TABLES.altered.is_match(&raw) {
        raw = restore_spaces(&raw);
    }
    if codec.sloppy {
        raw = TABLES.lossy.replace_all(&raw, "\u{fffd}".as_bytes()).into_owned();
    }
    decode(raw)
}

/// Puts back the bytes A0 that became spaces; "Ã " alone is the word "à" and keeps its space.
fn restore_spaces(raw: &[u8]) -> Vec<u8> {
    let mut words = Vec::with_capacity(raw.len());
    let mut at = 0;
    while at < raw.len() {
        let rest = &raw[at..];
        let joined = [&b" "[..], b"quele", b"quela", b"quilo", b"s "];
        if rest.starts_with(b"\xc3 ") && !joined.iter().any(|next| rest[2..].starts_with(next)) {
            words.extend(b"\xc3\xa0 ");
            at += 2;
        } else {
            words.push(rest[0]);
            at += 1;
        }
    }
    let whole = |found: &bytes::Captures| -> Vec<u8> {
        found[0].iter().map(|&byte| if byte == b' ' { 0xa0 } else { byte }).collect()
    };
    TABLES.altered.replace_all(&words, whole).into_owned()
}

/// UTF-8, with the pairs of surrogates of CESU-8 and the long zero of Java.
fn decode(raw: Vec<u8>) -> Option<String> {
    if !raw.iter().any(|byte| matches!(byte, 0xed | 0xc0)) {
        return String::from_utf8(raw).ok();
    }
    let mut out = String::new();
    let (mut start, mut at) = (0, 0);
    while at < raw.len() {
        let (special, len) = match raw[at..] {
            [0xc0, 0x80, ..] => ('\0', 2),
            [
                0xed,
                a @ 0xa0..=0xaf,
                b @ 0x80..=0xbf,
                0xed,
                c @ 0xb0..=0xbf,
                d @ 0x80..=0xbf,
                ..,
            ] => {
                let bits = |byte: u8, mask: u8, shift: u32| u32::from(byte & mask) << shift;
                let code =
                    bits(a, 0xf, 16) + bits(b, 0x3f, 10) + bits(c, 0xf, 6) + bits(d, 0x3f, 0);
                (char::from_u32(code + 0x1_0000)?, 6)
            }
            _ => {
                at += 1;
                continue;
            }
        };
        out.push_str(std::str::from_utf8(&raw[start..at]).ok()?);
        out.push(special);
        at += len;
        start = at;
    }
    out.push_str(std::str::from_utf8(&raw[start..]).ok()?);
    Some(out)
}

/// Mends the garbled parts of a text that is sound elsewhere.
fn fix_embedded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut copied, mut from) = (0, 0);
    while let Some(found) = TABLES.utf8.find_at(text, from) {
        let first = text[found.start()..].chars().next().map_or(1, char::len_utf8);
        let before = text[..found.start()].chars().next_back();
        if before.is_some_and(|c| TABLES.inside.is_match(c.encode_utf8(&mut [0; 4]))) {
            from = found.start() + first;
            continue;
        }
        out.push_str(&text[copied..found.start()]);
        let part = found.as_str();
        if part.len() < text.len() && TABLES.badness.is_match(part) {
            out.push_str(&fix(part.to_owned()));
        } else {
            out.push_str(part);
        }
        (copied, from) = (found.end(), found.end());
    }
    out + &text[copied..]
}
