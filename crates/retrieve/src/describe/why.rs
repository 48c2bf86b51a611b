//! Which parts of a picture made a decoder say each word of its caption.

use tuwen_caption::{Decoder, log_prob};
use tuwen_encode::{Captioner, CpuEncoder};
use tuwen_explain::{Explanation, SaidWord, explain_said};
use tuwen_image::RgbImage;

use super::{Ask, Describer, Made, Voice};
use crate::{Error, Result};

/// Pictures with hidden parts whose rows are in memory together.
const BATCH: usize = 16;

/// A caption and why its words were said.
pub struct Told {
    /// The caption.
    pub made: Made,
    /// Of its words.
    pub why: Explanation,
}

impl Describer {
    /// Captions of a picture that [`Self::preprocess`] has brought to size, as [`Self::describe`] gives them, each with an
    /// explanation of its words.
    ///
    /// # Errors
    /// As there, and what cannot be explained.
    pub fn explained(
        &self,
        encoder: Option<&CpuEncoder>,
        picture: &RgbImage,
        ask: &Ask,
        settings: &tuwen_explain::Settings,
    ) -> Result<Vec<Told>> {
        let made = self.describe(encoder, picture, ask)?;
        let explain = |made: Made| {
            let (said, tokens) =
                words_of(&made.text, &made.tokens, &|tokens| self.written(&made.language, tokens))?;
            let log_probs = |pictures: &[RgbImage]| {
                let found = match &self.voice {
                    Voice::Own(decoder) => {
                        let language = decoder.config().language(&made.language)?;
                        by_rows(decoder, self.needed(encoder)?, pictures, language, &made.tokens)
                    }
                    Voice::Whole(captioner) => Ok(whole(captioner, pictures, &made.tokens)),
                };
                // A word's log-probability is the sum of its tokens'.
                let sums = |row: &Vec<f32>| {
                    tokens.iter().map(|own| own.iter().map(|&at| row[at]).sum()).collect()
                };
                found.map(|rows| rows.iter().map(sums).collect::<Vec<Vec<f32>>>())
            };
            let log_probs =
                |pictures: &[RgbImage]| log_probs(pictures).map_err(|e: Error| e.to_string());
            let why = explain_said(self.name(), picture, &said, settings, &log_probs);
            let why = why.map_err(|error| match error {
                tuwen_explain::Error::Refused(what) => Error::Usage(what),
                other => Error::Explain(other),
            })?;
            Ok(Told { made, why })
        };
        made.into_iter().map(explain).collect()
    }

    /// Tokens as people write them.
    fn written(&self, language: &str, tokens: &[usize]) -> Result<String> {
        match &self.voice {
            Voice::Own(decoder) => {
                let at = decoder.config().language(language)?;
                Ok(decoder.config().languages[at].write(tokens))
            }
            Voice::Whole(captioner) => {
                let tokens: Vec<u32> = tokens.iter().map(|&token| token as u32).collect();
                Ok(captioner.write(&tokens)?)
            }
        }
    }
}

/// The words of a caption, and which tokens each of them is made of: what a token adds to the text that is written
/// begins a word where a space or a Chinese sign stands before it.
fn words_of(
    text: &str,
    tokens: &[usize],
    write: &dyn Fn(&[usize]) -> Result<String>,
) -> Result<(Vec<SaidWord>, Vec<Vec<usize>>)> {
    let (mut words, mut places) = (Vec::<SaidWord>::new(), Vec::<Vec<usize>>::new());
    let mut before = 0;
    for at in 0..tokens.len() {
        let so_far = write(&tokens[..=at])?.len().min(text.len());
        let Some(added) = text.get(before..so_far) else { continue };
        let word = added.trim_start();
        let start = so_far - word.len();
        before = so_far;
        let joins = start > 0
            && text[..start].ends_with(|c: char| c.is_alphanumeric() && c < '\u{2e80}')
            && added.len() == word.len();
        match (words.last_mut(), places.last_mut()) {
            (Some(last), Some(own)) if joins || word.is_empty() => {
                last.text.push_str(added);
                own.push(at);
            }
            _ if word.is_empty() => {}
            _ => {
                words.push(SaidWord { text: word.to_owned(), start });
                places.push(vec![at]);
            }
        }
    }
    Ok((words, places))
}

/// The logarithm of each token's probability, (pictures, tokens), by our own decoder.
fn by_rows(
    decoder: &Decoder<'_>,
    encoder: &CpuEncoder,
    pictures: &[RgbImage],
    language: usize,
    tokens: &[usize],
) -> Result<Vec<Vec<f32>>> {
    let mut all = Vec::with_capacity(pictures.len());
    for some in pictures.chunks(BATCH) {
        let found = encoder.image_tokens(some)?;
        let rows: Vec<&[f32]> = found.rows().collect();
        all.extend(decoder.log_probs(&rows, language, tokens));
    }
    Ok(all)
}

/// The same by a captioning model of others, a picture and a token at a time.
fn whole(captioner: &Captioner, pictures: &[RgbImage], tokens: &[usize]) -> Vec<Vec<f32>> {
    let one = |picture: &RgbImage| {
        let shown = captioner.look(picture);
        let mut sentence = captioner.start(1, tokens.len() + 1);
        let mut before = captioner.begin();
        let mut found = Vec::with_capacity(tokens.len());
        for &token in tokens {
            let logits = captioner.say(&shown, &mut sentence, &[before]);
            found.push(log_prob(&logits, token));
            before = token as u32;
        }
        found
    };
    pictures.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pieces that go on belong to the word before them; Chinese words stand alone.
    #[test]
    fn tokens_become_the_words_that_are_read() {
        let parts = |pieces: &[&str]| {
            let text = pieces.concat();
            let tokens: Vec<usize> = (0..pieces.len()).collect();
            let write = |tokens: &[usize]| Ok(tokens.iter().map(|&at| pieces[at]).collect());
            let (words, places) = words_of(&text, &tokens, &write).expect("words");
            for word in &words {
                assert_eq!(text[word.start..][..word.text.len()], word.text);
            }
            (words.into_iter().map(|word| word.text).collect::<Vec<_>>(), places)
        };
        let (words, places) = parts(&["a", " man", "'s", " skate", "board"]);
        assert_eq!(words, ["a", "man's", "skateboard"]);
        assert_eq!(places, [vec![0], vec![1, 2], vec![3, 4]]);
        let (words, places) = parts(&["一只", "狗", "在", "跑"]);
        assert_eq!(words, ["一只", "狗", "在", "跑"]);
        assert_eq!(places.len(), 4);
    }
}
