//! Word vectors of other programs: word2vec's text and binary files, GloVe's text, fastText's `.vec` and `.bin`. A file is
//! read once from its beginning, and only the words that are asked for are kept, so that one of several gigabytes needs
//! little memory. What a file claims of itself is believed within bounds alone.

mod binary;
mod fasttext;
mod lines;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use tuwen_files::error::Error as FileError;
use tuwen_files::file;

use crate::error::{Error, Result};

/// Most values of a vector.
const WIDTH: usize = 16_384;
/// Most bytes of a word.
const WORD: usize = 4096;
/// Most numbers that are kept: 8 GB.
const NUMBERS: usize = 2_000_000_000;

/// Words with their vectors.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WordVectors {
    /// The words in the one form ([`tuwen_text::fold`]).
    pub words: Vec<String>,
    /// (V, D).
    pub values: Vec<f32>,
    /// D.
    pub width: usize,
}

/// Which words of a file are kept.
#[derive(Clone, Copy)]
pub struct Wanted<'w>(pub Option<&'w dyn Fn(&str) -> bool>);

/// Words that were kept so far. A file's words may be written in several ways (`Dog`, `dog`); the one that is
/// written in the one form counts, else the first, which is the most frequent one in such files.
struct Kept<'w> {
    wanted: Wanted<'w>,
    found: WordVectors,
    places: HashMap<String, (usize, bool)>,
}

impl<'w> Kept<'w> {
    fn new(wanted: Wanted<'w>, width: usize) -> Self {
        let found = WordVectors { width, ..WordVectors::default() };
        Self { wanted, found, places: HashMap::new() }
    }

    /// Where a word's values belong, if it is to be kept: a row of `found.values`.
    fn place(&mut self, written: &str) -> Result<Option<usize>, String> {
        let word = tuwen_text::fold(written);
        let exact = word == written;
        if word.is_empty() || self.wanted.0.is_some_and(|wanted| !wanted(&word)) {
            return Ok(None);
        }
        if let Some((at, was_exact)) = self.places.get_mut(&word) {
            let better = exact && !*was_exact;
            *was_exact |= exact;
            return Ok(better.then_some(*at));
        }
        let at = self.found.words.len();
        if (at + 1) * self.found.width > NUMBERS {
            return Err(format!("more than {NUMBERS} numbers would be kept; give fewer words"));
        }
        self.places.insert(word.clone(), (at, exact));
        self.found.words.push(word);
        self.found.values.resize((at + 1) * self.found.width, 0.0);
        Ok(Some(at))
    }

    fn row(&mut self, at: usize) -> &mut [f32] {
        &mut self.found.values[at * self.found.width..][..self.found.width]
    }
}

/// Reads a file; which kind it is shows its content.
///
/// # Errors
/// The file is missing, is none of these kinds, is cut, or holds what is no number: the word or the line is named.
pub fn read(path: &Path, wanted: Wanted<'_>) -> Result<WordVectors> {
    let wrong = |what: String| Error::File(FileError::data_set(path, what));
    let mut reader = BufReader::with_capacity(1 << 20, file::open(path)?);
    let head = reader.fill_buf().map_err(|e| FileError::io(path, e))?;
    let found = if fasttext::is_it(head) {
        fasttext::read(&mut reader, wanted)
    } else {
        match lines::header(head) {
            Some(header) if header.is_binary => binary::read(&mut reader, header, wanted),
            header => lines::read(&mut reader, header, wanted),
        }
    };
    let found = found.map_err(wrong)?;
    if found.words.is_empty() {
        return Err(wrong("none of the words that are asked for is in it".into()));
    }
    Ok(found)
}

/// Reads so many floats.
fn floats(reader: &mut impl Read, room: &mut Vec<u8>, to: &mut [f32]) -> Result<(), String> {
    room.resize(to.len() * 4, 0);
    reader.read_exact(room).map_err(cut)?;
    let (numbers, _) = room.as_chunks::<4>();
    to.iter_mut().zip(numbers).for_each(|(to, bytes)| *to = f32::from_le_bytes(*bytes));
    match to.iter().find(|value| !value.is_finite()) {
        Some(value) => Err(format!("a vector has the value {value}, which is not finite")),
        None => Ok(()),
    }
}

fn cut(error: std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => {
            "it is cut short: it ends before what its head says: fetch it again".into()
        }
        _ => error.to_string(),
    }
}
