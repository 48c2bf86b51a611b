//! Captions of a model of others that is whole in itself (BLIP), by the search that our own decoder uses.

use tuwen_caption::{Said, Speaker};
use tuwen_encode::{Captioner, Sentences, Shown};
use tuwen_image::RgbImage;
use tuwen_image::rng::Rng;

use super::{Ask, Made, usage};
use crate::{Error, Result};

/// What captioning models of others speak.
pub(super) const ENGLISH: &str = "en";

/// What a captioning model of others cannot do.
pub(super) fn check(captioner: &Captioner, ask: &Ask) -> Result<()> {
    if let Some(language) = ask.languages.iter().find(|language| *language != ENGLISH) {
        return Err(usage(tuwen_caption::Error::Language {
            name: captioner.name().to_owned(),
            language: language.clone(),
            known: ENGLISH.to_owned(),
        }));
    }
    match ask.rerank {
        true => Err(Error::Usage(format!(
            "`{}` has no vectors of texts to rank its captions with: leave --rerank away",
            captioner.name()
        ))),
        false => Ok(()),
    }
}

/// A captioning model that has looked at a picture.
struct Alone<'c> {
    captioner: &'c Captioner,
    shown: Shown,
}

impl Speaker for Alone<'_> {
    type Saying = Sentences;

    fn begin(&self) -> usize {
        self.captioner.begin() as usize
    }

    fn end(&self) -> usize {
        self.captioner.end() as usize
    }

    fn never(&self) -> &[usize] {
        &[]
    }

    fn start(&self, pictures: Vec<usize>, room: usize) -> Sentences {
        self.captioner.start(pictures.len(), room)
    }

    fn say(&self, saying: &mut Sentences, tokens: &[usize]) -> Vec<f32> {
        let tokens: Vec<u32> = tokens.iter().map(|&token| token as u32).collect();
        self.captioner.say(&self.shown, saying, &tokens)
    }

    fn reorder(&self, saying: &mut Sentences, from: &[usize]) {
        saying.reorder(from);
    }
}

/// What a captioning model of others says.
pub(super) fn describe(captioner: &Captioner, picture: &RgbImage, ask: &Ask) -> Result<Vec<Made>> {
    let speaker = Alone { captioner, shown: captioner.look(picture) };
    let mut rng = Rng::new(&[ask.seed, 0]);
    let mut uniform = || rng.unit();
    let longest = captioner.longest();
    let said = tuwen_caption::describe(&speaker, longest, ask.way, &ask.control, &mut uniform);
    let mut texts = std::collections::HashSet::new();
    let mut made = Vec::new();
    for Said { tokens, log_prob } in said.map_err(usage)? {
        let own: Vec<u32> = tokens.iter().map(|&token| token as u32).collect();
        let text = captioner.write(&own)?;
        // Tokens that differ may be written alike.
        if texts.insert(text.clone()) && made.len() < ask.candidates {
            let language = ENGLISH.to_owned();
            made.push(Made { language, text, log_prob, cosine: None, tokens });
        }
    }
    Ok(made)
}
