//! What a step sees: pictures with some of their rows and some of their captions. All of it is a function of the seed and
//! the step, so that a training that is taken up again goes on as it would have.

use tuwen_caption::{BEGIN, Seen, Text, UNKNOWN};
use tuwen_image::rng::Rng;

use super::config::CaptionsTrainConfig;
use super::words::Tokens;
use crate::heads::cache::Items;

/// Pictures of one tape.
const PICTURES: usize = 4;
/// Streams of random numbers.
const ORDER: u64 = 21;
const DRAWN: u64 = 22;

/// Some pictures with captions that go through the network together.
pub(super) struct Chunk {
    /// What is shown of each picture.
    pub(super) pictures: Vec<PictureRows>,
    /// Captions as they are shown, sorted by language; there is one of every language.
    pub(super) texts: Vec<Text>,
    /// For each language the tokens that are right, and how much each counts.
    pub(super) answers: Vec<(Vec<usize>, Vec<f32>)>,
}

/// Rows of a picture that were drawn.
pub(super) struct PictureRows {
    values: Vec<f32>,
    places: Vec<usize>,
}

impl PictureRows {
    pub(super) fn seen(&self) -> Seen<'_> {
        Seen { rows: &self.values, places: &self.places }
    }
}

/// A caption of a picture of a chunk.
pub(super) struct Shown {
    pub(super) language: usize,
    pub(super) picture: usize,
    pub(super) tokens: Vec<usize>,
    /// How much each of its words counts.
    pub(super) weight: f32,
}

/// Draws from a set that is learned from.
pub(super) struct Draw<'d> {
    pub(super) config: &'d CaptionsTrainConfig,
    pub(super) rows: &'d Items,
    /// For each language the captions of each picture.
    pub(super) texts: &'d [Vec<Vec<Tokens>>],
    /// The pictures that are learned from.
    pub(super) pictures: &'d [usize],
}

impl Draw<'_> {
    /// The pictures of a step.
    pub(super) fn batch(&self, step: usize, count: usize) -> Vec<usize> {
        let all = self.pictures.len();
        let (mut epoch, mut order) = (usize::MAX, Vec::new());
        let one = |at: usize| {
            if at / all != epoch {
                epoch = at / all;
                order = self.pictures.to_vec();
                Rng::new(&[self.config.seed, ORDER, epoch as u64]).shuffle(&mut order);
            }
            order[at % all]
        };
        (step * count..(step + 1) * count).map(one).collect()
    }

    /// What people said, as a step sees it.
    pub(super) fn words(&self, step: usize) -> Vec<Chunk> {
        let words = &self.config.words;
        let mut rng = Rng::new(&[self.config.seed, DRAWN, step as u64]);
        let batch = self.batch(step, words.optim.batch);
        let mut chunks = Vec::new();
        for pictures in batch.chunks(PICTURES) {
            let mut shown = Vec::new();
            for (language, texts) in self.texts.iter().enumerate() {
                for (at, &picture) in pictures.iter().enumerate() {
                    let drawn = self.captions(&texts[picture], &mut rng);
                    shown.extend(drawn.into_iter().map(|tokens| Shown {
                        language,
                        picture: at,
                        tokens: tokens.tokens.clone(),
                        weight: 1.0,
                    }));
                }
            }
            let rows = self.rows_of(pictures, words.patches, &mut rng);
            chunks.push(self.chunk(rows, shown, words.word_drop, &mut rng));
        }
        let counted = chunks.iter().flat_map(|chunk| &chunk.answers).flat_map(|(_, w)| w);
        let share = 1.0 / counted.sum::<f32>().max(1.0);
        for (_, weights) in chunks.iter_mut().flat_map(|chunk| &mut chunk.answers) {
            weights.iter_mut().for_each(|weight| *weight *= share);
        }
        chunks
    }

    /// Different captions of a picture and language, by the shares of their sources.
    fn captions<'t>(&self, texts: &'t [Tokens], rng: &mut Rng) -> Vec<&'t Tokens> {
        let share = |tokens: &Tokens| self.config.sources[tokens.source].share;
        let of_source = |of: usize| texts.iter().filter(|text| text.source == of).count() as f32;
        // The largest keys of shares to random powers are a draw without repetition (Efraimidis and Spirakis 2006).
        let mut all: Vec<(f32, &Tokens)> = texts
            .iter()
            .filter(|tokens| share(tokens) > 0.0)
            .map(|tokens| {
                let weight = share(tokens) / of_source(tokens.source);
                ((1.0 - rng.unit()).max(1e-9).ln() / weight, tokens)
            })
            .collect();
        all.sort_by(|a, b| b.0.total_cmp(&a.0));
        all.into_iter().take(self.config.words.captions).map(|(_, tokens)| tokens).collect()
    }

    /// Some rows of each picture: the feature and so many patches, 0 for all.
    pub(super) fn rows_of(
        &self,
        pictures: &[usize],
        patches: usize,
        rng: &mut Rng,
    ) -> Vec<PictureRows> {
        let one = |&picture: &usize| {
            let mut all = Vec::new();
            self.rows.tokens_into(picture, &mut all);
            let width = self.rows.width;
            let count = all.len() / width;
            let mut places: Vec<usize> = (1..count).collect();
            if patches > 0 && patches < places.len() {
                rng.shuffle(&mut places);
                places.truncate(patches);
                places.sort_unstable();
            }
            places.insert(0, 0);
            let values = places.iter().flat_map(|&at| &all[at * width..][..width]).copied();
            PictureRows { values: values.collect(), places }
        };
        pictures.iter().map(one).collect()
    }

    /// A chunk of captions that are sorted by language.
    pub(super) fn chunk(
        &self,
        pictures: Vec<PictureRows>,
        shown: Vec<Shown>,
        word_drop: f32,
        rng: &mut Rng,
    ) -> Chunk {
        let (mut texts, mut answers) = (Vec::new(), Vec::new());
        let mut rest = shown.into_iter().peekable();
        for language in 0..self.texts.len() {
            let (mut right, mut weights) = (Vec::new(), Vec::new());
            let before = texts.len();
            while let Some(own) = rest.next_if(|shown| shown.language == language) {
                let behind = own.tokens.iter().copied().chain([BEGIN]);
                let counts = |&token: &usize| if token == UNKNOWN { 0.0 } else { own.weight };
                weights.extend(behind.clone().map(|token| counts(&token)));
                right.extend(behind);
                let mut tokens = own.tokens;
                if word_drop > 0.0 {
                    let hide = |token: &mut usize| {
                        if rng.chance(word_drop) {
                            *token = UNKNOWN;
                        }
                    };
                    tokens.iter_mut().for_each(hide);
                }
                texts.push(Text { language, picture: own.picture, tokens });
            }
            if texts.len() == before {
                // Gradients of all weights are summed over the chunks: one that counts nothing stands for none.
                texts.push(Text { language, picture: 0, tokens: Vec::new() });
                (right, weights) = (vec![BEGIN], vec![0.0]);
            }
            answers.push((right, weights));
        }
        Chunk { pictures, texts, answers }
    }
}
