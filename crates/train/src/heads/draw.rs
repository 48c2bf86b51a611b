//! What is drawn for a step: pictures, a text of each, and for the matching head what is wrong.

use rayon::prelude::*;
use tuwen_image::rng::Rng;
use tuwen_matching::{Heads, Patches};
use tuwen_nn::Pairs;

use super::cache::{Items, Texts, TokenSet};
use super::config::{HeadsTrainConfig, ItmConfig, LateConfig};
use super::step::{Anchor, LateBatch, Rows};

/// Draws from a set that is learned from.
pub(super) struct Draw<'d> {
    set: &'d TokenSet,
    /// Sources with how often they are drawn, as shares that sum to 1.
    sources: Vec<(&'d Texts, f32)>,
    /// For each source the texts of each picture.
    texts: Vec<Vec<Vec<usize>>>,
}

/// A text: which source, and which of its texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Text {
    source: usize,
    at: usize,
}

impl<'d> Draw<'d> {
    pub(super) fn new(config: &HeadsTrainConfig, set: &'d TokenSet) -> Self {
        let known = config.sources.iter();
        let known = known.filter_map(|of| Some((set.texts.get(&of.name)?, of.share)));
        let known: Vec<(&Texts, f32)> = known.collect();
        let total: f32 = known.iter().map(|(_, share)| share).sum();
        let of_pictures = |texts: &Texts| {
            let mut of = vec![Vec::new(); set.images.len()];
            for (text, images) in texts.truth.iter().enumerate() {
                images.iter().for_each(|&image| of[image].push(text));
            }
            of
        };
        Self {
            set,
            texts: known.iter().map(|(texts, _)| of_pictures(texts)).collect(),
            sources: known.into_iter().map(|(texts, share)| (texts, share / total)).collect(),
        }
    }

    /// Different pictures, any or neighbours of one.
    fn photos(&self, count: usize, neighbours: f32, rng: &mut Rng) -> Vec<usize> {
        let images = &self.set.images;
        let mut all: Vec<usize> = (0..images.len()).collect();
        let count = count.min(all.len());
        if !rng.chance(neighbours) {
            rng.shuffle(&mut all);
            all.truncate(count);
            return all;
        }
        let seed = images.vector(rng.below(images.len()));
        // Not always the same neighbourhood: the noise is that of a cosine between different pictures.
        let noise: Vec<f32> = all.iter().map(|_| 0.05 * rng.normal()).collect();
        let score = |image: usize| dot(seed, images.vector(image)) + noise[image];
        let scores: Vec<f32> = all.par_iter().map(|&image| score(image)).collect();
        all.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        all.truncate(count);
        all
    }

    /// A text of a picture: one of a drawn source, of the next that has one where that has none.
    fn text(&self, image: usize, rng: &mut Rng) -> Option<Text> {
        let mut left = rng.unit();
        let drawn = self.sources.iter().position(|(_, share)| {
            left -= share;
            left < 0.0
        });
        let (first, count) = (drawn.unwrap_or(0), self.sources.len());
        let mut sources = (first..first + count).map(|at| at % count);
        sources.find_map(|source| {
            let own = &self.texts[source][image];
            (!own.is_empty()).then(|| Text { source, at: own[rng.below(own.len())] })
        })
    }

