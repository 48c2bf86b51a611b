//! Who looks again, as an explanation asks: the scores of pictures that nobody indexed, with parts hidden, and of texts
//! with words left out.

use std::path::Path;
use std::sync::Arc;

use tuwen_encode::{CpuEncoder, Encoder, WithTokens};
use tuwen_explain::{Judge, Judged, Words};
use tuwen_image::RgbImage;
use tuwen_matching::{Heads, Patches};

use super::heads::{heads_of, matches_itself};
use super::tokens::{Which, check_head};
use crate::Result;

/// Pictures whose rows are in memory together.
const BATCH: usize = 16;

/// The score by which `--rerank late` or `--rerank itm` orders pictures.
pub struct HeadJudge<'e> {
    encoder: &'e CpuEncoder,
    /// None where the model brings its matching head along.
    heads: Option<Arc<Heads<'static>>>,
    which: Which,
}

impl<'e> HeadJudge<'e> {
    /// By the heads of `folder` where it is named, else those beside the model's files (`model` is its name or folder),
    /// else what the model can do by itself.
    ///
    /// # Errors
    /// The heads lack the one that is wanted, or are another model's.
    pub fn open(
        encoder: &'e CpuEncoder,
        model: &str,
        folder: Option<&Path>,
        which: Which,
    ) -> Result<Self> {
        if which == Which::Itm && matches_itself(encoder, model, folder) {
            return Ok(Self::own(encoder));
        }
        Self::of(encoder, Arc::new(heads_of(encoder, model, folder)?), which)
    }

    /// By the matching head that the model brings along.
    pub(crate) fn own(encoder: &'e CpuEncoder) -> Self {
        Self { encoder, heads: None, which: Which::Itm }
    }

    /// By heads that are open.
    pub(crate) fn of(
        encoder: &'e CpuEncoder,
        heads: Arc<Heads<'static>>,
        which: Which,
    ) -> Result<Self> {
        check_head(&heads, which)?;
        Ok(Self { encoder, heads: Some(heads), which })
    }

    /// Each picture with a text, or each text with a picture: `pairs` are places among texts and pictures.
    fn scores(
        &self,
        pictures: &[RgbImage],
        texts: &[&str],
        pairs: impl Fn(usize) -> Vec<(usize, usize)>,
    ) -> Result<Vec<f32>> {
        let vectors = self.encoder.encode_texts(texts)?;
        let rows = |pictures: &[RgbImage]| match &self.heads {
            Some(_) => self.encoder.image_tokens(pictures),
            None => self.encoder.match_rows(pictures),
        };
        let mut scores = Vec::new();
        for some in pictures.chunks(BATCH) {
            let found = rows(some)?;
            let pairs = pairs(some.len());
            let dim = self.encoder.dim();
            let cosine = |&(text, picture): &(usize, usize)| -> f32 {
                let rows = vectors[text * dim..][..dim].iter().zip(&found.vectors[picture * dim..]);
                rows.map(|(a, b)| a * b).sum()
            };
            match &self.heads {
                Some(heads) => {
                    let (own, share) = self.by_heads(heads, &found, texts, &pairs)?;
                    let both = own.iter().zip(&pairs);
                    scores.extend(both.map(|(score, pair)| score + share * cosine(pair)));
                }
                None => scores.extend(self.by_model(&found, texts, &pairs, cosine)?),
            }
        }
        Ok(scores)
    }

    /// What the heads say, and how much the cosine counts beside it.
    fn by_heads(
        &self,
        heads: &Heads<'static>,
        found: &WithTokens,
        texts: &[&str],
        pairs: &[(usize, usize)],
    ) -> Result<(Vec<f32>, f32)> {
        let rows: Vec<&[f32]> = found.rows().collect();
        let patches = heads.store(&rows)?;
        let inputs =
            texts.iter().map(|text| self.encoder.tokenise(text)).collect::<Result<Vec<_>, _>>()?;
        let words = self.encoder.text_tokens(&inputs)?;
        let questions: Vec<_> = words.rows().map(|rows| heads.question(rows)).collect();
        let one = |&(text, picture): &(usize, usize)| {
            let photo: [&Patches; 1] = [&patches[picture]];
            let found = match self.which {
                Which::Late => heads.late(&questions[text], &photo),
                Which::Itm => heads.matches(&questions[text], &photo),
            };
            // A text of which all words are left out asks for nothing.
            found.first().copied().unwrap_or(0.0)
        };
        let config = heads.config();
        let share = match self.which {
            Which::Late => config.late.map(|late| late.cosine),
            Which::Itm => config.itm.map(|itm| itm.cosine),
        };
        Ok((pairs.iter().map(one).collect(), share.unwrap_or(0.0)))
    }

    /// What the model's own matching head says, with its share of the cosine.
    fn by_model(
        &self,
        found: &WithTokens,
        texts: &[&str],
        pairs: &[(usize, usize)],
        cosine: impl Fn(&(usize, usize)) -> f32,
    ) -> Result<Vec<f32>> {
        let inputs =
            texts.iter().map(|text| self.encoder.tokenise(text)).collect::<Result<Vec<_>, _>>()?;
        let rows: Vec<&[f32]> = found.rows().collect();
        Ok(self.encoder.match_scores(&inputs, &rows, pairs, |pair| cosine(&pair))?)
    }
}

impl Judge for HeadJudge<'_> {
    fn name(&self) -> String {
        match self.which {
            Which::Late => "late interaction".into(),
            Which::Itm => "the matching head".into(),
        }
    }

    fn read(&self, words: &Words) -> tuwen_explain::Result<Words> {
        words.read(self.encoder)
    }

    fn of_pictures(&self, pictures: &[RgbImage], text: &str) -> Judged {
        let pairs = |count: usize| (0..count).map(|picture| (0, picture)).collect();
        self.scores(pictures, &[text], pairs).map_err(|error| error.to_string())
    }

    fn of_texts(&self, picture: &RgbImage, texts: &[&str]) -> Judged {
        let pairs = |_| (0..texts.len()).map(|text| (text, 0)).collect();
        let one = std::slice::from_ref(picture);
        self.scores(one, texts, pairs).map_err(|error| error.to_string())
    }
}
