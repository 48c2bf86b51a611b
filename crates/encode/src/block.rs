//! A stack of transformer blocks over ragged rows: forward, and backward from a tape.
//!
//! The readable reference is `tuwen-model`'s `Block`; a test there holds the two together.
//! Rows of several sequences lie one behind the other without padding: only attention knows where
//! a sequence starts.

use std::ops::Range;

use rayon::prelude::*;

use crate::attention::{Attention, Leave};
use crate::config::{Activation, NormPlace};
use crate::grads::Grads;
use crate::layers::{Norm, Weights};
use crate::linear::Linear;
use crate::math;
use crate::{Result, TowerConfig};

/// One block's weights.
struct Block<'a> {
    name: String,
    norm1: Norm<'a>,
    qkv: Linear<'a>,
    proj: Linear<'a>,
    norm2: Norm<'a>,
    fc1: Linear<'a>,
    fc2: Linear<'a>,
}

/// What one block computed, for the way back.
#[derive(Default)]
pub(crate) struct BlockTape {
    /// The block's input.
    x: Vec<f32>,
    stats1: Vec<[f32; 2]>,
    qkv: Vec<f32>,
    probs: Vec<Vec<f32>>,
    mixed: Vec<f32>,
    /// Input plus attention.
    middle: Vec<f32>,
    stats2: Vec<[f32; 2]>,
    hidden: Vec<f32>,
    /// The second sum, which only a block that normalises behind it needs.
    sum: Vec<f32>,
}

/// Rows that nothing needs afterwards.
#[derive(Default)]
struct Scratch {
    normed: Vec<f32>,
    active: Vec<f32>,
    branch: Vec<f32>,
}

/// All blocks of a tower, and the LayerNorms around them.
pub(crate) struct Stack<'a> {
    first_norm: Option<Norm<'a>>,
    blocks: Vec<Block<'a>>,
    norm: Option<Norm<'a>>,
    attention: Attention,
    place: NormPlace,
    activation: Activation,
}

/// What [`Stack::forward`] leaves for the way back.
#[derive(Default)]
pub(crate) struct Tape {
    /// Input and statistics of the first LayerNorm.
    first: (Vec<f32>, Vec<[f32; 2]>),
    blocks: Vec<BlockTape>,
    /// Which rows left the last block.
    leave: Leave,
}

/// Where the sequences are, and which of their rows leave.
type Rows<'r> = (&'r [Range<usize>], Leave);

/// What a tape takes up.
#[derive(Clone, Copy)]
pub(crate) struct Taping {
    /// The first block.
    pub(crate) first: usize,
    /// Of each block only its input; the rest is computed again when it is needed.
    pub(crate) inputs_only: bool,
}

impl<'a> Stack<'a> {
    pub(crate) fn new(
        config: &TowerConfig,
        causal: bool,
        weights: &dyn Weights<'a>,
        prefix: &str,
    ) -> Result<Self> {
        let block = |index: usize| {
            let name = format!("{prefix}.blocks.{index}");
            let norm = |part: &str| Norm::find(weights, format!("{name}.{part}"), config.norm_eps);
            let find = |part: &str| Linear::find(weights, &format!("{name}.{part}"), true);
            Ok(Block {
                norm1: norm("norm1")?,
                qkv: find("attn.qkv")?,
                proj: find("attn.proj")?,
                norm2: norm("norm2")?,
                fc1: find("mlp.fc1")?,
                fc2: find("mlp.fc2")?,
                name,
            })
        };
        let norm = |wanted: bool, name: &str| {
            let find = || Norm::find(weights, format!("{prefix}.{name}"), config.norm_eps);
            wanted.then(find).transpose()
        };
        Ok(Self {
            first_norm: norm(config.first_norm, "first_norm")?,
            blocks: (0..config.layers).into_par_iter().map(block).collect::<Result<_>>()?,
            norm: norm(config.norm == NormPlace::Pre, "norm")?,
            attention: Attention { heads: config.heads, width: config.width, causal },
            place: config.norm,
            activation: config.activation,
        })
    }

    fn width(&self) -> usize {
        self.attention.width
    }

