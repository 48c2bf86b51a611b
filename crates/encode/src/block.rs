//! A stack of transformer blocks over ragged rows: the forward pass, and the backward pass from a tape of
//! its activations.
//!
//! The readable reference is `tuwen-model`'s `Block`; a test there compares the two. The tokens of several
//! sequences are the rows of one matrix, one sequence behind the other without padding, so that every
//! matrix product takes all of them at once; only attention needs to know where a sequence starts.

use std::ops::Range;

use rayon::prelude::*;

use crate::attention::{Attention, OutputRows, Sequences};
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

/// One block's activations, kept for the backward pass.
#[derive(Default)]
pub(crate) struct BlockTape {
    /// The block's input.
    x: Vec<f32>,
    stats1: Vec<[f32; 2]>,
    qkv: Vec<f32>,
    probs: Vec<Vec<f32>>,
    mixed: Vec<f32>,
    /// The residual stream between the branches: input plus attention.
    middle: Vec<f32>,
    stats2: Vec<[f32; 2]>,
    hidden: Vec<f32>,
    /// The residual stream after the MLP; kept only by a post-norm block, whose second LayerNorm reads it.
    sum: Vec<f32>,
}

/// Buffers of activations that the backward pass does not need.
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

/// The activations that [`Stack::forward`] keeps for [`Stack::backward`].
#[derive(Default)]
pub(crate) struct Tape {
    /// Input and statistics of the first LayerNorm.
    first_input: Vec<f32>,
    first_stats: Vec<[f32; 2]>,
    blocks: Vec<BlockTape>,
    /// Which rows the last block computed.
    output: OutputRows,
}

/// Which activations a tape keeps.
#[derive(Clone, Copy)]
pub(crate) struct Taping {
    /// The first block that is kept; those before it get no gradient.
    pub(crate) first: usize,
    /// Keep of each block only its input, and recompute the rest in the backward pass.
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

    /// Runs the blocks in place over `x`, (rows, W); `spans` are the sequences' rows. With an `output` of
    /// one row, the last block computes just that row of each sequence, which saves most of its work in
    /// both passes.
    pub(crate) fn forward(
        &self,
        x: &mut Vec<f32>,
        spans: &[Range<usize>],
        taping: Taping,
        output: OutputRows,
    ) -> Tape {
        let mut tapes = Tape { output, ..Tape::default() };
        let mut tape = BlockTape::default();
        let mut scratch = Scratch::default();
        if let Some(norm) = &self.first_norm {
            let mut out = Vec::new();
            norm.forward(x, &mut out, &mut tapes.first_stats);
            tapes.first_input = std::mem::replace(x, out);
        }
        for (index, block) in self.blocks.iter().enumerate() {
            let output = if index + 1 == self.blocks.len() { output } else { OutputRows::All };
            self.block_forward(block, x, Sequences { spans, output }, &mut tape, &mut scratch);
            if index >= taping.first {
                tapes.blocks.push(match taping.inputs_only {
                    true => BlockTape { x: std::mem::take(&mut tape.x), ..BlockTape::default() },
                    false => std::mem::take(&mut tape),
                });
            }
        }
        tapes
    }

