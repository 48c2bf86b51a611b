//! fastText's binary model, as <https://github.com/facebookresearch/fastText/blob/main/src/fasttext.cc> writes it: settings,
//! dictionary, then the rows of words and of parts of words. A word's vector is the mean of its own row and those of
//! its parts.

use std::collections::HashMap;
use std::io::{BufRead, Read};

use super::{Kept, WIDTH, WORD, Wanted, WordVectors, cut, floats};

const MAGIC: i32 = 793_712_314;
/// Most rows of the matrix.
const ROWS: i64 = 1 << 31;
/// Most parts of all kept words, and characters of one.
const PARTS: usize = 200_000_000;
const LONGEST: i32 = 64;

/// Whether a file begins as such a model.
pub fn is_it(head: &[u8]) -> bool {
    head.first_chunk().is_some_and(|bytes| i32::from_le_bytes(*bytes) == MAGIC)
}

/// What is needed of the settings.
struct Settings {
    width: usize,
    buckets: u32,
    shortest: usize,
    longest: usize,
}

/// Reads the model.
pub fn read(reader: &mut impl BufRead, wanted: Wanted<'_>) -> Result<WordVectors, String> {
    let settings = settings(reader)?;
    let mut kept = Kept::new(wanted, settings.width);
    let words = words(reader)?;
    // Which word a kept one is; one that is written in the one form takes the place of another.
    let mut chosen: Vec<usize> = Vec::new();
    for (at, word) in words.iter().enumerate() {
        match kept.place(word)? {
            Some(place) if place < chosen.len() => chosen[place] = at,
            Some(_) => chosen.push(at),
            None => {}
        }
    }
    let (uses, parts) = uses(&words, &chosen, &settings)?;
    matrix(reader, &mut kept, &uses)?;
    for (row, count) in kept.found.values.chunks_mut(settings.width).zip(parts) {
        row.iter_mut().for_each(|value| *value /= count as f32);
    }
    Ok(kept.found)
}

/// Which kept words a row of the matrix is part of.
type Uses = HashMap<u32, Vec<u32>>;

/// Those of all kept words, and of how many rows each word is made.
fn uses(
    words: &[String],
    chosen: &[usize],
    settings: &Settings,
) -> Result<(Uses, Vec<usize>), String> {
    let (mut uses, mut parts, mut all) = (Uses::new(), Vec::new(), 0);
    for (place, &at) in chosen.iter().enumerate() {
        let hashes = hashes(&words[at], settings);
        all += hashes.len();
        if all > PARTS {
            return Err(format!("its words have more than {PARTS} parts: give fewer words"));
        }
        let rows = hashes.iter().map(|hash| words.len() as u32 + hash % settings.buckets);
        for row in rows.chain([at as u32]) {
            uses.entry(row).or_default().push(place as u32);
        }
        parts.push(hashes.len() + 1);
    }
    Ok((uses, parts))
}

fn settings(reader: &mut impl Read) -> Result<Settings, String> {
    let numbers: Vec<i32> = (0..14).map(|_| int(reader)).collect::<Result<_, _>>()?;
    // The magic number, the version, then 12 settings; a rate of 8 bytes.
    long(reader)?;
    let (version, width) = (numbers[1], numbers[2]);
    let [buckets, shortest, longest] = [numbers[10], numbers[11], numbers[12]];
    if version != 12 {
        return Err(format!("a fastText model of version {version}; 12 is read"));
    }
    if !(1..=WIDTH as i32).contains(&width) {
        return Err(format!(
            "its vectors are said to have {width} values; from 1 to {WIDTH} are read"
        ));
    }
    if buckets < 0 || shortest < 0 || !(0..=LONGEST).contains(&longest) {
        return Err(format!(
            "it says {buckets} buckets for parts of {shortest} to {longest} characters: that cannot be"
        ));
    }
    // Without parts there are no buckets.
    let longest = if buckets == 0 { 0 } else { longest as usize };
    let buckets = buckets.max(1) as u32;
    Ok(Settings { width: width as usize, buckets, shortest: shortest as usize, longest })
}

