//! A stack of transformer blocks over ragged rows.
//!
//! The tokens of several sequences are the rows of one matrix, one sequence behind the other without padding, so
//! that every matrix product takes all of them at once; only attention needs to know where a sequence starts.

mod cross;
mod queries;

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;
use tuwen_nn::{Activation, Attention, Linear, Norm, Part, Sequence, Tape, Value};

use crate::config::NormPlace;
use crate::layers::{Weights, block_linear, norm};
use crate::{Result, TowerConfig};
use cross::Across;
pub(crate) use cross::{Cross, Looking, OnePicture, fuse};
pub(crate) use queries::{QueryBlock, ask, ask_with_words};

/// Which rows of each sequence a tower's feature is made of: the last block computes only these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OutputRows {
    #[default]
    All,
    First,
    Last,
}

impl OutputRows {
    /// The output row of the sequence at `span`, where it is one.
    pub(crate) fn of(self, span: &Range<usize>) -> Option<usize> {
        match self {
            Self::All => None,
            Self::First => Some(span.start),
            Self::Last => Some(span.end - 1),
        }
    }
}

/// How a stack runs.
#[derive(Clone, Copy)]
pub(crate) struct Depth {
    pub(crate) output: OutputRows,
    pub(crate) recompute: bool,
}

/// All blocks of a tower, and the LayerNorms around them.
pub(crate) struct Stack<'a> {
    first_norm: Option<Norm<'a>>,
    blocks: Vec<Block<'a>>,
    norm: Option<Norm<'a>>,
}

/// One block's weights.
pub(crate) struct Block<'a> {
    norm1: Norm<'a>,
    qkv: Linear<'a>,
    proj: Linear<'a>,
    norm2: Norm<'a>,
    fc1: Linear<'a>,
    fc2: Linear<'a>,
    attention: Attention,
    place: NormPlace,
    activation: Activation,
}

/// Who attends to whom, and which rows come out.
struct Rows {
    sequences: Arc<[Sequence]>,
    /// None where all come out.
    picked: Option<Vec<usize>>,
}

impl Rows {
    fn new(spans: &[Range<usize>], output: OutputRows) -> Self {
        let one = |span: &Range<usize>| match output.of(span) {
            Some(row) => Sequence::one(row, span.clone()),
            None => Sequence::itself(span.clone()),
        };
        let picked = spans.iter().filter_map(|span| output.of(span)).collect();
        let picked = (output != OutputRows::All).then_some(picked);
        Self { sequences: spans.iter().map(one).collect(), picked }
    }
}

impl<'a> Stack<'a> {
    pub(crate) fn new(
        config: &TowerConfig,
        causal: bool,
        weights: &dyn Weights<'a>,
        prefix: &str,
    ) -> Result<Self> {
        let block =
            |index| Block::new(config, causal, weights, &format!("{prefix}.blocks.{index}"));
        let around = |wanted: bool, name: &str| {
            let find = || norm(weights, &format!("{prefix}.{name}"), config.norm_eps);
            wanted.then(find).transpose()
        };
        Ok(Self {
            first_norm: around(config.first_norm, "first_norm")?,
            blocks: (0..config.layers).into_par_iter().map(block).collect::<Result<_>>()?,
            norm: around(config.norm == NormPlace::Pre && config.last_norm, "norm")?,
        })
    }

    /// Runs the blocks over `x`, (rows, W); `spans` are the sequences' rows. With an `output` of one row, the last
    /// block computes just that row of each sequence, which saves most of its work in both passes. With
    /// `recompute`, only the blocks' inputs are kept for the backward pass. `look` is handed the rows behind each
    /// block, from 1, and before the first, 0, and gives those that the next one takes.
    pub(crate) fn forward<'w>(
        &'w self,
        tape: &mut Tape<'w>,
        mut x: Value,
        spans: &[Range<usize>],
        how: Depth,
        mut look: impl FnMut(&mut Tape<'w>, usize, Value) -> Value,
    ) -> Value {
        let Depth { output, recompute } = how;
        x = self.begin(tape, x);
        x = look(tape, 0, x);
        let (all, last) = (Rows::new(spans, OutputRows::All), Rows::new(spans, output));
        let (all, last) = (Arc::new(all), Arc::new(last));
        for (index, block) in self.blocks.iter().enumerate() {
            let rows = Arc::clone(if index + 1 == self.blocks.len() { &last } else { &all });
            x = match recompute {
                true => tape.checkpoint(&x, block.learns(), move |tape, x| {
                    block.forward(tape, x.clone(), &rows, None)
                }),
                false => block.forward(tape, x, &rows, None),
            };
            x = look(tape, index + 1, x);
        }
        x
    }

