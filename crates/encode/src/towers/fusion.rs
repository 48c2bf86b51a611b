//! A text that looks at a picture, and whether both belong together: the matching head of ALBEF (Li et al. 2021,
//! <https://arxiv.org/abs/2107.07651>) and BLIP (<https://arxiv.org/abs/2201.12086>, `models/med.py` of
//! <https://github.com/salesforce/BLIP>).
//!
//! It is the text tower once more, whose blocks from [`crate::Fusion::from`] on have a step of attention to the picture's
//! rows. BLIP's are the tower's own blocks, so that they are used from there; ALBEF's lie behind them. In BLIP-2 queries look
//! at the picture with the text behind them, each has two logits, and their means count.

use std::ops::Range;

use tuwen_nn::{Linear, Spans, Tape};

use super::joint::Joint;
use super::queries::QFormer;
use super::text::TextTower;
use crate::block::{Block, Cross, Looking, fuse};
use crate::config::Fusion;
use crate::layers::{Weights, linear};
use crate::{ModelConfig, Result};

/// See the module. It has what the text tower has not.
pub struct FusionTower<'a> {
    config: Fusion,
    /// What looks at the picture in the text's place, where the model has such.
    queries: Option<QFormer<'a>>,
    /// What makes the picture look at the text as well, where the model has such.
    joint: Option<Joint<'a>>,
    /// Blocks behind the text tower's.
    behind: Vec<Block<'a>>,
    /// One for each block from [`Fusion::from`] on, without queries.
    cross: Vec<Cross<'a>>,
    head: Linear<'a>,
    /// Width of a picture's row.
    wide: usize,
}

/// What a matching head says of a pair: logits of no match and of a match.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Match {
    /// Behind the text, which has looked at the picture.
    pub text: [f32; 2],
    /// Behind the picture, which has looked at the text, where the model goes both ways.
    pub picture: Option<[f32; 2]>,
}

impl Match {
    /// What orders pictures before any cosine: the logit of a match, of a model that goes both ways the mean of the two
    /// probabilities.
    pub fn score(&self) -> f32 {
        let probability = |[no, yes]: [f32; 2]| 1.0 / (1.0 + (no - yes).exp());
        match self.picture {
            Some(picture) => (probability(self.text) + probability(picture)) / 2.0,
            None => self.text[1],
        }
    }
}

impl<'a> FusionTower<'a> {
    /// The weights of `config`'s matching head; none where it has none.
    ///
    /// # Errors
    /// A weight is missing.
    pub fn find(config: &ModelConfig, weights: impl Weights<'a>) -> Result<Option<Self>> {
        let Some(fusion) = config.fusion else { return Ok(None) };
        let name = |block: usize| format!("text.blocks.{block}");
        let behind = config.text.layers..fusion.blocks;
        let block = |block| Block::new(&config.text, false, &weights, &name(block));
        let cross = |block| Cross::new(&weights, &name(block), config.text.norm_eps);
        let queries = QFormer::find(config, &weights)?;
        let looks = if queries.is_some() { 0..0 } else { fusion.from..fusion.blocks };
        Ok(Some(Self {
            config: fusion,
            queries,
            joint: Joint::find(config, &weights)?,
            behind: behind.map(block).collect::<Result<_>>()?,
            cross: looks.map(cross).collect::<Result<_>>()?,
            head: linear(&weights, "heads.match", true)?,
            wide: config.image.width,
        }))
    }

