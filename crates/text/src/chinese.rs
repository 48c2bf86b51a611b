//! Words of Chinese: jieba's algorithm (<https://github.com/fxsjy/jieba>, MIT), the most likely way to cut a
//! text into words of a dictionary, each as likely as it is frequent.
//!
//! The dictionary lies in the program as it is used, so that a first query waits for nothing and takes no
//! memory: jieba-rs needs a quarter of a second and 30 MB to build its trie, and a dozen more crates. The
//! words that jieba saw less than five times are left out (names, above all); their characters are found
//! side by side anyway. `tests/golden/words.tsv` is what jieba itself makes of the same words.

use crate::dictionary::Dictionary;

/// See `write_words` in `scripts/golden/words.py`.
static WORDS: &[u8] = include_bytes!("words.bin");
/// Units of a cost in one of the natural logarithm.
const SCALE: f64 = 2048.0;
/// Of a character that is in no word: as rare as can be, ln(total) in the units of the table.
const UNKNOWN: u32 = 36_661;

/// The cost of a word that is seen so often among all of the dictionary.
pub(crate) fn cost_of(frequency: u64) -> u32 {
    // Floats saturate: a frequency beyond the total costs nothing.
    (f64::from(UNKNOWN) - (frequency.max(1) as f64).ln() * SCALE).round() as u32
}

fn number(at: usize) -> Option<u32> {
    WORDS.get(at..)?.first_chunk().map(|&bytes| u32::from_le_bytes(bytes))
}

/// The words that begin with a character: their bytes behind it, with their costs, in the order of bytes.
fn group(first: char) -> impl Iterator<Item = (&'static [u8], u32)> {
    let count = number(0).unwrap_or(0) as usize;
    let (starts, _) = WORDS.get(4..4 + 8 * count).unwrap_or(&[]).as_chunks::<8>();
    let code = |start: &[u8; 8]| u32::from_le_bytes([start[0], start[1], start[2], start[3]]);
    let at = |index: usize| number(4 + 8 * index + 4).map(|at| at as usize);
    let records = starts.binary_search_by_key(&(first as u32), code).ok().and_then(|index| {
        let end = if index + 1 < count { at(index + 1)? } else { WORDS.len() };
        WORDS.get(at(index)?..end)
    });
    let mut rest = records.unwrap_or(&[]);
    std::iter::from_fn(move || {
        let &[length, low, high] = rest.first_chunk()?;
        let (word, behind) = rest[3..].split_at_checked(usize::from(length))?;
        rest = behind;
        Some((word, u32::from(u16::from_le_bytes([low, high]))))
    })
}

/// The words of the dictionary that a text begins with: their lengths in bytes, and costs.
fn prefixes(text: &str) -> impl Iterator<Item = (usize, u32)> {
    let first = text.chars().next();
    let head = first.map_or(0, char::len_utf8);
    let rest = &text.as_bytes()[head..];
    let words = first.into_iter().flat_map(group);
    // Those behind the text in the order of bytes cannot begin it.
    let near = words.take_while(move |(word, _)| *word <= rest);
    near.filter(move |(word, _)| rest.starts_with(word))
        .map(move |(w, cost)| (head + w.len(), cost))
}

fn is_word(text: &str) -> bool {
    prefixes(text).any(|(length, _)| length == text.len())
}

/// Cuts a run of Chinese characters into the words that are most likely.
pub(crate) fn cut(run: &str) -> Vec<&str> {
    cut_with(run, &Dictionary::default()).0
}

/// The same with a user's words beside, and what the whole run costs.
pub(crate) fn cut_with<'r>(run: &'r str, own: &Dictionary) -> (Vec<&'r str>, u32) {
    // From the end: the least cost from each character on, and the end of the word that begins there.
    let mut best: Vec<(u32, usize)> = vec![(0, run.len()); run.len() + 1];
    for (at, c) in run.char_indices().rev() {
        let single = at + c.len_utf8();
        let mut found = (best[single].0.saturating_add(UNKNOWN), single);
        for (length, cost) in prefixes(&run[at..]).chain(own.prefixes(&run[at..])) {
            let end = at + length;
            let cost = cost.saturating_add(best[end].0);
            // Of equal ones the longer, as jieba has it: it comes later in the order of bytes.
            if cost <= found.0 {
                found = (cost, end);
            }
        }
        best[at] = found;
    }
    let (mut words, mut at) = (Vec::new(), 0);
    while at < run.len() {
        let end = best[at].1;
        words.push(&run[at..end]);
        at = end;
    }
    (words, best[0].0)
}

/// A word and the words of two and three characters within it, shorter ones first, as jieba's search mode
/// gives them.
pub(crate) fn parts(word: &str) -> Vec<&str> {
    let ends: Vec<usize> = word.char_indices().map(|(at, _)| at).chain([word.len()]).collect();
    let count = ends.len() - 1;
    let mut parts = Vec::new();
    for length in [2, 3] {
        if count > length {
            let windows = (0..=count - length).map(|at| &word[ends[at]..ends[at + length]]);
            parts.extend(windows.filter(|part| is_word(part)));
        }
    }
    parts.push(word);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cut_as_jieba_cuts_them() {
        let golden = include_str!("../tests/golden/words.tsv");
        let mut lines = 0;
        for line in golden.lines() {
            let [text, words, found] = line.split('\t').collect::<Vec<_>>()[..] else {
                panic!("three columns: {line}")
            };
            assert_eq!(cut(text).join(" "), words, "{text}");
            let all: Vec<&str> = cut(text).into_iter().flat_map(parts).collect();
            assert_eq!(all.join(" "), found, "{text}");
            lines += 1;
        }
        assert!(lines > 150, "{lines} lines");
    }

    #[test]
    fn the_dictionary_is_whole() {
        let count = number(0).expect("a count") as usize;
        let codes = (0..count).filter_map(|index| char::from_u32(number(4 + 8 * index)?));
        let words: usize = codes.map(|first| group(first).count()).sum();
        assert!(count > 8_000 && words > 120_000, "{count} characters, {words} words");
        assert!(is_word("喜欢") && is_word("猫") && !is_word("欢猫") && !is_word(""));
        assert!(cut("").is_empty());
        assert_eq!(cut("𠮷野家"), ["𠮷", "野", "家"]);
    }
}