    /// Writes the activations into the buffers of `tape`, which the next block reuses unless the caller
    /// takes them out.
    fn block_forward(
        &self,
        block: &Block<'_>,
        x: &mut Vec<f32>,
        rows: Sequences<'_>,
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
        self.attention.forward(&tape.qkv, rows, &mut tape.mixed, &mut tape.probs);
        block.proj.forward(&tape.mixed, &mut tape.middle);
        match rows.output {
            OutputRows::All => math::add(&mut tape.middle, x),
            _ => math::add(&mut tape.middle, &self.output_rows(x, rows)),
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

    /// The output rows of each sequence.
    fn output_rows(&self, x: &[f32], rows: Sequences<'_>) -> Vec<f32> {
        let width = self.width();
        let rows = rows.spans.iter().map(|span| rows.output.of(span));
        rows.flat_map(|rows| &x[rows.start * width..rows.end * width]).copied().collect()
    }

    /// The opposite, for gradients: a matrix of all rows, zero in those that were no output.
    fn all_rows(&self, outputs: Vec<f32>, rows: Sequences<'_>) -> Vec<f32> {
        if rows.output == OutputRows::All {
            return outputs;
        }
        let width = self.width();
        let mut x = vec![0.0; rows.spans.last().map_or(0, |span| span.end) * width];
        for (row, span) in outputs.chunks_exact(width).zip(rows.spans) {
            x[rows.output.of(span).start * width..][..width].copy_from_slice(row);
        }
        x
    }

    /// From the gradient of the last block's output to that of the first taped block's input, and through
    /// the first LayerNorm when all blocks are taped.
    pub(crate) fn backward(
        &self,
        tape: &Tape,
        spans: &[Range<usize>],
        mut grad: Vec<f32>,
        grads: &mut Grads<'_>,
    ) -> Vec<f32> {
        let first = self.blocks.len() - tape.blocks.len();
        for (index, block) in self.blocks.iter().enumerate().skip(first).rev() {
            let output = if index + 1 == self.blocks.len() { tape.output } else { OutputRows::All };
            let kept = &tape.blocks[index - first];
            let rows = Sequences { spans, output };
            let recomputed = kept.qkv.is_empty().then(|| self.recompute(block, kept, rows));
            let kept = recomputed.as_ref().unwrap_or(kept);
            grad = match self.place {
                NormPlace::Pre => self.pre_backward(block, kept, rows, grad, grads),
                NormPlace::Post => self.post_backward(block, kept, rows, grad, grads),
            };
        }
        match &self.first_norm {
            Some(norm) if first == 0 => {
                let mut dx = vec![0.0; grad.len()];
                norm.backward(&tape.first_input, &tape.first_stats, &grad, &mut dx, grads);
                dx
            }
            _ => grad,
        }
    }

    /// All activations of a block of which only the input was kept.
    fn recompute(&self, block: &Block<'_>, tape: &BlockTape, rows: Sequences<'_>) -> BlockTape {
        let (mut x, mut whole) = (tape.x.clone(), BlockTape::default());
        self.block_forward(block, &mut x, rows, &mut whole, &mut Scratch::default());
        whole
    }

    /// The MLP's backward pass: from the gradient of its output to that of its input.
    fn mlp_backward(
        &self,
        block: &Block<'_>,
        tape: &BlockTape,
        input: &[f32],
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

    /// Attention's backward pass: from the gradient of its output to that of its input.
    fn attention_backward(
        &self,
        block: &Block<'_>,
        tape: &BlockTape,
        input: &[f32],
        rows: Sequences<'_>,
        grad: &[f32],
        grads: &mut Grads<'_>,
    ) -> Vec<f32> {
        let name = |part: &str| format!("{}.{part}", block.name);
        let dmixed = block.proj.backward(&tape.mixed, grad, &name("attn.proj"), grads);
        let dqkv = self.attention.backward(&tape.qkv, &tape.probs, rows, &dmixed);
        block.qkv.backward(input, &dqkv, &name("attn.qkv"), grads)
    }

    /// A pre-norm block's backward pass: from the gradient of its output rows to that of all input rows.
    fn pre_backward(
        &self,
        block: &Block<'_>,
        tape: &BlockTape,
        rows: Sequences<'_>,
        mut grad: Vec<f32>,
        grads: &mut Grads<'_>,
    ) -> Vec<f32> {
        // The normalised rows are cheaper to recompute than to keep.
        let (mut normed, mut stats) = (Vec::new(), Vec::new());
        block.norm2.forward(&tape.middle, &mut normed, &mut stats);
        let dnormed = self.mlp_backward(block, tape, &normed, &grad, grads);
        block.norm2.backward(&tape.middle, &tape.stats2, &dnormed, &mut grad, grads);
        block.norm1.forward(&tape.x, &mut normed, &mut stats);
        let dnormed = self.attention_backward(block, tape, &normed, rows, &grad, grads);
        let mut dx = self.all_rows(grad, rows);
        block.norm1.backward(&tape.x, &tape.stats1, &dnormed, &mut dx, grads);
        dx
    }

    /// The same of a post-norm block, whose LayerNorms follow the residual sums.
    fn post_backward(
        &self,
        block: &Block<'_>,
        tape: &BlockTape,
        rows: Sequences<'_>,
        grad: Vec<f32>,
        grads: &mut Grads<'_>,
    ) -> Vec<f32> {
        let mut dsum = vec![0.0; grad.len()];
        block.norm2.backward(&tape.sum, &tape.stats2, &grad, &mut dsum, grads);
        let (mut normed, mut stats) = (Vec::new(), Vec::new());
        block.norm1.forward(&tape.middle, &mut normed, &mut stats);
        let branch = self.mlp_backward(block, tape, &normed, &dsum, grads);
        math::add(&mut dsum, &branch);
        let mut dmiddle = vec![0.0; grad.len()];
        block.norm1.backward(&tape.middle, &tape.stats1, &dsum, &mut dmiddle, grads);
        let branch = self.attention_backward(block, tape, &tape.x, rows, &dmiddle, grads);
        let mut dx = self.all_rows(dmiddle, rows);
        math::add(&mut dx, &branch);
        dx
    }

    /// The final LayerNorm of some rows and its statistics; a stack without one returns the rows unchanged.
    pub(crate) fn finish(&self, x: &[f32]) -> (Vec<f32>, Vec<[f32; 2]>) {
        let (mut out, mut stats) = (Vec::new(), Vec::new());
        match &self.norm {
            Some(norm) => norm.forward(x, &mut out, &mut stats),
            None => out.extend_from_slice(x),
        }
        (out, stats)
    }

    /// From the gradient of [`Stack::finish`]'s result to that of its input.
    pub(crate) fn finish_backward(
        &self,
        x: &[f32],
        stats: &[[f32; 2]],
        grad: &[f32],
        grads: &mut Grads<'_>,
    ) -> Vec<f32> {
        let Some(norm) = &self.norm else { return grad.to_vec() };
        let mut dx = vec![0.0; grad.len()];
        norm.backward(x, stats, grad, &mut dx, grads);
        dx
    }
}