    /// Runs the blocks in place over `x`, (rows, W); `spans` are the sequences' rows. With a `leave`
    /// other than all, just that row of each sequence leaves the last block, which saves most of its
    /// work there and back.
    pub(crate) fn forward(
        &self,
        x: &mut Vec<f32>,
        spans: &[Range<usize>],
        taping: Taping,
        leave: Leave,
    ) -> Tape {
        let mut tapes = Tape { leave, ..Tape::default() };
        let mut tape = BlockTape::default();
        let mut scratch = Scratch::default();
        if let Some(norm) = &self.first_norm {
            let mut out = Vec::new();
            norm.forward(x, &mut out, &mut tapes.first.1);
            tapes.first.0 = std::mem::replace(x, out);
        }
        for (index, block) in self.blocks.iter().enumerate() {
            let leave = if index + 1 == self.blocks.len() { leave } else { Leave::All };
            self.block_forward(block, x, (spans, leave), &mut tape, &mut scratch);
            if index >= taping.first {
                tapes.blocks.push(match taping.inputs_only {
                    true => BlockTape { x: std::mem::take(&mut tape.x), ..BlockTape::default() },
                    false => std::mem::take(&mut tape),
                });
            }
        }
        tapes
    }

    /// Writes into the buffers of `tape`, which are reused when nobody keeps them.
    fn block_forward(
        &self,
        block: &Block<'_>,
        x: &mut Vec<f32>,
        (spans, leave): Rows<'_>,
        tape: &mut BlockTape,
        scratch: &mut Scratch,
    ) {
        let Scratch { normed, active, branch } = scratch;
        let post = self.place == NormPlace::Post;
        let attended = if post {
            &*x
        } else {
            block.norm1.forward(x, normed, &mut tape.stats1);
            &*normed
        };
        block.qkv.forward(attended, &mut tape.qkv);
        self.attention.forward(&tape.qkv, (spans, leave), &mut tape.mixed, &mut tape.probs);
        block.proj.forward(&tape.mixed, &mut tape.middle);
        match leave {
            Leave::All => math::add(&mut tape.middle, x),
            _ => math::add(&mut tape.middle, &self.leaving_rows(x, spans, leave)),
        }
        if post {
            block.norm1.forward(&tape.middle, normed, &mut tape.stats1);
        } else {
            block.norm2.forward(&tape.middle, normed, &mut tape.stats2);
        }
        block.fc1.forward(normed, &mut tape.hidden);
        active.resize(tape.hidden.len(), 0.0);
        self.activation.apply(&tape.hidden, active);
        std::mem::swap(x, &mut tape.x);
        if post {
            block.fc2.forward(active, &mut tape.sum);
            math::add(&mut tape.sum, normed);
            block.norm2.forward(&tape.sum, x, &mut tape.stats2);
        } else {
            block.fc2.forward(active, branch);
            math::add(branch, &tape.middle);
            std::mem::swap(x, branch);
        }
    }

    /// The rows of each sequence that leave.
    fn leaving_rows(&self, x: &[f32], spans: &[Range<usize>], leave: Leave) -> Vec<f32> {
        let width = self.width();
        let rows = spans.iter().map(|span| leave.of(span));
        rows.flat_map(|rows| &x[rows.start * width..rows.end * width]).copied().collect()
    }

    /// The opposite: zeros where nothing left.
    fn all_rows(&self, left: Vec<f32>, spans: &[Range<usize>], leave: Leave) -> Vec<f32> {
        if leave == Leave::All {
            return left;
        }
        let width = self.width();
        let mut x = vec![0.0; spans.last().map_or(0, |span| span.end) * width];
        for (row, span) in left.chunks_exact(width).zip(spans) {
            x[leave.of(span).start * width..][..width].copy_from_slice(row);
        }
        x
    }

    /// Takes the gradient of what left the last block back to the first taped block's input, and
    /// through the first LayerNorm when all blocks are taped.
    pub(crate) fn backward(
        &self,
        tape: &Tape,
        spans: &[Range<usize>],
        mut grad: Vec<f32>,
        grads: &mut Grads<'_>,
    ) -> Vec<f32> {
        let first = self.blocks.len() - tape.blocks.len();
        for (index, block) in self.blocks.iter().enumerate().skip(first).rev() {
            let leave = if index + 1 == self.blocks.len() { tape.leave } else { Leave::All };
            let kept = &tape.blocks[index - first];
            let again = kept.qkv.is_empty().then(|| self.again(block, kept, (spans, leave)));
            let kept = again.as_ref().unwrap_or(kept);
            grad = match self.place {
                NormPlace::Pre => self.pre_backward(block, kept, (spans, leave), grad, grads),
                NormPlace::Post => self.post_backward(block, kept, (spans, leave), grad, grads),
            };
        }
        match &self.first_norm {
            Some(norm) if first == 0 => {
                let mut dx = vec![0.0; grad.len()];
                norm.backward((&tape.first.0, &tape.first.1), &grad, &mut dx, grads);
                dx
            }
            _ => grad,
        }
    }

    /// The whole tape of a block of which only the input was kept.
    fn again(&self, block: &Block<'_>, tape: &BlockTape, rows: Rows<'_>) -> BlockTape {
        let (mut x, mut whole) = (tape.x.clone(), BlockTape::default());
        self.block_forward(block, &mut x, rows, &mut whole, &mut Scratch::default());
        whole
    }

