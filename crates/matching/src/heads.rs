//! All heads of one model: they share the patches that are stored.

use std::sync::Arc;

use rayon::prelude::*;
use tuwen_nn::{Arrays, Linear, Spans, Tape, Value, Weight};

use crate::config::{HeadsConfig, Pooling};
use crate::itm::{Matcher, Pair};
use crate::patches::{Patches, Room, Words};
use crate::weights::{Source, check};
use crate::{Error, Result};

/// Photos whose patches are projected on one thread at a time.
const PHOTOS: usize = 4;
/// Pairs of a text and a photo that go through the matching head on one thread at a time.
const PAIRS: usize = 8;

/// Rows of several sequences, and where each of them lies.
#[derive(Clone, Copy)]
pub struct Spanned<'v> {
    /// (all rows, K).
    pub rows: &'v Value,
    /// One for each sequence.
    pub spans: &'v Spans,
}

/// See the module. Heads that learn borrow their weights; those that are used own what they need.
pub struct Heads<'a> {
    config: HeadsConfig,
    patch: Standard,
    word: Standard,
    patch_proj: Linear<'a>,
    word_proj: Option<Linear<'a>>,
    share: Option<Linear<'a>>,
    scale: Option<Weight<'a>>,
    itm: Option<Matcher<'a>>,
    fingerprint: String,
}

/// Takes the mean of a tower's rows away and divides by their deviation, column by column: measured once, before
/// anything is learned.
struct Standard {
    mean: Vec<f32>,
    inverse: Vec<f32>,
}

/// A text as heads ask with it.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// For late interaction.
    words: Words,
    /// (L, W) as the tower gave them, standardised, for the matching head.
    rows: Vec<f32>,
}

impl Question {
    /// Whether there is no word to ask with.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl Standard {
    fn new(source: Source<'_, '_>, side: &str) -> Result<Self> {
        let mean = source.constant(&format!("{side}.mean"))?;
        let deviation = source.constant(&format!("{side}.deviation"))?;
        let inverse = deviation.iter().map(|deviation| 1.0 / deviation.max(1e-6)).collect();
        Ok(Self { mean, inverse })
    }

    fn of(&self, rows: &[f32]) -> Vec<f32> {
        let width = self.mean.len();
        let one = |row: &[f32]| {
            let values = row.iter().zip(&self.mean).zip(&self.inverse);
            values.map(|((value, mean), inverse)| (value - mean) * inverse).collect::<Vec<f32>>()
        };
        rows.chunks_exact(width).flat_map(one).collect()
    }
}

impl Heads<'static> {
    /// Heads that are used.
    ///
    /// # Errors
    /// Weights that do not fit the configuration.
    pub fn new(config: HeadsConfig, arrays: &Arrays) -> Result<Self> {
        Self::of(config, Source::Fixed(arrays), arrays)
    }
}

impl<'a> Heads<'a> {
    /// Heads that learn, of weights that they borrow.
    ///
    /// # Errors
    /// As [`Heads::new`].
    pub fn learning(config: HeadsConfig, arrays: &'a Arrays) -> Result<Self> {
        Self::of(config, Source::Learning(arrays), arrays)
    }

    fn of(config: HeadsConfig, source: Source<'a, '_>, arrays: &Arrays) -> Result<Self> {
        check(&config, arrays)?;
        let late = config.late.is_some();
        let shares = config.late.is_some_and(|late| late.pooling == Pooling::Shares);
        let itm = config.itm.map(|itm| Matcher::new(itm, config.dim, source)).transpose()?;
        Ok(Self {
            patch: Standard::new(source, "patch")?,
            word: Standard::new(source, "word")?,
            patch_proj: source.linear("patch.proj", true)?,
            word_proj: late.then(|| source.linear("word.proj", true)).transpose()?,
            share: shares.then(|| source.linear("word.share", false)).transpose()?,
            scale: late.then(|| source.weight("late.scale")).transpose()?,
            itm,
            fingerprint: fingerprint(&config, arrays),
            config,
        })
    }

    /// What they are.
    pub fn config(&self) -> &HeadsConfig {
        &self.config
    }

