//! One picture and one text explained: which method, and what comes out of it.

use serde::Serialize;
use tuwen_encode::{CpuEncoder, Encoder, ImagePool, Vision};
use tuwen_image::RgbImage;

use crate::attention::Pooled;
use crate::hide::Words;
use crate::subject::Subject;
use crate::{Error, Method, Result, Settings};

/// A longer text is refused.
pub const MOST_WORDS: usize = 256;

/// A word of the text and what it adds to the score.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Word {
    /// As it stands there.
    pub text: String,
    /// Its first byte.
    pub start: usize,
    /// The byte behind it.
    pub end: usize,
    /// In the score's unit; of a gradient, where the network is taken for a linear one.
    pub weight: f32,
}

/// Why a score is what it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// How it was made.
    pub method: Method,
    /// How the words' weights were made, where otherwise.
    pub words_by: Method,
    /// The cosine of picture and text, or whatever score is explained.
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
    /// The same of scores that it was not made of, ten times a tenth of the asked ones left out; none where all sets of
    /// parts were asked, so that there are no others, and where there are too few.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r2_left_out: Option<f32>,
    /// Pictures and texts that went through the model.
    pub calls: [usize; 2],
    /// What a reader must know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Explanation {
    /// Gives weight 0 to those of all words that were not read.
    pub(crate) fn pad(&mut self, all: &Words) {
        if let Some(pairs) = &mut self.pairs {
            pairs.resize(all.len() * self.across * self.across, 0.0);
        }
        if !self.words.is_empty() {
            let mut weights: Vec<f32> = self.words.iter().map(|word| word.weight).collect();
            weights.resize(all.len(), 0.0);
            self.words = weighed(all, &weights);
        }
    }
}

/// What a picture and a text are held against: why these, and not those.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rivals<'r> {
    /// Other texts; their mean counts.
    pub texts: &'r [&'r str],
    /// Other pictures' unit vectors, (pictures, D); their mean counts.
    pub pictures: &'r [f32],
}

impl Rivals<'_> {
    fn is_empty(&self) -> bool {
        self.texts.is_empty() && self.pictures.is_empty()
    }
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
    explain_against(encoder, picture, text, Rivals::default(), settings)
}

/// Explains why a picture and a text score higher than rivals do: `(u - u') (v - v')` with the mean vectors of
/// rivals, zeros where there are none. The map is that of this one score, and so the difference of the maps where a
/// method is linear in the score; of the methods that keep only what speaks for a score, what speaks for it less what
/// speaks against it. Words weigh what they add to this picture beyond what they add to its rivals.
///
/// # Errors
/// As [`explain()`]; a method that knows nothing of the text.
pub fn explain_against(
    encoder: &CpuEncoder,
    picture: &RgbImage,
    text: &str,
    rivals: Rivals<'_>,
    settings: &Settings,
) -> Result<Explanation> {
    settings.method.check(encoder.config())?;
    settings.check(picture)?;
    if !rivals.is_empty() {
        compares(settings.method)?;
    }
    is_another(text, rivals.texts)?;
    let words = checked(text)?;
    let dim = encoder.dim();
    let others = match rivals.texts {
        [] => vec![0.0; dim],
        some => mean(&encoder.encode_texts(some)?, dim),
    };
    let own = encoder.encode_texts(&[text])?;
    let subject = Subject {
        encoder,
        picture,
        words: &words,
        toward: &own.iter().zip(&others).map(|(own, other)| own - other).collect::<Vec<f32>>(),
        other_texts: &others,
        other_pictures: &mean(rivals.pictures, dim),
        contrast: !rivals.texts.is_empty(),
    };
    subject.explained(settings)
}

