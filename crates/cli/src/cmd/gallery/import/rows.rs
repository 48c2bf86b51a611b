//! Rows of vectors into a gallery, portion by portion.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, Error, Result, bail};
use indicatif::ProgressBar;
use tuwen_index::filter::Fields;
use tuwen_index::{Gallery, Item, Modality, NewItem};
use tuwen_sets::vectors::{Input, Kind, Line, Rows};

/// Rows of a transaction.
const PORTION: usize = 10_000;

/// Reads all before anything is written: each row has its line, and none is more.
pub fn look(inputs: &[Input], bar: &ProgressBar) -> Result<()> {
    let (mut names, mut row) = (HashSet::new(), Vec::new());
    for input in inputs {
        let mut rows = input.open()?;
        while let Some(line) = rows.next(&mut row)? {
            bar.inc(1);
            let place = || rows.place();
            if line.path.is_empty() || line.path.contains('\0') {
                bail!("{}: `{}` is no name of a file", place(), line.path.escape_default());
            }
            line.owner().map_err(Error::msg).with_context(place)?;
            let origin = line.origin().map_err(Error::msg).with_context(place)?;
            if line.text.is_none() && !rows.is_of_pairs() && !names.insert(origin) {
                bail!("{}: `{}` is there twice: a picture has one vector", place(), line.path);
            }
        }
    }
    bar.finish_and_clear();
    Ok(())
}

/// What became of a file's rows.
#[derive(Default)]
pub struct Added {
    /// New ones.
    pub added: usize,
    /// There before.
    pub known: usize,
    /// Of these, those whose vector there is another one.
    pub others: usize,
}

/// Adds the rows of a file that the gallery does not have. `numbers` are those of pictures, by their names, for the captions
/// that come after them.
pub fn add(
    gallery: &Gallery,
    input: &Input,
    numbers: &mut HashMap<Vec<u8>, i64>,
    bar: &ProgressBar,
) -> Result<Added> {
    let modality = match input.kind {
        Kind::Pictures => Modality::Image,
        Kind::Texts => Modality::Text,
    };
    let (mut rows, mut done, before) = (input.open()?, Added::default(), gallery.last_id()?);
    loop {
        let some = portion(&mut rows, modality, numbers)?;
        if some.is_empty() {
            return Ok(done);
        }
        let count = some.len() as u64;
        gallery.transaction(|gallery| {
            some.into_iter().try_for_each(|item| {
                let (origin, id) = (item.origin.clone(), put(gallery, item, before, &mut done)?);
                if modality == Modality::Image {
                    numbers.insert(origin, id);
                }
                Ok(())
            })
        })?;
        bar.inc(count);
    }
}

/// The next rows as items; none behind the last.
fn portion(
    rows: &mut Rows,
    modality: Modality,
    numbers: &HashMap<Vec<u8>, i64>,
) -> Result<Vec<NewItem>> {
    let (mut some, mut row) = (Vec::new(), Vec::new());
    while some.len() < PORTION
        && let Some(line) = rows.next(&mut row)?
    {
        some.push(item(modality, &line, &row, numbers)?);
    }
    Ok(some)
}

/// Inserts an item that is not there; its number.
fn put(
    gallery: &Gallery,
    item: NewItem,
    before: i64,
    done: &mut Added,
) -> tuwen_index::Result<i64> {
    let same = gallery.from_origin(item.modality, &item.origin)?;
    let is_same = |old: &Item| old.text == item.text && old.owner == item.owner;
    let Some(old) = same.into_iter().find(is_same) else {
        done.added += 1;
        return gallery.insert(&item);
    };
    done.known += 1;
    // A text may be twice in the file; what is not yet committed cannot be read.
    let is_other = old.id <= before && gallery.vector(old.id)? != item.vector;
    done.others += usize::from(is_other);
    Ok(old.id)
}

fn item(
    modality: Modality,
    line: &Line,
    vector: &[f32],
    numbers: &HashMap<Vec<u8>, i64>,
) -> Result<NewItem> {
    let text = line.text.clone();
    let content: Vec<u8> = match &text {
        Some(text) => text.clone().into_bytes(),
        None => vector.iter().flat_map(|value| value.to_le_bytes()).collect(),
    };
    let words = text.clone().unwrap_or_else(|| line.path.replace(['/', '\\'], "\n"));
    let metadata = if line.metadata.is_object() { line.metadata.to_string() } else { "{}".into() };
    let owner = line.owner().map_err(Error::msg)?.and_then(|image| numbers.get(&image)).copied();
    Ok(NewItem {
        modality,
        origin: line.origin().map_err(Error::msg)?,
        owner,
        hash: *blake3::hash(&content).as_bytes(),
        size: text.as_ref().map_or(0, |text| text.len() as u64),
        mtime_ns: 0,
        metadata,
        fields: Fields::default(),
        words,
        vector: vector.to_vec(),
        text,
    })
}