    /// For each pair of a text and a picture what the head says.
    ///
    /// # Shapes
    /// `texts`: lists of ids, unpadded or padded with 0 at the end, which is cut; `pictures`: of each one all rows of the
    /// image tower, (rows, its width).
    ///
    /// # Errors
    /// The table of tokens lies in a file that cannot be read any more.
    ///
    /// # Panics
    /// A pair names a text or picture that is not there.
    pub fn try_matches(
        &self,
        text: &TextTower<'_>,
        texts: &[&[u32]],
        pictures: &[&[f32]],
        pairs: &[(usize, usize)],
    ) -> Result<Vec<Match>> {
        let of_texts = |logits: &[f32]| -> Vec<Match> {
            logits.as_chunks::<2>().0.iter().map(|&text| Match { text, picture: None }).collect()
        };
        if pairs.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<Vec<u32>> = texts.iter().map(|ids| self.begun(ids)).collect();
        let ids: Vec<&[u32]> = ids.iter().map(Vec::as_slice).collect();
        let (rows, own) = text.try_embed(&ids)?;
        let mut tape = Tape::forward_only();
        let x = tape.leaf(rows, text.width(), false);
        let rows = tape.leaf(pictures.concat(), self.wide, false);
        let seen = spans(pictures.iter().map(|rows| rows.len() / self.wide));
        let looks: Vec<Range<usize>> = pairs.iter().map(|pair| seen[pair.1].clone()).collect();
        let reads: Vec<Range<usize>> = pairs.iter().map(|pair| own[pair.0].clone()).collect();
        if let Some(queries) = &self.queries {
            let words = text.stack().blocks();
            let x = queries.look_with_words(words, &mut tape, &x, &reads, (&rows, &looks));
            let each = spans(pairs.iter().map(|_| queries.count()));
            let logits = tape.linear(&x, &self.head);
            return Ok(of_texts(&tape.means(&logits, &Spans::from(each))));
        }
        let mut x = text.stack().begin(&mut tape, x);
        let (alone, together) = text.stack().blocks().split_at(self.config.from);
        for block in alone {
            x = block.among(&mut tape, x, &own);
        }
        let joint = self.joint.as_ref();
        let back = joint.map(|joint| joint.logits(&mut tape, (&rows, &looks), (&x, &reads)));
        // Each pair has a copy of its text, which from here on depends on the picture.
        let x = tape.pick(&x, reads.iter().cloned().flatten().collect());
        let own = spans(reads.iter().map(Range::len));
        let looking = Looking { spans: &own, pictures: &rows, looks: &looks };
        let blocks: Vec<_> = together.iter().chain(&self.behind).zip(&self.cross).collect();
        let x = fuse(&blocks, &mut tape, x, &looking);
        let mut matches = of_texts(&tape.linear(&x, &self.head));
        let pictures = back.into_iter().flatten();
        matches.iter_mut().zip(pictures).for_each(|(pair, logits)| pair.picture = Some(logits));
        Ok(matches)
    }

    /// The same without what a picture's rows say: the logits behind the texts.
    ///
    /// # Errors
    /// As [`Self::try_matches`].
    ///
    /// # Panics
    /// As there.
    pub fn try_logits(
        &self,
        text: &TextTower<'_>,
        texts: &[&[u32]],
        pictures: &[&[f32]],
        pairs: &[(usize, usize)],
    ) -> Result<Vec<[f32; 2]>> {
        let found = self.try_matches(text, texts, pictures, pairs)?;
        Ok(found.into_iter().map(|pair| pair.text).collect())
    }

    /// What a model with queries makes of pictures from their rows, (pictures * queries, W); nothing without queries.
    ///
    /// # Shapes
    /// As [`Self::try_logits`].
    pub fn query_rows(&self, pictures: &[&[f32]]) -> Vec<f32> {
        let Some(queries) = &self.queries else { return Vec::new() };
        let mut tape = Tape::forward_only();
        let rows = tape.leaf(pictures.concat(), self.wide, false);
        let spans = spans(pictures.iter().map(|rows| rows.len() / self.wide));
        queries.look(&mut tape, &rows, &spans).0.into_vec()
    }

    /// A text's ids as the head takes them.
    fn begun(&self, ids: &[u32]) -> Vec<u32> {
        let mut ids = ids.to_vec();
        if let (Some(own), Some(first)) = (self.config.first, ids.first_mut()) {
            *first = own;
        }
        ids
    }
}

/// One span for each length, one behind the other.
pub(super) fn spans(lengths: impl Iterator<Item = usize>) -> Vec<Range<usize>> {
    let mut end = 0;
    let one = |len| {
        end += len;
        end - len..end
    };
    lengths.map(one).collect()
}