    /// The LayerNorm before the blocks, where there is one.
    pub(crate) fn begin<'w>(&'w self, tape: &mut Tape<'w>, x: Value) -> Value {
        match &self.first_norm {
            Some(norm) => tape.layer_norm(&x, norm),
            None => x,
        }
    }

    pub(crate) fn blocks(&self) -> &[Block<'a>] {
        &self.blocks
    }

    /// The final LayerNorm, where there is one.
    pub(crate) fn finish<'w>(&'w self, tape: &mut Tape<'w>, x: Value) -> Value {
        match &self.norm {
            Some(norm) => tape.layer_norm(&x, norm),
            None => x,
        }
    }
}

impl<'a> Block<'a> {
    pub(crate) fn new(
        config: &TowerConfig,
        causal: bool,
        weights: &dyn Weights<'a>,
        name: &str,
    ) -> Result<Self> {
        Self::with_mlp(config, causal, weights, name, ["mlp.fc1", "mlp.fc2", "norm2"])
    }

    /// The block with another MLP and the norm behind that, by their names.
    fn with_mlp(
        config: &TowerConfig,
        causal: bool,
        weights: &dyn Weights<'a>,
        name: &str,
        [fc1, fc2, norm2]: [&str; 3],
    ) -> Result<Self> {
        let find = |part: &str| block_linear(weights, &format!("{name}.{part}"));
        let around = |part: &str| norm(weights, &format!("{name}.{part}"), config.norm_eps);
        Ok(Self {
            norm1: around("norm1")?,
            qkv: find("attn.qkv")?,
            proj: find("attn.proj")?,
            norm2: around(norm2)?,
            fc1: find(fc1)?,
            fc2: find(fc2)?,
            attention: Attention { heads: config.heads, width: config.width, causal },
            place: config.norm,
            activation: config.activation,
        })
    }

    fn learns(&self) -> bool {
        let linears = [&self.qkv, &self.proj, &self.fc1, &self.fc2];
        linears.iter().any(|l| l.learns()) || self.norm1.learns() || self.norm2.learns()
    }

    fn forward<'w>(
        &'w self,
        tape: &mut Tape<'w>,
        x: Value,
        rows: &Rows,
        across: Option<Across<'_, 'w>>,
    ) -> Value {
        match self.place {
            NormPlace::Pre => {
                let qkv = tape.normed_linear(&x, &self.norm1, &self.qkv);
                let middle = self.attend(tape, qkv, x, rows);
                let hidden = tape.normed_linear(&middle, &self.norm2, &self.fc1);
                let branch = tape.active_linear(&hidden, self.activation, &self.fc2);
                tape.add(branch, &middle)
            }
            NormPlace::Post => {
                let qkv = tape.linear(&x, &self.qkv);
                let sum = self.attend(tape, qkv, x, rows);
                self.behind(tape, sum, across)
            }
        }
    }

    /// What follows the sum of `x` and its attention where each sum is normalised.
    fn behind<'w>(
        &'w self,
        tape: &mut Tape<'w>,
        sum: Value,
        across: Option<Across<'_, 'w>>,
    ) -> Value {
        let mut middle = tape.layer_norm(&sum, &self.norm1);
        if let Some(across) = across {
            middle = self.look(tape, middle, across);
        }
        self.think(tape, middle)
    }

    /// The MLP behind all that attends, where each sum is normalised.
    fn think<'w>(&'w self, tape: &mut Tape<'w>, middle: Value) -> Value {
        let hidden = tape.linear(&middle, &self.fc1);
        let branch = tape.active_linear(&hidden, self.activation, &self.fc2);
        let sum = tape.add(branch, &middle);
        tape.layer_norm(&sum, &self.norm2)
    }

    /// The residual stream `x` and what attention adds to it, of the rows that come out.
    fn attend<'w>(&'w self, tape: &mut Tape<'w>, qkv: Value, x: Value, rows: &Rows) -> Value {
        let part = |at: usize| Part { of: &qkv, column: at * self.attention.width };
        let mixed = tape.attention(self.attention, part(0), part(1), part(2), &rows.sequences);
        let branch = tape.linear(&mixed, &self.proj);
        match &rows.picked {
            Some(picked) => {
                let x = tape.pick(&x, picked.clone());
                tape.add(branch, &x)
            }
            None => tape.add(branch, &x),
        }
    }
}
