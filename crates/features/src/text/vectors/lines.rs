//! `WORD V V V …` lines (GloVe), behind a line `COUNT WIDTH` (word2vec, fastText's `.vec`).

use std::io::{BufRead, Read};

use super::{Kept, WIDTH, WORD, Wanted, WordVectors, cut};

/// What a first line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// How many words are said to follow.
    pub words: usize,
    /// Values of each.
    pub width: usize,
    /// Whether numbers follow as bytes.
    pub is_binary: bool,
}

/// The first line, where it is `COUNT WIDTH`.
pub fn header(head: &[u8]) -> Option<Header> {
    let end = head.iter().position(|&byte| byte == b'\n').unwrap_or(head.len());
    let line = std::str::from_utf8(&head[..end]).ok()?;
    let numbers: Vec<usize> = line.split_whitespace().map_while(|n| n.parse().ok()).collect();
    let [words, width] = numbers[..] else { return None };
    if line.split_whitespace().count() != 2 {
        return None;
    }
    // Behind a word of a text file stand digits; behind one of a binary file anything.
    let rest = head.get(end + 1..).unwrap_or_default();
    let line = &rest[..rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len())];
    let values = line.iter().position(|&byte| byte == b' ').map_or(&[][..], |at| &line[at..]);
    let plain = |byte: &u8| byte.is_ascii_digit() || b" .-+eEinfaINFA\t\r".contains(byte);
    let is_binary = !values.iter().take(64).all(plain) || (values.is_empty() && words > 0);
    Some(Header { words, width, is_binary })
}

/// Reads all lines. Blank ones are passed over.
pub fn read(
    reader: &mut impl BufRead,
    header: Option<Header>,
    wanted: Wanted<'_>,
) -> Result<WordVectors, String> {
    let mut kept = header.map(|header| Kept::new(wanted, header.width));
    if let Some(Header { width, .. }) = header
        && !(1..=WIDTH).contains(&width)
    {
        return Err(format!(
            "its vectors are said to have {width} values; from 1 to {WIDTH} are read"
        ));
    }
    let (mut line, mut at, mut values) = (Vec::new(), 0, Vec::new());
    loop {
        line.clear();
        at += 1;
        // A number of text has 32 bytes at most; a file of one line is no reason to fill the memory.
        let most = (WORD + WIDTH * 32) as u64;
        if reader.by_ref().take(most).read_until(b'\n', &mut line).map_err(cut)? == 0 {
            break;
        }
        if at == 1 && header.is_some() || line.trim_ascii().is_empty() {
            continue;
        }
        let text = String::from_utf8_lossy(&line);
        let wrong = |what: String| format!("line {at}: {what}");
        // A word may hold blanks (GloVe's 840B has such): the values are the last ones.
        let text = text.trim_end();
        values.clear();
        let width = kept.as_ref().map(|kept| kept.found.width);
        let word = split(text, width, &mut values).map_err(wrong)?;
        let kept = kept.get_or_insert_with(|| Kept::new(wanted, values.len()));
        if let Some(place) = kept.place(word)? {
            kept.row(place).copy_from_slice(&values);
        }
    }
    Ok(kept.map(|kept| kept.found).unwrap_or_default())
}

/// The word of a line; its values, `width` of them where that is known.
fn split<'l>(line: &'l str, width: Option<usize>, to: &mut Vec<f32>) -> Result<&'l str, String> {
    let blank = [' ', '\t'];
    let mut rest = line;
    let mut back = Vec::new();
    while width.is_none_or(|width| back.len() < width) {
        let Some((before, value)) = rest.rsplit_once(blank) else { break };
        match value.parse::<f32>() {
            Ok(value) if value.is_finite() => back.push(value),
            Ok(value) => return Err(format!("{value} is not finite")),
            Err(_) if width.is_none() && !back.is_empty() => break,
            Err(_) => return Err(format!("`{}` is no number", shown(value))),
        }
        rest = before.trim_end_matches(blank);
        if back.len() > WIDTH {
            return Err(format!("it has more than {WIDTH} values"));
        }
    }
    if back.is_empty() || width.is_some_and(|width| back.len() != width) {
        let wanted = width.map_or("a word and its values".into(), |w| format!("{w} values"));
        return Err(format!("`{}` has {} values; {wanted} are wanted", shown(rest), back.len()));
    }
    to.extend(back.iter().rev());
    Ok(rest)
}

/// The beginning of what may be long.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}
