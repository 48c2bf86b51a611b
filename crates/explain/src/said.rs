//! Which parts of a picture made a decoder say each word of its caption: what the word's log-probability loses where
//! parts are hidden, the words before it as they were said.

use std::cell::RefCell;
use std::collections::HashMap;

use tuwen_image::RgbImage;

use crate::explain::{Explanation, Word, remark};
use crate::game::{Mask, TOGETHER};
use crate::hide::mixed;
use crate::judge::asks_scores_alone;
use crate::{Error, Regions, Result, Settings, Watch, hiding};

/// A word that was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaidWord {
    /// As it stands in the caption.
    pub text: String,
    /// Its first byte.
    pub start: usize,
}

/// For each of several pictures of R x R the logarithm of each word's probability behind the words before it, or in words
/// why there is none.
pub type LogProbs<'l> = dyn Fn(&[RgbImage]) -> std::result::Result<Vec<Vec<f32>>, String> + 'l;

/// Explains a caption. The map is that of all words together, the sum of theirs; a word's weight is how much more
/// probable the whole picture makes it than one of which all is hidden.
///
/// # Errors
/// A method that needs more than scores, settings that make no sense, a caption without words, and the decoder's.
pub fn explain_said(
    name: &str,
    picture: &RgbImage,
    said: &[SaidWord],
    settings: &Settings,
    log_probs: &LogProbs<'_>,
) -> Result<Explanation> {
    asks_scores_alone(settings.method, &format!("the caption of {name}"))?;
    settings.check(picture)?;
    if said.is_empty() {
        return Err(Error::Refused(format!(
            "{name} says nothing of the picture: there is no word to explain"
        )));
    }
    let game = Game::new(name, picture, settings, log_probs);
    let parts = game.regions.count();
    let ends = [true, false].map(|shown| vec![shown; parts]);
    let [all, none] = [game.of(&ends[0])?, game.of(&ends[1])?];
    let (mut pairs, mut sum, mut words) = (Vec::new(), Vec::new(), Vec::new());
    let (mut across, mut r2, mut r2_left_out) = (0, None, None);
    for (at, SaidWord { text, start }) in said.iter().enumerate() {
        let found = hiding::of_parts(settings, parts, &|masks| game.word(masks, at))?;
        // The worst of the words' fits says how far to believe all.
        r2 = worse(r2, found.r2);
        r2_left_out = worse(r2_left_out, found.r2_left_out);
        let (side, map) = hiding::map(settings, &game.regions, found.players);
        across = side;
        sum.resize(map.len(), 0.0);
        sum.iter_mut().zip(&map).for_each(|(sum, value): (&mut f32, &f32)| *sum += value);
        pairs.extend(map);
        let (text, end) = (text.clone(), start + text.len());
        words.push(Word { text, start: *start, end, weight: all[at] - none[at] });
    }
    let mut explanation = Explanation {
        method: settings.method,
        words_by: settings.method,
        score: all.iter().sum(),
        across,
        map: sum,
        words,
        pairs: Some(pairs),
        r2,
        r2_left_out,
        calls: [game.known.into_inner().len(), 0],
        notes: Vec::new(),
    };
    explanation.notes.extend(hiding::few(settings, parts));
    remark(picture, &mut explanation)?;
    // A caption of one word has no text without it.
    explanation.notes.retain(|note| !note.contains("one word"));
    Ok(explanation)
}

fn worse(one: Option<f32>, other: Option<f32>) -> Option<f32> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// Pictures with hidden parts, and what each of them gives: every word asks for the same ones.
struct Game<'g> {
    name: &'g str,
    picture: &'g RgbImage,
    hidden: RgbImage,
    regions: Regions,
    log_probs: &'g LogProbs<'g>,
    watch: &'g Watch,
    known: RefCell<HashMap<Mask, Vec<f32>>>,
}

impl<'g> Game<'g> {
    fn new(
        name: &'g str,
        picture: &'g RgbImage,
        settings: &'g Settings,
        log_probs: &'g LogProbs<'g>,
    ) -> Self {
        let regions = hiding::regions(picture, settings);
        let hidden = settings.fill.hidden(picture, &regions);
        let (watch, known) = (&settings.watch, RefCell::default());
        Self { name, picture, hidden, regions, log_probs, watch, known }
    }

    /// All words of one mask.
    fn of(&self, mask: &Mask) -> Result<Vec<f32>> {
        self.complete(std::slice::from_ref(mask))?;
        Ok(self.known.borrow()[mask].clone())
    }

    /// One word of several masks.
    fn word(&self, masks: &[Mask], at: usize) -> Result<Vec<f32>> {
        self.complete(masks)?;
        let known = self.known.borrow();
        Ok(masks.iter().map(|mask| known[mask][at]).collect())
    }

    fn complete(&self, masks: &[Mask]) -> Result<()> {
        let mut known = self.known.borrow_mut();
        let missing: Vec<&Mask> = masks.iter().filter(|mask| !known.contains_key(*mask)).collect();
        let of = self.regions.of();
        let show = |mask: &&Mask| mixed(self.picture, &self.hidden, |p| mask[of[p] as usize]);
        for some in missing.chunks(TOGETHER) {
            self.watch.next(some.len())?;
            let found = (self.log_probs)(&some.iter().map(show).collect::<Vec<_>>());
            let found = found.map_err(|what| Error::Judge { name: self.name.to_owned(), what })?;
            known.extend(some.iter().map(|mask| (*mask).clone()).zip(found));
        }
        Ok(())
    }
}
