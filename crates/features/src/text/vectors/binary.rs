//! word2vec's binary file: `COUNT WIDTH`, then a word, a blank and the numbers' bytes, each perhaps behind a line's end.

use std::io::BufRead;

use super::lines::Header;
use super::{Kept, WIDTH, WORD, Wanted, WordVectors, cut, floats};

/// Reads all words.
pub fn read(
    reader: &mut impl BufRead,
    header: Header,
    wanted: Wanted<'_>,
) -> Result<WordVectors, String> {
    let Header { words, width, .. } = header;
    if !(1..=WIDTH).contains(&width) {
        return Err(format!(
            "its vectors are said to have {width} values; from 1 to {WIDTH} are read"
        ));
    }
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line).map_err(cut)?;
    let mut kept = Kept::new(wanted, width);
    let (mut word, mut room, mut values) = (Vec::new(), Vec::new(), vec![0.0; width]);
    for at in 1..=words {
        word.clear();
        until_blank(reader, &mut word).map_err(|what| format!("word {at} of {words}: {what}"))?;
        floats(reader, &mut room, &mut values)
            .map_err(|what| format!("word {at} of {words}: {what}"))?;
        let written = String::from_utf8_lossy(&word);
        if let Some(place) = kept.place(written.trim_start_matches('\n'))? {
            kept.row(place).copy_from_slice(&values);
        }
    }
    Ok(kept.found)
}

/// A word, up to the blank behind it.
fn until_blank(reader: &mut impl BufRead, word: &mut Vec<u8>) -> Result<(), String> {
    loop {
        let buffer = reader.fill_buf().map_err(cut)?;
        if buffer.is_empty() {
            return Err("it is cut short: it ends before what its head says: fetch it again".into());
        }
        let end = buffer.iter().position(|&byte| byte == b' ');
        let taken = end.unwrap_or(buffer.len());
        if word.len() + taken > WORD {
            return Err(format!("a word of more than {WORD} bytes: this is no word2vec file"));
        }
        word.extend_from_slice(&buffer[..taken]);
        reader.consume(taken + usize::from(end.is_some()));
        if end.is_some() {
            return Ok(());
        }
    }
}
