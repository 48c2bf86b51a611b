//! Which parts of a picture made a decoder say each word of its caption: what the word's log-probability loses where
//! parts are hidden, the words before it as they were said.

use std::cell::RefCell;
use std::collections::HashMap;

use tuwen_image::RgbImage;

use crate::explain::{Explanation, Word, remarks};
use crate::game::{Mask, TOGETHER};
use crate::hide::mixed;
use crate::judge::asks_scores_alone;
use crate::perturb::Scores;
use crate::{Error, Result, Settings, hiding};

/// A word that was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaidWord {
    /// As it stands in the caption.
    pub text: String,
    /// Its first byte.
    pub start: usize,
}

/// Explains a caption. `log_probs` gives for each of several pictures of R x R the logarithm of each word's probability
/// behind the words before it. The map is that of all words together, the sum of theirs; a word's weight is how much
/// more probable the whole picture makes it than one of which all is hidden.
///
/// # Errors
/// A method that needs more than scores, settings that make no sense, a caption without words, and the decoder's.
pub fn explain_said(
    name: &str,
    picture: &RgbImage,
    said: &[SaidWord],
    settings: &Settings,
    log_probs: &dyn Fn(&[RgbImage]) -> std::result::Result<Vec<Vec<f32>>, String>,
) -> Result<Explanation> {
    asks_scores_alone(settings.method, &format!("the caption of {name}"))?;
    settings.check(picture.width() as usize)?;
    if said.is_empty() {
        return Err(Error::Refused(format!(
            "{name} says nothing of the picture: there is no word to explain"
        )));
    }
    let regions = hiding::regions(picture, settings);
    let hidden = settings.fill.hidden(picture, &regions);
    // Every word asks for the same masks, and each of them gives all words.
    let known: RefCell<HashMap<Mask, Vec<f32>>> = RefCell::default();
    let complete = |masks: &[Mask]| -> Result<()> {
        let mut known = known.borrow_mut();
        let missing: Vec<&Mask> = masks.iter().filter(|mask| !known.contains_key(*mask)).collect();
        for some in missing.chunks(TOGETHER) {
            let of = regions.of();
            let show = |mask: &&Mask| mixed(picture, &hidden, |pixel| mask[of[pixel] as usize]);
            let found = log_probs(&some.iter().map(show).collect::<Vec<_>>())
                .map_err(|what| Error::Judge { name: name.to_owned(), what })?;
            known.extend(some.iter().map(|mask| (*mask).clone()).zip(found));
        }
        Ok(())
    };
    let (all, none) = (vec![true; regions.count()], vec![false; regions.count()]);
    complete(&[all.clone(), none.clone()])?;
    let (mut pairs, mut sum, mut words) = (Vec::new(), Vec::new(), Vec::new());
    let (mut across, mut r2) = (0, None);
    for (at, word) in said.iter().enumerate() {
        let of_word = |masks: &[Mask]| -> Result<Vec<f32>> {
            complete(masks)?;
            let known = known.borrow();
            Ok(masks.iter().map(|mask| known[mask][at]).collect())
        };
        let scores: &Scores<'_> = &of_word;
        let found = hiding::of_parts(settings, regions.count(), scores)?;
        // The worst of the words' fits says how far to believe all.
        r2 = match (r2, found.r2) {
            (Some(a), Some(b)) => Some(f32::min(a, b)),
            (a, b) => a.or(b),
        };
        let (side, map) = hiding::map(settings, &regions, found.players);
        across = side;
        sum.resize(map.len(), 0.0);
        sum.iter_mut().zip(&map).for_each(|(sum, value): (&mut f32, &f32)| *sum += value);
        pairs.extend(map);
        let known = known.borrow();
        let SaidWord { text, start } = word.clone();
        let weight = known[&all][at] - known[&none][at];
        words.push(Word { end: start + text.len(), text, start, weight });
    }
    let known = known.into_inner();
    let mut explanation = Explanation {
        method: settings.method,
        words_by: settings.method,
        score: known[&all].iter().sum(),
        across,
        map: sum,
        words,
        pairs: Some(pairs),
        r2,
        calls: [known.len(), 0],
        notes: Vec::new(),
    };
    explanation.notes = remarks(picture, &explanation)?;
    explanation.notes.retain(|note| !note.contains("one word"));
    Ok(explanation)
}
