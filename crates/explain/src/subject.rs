//! A picture and a text of a dual encoder, and every method's way to their score.

use tuwen_encode::{CpuEncoder, Encoder};
use tuwen_image::RgbImage;

use crate::explain::{Explanation, remark, weighed};
use crate::game::{PictureGame, TextGame, dots};
use crate::hide::Words;
use crate::hiding::{self, TEXTS};
use crate::{Error, Method, Result, Settings, fast, fixlip, perturb};

/// What is explained: `(own - other pictures) toward`, of which `toward` is the text's vector without the other
/// texts'.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'s> {
    pub encoder: &'s CpuEncoder,
    pub picture: &'s RgbImage,
    /// None of a direction that is no text's.
    pub words: &'s Words,
    /// (D).
    pub toward: &'s [f32],
    /// What `toward` is without, (D): zeros where there is nothing.
    pub other_texts: &'s [f32],
    /// Mean vector of the pictures that this one is held against, (D): zeros where there are none.
    pub other_pictures: &'s [f32],
    /// Whether parts can speak against the score as much as for it.
    pub contrast: bool,
}

impl Subject<'_> {
    pub(crate) fn explained(&self, settings: &Settings) -> Result<Explanation> {
        let read = self.words.read(self.encoder)?;
        let whole: Subject<'_> = *self;
        let own = Subject { words: &read, ..whole };
        let mut found = match settings.method.hides() {
            true => own.hiding(settings)?,
            false => own.looking(settings)?,
        };
        found.pad(self.words);
        let lost = match self.words.is_empty() {
            true => 0,
            false => self.encoder.tokenise(self.words.text())?.lost,
        };
        remark(self.picture, &mut found)?;
        if lost > 0 {
            found.notes.push(format!(
                "{lost} tokens of the text lie beyond the model's context: words at its end have no weight"
            ));
        }
        Ok(found)
    }

    /// The picture's unit vector without its rivals'.
    fn own(&self) -> Result<Vec<f32>> {
        Ok(self.beyond(&self.encoder.encode_images(std::slice::from_ref(self.picture))?))
    }

    fn beyond(&self, own: &[f32]) -> Vec<f32> {
        own.iter().zip(self.other_pictures).map(|(own, other)| own - other).collect()
    }

    fn score(&self, own: &[f32]) -> f32 {
        dots(own, self.toward)[0]
    }

    /// With one pass, or two.
    fn looking(&self, settings: &Settings) -> Result<Explanation> {
        let look = fast::Look { encoder: self.encoder, picture: self.picture, toward: self.toward };
        let (map, own, pairs) = match settings.method {
            Method::Patches | Method::Surgery => {
                // What two texts have in common is gone already.
                let surgery = settings.method == Method::Surgery && !self.contrast;
                let (map, pairs) = look.patches(self.words, surgery)?;
                (map, self.own()?, Some(pairs).filter(|pairs| !pairs.is_empty()))
            }
            _ => {
                let (mut map, own) = look.map(settings)?;
                if self.contrast && settings.method.keeps_what_supports() {
                    let toward: Vec<f32> = self.toward.iter().map(|value| -value).collect();
                    let (less, _) = fast::Look { toward: &toward, ..look }.map(settings)?;
                    map.iter_mut().zip(less).for_each(|(own, less)| *own -= less);
                }
                (map, self.beyond(&own), None)
            }
        };
        let across = (map.len() as f64).sqrt().round() as usize;
        let (words_by, weights, texts) = match settings.method {
            _ if self.words.is_empty() || !settings.words => (settings.method, Vec::new(), 0),
            Method::Gradient => (Method::Gradient, fast::words(self.encoder, self.words, &own)?, 1),
            _ => {
                let game = TextGame::new(self.encoder, self.words).watched(&settings.watch);
                let found =
                    perturb::occlusion(self.words.len(), &|masks| game.scores(masks, &own))?;
                (Method::Occlusion, found.players, game.calls())
            }
        };
        Ok(Explanation {
            method: settings.method,
            words_by,
            score: self.score(&own),
            across,
            map,
            words: weighed(self.words, &weights),
            pairs,
            r2: None,
            r2_left_out: None,
            calls: [1, texts],
            notes: Vec::new(),
        })
    }

    /// By hiding parts.
    fn hiding(&self, settings: &Settings) -> Result<Explanation> {
        let regions = hiding::regions(self.picture, settings);
        let game = PictureGame::new(self.encoder, self.picture, regions, settings.fill)
            .watched(&settings.watch);
        let texts = TextGame::new(self.encoder, self.words).watched(&settings.watch);
        if settings.method == Method::Fixlip {
            return self.interactions(settings, &game, &texts);
        }
        let found = hiding::of_parts(settings, game.regions.count(), &|masks| {
            game.scores(masks, self.toward)
        })?;
        let own = self.own()?;
        let words = hiding::of_words(settings, self.words, &|masks| texts.scores(masks, &own))?;
        let (across, map) = hiding::map(settings, &game.regions, found.players);
        Ok(Explanation {
            method: settings.method,
            words_by: settings.method,
            score: self.score(&own),
            across,
            map,
            words: weighed(self.words, &words),
            pairs: None,
            r2: found.r2,
            r2_left_out: found.r2_left_out,
            calls: [game.calls(), texts.calls()],
            notes: hiding::few(settings, game.regions.count()).into_iter().collect(),
        })
    }

    fn interactions(
        &self,
        settings: &Settings,
        game: &PictureGame<'_>,
        texts: &TextGame<'_>,
    ) -> Result<Explanation> {
        let (parts, words) = (game.regions.count(), self.words.len());
        if settings.samples < parts + 2 {
            return Err(Error::Refused(format!(
                "{} samples for {parts} parts: fixlip needs at least {}",
                settings.samples,
                parts + 2
            )));
        }
        let few = TEXTS.max(4 * words);
        let a = fixlip::masks(parts, settings.samples, settings.shown, settings.seed);
        let b = fixlip::masks(words, few, settings.shown, settings.seed + 1);
        let (mut u, mut v) = (game.vectors(&a)?, texts.vectors(&b)?);
        without(&mut u, self.other_pictures);
        without(&mut v, self.other_texts);
        let (of_a, of_b) =
            (fixlip::weights(&a, settings.shown), fixlip::weights(&b, settings.shown));
        let found = fixlip::interactions(
            fixlip::Side { masks: &a, vectors: &u, weights: &of_a },
            fixlip::Side { masks: &b, vectors: &v, weights: &of_b },
        );
        Ok(Explanation {
            method: settings.method,
            words_by: settings.method,
            score: self.score(&self.own()?),
            across: settings.cells,
            map: found.of_patches(),
            words: weighed(self.words, &found.of_words()),
            pairs: Some(found.pairs),
            r2: Some(found.r2),
            r2_left_out: found.r2_left_out,
            calls: [game.calls(), texts.calls()],
            notes: hiding::few(settings, parts).into_iter().collect(),
        })
    }
}

/// Takes a vector from each row.
fn without(rows: &mut [f32], other: &[f32]) {
    for row in rows.chunks_exact_mut(other.len().max(1)) {
        row.iter_mut().zip(other).for_each(|(own, other)| *own -= other);
    }
}
