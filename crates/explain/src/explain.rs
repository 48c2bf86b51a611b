//! One picture and one text explained: which method, and what comes out of it.

use serde::Serialize;
use tuwen_encode::{CpuEncoder, Encoder, ImagePool, Vision};
use tuwen_image::RgbImage;

use crate::attention::Pooled;
use crate::game::{PictureGame, TextGame, dots};
use crate::hide::{Fill, Words};
use crate::perturb::{LIME_WIDTH, Weights};
use crate::shapley::Tree;
use crate::{Error, Method, Regions, Result, fast, fixlip, perturb, shapley};

/// The largest number of samples that is taken: a million pictures take hours, and more memory than there is.
pub const MOST_SAMPLES: usize = 100_000;
/// Texts with words left out, at most, unless the words need more; all sets of eight words.
const TEXTS: usize = 256;
/// A longer text is refused.
pub const MOST_WORDS: usize = 256;
/// A map of superpixels has so many values along a side.
const FINE: usize = 56;

/// What a user may choose.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How.
    pub method: Method,
    /// Masks of pictures for LIME, SHAP, Owen and FIxLIP.
    pub samples: usize,
    /// What stands where something is hidden.
    pub fill: Fill,
    /// Parts along a side for what hides squares; superpixels are about as many as squares.
    pub cells: usize,
    /// Blocks that [`Method::Chefer`] goes back through, counted from the last.
    pub blocks: usize,
    /// With [`Method::Fixlip`]: how likely a part is shown.
    pub shown: f32,
    /// Of LIME's kernel.
    pub width: f32,
    /// Of everything random.
    pub seed: u64,
}

impl Settings {
    /// The usual ones.
    pub fn new(method: Method) -> Self {
        Self {
            method,
            samples: 512,
            fill: if method == Method::Lime { Fill::Own } else { Fill::default() },
            cells: 7,
            blocks: 1,
            shown: 0.5,
            width: LIME_WIDTH,
            seed: 42,
        }
    }

    fn check(&self, side: usize) -> Result<()> {
        let refuse = |what: String| Err(Error::Refused(what));
        match self {
            _ if !(1..=side.min(64)).contains(&self.cells) => refuse(format!(
                "{} parts along a side: 1 to {} are possible",
                self.cells,
                side.min(64)
            )),
            _ if !(2..=MOST_SAMPLES).contains(&self.samples) => refuse(format!(
                "{} samples: 2 to {MOST_SAMPLES} are possible; a thousand are usual, and more than ten thousand \
                 change little",
                self.samples
            )),
            _ if !(0.01..=0.99).contains(&self.shown) => refuse(format!(
                "parts shown with probability {}: it must be from 0.01 to 0.99",
                self.shown
            )),
            _ if !(self.width > 0.0 && self.width.is_finite()) => {
                refuse(format!("a kernel of width {}: it must be above 0", self.width))
            }
            _ => Ok(()),
        }
    }
}

/// A word of the text and what it adds to the score.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Word {
    /// As it stands there.
    pub text: String,
    /// Its first byte.
    pub start: usize,
    /// The byte behind it.
    pub end: usize,
    /// In cosines; of a gradient, where the network is taken for a linear one.
    pub weight: f32,
}

/// Why a score is what it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// How it was made.
    pub method: Method,
    /// How the words' weights were made, where otherwise.
    pub words_by: Method,
    /// The cosine of picture and text.
    pub score: f32,
    /// Values along a side of the map.
    pub across: usize,
    /// (across, across) over the square that the model sees, line by line.
    pub map: Vec<f32>,
    /// The words in their order.
    pub words: Vec<Word>,
    /// (words, across, across): what each word has to do with each part, where the method says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pairs: Option<Vec<f32>>,
    /// How well the explanation predicts the scores that it was made of, of the picture's side or of both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r2: Option<f32>,
    /// Pictures and texts that went through the model.
    pub calls: [usize; 2],
    /// What a reader must know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Explains a picture of R x R ([`tuwen_image::Preprocess::fit`]) and a text.
///
/// # Errors
/// A method that the model cannot do, settings or texts that make no sense, and the model's.
pub fn explain(
    encoder: &CpuEncoder,
    picture: &RgbImage,
    text: &str,
    settings: &Settings,
) -> Result<Explanation> {
    settings.method.check(encoder.config())?;
    settings.check(picture.width() as usize)?;
    let words = Words::new(text);
    if words.is_empty() {
        return Err(Error::Refused(format!(
            "the text {text:?} has no word: there is nothing to explain"
        )));
    }
    if words.len() > MOST_WORDS {
        return Err(Error::Refused(format!(
            "the text has {} words: {MOST_WORDS} are explained at most; give a sentence of it",
            words.len()
        )));
    }
    let toward = encoder.encode_texts(&[text])?;
    let subject = Subject { encoder, picture, words: &words, toward: &toward };
    let mut found = if settings.method.hides() {
        subject.hiding(settings)?
    } else {
        subject.looking(settings)?
    };
    found.notes.extend(subject.notes(&found, text)?);
    Ok(found)
}

/// What is explained.
struct Subject<'s> {
    encoder: &'s CpuEncoder,
    picture: &'s RgbImage,
    words: &'s Words,
    /// The text's unit vector.
    toward: &'s [f32],
}

