//! Blocks of a Q-Former (BLIP-2, Li et al. 2023, <https://arxiv.org/abs/2301.12597>): queries look at a picture, alone or
//! with a text beside them. Both attend by the text tower's matrices; queries have an MLP of their own, and in some blocks a
//! step of attention to the picture's rows.

use std::ops::Range;
use std::sync::Arc;

use tuwen_nn::{Sequence, Tape, Value};

use super::cross::{Across, Cross, Looking};
use super::{Block, OutputRows, Rows};
use crate::layers::Weights;
use crate::{ModelConfig, Result};

/// A block as queries go through it.
pub(crate) struct QueryBlock<'a> {
    block: Block<'a>,
    cross: Option<Cross<'a>>,
}

impl<'a> QueryBlock<'a> {
    /// The weights of a block of the text tower, with those of queries.
    pub(crate) fn new(
        config: &ModelConfig,
        weights: &dyn Weights<'a>,
        block: usize,
    ) -> Result<Self> {
        let name = format!("text.blocks.{block}");
        let mlp = ["query.fc1", "query.fc2", "query.norm"];
        let cross = || Cross::new(weights, &name, config.text.norm_eps);
        Ok(Self {
            block: Block::with_mlp(&config.text, false, weights, &name, mlp)?,
            cross: config.looks(block).then(cross).transpose()?,
        })
    }

    /// What the block's queries see of pictures, where they look at them.
    fn across<'c, 'w>(
        &'w self,
        tape: &mut Tape<'w>,
        pictures: &Value,
        sequences: &'c Arc<[Sequence]>,
    ) -> Option<Across<'c, 'w>> {
        let cross = self.cross.as_ref()?;
        Some(Across { cross, seen: cross.keys(tape, pictures), sequences })
    }
}

/// Queries alone, of which each picture has as many, from the rows that begin to what is made of them.
///
/// # Shapes
/// `x` and the result: (pictures * queries, W); `looking.spans`: the queries of each picture.
pub(crate) fn ask<'w>(
    blocks: &'w [QueryBlock<'_>],
    tape: &mut Tape<'w>,
    mut x: Value,
    looking: &Looking<'_>,
) -> Value {
    let rows = Rows::new(looking.spans, OutputRows::All);
    let looks = at_pictures(looking.spans, looking.looks);
    for block in blocks {
        let across = block.across(tape, looking.pictures, &looks);
        x = block.block.forward(tape, x, &rows, across);
    }
    x
}

/// Queries that a text stands behind: each attends to both, and the queries to the picture. `words` are the text tower's
/// blocks.
///
/// # Shapes
/// `x`: the rows of all pairs, in each of `looking.spans` first `count` queries and then the text's; the result has the
/// queries alone, (pairs * count, W).
pub(crate) fn ask_with_words<'w>(
    blocks: &'w [QueryBlock<'_>],
    words: &'w [Block<'_>],
    tape: &mut Tape<'w>,
    mut x: Value,
    looking: &Looking<'_>,
    count: usize,
) -> Value {
    let rows = Rows::new(looking.spans, OutputRows::All);
    let asks: Vec<usize> =
        looking.spans.iter().flat_map(|span| span.start..span.start + count).collect();
    let texts: Vec<usize> =
        looking.spans.iter().flat_map(|span| span.start + count..span.end).collect();
    let own: Vec<Range<usize>> =
        (0..looking.spans.len()).map(|pair| pair * count..(pair + 1) * count).collect();
    let looks = at_pictures(&own, looking.looks);
    // Where each row is once the queries of all pairs stand before the texts of all.
    let mut back = vec![0; x.rows()];
    asks.iter().chain(&texts).enumerate().for_each(|(at, &row)| back[row] = at);
    for (index, (QueryBlock { block, .. }, text)) in blocks.iter().zip(words).enumerate() {
        let qkv = tape.linear(&x, &block.qkv);
        let sum = block.attend(tape, qkv, x, &rows);
        let middle = tape.layer_norm(&sum, &block.norm1);
        let mut queries = tape.pick(&middle, asks.clone());
        if let Some(across) = blocks[index].across(tape, looking.pictures, &looks) {
            queries = block.look(tape, queries, across);
        }
        let queries = block.think(tape, queries);
        if index + 1 == blocks.len() {
            return queries;
        }
        let read = tape.pick(&middle, texts.clone());
        let read = text.think(tape, read);
        let both = tape.stack(&[&queries, &read]);
        x = tape.pick(&both, back.clone());
    }
    x
}

/// Who looks at which rows of the pictures.
fn at_pictures(queries: &[Range<usize>], pictures: &[Range<usize>]) -> Arc<[Sequence]> {
    let one = |(queries, keys): (&Range<usize>, &Range<usize>)| Sequence {
        queries: queries.clone(),
        keys: keys.clone(),
        first: 0,
    };
    queries.iter().zip(pictures).map(one).collect()
}
