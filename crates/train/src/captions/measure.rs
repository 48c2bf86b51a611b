//! What a decoder's captions are worth: CIDEr-D of the most probable words.

use rayon::prelude::*;
use tuwen_caption::{Control, Decoder, greedy};
use tuwen_eval::captions::{Item, Report, cider};

use super::words::{language_of, measured_by};
use crate::heads::cache::Items;

/// Pictures that are described side by side.
const SIDE_BY_SIDE: usize = 16;

/// The captions of some pictures, the most probable word each time.
pub(super) fn captions(
    decoder: &Decoder<'_>,
    rows: &Items,
    pictures: &[usize],
    language: usize,
) -> Vec<String> {
    let control = Control { most: decoder.config().longest, ..Control::default() };
    let some = |some: &[usize]| {
        let looked = look(decoder, rows, some);
        let each = (0..some.len()).collect();
        let said = decoder.together(&looked, language, each, &control, &mut |row| greedy(row));
        let words = &decoder.config().languages[language];
        said.into_iter().map(|said| words.write(&said.tokens)).collect::<Vec<String>>()
    };
    pictures.par_chunks(SIDE_BY_SIDE).flat_map_iter(some).collect()
}

/// Looks at pictures of a set.
pub(super) fn look(decoder: &Decoder<'_>, rows: &Items, some: &[usize]) -> tuwen_caption::Looked {
    let all: Vec<Vec<f32>> = some
        .iter()
        .map(|&picture| {
            let mut all = Vec::new();
            rows.tokens_into(picture, &mut all);
            all
        })
        .collect();
    decoder.look(&all.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

/// Mean CIDEr-D, of Chinese by characters and by words.
pub(super) fn worth(language: &str, captions: &[String], references: &[Vec<String>]) -> f64 {
    let ways = measured_by(language);
    let by = |cut: fn(&str) -> Vec<String>| {
        let candidates: Vec<_> = captions.iter().map(|caption| cut(caption)).collect();
        let references: Vec<Vec<_>> =
            references.iter().map(|all| all.iter().map(|one| cut(one)).collect()).collect();
        let pairs = candidates.iter().zip(&references);
        let items: Vec<Item<'_>> =
            pairs.map(|(candidate, references)| Item { candidate, references }).collect();
        let found = cider(&items);
        found.iter().map(|one| one.d).sum::<f64>() / found.len().max(1) as f64
    };
    ways.iter().map(|(_, cut)| by(*cut)).sum::<f64>() / ways.len() as f64
}

/// All numbers of a language's captions, for each way they are cut.
pub fn reports(
    language: &str,
    captions: &[String],
    references: &[Vec<String>],
) -> Vec<(&'static str, Report)> {
    let by = |(name, cut): (&'static str, fn(&str) -> Vec<String>)| {
        let candidates: Vec<_> = captions.iter().map(|caption| cut(caption)).collect();
        let references: Vec<Vec<_>> =
            references.iter().map(|all| all.iter().map(|one| cut(one)).collect()).collect();
        (name, Report::new(&candidates, &references, language_of(language)))
    };
    measured_by(language).into_iter().map(by).collect()
}