impl Subject<'_> {
    fn score(&self, own: &[f32]) -> f32 {
        dots(own, self.toward)[0]
    }

    /// The picture's unit vector.
    fn own(&self) -> Result<Vec<f32>> {
        Ok(self.encoder.encode_images(std::slice::from_ref(self.picture))?)
    }

    /// With one pass, or two.
    fn looking(&self, settings: &Settings) -> Result<Explanation> {
        let look = fast::Look { encoder: self.encoder, picture: self.picture, toward: self.toward };
        let (map, own, pairs) = match settings.method {
            Method::Patches | Method::Surgery => {
                let (map, pairs) = look.patches(self.words, settings.method == Method::Surgery)?;
                (map, self.own()?, Some(pairs))
            }
            _ => {
                let (map, own) = look.map(settings)?;
                (map, own, None)
            }
        };
        let across = (map.len() as f64).sqrt().round() as usize;
        let (words_by, weights, texts) = match settings.method {
            Method::Gradient => (Method::Gradient, fast::words(self.encoder, self.words, &own)?, 1),
            _ => {
                let game = TextGame::new(self.encoder, self.words);
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
            words: self.weighed(&weights),
            pairs,
            r2: None,
            calls: [1, texts],
            notes: Vec::new(),
        })
    }

    /// By hiding parts.
    fn hiding(&self, settings: &Settings) -> Result<Explanation> {
        let side = self.picture.width() as usize;
        let regions = match settings.method {
            Method::Lime => Regions::slic(self.picture, settings.cells * settings.cells),
            _ => Regions::grid(side, settings.cells),
        };
        let game = PictureGame::new(self.encoder, self.picture, regions, settings.fill);
        let texts = TextGame::new(self.encoder, self.words);
        if settings.method == Method::Fixlip {
            return self.interactions(settings, &game, &texts);
        }
        let players = game.regions.count();
        let of_picture = |masks: &[Vec<bool>]| game.scores(masks, self.toward);
        let own = self.own()?;
        let of_text = |masks: &[Vec<bool>]| texts.scores(masks, &own);
        let count = self.words.len();
        let few = TEXTS.max(4 * count).min(settings.samples.max(2 * count + 2));
        let Settings { samples, width, seed, .. } = *settings;
        let [found, words]: [Weights; 2] = match settings.method {
            Method::Lime => [
                perturb::lime(players, samples, width, seed, &of_picture)?,
                perturb::lime(count, few, width, seed, &of_text)?,
            ],
            Method::Shap => [
                shapley::kernel_shap(players, samples, seed, &of_picture)?,
                shapley::kernel_shap(count, few, seed, &of_text)?,
            ],
            Method::Owen => [
                shapley::owen(&Tree::of_grid(settings.cells), samples, &of_picture)?,
                shapley::owen(&Tree::of_row(0, count), few, &of_text)?,
            ],
            _ => [perturb::occlusion(players, &of_picture)?, perturb::occlusion(count, &of_text)?],
        };
        let (across, map) = match settings.method {
            Method::Lime => (FINE.min(side), fine(&game.regions, &found.players)),
            _ => (settings.cells, found.players),
        };
        Ok(Explanation {
            method: settings.method,
            words_by: settings.method,
            score: self.score(&own),
            across,
            map,
            words: self.weighed(&words.players),
            pairs: None,
            r2: found.r2,
            calls: [game.calls(), texts.calls()],
            notes: Vec::new(),
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
        let (u, v) = (game.vectors(&a)?, texts.vectors(&b)?);
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
            words: self.weighed(&found.of_words()),
            pairs: Some(found.pairs),
            r2: Some(found.r2),
            calls: [game.calls(), texts.calls()],
            notes: Vec::new(),
        })
    }

    fn weighed(&self, weights: &[f32]) -> Vec<Word> {
        let words = self.words.spans().iter().zip(weights).enumerate();
        words
            .map(|(at, (span, &weight))| Word {
                text: self.words.word(at).to_owned(),
                start: span.start,
                end: span.end,
                weight,
            })
            .collect()
    }

    fn notes(&self, found: &Explanation, text: &str) -> Result<Vec<String>> {
        let mut notes = Vec::new();
        if found.map.iter().any(|value| !value.is_finite()) {
            let name = found.method.name();
            return Err(Error::Refused(format!(
                "the map of {name} is not finite (NaN or infinity): the model's weights are damaged, or its numbers too \
                 large; try occlusion"
            )));
        }
        let first = self.picture.get_pixel(0, 0);
        if self.picture.pixels().all(|pixel| pixel == first) {
            notes.push("the picture is of one colour: no part of it says more than another".into());
        } else if found.map.iter().all(|value| value.abs() < 1e-9) {
            notes.push(
                "the map is 0 everywhere: this method finds nothing that supports the text".into(),
            );
        }
        let lost = self.encoder.tokenise(text)?.lost;
        if lost > 0 {
            notes.push(format!(
                "{lost} tokens of the text lie beyond the model's context: words at its end have no weight"
            ));
        }
        if self.words.len() == 1 {
            notes.push(
                "the text is one word: its weight is the score beside that of no text".into(),
            );
        }
        Ok(notes)
    }
}

/// Values of regions at the middles of squares.
fn fine(regions: &Regions, values: &[f32]) -> Vec<f32> {
    let side = regions.side();
    let across = FINE.min(side);
    let middle = |at: usize| (2 * at + 1) * side / (2 * across);
    let pixel = |at: usize| middle(at / across) * side + middle(at % across);
    (0..across * across).map(|at| values[regions.of()[pixel(at)] as usize]).collect()
}

/// Which rows of an image tower the feature is made of.
pub(crate) fn pooled(encoder: &CpuEncoder) -> Pooled {
    let config = encoder.config();
    match (config.vision, config.image_pool) {
        (Vision::Probe, _) => Pooled::Probe,
        (Vision::ResNet(_), _) | (_, ImagePool::Class) => Pooled::First,
        _ => Pooled::Mean,
    }
}