    /// The MLP's way back: from the gradient of its output to that of its input.
    fn mlp_backward(
        &self,
        block: &Block<'_>,
        (tape, input): (&BlockTape, &[f32]),
        grad: &[f32],
        grads: &mut Grads<'_>,
    ) -> Vec<f32> {
        let name = |part: &str| format!("{}.{part}", block.name);
        let mut active = vec![0.0; tape.hidden.len()];
        self.activation.apply(&tape.hidden, &mut active);
        let mut dhidden = block.fc2.backward(&active, grad, &name("mlp.fc2"), grads);
        self.activation.backward(&tape.hidden, &mut dhidden);
        block.fc1.backward(input, &dhidden, &name("mlp.fc1"), grads)
    }

    /// Attention's way back: from the gradient of its output to that of its input.
    fn attention_backward(
        &self,
        block: &Block<'_>,
        (tape, input): (&BlockTape, &[f32]),
        rows: Rows<'_>,
        grad: &[f32],
        grads: &mut Grads<'_>,
    ) -> Vec<f32> {
        let name = |part: &str| format!("{}.{part}", block.name);
        let dmixed = block.proj.backward(&tape.mixed, grad, &name("attn.proj"), grads);
        let dqkv = self.attention.backward((&tape.qkv, &tape.probs), rows, &dmixed);
        block.qkv.backward(input, &dqkv, &name("attn.qkv"), grads)
    }

    /// From the gradient of what leaves to that of all rows of the input.
    fn pre_backward(
        &self,
        block: &Block<'_>,
        tape: &BlockTape,
        (spans, leave): Rows<'_>,
        mut grad: Vec<f32>,
        grads: &mut Grads<'_>,
    ) -> Vec<f32> {
        // The normalised rows are cheaper to compute again than to keep.
        let (mut normed, mut stats) = (Vec::new(), Vec::new());
        block.norm2.forward(&tape.middle, &mut normed, &mut stats);
        let dnormed = self.mlp_backward(block, (tape, &normed), &grad, grads);
        block.norm2.backward((&tape.middle, &tape.stats2), &dnormed, &mut grad, grads);
        block.norm1.forward(&tape.x, &mut normed, &mut stats);
        let branch = (tape, &normed[..]);
        let dnormed = self.attention_backward(block, branch, (spans, leave), &grad, grads);
        let mut dx = self.all_rows(grad, spans, leave);
        block.norm1.backward((&tape.x, &tape.stats1), &dnormed, &mut dx, grads);
        dx
    }

    /// The same where the LayerNorms are behind the sums.
    fn post_backward(
        &self,
        block: &Block<'_>,
        tape: &BlockTape,
        (spans, leave): Rows<'_>,
        grad: Vec<f32>,
        grads: &mut Grads<'_>,
    ) -> Vec<f32> {
        let mut dsum = vec![0.0; grad.len()];
        block.norm2.backward((&tape.sum, &tape.stats2), &grad, &mut dsum, grads);
        let (mut normed, mut stats) = (Vec::new(), Vec::new());
        block.norm1.forward(&tape.middle, &mut normed, &mut stats);
        let branch = self.mlp_backward(block, (tape, &normed), &dsum, grads);
        math::add(&mut dsum, &branch);
        let mut dmiddle = vec![0.0; grad.len()];
        block.norm1.backward((&tape.middle, &tape.stats1), &dsum, &mut dmiddle, grads);
        let branch = (tape, &tape.x[..]);
        let branch = self.attention_backward(block, branch, (spans, leave), &dmiddle, grads);
        let mut dx = self.all_rows(dmiddle, spans, leave);
        math::add(&mut dx, &branch);
        dx
    }

    /// The final LayerNorm over some rows; where there is none, the rows themselves.
    pub(crate) fn finish(&self, x: &[f32]) -> (Vec<f32>, Vec<[f32; 2]>) {
        let (mut out, mut stats) = (Vec::new(), Vec::new());
        match &self.norm {
            Some(norm) => norm.forward(x, &mut out, &mut stats),
            None => out.extend_from_slice(x),
        }
        (out, stats)
    }

    /// Gradient of [`Stack::finish`]'s input.
    pub(crate) fn finish_backward(
        &self,
        rows: (&[f32], &[[f32; 2]]),
        grad: &[f32],
        grads: &mut Grads<'_>,
    ) -> Vec<f32> {
        let Some(norm) = &self.norm else { return grad.to_vec() };
        let mut dx = vec![0.0; grad.len()];
        norm.backward(rows, grad, &mut dx, grads);
        dx
    }
}
