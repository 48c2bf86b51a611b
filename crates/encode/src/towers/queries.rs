//! The Q-Former of BLIP-2 (Li et al. 2023, <https://arxiv.org/abs/2301.12597>; `models/blip_2` of transformers): learned
//! queries look at a picture's rows and become as many vectors of it.
//!
//! A picture's contrastive score with a text is the best cosine of these vectors with the text's. A gallery keeps one vector
//! of a picture, so that the feature here is the mean of the queries' rows; the single ones are tokens.

use std::ops::Range;

use tuwen_nn::{Norm, Tape, Value, Weight};

use crate::block::{Block, Looking, QueryBlock, ask, ask_with_words};
use crate::layers::{Weights, norm, weight_of};
use crate::{ModelConfig, Result};

/// See the module.
pub(super) struct QFormer<'a> {
    /// (1, count, W).
    queries: Weight<'a>,
    first_norm: Norm<'a>,
    blocks: Vec<QueryBlock<'a>>,
    count: usize,
    width: usize,
}

impl<'a> QFormer<'a> {
    /// The weights of `config`'s queries; none where it has none.
    ///
    /// # Errors
    /// A weight is missing.
    pub(super) fn find(config: &ModelConfig, weights: &dyn Weights<'a>) -> Result<Option<Self>> {
        let Some(queries) = config.queries else { return Ok(None) };
        let block = |block| QueryBlock::new(config, weights, block);
        Ok(Some(Self {
            queries: weight_of(weights, "text.queries".to_owned())?,
            first_norm: norm(weights, "text.first_norm", config.text.norm_eps)?,
            blocks: (0..config.text.layers).map(block).collect::<Result<_>>()?,
            count: queries.count,
            width: config.text.width,
        }))
    }

    /// How many rows each picture gets.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// What each picture's queries make of its rows, (pictures * count, W), and whose rows they are.
    ///
    /// # Shapes
    /// `pictures`: (rows, the image tower's width), those of each at one of `spans`.
    pub(super) fn look<'w>(
        &'w self,
        tape: &mut Tape<'w>,
        pictures: &Value,
        spans: &[Range<usize>],
    ) -> (Value, Vec<Range<usize>>) {
        let own: Vec<Range<usize>> =
            (0..spans.len()).map(|at| at * self.count..(at + 1) * self.count).collect();
        let begun = self.begin(tape, spans.len());
        let begun = tape.layer_norm(&begun, &self.first_norm);
        let looking = Looking { spans: &own, pictures, looks: spans };
        (ask(&self.blocks, tape, begun, &looking), own)
    }

    /// What the queries of pairs make of a picture beside a text, (pairs * count, W).
    ///
    /// # Shapes
    /// `texts`: embedded tokens, (rows, W), of each pair's text those at one of `reads`; `looks`: the rows of its picture
    /// among `pictures`; `words`: the text tower's blocks.
    pub(super) fn look_with_words<'w>(
        &'w self,
        words: &'w [Block<'_>],
        tape: &mut Tape<'w>,
        texts: &Value,
        reads: &[Range<usize>],
        (pictures, looks): (&Value, &[Range<usize>]),
    ) -> Value {
        let queries = self.begin(tape, 1);
        let both = tape.stack(&[&queries, texts]);
        let behind = |row: usize| row + self.count;
        let pair = |read: &Range<usize>| (0..self.count).chain(read.clone().map(behind));
        let x = tape.pick(&both, reads.iter().flat_map(pair).collect());
        let x = tape.layer_norm(&x, &self.first_norm);
        let spans = super::fusion::spans(reads.iter().map(|read| self.count + read.len()));
        let looking = Looking { spans: &spans, pictures, looks };
        ask_with_words(&self.blocks, words, tape, x, &looking, self.count)
    }

    /// The queries as they are learned, so many times.
    fn begin<'w>(&'w self, tape: &mut Tape<'w>, times: usize) -> Value {
        let none = tape.leaf(vec![0.0; times * self.count * self.width], self.width, false);
        let places = (0..times).flat_map(|_| 0..self.count).collect();
        tape.add_places(none, &self.queries, places)
    }
}
