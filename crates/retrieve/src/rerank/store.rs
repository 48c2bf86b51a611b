//! The tokens of a gallery's pictures: which are there, and those that are missing.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;
use tuwen_encode::{CpuEncoder, Encoder};
use tuwen_image::{Limits, RgbImage};
use tuwen_index::tokens::token_bytes;
use tuwen_index::{Gallery, Item, Modality, TokenStore};
use tuwen_matching::{Heads, Patches};

use crate::origin::path_of;
use crate::{Error, Result};

/// Pictures whose tokens are computed together.
const BATCH: usize = 32;

/// What became of a gallery's tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Pictures that have tokens now.
    pub there: usize,
    /// Of these, those whose tokens were computed.
    pub added: usize,
    /// Pictures that could not be read, with the reason.
    pub failed: Vec<String>,
    /// Whether it was stopped before its end.
    pub stopped: bool,
}

/// What keeping tokens will cost, for people: so many megabytes for a thousand photos, and for those of a gallery.
pub fn announce(heads: &Heads<'_>, pictures: usize) -> String {
    let megabytes = |pictures: usize| token_bytes(pictures, heads.config().bytes()) as f64 / 1e6;
    format!(
        "tokens take up {:.1} MB per 1,000 photos ({} patches of {} bytes each): {:.1} MB for the {pictures} of this \
         gallery",
        megabytes(1000),
        heads.config().patches,
        heads.config().dim,
        megabytes(pictures)
    )
}

/// Computes and keeps the tokens that a gallery, open for writing, lacks. `progress` hears how many pictures were
/// looked at.
///
/// # Errors
/// The gallery cannot be read or written, or the encoder fails. A picture that cannot be read is no error.
pub fn complete(
    gallery: &Gallery,
    encoder: &CpuEncoder,
    heads: &Heads<'_>,
    stop: &AtomicBool,
    progress: &dyn Fn(usize),
) -> Result<Kept> {
    let items = gallery.all(Modality::Image)?;
    let known: HashSet<&[u8]> = items.iter().filter_map(|item| item.hash.get(..16)).collect();
    let wanted = |hash: &[u8]| known.contains(hash);
    let len = heads.config().bytes();
    let mut store = TokenStore::open_for_writing(gallery, heads.fingerprint(), len, &wanted)?;
    let mut kept = Kept::default();
    let mut seen = HashSet::new();
    let missing = |item: &&Item| {
        let whole = || store.get(&item.hash).is_some();
        seen.insert(item.hash.clone()) && !whole()
    };
    let missing: Vec<&Item> = items.iter().filter(missing).collect();
    progress(items.len() - missing.len());
    for some in missing.chunks(BATCH) {
        if stop.load(Ordering::Relaxed) {
            kept.stopped = true;
            break;
        }
        for (item, patches) in some.iter().zip(patches_of(encoder, heads, some)?) {
            match patches {
                Ok(patches) => {
                    store.add(gallery, &item.hash, patches.codes())?;
                    kept.added += 1;
                }
                Err(error) => kept.failed.push(error),
            }
        }
        progress(some.len());
    }
    store.finish()?;
    kept.there = items.iter().filter(|item| store.contains(&item.hash)).count();
    Ok(kept)
}

/// The patches of pictures as they are stored, from their files; why not, where one cannot be read or is another one
/// than the gallery knows.
///
/// # Errors
/// The encoder fails.
pub(super) fn patches_of(
    encoder: &CpuEncoder,
    heads: &Heads<'_>,
    items: &[&Item],
) -> Result<Vec<Result<Patches, String>>> {
    let (mut out, mut pictures) = (Vec::new(), Vec::new());
    for picture in fitted_items(encoder, items) {
        out.push(picture.map(|picture| pictures.push(picture)));
    }
    let mut found = Vec::new();
    for some in pictures.chunks(BATCH) {
        let tokens = encoder.image_tokens(some)?;
        let rows: Vec<&[f32]> = tokens.rows().collect();
        found.extend(heads.store(&rows).map_err(Error::from)?);
    }
    let mut found = found.into_iter();
    let one = |read: Result<(), String>| read.map(|()| found.next().expect("one for each picture"));
    Ok(out.into_iter().map(one).collect())
}

/// Pictures as the model takes them, from their files; why not, where one cannot be read or is another one than the gallery
/// knows.
pub(super) fn fitted_items(encoder: &CpuEncoder, items: &[&Item]) -> Vec<Result<RgbImage, String>> {
    items.par_iter().map(|item| fitted(encoder, item)).collect()
}

fn fitted(encoder: &CpuEncoder, item: &Item) -> Result<RgbImage, String> {
    let path = path_of(&item.origin);
    let said = |what: String| match what.contains(&*path.to_string_lossy()) {
        true => what,
        false => format!("{}: {what}", path.display()),
    };
    let bytes =
        tuwen_image::read_file(&path, Limits::default()).map_err(|e| said(e.to_string()))?;
    if *blake3::hash(&bytes).as_bytes() != *item.hash {
        return Err(said(
            "it is another picture than the one that was indexed: index again".into(),
        ));
    }
    let picture = encoder.preprocess().decode(&bytes, Limits::default());
    picture.map_err(|e| said(e.to_string()))
}