/// Explains how far a picture lies in a direction (D) of the common space, as a class does that is the mean of
/// several sentences: a map without words.
///
/// # Errors
/// As [`explain_against`]; a method that hides words too.
pub fn explain_direction(
    encoder: &CpuEncoder,
    picture: &RgbImage,
    toward: &[f32],
    settings: &Settings,
) -> Result<Explanation> {
    settings.method.check(encoder.config())?;
    settings.check(picture)?;
    explains_direction(settings.method)?;
    let zeros = vec![0.0; encoder.dim()];
    let subject = Subject {
        encoder,
        picture,
        words: &Words::new(""),
        toward,
        other_texts: &zeros,
        other_pictures: &zeros,
        contrast: true,
    };
    subject.explained(settings)
}

/// Whether a method says anything of a class.
///
/// # Errors
/// It does not, with what can be used.
pub fn explains_direction(method: Method) -> Result<()> {
    compares(method)?;
    match method {
        Method::Fixlip => Err(Error::Refused(
            "fixlip says what parts and words do together, and a class is no text of words: use shap, owen or occlusion"
                .into(),
        )),
        _ => Ok(()),
    }
}

/// Between a text and itself there is no difference.
pub(crate) fn is_another(text: &str, others: &[&str]) -> Result<()> {
    match others.iter().any(|other| other.trim() == text.trim()) {
        true => Err(Error::Refused(
            "against: it is the same text, and there is no difference to show; give another one"
                .into(),
        )),
        false => Ok(()),
    }
}

/// What knows nothing of the text says nothing of the difference of two.
fn compares(method: Method) -> Result<()> {
    match method {
        Method::Rollout => Err(Error::Refused(
            "rollout is the same for every text and says nothing of why one rather than another: use chefer or occlusion"
                .into(),
        )),
        _ => Ok(()),
    }
}

/// The words of a text that can be explained.
pub(crate) fn checked(text: &str) -> Result<Words> {
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
    Ok(words)
}

/// Words with their weights.
pub(crate) fn weighed(words: &Words, weights: &[f32]) -> Vec<Word> {
    let spans = words.spans().iter().zip(weights).enumerate();
    spans
        .map(|(at, (span, &weight))| Word {
            text: words.word(at).to_owned(),
            start: span.start,
            end: span.end,
            weight,
        })
        .collect()
}

/// Grey levels between which a picture is as good as blank: those of a scanner's or a JPEG's noise.
const BLANK: u8 = 4;

/// What is wrong with a map, and what a reader must know of it and of its picture; of a blank picture there is no share of
/// anything to tell.
///
/// # Errors
/// The map has values that are no numbers.
pub(crate) fn remark(picture: &RgbImage, found: &mut Explanation) -> Result<()> {
    if found.map.iter().any(|value| !value.is_finite()) {
        let name = found.method.name();
        return Err(Error::Refused(format!(
            "the map of {name} is not finite (NaN or infinity): the model's weights are damaged, or its numbers too \
             large; try occlusion"
        )));
    }
    let notes = &mut found.notes;
    if is_blank(picture) {
        notes.push("the picture is of one colour: no part of it says more than another".into());
        (found.r2, found.r2_left_out) = (None, None);
    } else if found.map.iter().all(|value| value.abs() < 1e-9) {
        notes.push(
            "the map is 0 everywhere: this method finds nothing that supports the text".into(),
        );
    }
    if found.words.len() == 1 {
        let weight = match found.words_by {
            Method::Fixlip => "its weight is the sum of what it does with each part",
            _ => "its weight is the score beside that of no text",
        };
        notes.push(format!("the text is one word: {weight}"));
    }
    Ok(())
}

/// Whether a picture is of one colour, but for a little noise.
fn is_blank(picture: &RgbImage) -> bool {
    (0..3).all(|channel| {
        let values = picture.pixels().map(|pixel| pixel[channel]);
        let (least, most) = values.fold((u8::MAX, 0), |(a, b), v| (a.min(v), b.max(v)));
        most.saturating_sub(least) <= BLANK
    })
}

/// The mean of rows, zeros of none.
fn mean(rows: &[f32], dim: usize) -> Vec<f32> {
    let mut sum = vec![0.0; dim];
    let count = (rows.len() / dim.max(1)).max(1) as f32;
    for row in rows.chunks_exact(dim.max(1)) {
        sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += value / count);
    }
    sum
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