    /// Of what makes stored patches what they are: the model, and the way from its patches to these. A matching head
    /// that is trained again on the same patches leaves them valid.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The logarithm of the scale of late scores in the loss.
    pub fn scale(&self) -> Option<&Weight<'a>> {
        self.scale.as_ref()
    }

    /// Refuses tokens of another model than the one that they know.
    ///
    /// # Errors
    /// Both fingerprints and the cure.
    pub fn check_model(&self, fingerprint: &str) -> Result<()> {
        match self.config.model == fingerprint {
            true => Ok(()),
            false => Err(Error::OtherModel {
                found: fingerprint.to_owned(),
                wanted: self.config.model.clone(),
            }),
        }
    }

    /// Standardised rows of patches, (rows, patch width), as [`Self::patch_rows`] takes them.
    pub fn standard_patches(&self, rows: &[f32]) -> Vec<f32> {
        self.patch.of(rows)
    }

    /// Standardised rows of words, (rows, word width).
    pub fn standard_words(&self, rows: &[f32]) -> Vec<f32> {
        self.word.of(rows)
    }

    /// Standardised patches as unit vectors, (rows, K).
    pub fn patch_rows<'w>(&'w self, tape: &mut Tape<'w>, x: &Value) -> Value {
        let y = tape.linear(x, &self.patch_proj);
        tape.normalise(&y)
    }

    /// Standardised words as unit vectors, (rows, K).
    ///
    /// # Panics
    /// Without a head of late interaction.
    pub fn word_rows<'w>(&'w self, tape: &mut Tape<'w>, x: &Value) -> Value {
        let y = tape.linear(x, self.word_proj.as_ref().expect("a head of late interaction"));
        tape.normalise(&y)
    }

    /// How much each word of a text counts, (rows, 1), where that is learned.
    pub fn shares<'w>(&'w self, tape: &mut Tape<'w>, x: &Value, spans: &Spans) -> Option<Value> {
        let logits = tape.linear(x, self.share.as_ref()?);
        Some(tape.softmax_of_spans(&logits, spans))
    }

    /// Late scores of all pairs, (texts, photos), from unit vectors.
    ///
    /// # Panics
    /// Without a head of late interaction.
    pub fn late_scores<'w>(
        &'w self,
        tape: &mut Tape<'w>,
        words: Spanned<'_>,
        shares: Option<&Value>,
        patches: Spanned<'_>,
    ) -> Value {
        let late = self.config.late.expect("a head of late interaction");
        let best = tape.best_products(words.rows, patches.rows, patches.spans);
        match (late.pooling, shares) {
            (Pooling::Shares, Some(shares)) => tape.shared_sums(&best, shares, words.spans),
            (Pooling::LogSum(beta), _) => tape.log_sums(&best, beta, words.spans),
            (Pooling::BothWays, _) => {
                let forward = tape.means(&best, words.spans);
                let back = tape.best_products(patches.rows, words.rows, words.spans);
                let back = tape.means(&back, patches.spans);
                let back = tape.transpose(&back);
                let sum = tape.add(forward, &back);
                let half = tape.leaf(vec![0.5f32.ln()], 1, false);
                tape.scale(&sum, &half)
            }
            _ => tape.means(&best, words.spans),
        }
    }

    /// The matching head.
    pub fn matcher(&self) -> Option<&Matcher<'a>> {
        self.itm.as_ref()
    }

    /// The patches of photos as they are stored, from those that the tower gave, (P, patch width) each.
    ///
    /// # Errors
    /// A photo with another number of patches.
    pub fn store(&self, photos: &[&[f32]]) -> Result<Vec<Patches>> {
        let (count, width) = (self.config.patches, self.config.patch_width);
        if let Some(other) = photos.iter().find(|rows| rows.len() != count * width) {
            let found = other.len() / width;
            return Err(Error::Config(format!(
                "a picture with {found} patches, where the heads know {count}: take the heads of this model"
            )));
        }
        let some = |photos: &[&[f32]]| -> Vec<Patches> {
            let mut tape = Tape::forward_only();
            let x = tape.leaf(self.patch.of(&photos.concat()), width, false);
            let y = self.patch_rows(&mut tape, &x);
            y.chunks_exact(count * self.config.dim)
                .map(|rows| Patches::new(rows, self.config.dim))
                .collect()
        };
        Ok(photos.par_chunks(PHOTOS).flat_map_iter(some).collect())
    }

    /// A text as heads ask with it, from its words as the tower gave them, (L, word width).
    pub fn question(&self, words: &[f32]) -> Question {
        let rows = self.word.of(words);
        let count = rows.len() / self.config.word_width;
        if count == 0 || self.word_proj.is_none() {
            return Question { words: Words::default(), rows };
        }
        let mut tape = Tape::forward_only();
        let x = tape.leaf(rows.clone(), self.config.word_width, false);
        let unit = self.word_rows(&mut tape, &x);
        let shares = self.shares(&mut tape, &x, &spans_of([count]));
        let even = || vec![1.0 / count as f32; count];
        let shares = shares.map_or_else(even, Value::into_vec);
        Question { words: Words::new(&unit, self.config.dim, shares), rows }
    }

    /// The late score of a text with each photo; nothing of a text without words.
    ///
    /// # Panics
    /// Without a head of late interaction.
    pub fn late(&self, question: &Question, photos: &[&Patches]) -> Vec<f32> {
        let pooling = self.config.late.expect("a head of late interaction").pooling;
        let mut room = Room::default();
        let one = |photo: &&Patches| {
            question.words.best(photo, &mut room);
            pool(pooling, &question.words, &room)
        };
        match question.words.is_empty() {
            true => Vec::new(),
            false => photos.iter().map(one).collect(),
        }
    }

    /// The logit of the matching head for a text and each photo; nothing of a text without words.
    ///
    /// # Panics
    /// Without a matching head.
    pub fn matches(&self, question: &Question, photos: &[&Patches]) -> Vec<f32> {
        let matcher = self.itm.as_ref().expect("a matching head");
        let words = question.rows.len() / self.config.word_width;
        if words == 0 {
            return Vec::new();
        }
        let some = |photos: &[&Patches]| -> Vec<f32> {
            let mut tape = Tape::forward_only();
            let rows: Vec<f32> = photos.iter().flat_map(|photo| photo.rows()).collect();
            let count = self.config.patches;
            let patches = tape.leaf(rows, self.config.dim, false);
            let text = tape.leaf(question.rows.clone(), self.config.word_width, false);
            let pair = |at: usize| Pair { words: 0..words, patches: at * count..(at + 1) * count };
            let pairs: Vec<Pair> = (0..photos.len()).map(pair).collect();
            matcher.logits(&mut tape, &text, &patches, &pairs).into_vec()
        };
        photos.par_chunks(PAIRS).flat_map_iter(some).collect()
    }
}

