//! OpenAI CLIP's byte-pair tokenizer, with its 48,894 merges embedded in the program.
//!
//! Source: `SimpleTokenizer` (<https://github.com/openai/CLIP/blob/main/clip/simple_tokenizer.py>).
//! Its text cleaning is [`super::clean`]. The special tokens written in a text are kept as such,
//! as there.

use std::collections::HashMap;
use std::sync::OnceLock;

use unicode_general_category::{GeneralCategory as Category, get_general_category};

use super::between;
use super::clean::clean;

/// First token of every text.
pub const START_OF_TEXT: u32 = 49_406;
/// Last token of every text, the one whose feature is the text's.
pub const END_OF_TEXT: u32 = 49_407;

/// Added to the id of a byte that ends a word.
const WORD_END: u32 = 256;
/// The id of the first merge.
const FIRST_MERGE: u32 = 512;

const MERGES: &str = include_str!("merges.txt");

/// Splits text into the ids of the embedded vocabulary.
pub struct ClipBpe {
    /// Neighbours and what they become; a lower id is merged earlier.
    merges: HashMap<(u32, u32), u32>,
    /// The id of each byte.
    bytes: [u32; 256],
}

impl ClipBpe {
    /// The one instance, built on first use.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<ClipBpe> = OnceLock::new();
        SHARED.get_or_init(Self::new)
    }

    fn new() -> Self {
        let ids = entries();
        let mut bytes = [0; 256];
        for (id, (byte, _)) in written().into_iter().enumerate() {
            bytes[usize::from(byte)] = id as u32;
        }
        let merge = |(line, id): (&str, u32)| {
            let (left, right) = line.split_once(' ').expect("two parts in every merge");
            ((ids[left], ids[right]), id)
        };
        Self { merges: MERGES.lines().zip(FIRST_MERGE..).map(merge).collect(), bytes }
    }

    /// The id of an entry as vocabulary files write it (`dog</w>`).
    pub fn id(entry: &str) -> Option<u32> {
        static IDS: OnceLock<HashMap<String, u32>> = OnceLock::new();
        IDS.get_or_init(entries).get(entry).copied()
    }

    /// `vocab.json` and `merges.txt` as transformers keeps this vocabulary.
    pub fn files() -> [(&'static str, String); 2] {
        let ids: std::collections::BTreeMap<String, u32> = entries().into_iter().collect();
        let vocabulary = serde_json::to_string(&ids).expect("names and numbers");
        [("vocab.json", vocabulary), ("merges.txt", format!("#version: 0.2\n{MERGES}"))]
    }

    /// The ids of `text` without start and end, not cut.
    pub fn pieces(&self, text: &str) -> Vec<u32> {
        let cleaned = clean(text);
        let mut out = Vec::new();
        let mut rest = &cleaned[..];
        while let Some(word) = next_word(&mut rest) {
            match word {
                "<|startoftext|>" => out.push(START_OF_TEXT),
                "<|endoftext|>" => out.push(END_OF_TEXT),
                word => self.split_word(word, &mut out),
            }
        }
        out
    }

    /// Start, at most `context - 2` pieces, end; and how many pieces were cut.
    pub fn encode(&self, text: &str, context: usize) -> (Vec<u32>, usize) {
        between(START_OF_TEXT, &self.pieces(text), END_OF_TEXT, context)
    }

    /// Merges neighbours, the earliest merge first, until none is left.
    fn split_word(&self, word: &str, out: &mut Vec<u32>) {
        let mut symbols: Vec<u32> = word.bytes().map(|b| self.bytes[usize::from(b)]).collect();
        if let Some(last) = symbols.last_mut() {
            *last += WORD_END;
        }
        loop {
            let pairs = symbols.windows(2).filter_map(|pair| self.merges.get(&(pair[0], pair[1])));
            let Some(&best) = pairs.min() else { break };
            let mut merged = Vec::with_capacity(symbols.len());
            let mut at = 0;
            while at < symbols.len() {
                let pair = symbols.get(at + 1).map(|&next| (symbols[at], next));
                let fits = pair.is_some_and(|pair| self.merges.get(&pair) == Some(&best));
                merged.push(if fits { best } else { symbols[at] });
                at += if fits { 2 } else { 1 };
            }
            symbols = merged;
        }
        out.extend(symbols);
    }
}

/// GPT-2's order of bytes, and how vocabularies write them: the printable ones first, as themselves,
/// then the others, as characters from 256 on.
fn written() -> Vec<(u8, char)> {
    let printable = |b: &u8| matches!(b, 33..=126 | 161..=172 | 174..=255);
    let (first, rest): (Vec<u8>, Vec<u8>) = (0..=255).partition(printable);
    let rest = rest.into_iter().zip('\u{100}'..);
    first.into_iter().map(|byte| (byte, char::from(byte))).chain(rest).collect()
}

/// All entries with their ids.
fn entries() -> HashMap<String, u32> {
    let mut ids = HashMap::with_capacity(50_000);
    for (id, (_, written)) in (0..).zip(written()) {
        ids.insert(written.to_string(), id);
        ids.insert(format!("{written}</w>"), id + WORD_END);
    }
    ids.extend(MERGES.lines().zip(FIRST_MERGE..).map(|(line, id)| (line.replacen(' ', "", 1), id)));
    ids.insert("<|startoftext|>".to_owned(), START_OF_TEXT);
    ids.insert("<|endoftext|>".to_owned(), END_OF_TEXT);
    ids
}

#[derive(PartialEq)]
enum Class {
    Letter,
    Number,
    Space,
    Other,
}

fn class(c: char) -> Class {
    match get_general_category(c) {
        Category::UppercaseLetter
        | Category::LowercaseLetter
        | Category::TitlecaseLetter
        | Category::ModifierLetter
        | Category::OtherLetter => Class::Letter,
        Category::DecimalNumber | Category::LetterNumber | Category::OtherNumber => Class::Number,
        // Python's `\s` also takes the four separators that Unicode calls control characters.
        _ if c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c) => Class::Space,
        _ => Class::Other,
    }
}

/// Takes the next match of `<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+`.
fn next_word<'t>(rest: &mut &'t str) -> Option<&'t str> {
    const WHOLE: [&str; 9] =
        ["<|startoftext|>", "<|endoftext|>", "'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];
    *rest = rest.trim_start_matches(|c| class(c) == Class::Space);
    let first = class(rest.chars().next()?);
    let end = match WHOLE.iter().find(|whole| rest.starts_with(**whole)) {
        Some(whole) => whole.len(),
        None if first == Class::Number => rest.chars().next()?.len_utf8(),
        None => rest.find(|c| class(c) != first).unwrap_or(rest.len()),
    };
    let (word, left) = rest.split_at(end);
    *rest = left;
    Some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vocabulary_is_clips() {
        let tokenizer = ClipBpe::shared();
        assert_eq!(tokenizer.merges.len(), 48_894);
        // clip.tokenize(["a photo of a cat", "it's 42!"])
        assert_eq!(tokenizer.pieces("a photo of a cat"), [320, 1125, 539, 320, 2368]);
        assert_eq!(tokenizer.pieces("It's  42!"), [585, 568, 275, 273, 256]);
        let (ids, lost) = tokenizer.encode(&"cat ".repeat(100), 77);
        assert_eq!((ids.len(), ids[0], ids[76], lost), (77, START_OF_TEXT, END_OF_TEXT, 25));
    }
}
