//! Explanations by hiding, of any score: parts of a picture and words of a text are hidden, and a game says what is left.

use tuwen_image::RgbImage;

use crate::hide::Words;
use crate::owen::{Tree, owen};
use crate::perturb::{Scores, Weights};
use crate::{Method, Regions, Result, Settings, perturb, shapley};

/// Texts with words left out, at most, unless the words need more; all sets of eight words.
pub(crate) const TEXTS: usize = 256;
/// A map of superpixels has so many values along a side.
const FINE: usize = 56;

/// The parts that a method hides of a picture.
pub(crate) fn regions(picture: &RgbImage, settings: &Settings) -> Regions {
    match settings.method {
        Method::Lime => Regions::slic(picture, settings.cells * settings.cells),
        _ => Regions::of_picture(picture, settings.cells),
    }
}

/// What each part of a picture is worth.
pub(crate) fn of_parts(
    settings: &Settings,
    players: usize,
    scores: &Scores<'_>,
) -> Result<Weights> {
    let Settings { samples, width, seed, .. } = *settings;
    match settings.method {
        Method::Lime if players > 1 => perturb::lime(players, samples, width, seed, scores),
        Method::Shap => shapley::kernel_shap(players, samples, seed, scores),
        Method::Owen => owen(&Tree::of_grid(settings.cells), samples, scores),
        _ => perturb::occlusion(players, scores),
    }
}

/// What each word of a text is worth; nothing where there is none, or nobody wants to know.
pub(crate) fn of_words(
    settings: &Settings,
    words: &Words,
    scores: &Scores<'_>,
) -> Result<Vec<f32>> {
    let count = words.len();
    if count == 0 || !settings.words {
        return Ok(Vec::new());
    }
    let few = texts(settings, count);
    let Settings { width, seed, .. } = *settings;
    let found = match settings.method {
        // Of one word there is a difference, and nothing to fit: the ridge would make it next to nothing.
        Method::Lime if count > 1 => perturb::lime(count, few, width, seed, scores),
        Method::Shap => shapley::kernel_shap(count, few, seed, scores),
        Method::Owen => owen(&Tree::of_row(0, count), few, scores),
        _ => perturb::occlusion(count, scores),
    };
    Ok(found?.players)
}

/// Texts with words left out for methods that draw them.
fn texts(settings: &Settings, words: usize) -> usize {
    TEXTS.max(4 * words).min(settings.samples.max(4 * words))
}

impl Settings {
    /// How many pictures with hidden parts, and texts with words left out, a method asks for: owen at most so many, and lime
    /// where so few superpixels come out that all their sets are asked. What a score itself takes is not counted, nor who is
    /// asked for two texts each time.
    pub fn asks(&self, words: usize) -> [usize; 2] {
        let parts = self.cells * self.cells;
        let sets = |players: usize| 1usize.checked_shl(players as u32).unwrap_or(usize::MAX);
        // All sets, or those that determine the values and what is drawn.
        let shap =
            |players: usize, samples: usize| sets(players).min(samples.max(2 * players + 2)).max(2);
        let few = texts(self, words);
        let pictures = match self.method {
            // Superpixels may be half as many again.
            Method::Lime => self.samples.min(sets(parts + parts / 2)),
            Method::Fixlip => self.samples.min(sets(parts)),
            Method::Shap => shap(parts, self.samples),
            Method::Owen => self.samples.max(2),
            Method::Occlusion => parts + 1,
            _ => 0,
        };
        let texts = match self.method {
            _ if words == 0 => 0,
            Method::Fixlip => TEXTS.max(4 * words).min(sets(words)),
            _ if !self.words => 0,
            Method::Lime => few.min(sets(words)),
            Method::Shap => shap(words, few),
            Method::Owen => few.max(2),
            Method::Gradient => 0,
            _ => words + 1,
        };
        [pictures, texts]
    }
}

/// Samples a part, of which fewer say little.
const ENOUGH: usize = 4;

/// What a reader must know where a model was fitted to few pictures with hidden parts.
pub(crate) fn few(settings: &Settings, parts: usize) -> Option<String> {
    let fitted = matches!(settings.method, Method::Lime | Method::Shap | Method::Fixlip);
    let all = 1usize.checked_shl(parts as u32).is_some_and(|sets| sets <= settings.samples);
    (fitted && !all && settings.samples < ENOUGH * parts).then(|| {
        format!(
            "{} samples for {parts} parts are few: single values are uncertain, and R2, which is of these samples \
             themselves, says little of others; {} or more are better, or fewer --cells",
            settings.samples,
            ENOUGH * parts
        )
    })
}

/// A map of what each part is worth, and how many values it has along a side.
pub(crate) fn map(settings: &Settings, regions: &Regions, players: Vec<f32>) -> (usize, Vec<f32>) {
    match settings.method {
        Method::Lime => fine(regions, &players),
        _ => (settings.cells, players),
    }
}

/// Values of regions at the middles of a grid's cells, and how many there are along a side.
fn fine(regions: &Regions, values: &[f32]) -> (usize, Vec<f32>) {
    let [width, height] = regions.size();
    let across = FINE.min(width).min(height);
    let middle = |at: usize, side: usize| (2 * at + 1) * side / (2 * across);
    let pixel = |at: usize| middle(at / across, height) * width + middle(at % across, width);
    (across, (0..across * across).map(|at| values[regions.of()[pixel(at)] as usize]).collect())
}