/// The dictionary's words.
fn words(reader: &mut impl BufRead) -> Result<Vec<String>, String> {
    let [size, count, _labels] = [int(reader)?, int(reader)?, int(reader)?];
    let _tokens = long(reader)?;
    if long(reader)? > 0 {
        return Err("its parts of words are pruned; a model as it was trained is read".into());
    }
    if size < 0 || count < 0 || count > size {
        return Err(format!("it says {count} words of {size} entries: that cannot be"));
    }
    let mut words = Vec::new();
    for at in 0..size {
        let mut word = Vec::new();
        let most = WORD as u64 + 1;
        reader.by_ref().take(most).read_until(0, &mut word).map_err(cut)?;
        if word.pop() != Some(0) {
            return Err(format!("entry {} of {size}: no word of at most {WORD} bytes", at + 1));
        }
        long(reader)?;
        let kind = byte(reader)?;
        if at < count {
            if kind != 0 {
                return Err(format!("entry {} of {size} is no word, though {count} are", at + 1));
            }
            words.push(String::from_utf8_lossy(&word).into_owned());
        }
    }
    Ok(words)
}

fn matrix(reader: &mut impl Read, kept: &mut Kept<'_>, uses: &Uses) -> Result<(), String> {
    if byte(reader)? != 0 {
        return Err("its matrix is quantised (.ftz); a `.bin` or a `.vec` is read".into());
    }
    let (rows, columns) = (long(reader)?, long(reader)?);
    let width = kept.found.width;
    if columns != width as i64 || !(0..=ROWS).contains(&rows) {
        return Err(format!("its matrix is {rows} x {columns} for vectors of {width} values"));
    }
    if let Some(row) = uses.keys().find(|row| i64::from(**row) >= rows) {
        return Err(format!("its matrix has {rows} rows and needs row {}", row + 1));
    }
    let last = uses.keys().max().copied().unwrap_or(0);
    let (mut room, mut values) = (Vec::new(), vec![0.0; width]);
    for row in 0..rows.min(i64::from(last) + 1) {
        floats(reader, &mut room, &mut values)
            .map_err(|what| format!("row {}: {what}", row + 1))?;
        for &place in uses.get(&(row as u32)).into_iter().flatten() {
            let to = kept.row(place as usize).iter_mut();
            to.zip(&values).for_each(|(to, value)| *to += value);
        }
    }
    Ok(())
}

/// Hashes of a word's parts: all runs of so many characters of `<word>`, but single ones at its ends.
fn hashes(word: &str, settings: &Settings) -> Vec<u32> {
    let word = format!("<{word}>");
    let starts: Vec<usize> = word.char_indices().map(|(at, _)| at).chain([word.len()]).collect();
    let count = starts.len() - 1;
    let mut found = Vec::new();
    for from in 0..count {
        for length in settings.shortest.max(1)..=settings.longest.min(count - from) {
            if length == 1 && (from == 0 || from + length == count) {
                continue;
            }
            found.push(hash(&word.as_bytes()[starts[from]..starts[from + length]]));
        }
    }
    found
}

/// FNV-1a over signed bytes, as fastText has it.
fn hash(bytes: &[u8]) -> u32 {
    let step =
        |hash: u32, byte: &u8| (hash ^ i32::from(*byte as i8) as u32).wrapping_mul(16_777_619);
    bytes.iter().fold(2_166_136_261, step)
}

fn byte(reader: &mut impl Read) -> Result<u8, String> {
    let mut bytes = [0; 1];
    reader.read_exact(&mut bytes).map_err(cut)?;
    Ok(bytes[0])
}

fn int(reader: &mut impl Read) -> Result<i32, String> {
    let mut bytes = [0; 4];
    reader.read_exact(&mut bytes).map_err(cut)?;
    Ok(i32::from_le_bytes(bytes))
}

fn long(reader: &mut impl Read) -> Result<i64, String> {
    let mut bytes = [0; 8];
    reader.read_exact(&mut bytes).map_err(cut)?;
    Ok(i64::from_le_bytes(bytes))
}