    fn items(&self, text: Text) -> &'d Items {
        &self.sources[text.source].0.items
    }

    /// A text's words, some left out, never all.
    fn words(&self, text: Text, drop: f32, rng: &mut Rng) -> Vec<f32> {
        let mut rows = Vec::new();
        self.items(text).tokens_into(text.at, &mut rows);
        let width = self.items(text).width;
        let kept: Vec<&[f32]> = rows.chunks_exact(width).filter(|_| !rng.chance(drop)).collect();
        if kept.is_empty() { rows } else { kept.concat() }
    }

    /// Pictures with a text each, of those that have one with words.
    fn pairs(&self, count: usize, neighbours: f32, rng: &mut Rng) -> Vec<(usize, Text)> {
        let photos = self.photos(count, neighbours, rng);
        let one = |image: usize| {
            let text = self.text(image, rng)?;
            (!self.items(text).spans[text.at].is_empty()).then_some((image, text))
        };
        photos.into_iter().filter_map(one).collect()
    }

    /// Whether a text is true of a picture: it describes it, or has the words of one that does.
    fn is_true(&self, text: Text, image: usize) -> bool {
        let texts = self.sources[text.source].0;
        let words = texts.words[text.at];
        let own = &self.texts[text.source][image];
        own.iter().any(|&other| other == text.at || texts.words[other] == words)
    }

    pub(super) fn late(&self, heads: &Heads<'_>, config: &LateConfig, rng: &mut Rng) -> LateBatch {
        let drawn = self.pairs(config.optim.batch, config.neighbours, rng);
        let mut photos = Rows { values: Vec::new(), lengths: Vec::new() };
        let mut texts = Rows { values: Vec::new(), lengths: Vec::new() };
        let (width, mut rows) = (self.set.images.width, Vec::new());
        for &(image, text) in &drawn {
            rows.clear();
            self.set.images.tokens_into(image, &mut rows);
            let mut kept: Vec<usize> = (0..rows.len() / width).collect();
            if config.patches > 0 && config.patches < kept.len() {
                // The first row is the picture's feature.
                rng.shuffle(&mut kept[1..]);
                kept.truncate(config.patches);
            }
            photos.lengths.push(kept.len());
            kept.iter().for_each(|&row| photos.values.extend(&rows[row * width..][..width]));
            let words = self.words(text, config.word_drop, rng);
            texts.lengths.push(words.len() / heads.config().word_width);
            texts.values.extend(words);
        }
        photos.values = heads.standard_patches(&photos.values);
        texts.values = heads.standard_words(&texts.values);
        let columns = drawn.len();
        let truth = (0..columns * columns).map(|at| {
            let (row, column) = (at / columns, at % columns);
            match row == column {
                true => Some(true),
                false if self.is_true(drawn[row].1, drawn[column].0) => None,
                false => Some(false),
            }
        });
        LateBatch { photos, texts, pairs: Pairs { truth: truth.collect(), columns } }
    }

    /// For each picture of a batch its text, and wrong ones of both drawn from the batch: the more the dual encoder
    /// takes them for right, the more often.
    pub(super) fn itm<'p>(
        &self,
        heads: &Heads<'_>,
        config: &ItmConfig,
        photos: &'p [Patches],
        rng: &mut Rng,
    ) -> Vec<Anchor<'p>> {
        let drawn = self.pairs(config.optim.batch, config.neighbours, rng);
        let words = |text: Text, rng: &mut Rng| {
            heads.standard_words(&self.words(text, config.word_drop, rng))
        };
        let cosine = |(image, _): (usize, Text), (_, text): (usize, Text)| {
            dot(self.set.images.vector(image), self.items(text).vector(text.at))
        };
        let mut anchors = Vec::new();
        for &own in &drawn {
            let (image, text) = own;
            let others = || drawn.iter().copied().filter(|(other, _)| *other != image);
            let wrong_photos = others().filter(|(other, _)| !self.is_true(text, *other));
            let wrong_photos: Vec<_> = wrong_photos.map(|o| (o.0, cosine(o, own))).collect();
            let wrong_texts = others().filter(|(_, other)| !self.is_true(*other, image));
            let wrong_texts: Vec<_> = wrong_texts.map(|o| (o.1, cosine(own, o))).collect();
            let by = Hard { count: config.negatives, scale: config.hardness };
            let (wrong_photos, wrong_texts) =
                (by.draw(wrong_photos, rng), by.draw(wrong_texts, rng));
            if wrong_photos.len() < by.count || wrong_texts.len() < by.count {
                continue;
            }
            anchors.push(Anchor {
                text: words(text, rng),
                photo: &photos[image],
                photos: wrong_photos.into_iter().map(|at| &photos[at]).collect(),
                texts: wrong_texts.into_iter().map(|text| words(text, rng)).collect(),
            });
        }
        anchors
    }
}

/// How wrong ones are drawn.
#[derive(Clone, Copy)]
struct Hard {
    count: usize,
    scale: f32,
}

impl Hard {
    /// Different ones, each with a probability that grows with e to the power of its scaled cosine.
    fn draw<T: Copy>(self, from: Vec<(T, f32)>, rng: &mut Rng) -> Vec<T> {
        // The largest of logits with Gumbel's noise are such a draw (Gumbel 1954; Kool et al. 2019,
        // <https://arxiv.org/abs/1903.06059>).
        let noisy = from.into_iter().map(|(one, cosine)| {
            let noise = -(-rng.unit().max(1e-9).ln()).ln();
            (one, self.scale * cosine + noise)
        });
        let mut noisy: Vec<(T, f32)> = noisy.collect();
        noisy.sort_by(|a, b| b.1.total_cmp(&a.1));
        noisy.into_iter().take(self.count).map(|(one, _)| one).collect()
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
