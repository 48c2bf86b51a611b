//! Scores that are no inner product of two vectors, as those of a matching head or of late interaction: they are explained
//! by hiding parts and words, which asks nothing but scores.

use std::sync::atomic::{AtomicUsize, Ordering};

use tuwen_image::RgbImage;

use crate::explain::{Explanation, checked, is_another, remark, weighed};
use crate::game::{Mask, TOGETHER};
use crate::hide::{Words, mixed};
use crate::{Error, Method, Result, Settings, hiding};

/// Scores, or in words why there are none.
pub type Judged = std::result::Result<Vec<f32>, String>;

/// Who gives a score to a picture and a text.
pub trait Judge: Sync {
    /// For people, such as `late`.
    fn name(&self) -> String;

    /// One for each of several pictures of R x R with a text.
    ///
    /// # Errors
    /// In words, what failed.
    fn of_pictures(&self, pictures: &[RgbImage], text: &str) -> Judged;

    /// The words that are read of a text.
    ///
    /// # Errors
    /// It cannot be cut into tokens.
    fn read(&self, words: &Words) -> Result<Words> {
        Ok(words.clone())
    }

    /// One for each of several texts with a picture of R x R.
    ///
    /// # Errors
    /// In words, what failed.
    fn of_texts(&self, picture: &RgbImage, texts: &[&str]) -> Judged;
}

/// Whether a method can be used where there are scores and nothing else.
pub(crate) fn asks_scores_alone(method: Method, who: &str) -> Result<()> {
    if method.hides() && method != Method::Fixlip {
        return Ok(());
    }
    let can = Method::NAMES.iter().filter(|(_, other)| other.hides() && *other != Method::Fixlip);
    let can: Vec<&str> = can.map(|(name, _)| *name).collect();
    let why = match method {
        Method::Fixlip => "it needs scores that are inner products of two vectors",
        _ => "its way goes through the towers of a dual encoder to one cosine",
    };
    Err(Error::Refused(format!(
        "{who} cannot be explained by {}: {why}; what can be used: {}",
        method.name(),
        can.join(", ")
    )))
}

/// Explains a judge's score of a picture and a text; with a rival text, how much higher it is than that one's.
///
/// # Errors
/// A method that needs more than scores, settings or texts that make no sense, and the judge's.
pub fn explain_judge(
    judge: &dyn Judge,
    picture: &RgbImage,
    text: &str,
    rival: Option<&str>,
    settings: &Settings,
) -> Result<Explanation> {
    asks_scores_alone(settings.method, &judge.name())?;
    settings.check(picture)?;
    is_another(text, rival.as_slice())?;
    let all = checked(text)?;
    let words = judge.read(&all)?;
    let failed = |what: String| Error::Judge { name: judge.name(), what };
    let of_pictures = |pictures: &[RgbImage]| -> Result<Vec<f32>> {
        let mut scores = judge.of_pictures(pictures, text).map_err(failed)?;
        if let Some(rival) = rival {
            let less = judge.of_pictures(pictures, rival).map_err(failed)?;
            scores.iter_mut().zip(less).for_each(|(own, less)| *own -= less);
        }
        Ok(scores)
    };
    let calls = [AtomicUsize::new(0), AtomicUsize::new(0)];
    let regions = hiding::regions(picture, settings);
    let hidden = settings.fill.hidden(picture, &regions);
    let of_masks = |masks: &[Mask]| -> Result<Vec<f32>> {
        calls[0].fetch_add(masks.len(), Ordering::Relaxed);
        let mut scores = Vec::with_capacity(masks.len());
        for some in masks.chunks(TOGETHER) {
            settings.watch.next(some.len())?;
            let of = regions.of();
            let show = |mask: &Mask| mixed(picture, &hidden, |pixel| mask[of[pixel] as usize]);
            scores.extend(of_pictures(&some.iter().map(show).collect::<Vec<_>>())?);
        }
        Ok(scores)
    };
    let found = hiding::of_parts(settings, regions.count(), &of_masks)?;
    let without = |masks: &[Mask]| -> Result<Vec<f32>> {
        calls[1].fetch_add(masks.len(), Ordering::Relaxed);
        let texts: Vec<String> = masks.iter().map(|mask| words.with(|at| mask[at])).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let mut scores = Vec::with_capacity(texts.len());
        for some in texts.chunks(TOGETHER) {
            settings.watch.next(some.len())?;
            scores.extend(judge.of_texts(picture, some).map_err(failed)?);
        }
        Ok(scores)
    };
    let weights = hiding::of_words(settings, &words, &without)?;
    let score = of_pictures(std::slice::from_ref(picture))?[0];
    let (across, map) = hiding::map(settings, &regions, found.players);
    let mut explanation = Explanation {
        method: settings.method,
        words_by: settings.method,
        score,
        across,
        map,
        words: weighed(&words, &weights),
        pairs: None,
        r2: found.r2,
        r2_left_out: found.r2_left_out,
        calls: calls.map(AtomicUsize::into_inner),
        notes: Vec::new(),
    };
    explanation.pad(&all);
    if words.len() < all.len() {
        explanation.notes.push(format!(
            "the last {} words of the text lie beyond the model's context and have no weight",
            all.len() - words.len()
        ));
    }
    explanation.notes.extend(hiding::few(settings, regions.count()));
    remark(picture, &mut explanation)?;
    Ok(explanation)
}