/// What the best cosines of a text and a photo make together.
fn pool(pooling: Pooling, words: &Words, room: &Room) -> f32 {
    let mean = |values: &[f32]| values.iter().sum::<f32>() / values.len() as f32;
    match pooling {
        Pooling::Mean => mean(&room.of_words),
        Pooling::Shares => room.of_words.iter().zip(&words.shares).map(|(v, s)| v * s).sum(),
        Pooling::LogSum(beta) => {
            let most = room.of_words.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let sum: f32 = room.of_words.iter().map(|value| ((value - most) / beta).exp()).sum();
            most + beta * sum.ln()
        }
        Pooling::BothWays => (mean(&room.of_words) + mean(&room.of_patches)) / 2.0,
    }
}

fn fingerprint(config: &HeadsConfig, arrays: &Arrays) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(config.model.as_bytes());
    for number in [config.patches, config.dim, config.patch_width] {
        hasher.update(&(number as u64).to_le_bytes());
    }
    for name in ["patch.mean", "patch.deviation", "patch.proj.weight", "patch.proj.bias"] {
        for value in arrays.0.get(name).into_iter().flat_map(|array| &array.data) {
            hasher.update(&value.to_le_bytes());
        }
    }
    format!("{}-{}", config.name, &hasher.finalize().to_hex()[..16])
}

/// One span for each of several lengths, one behind the other.
pub fn spans_of(lengths: impl IntoIterator<Item = usize>) -> Spans {
    let mut end = 0;
    let spans = lengths.into_iter().map(|len| {
        end += len;
        end - len..end
    });
    Arc::from(spans.collect::<Vec<_>>())
}
