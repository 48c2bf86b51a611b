//! A stack of pre-norm transformer blocks over ragged rows: forward, and backward from a tape.
//!
//! The readable reference is `tuwen-model`'s `Block`; a test there holds the two together.
//! Rows of several sequences lie one behind the other without padding: only attention knows where
//! a sequence starts.

use std::ops::Range;

use crate::arrays::Arrays;
use crate::gemm::{Mat, gemm};
use crate::math;
use crate::{Result, TowerConfig};

/// A matrix (out, in) or LayerNorm weight, with its bias.
#[derive(Clone, Copy)]
pub(crate) struct Affine<'a> {
    pub(crate) weight: &'a [f32],
    pub(crate) bias: &'a [f32],
}

impl<'a> Affine<'a> {
    pub(crate) fn find(arrays: &'a Arrays, name: &str) -> Result<Self> {
        Ok(Self {
            weight: &arrays.get(&format!("{name}.weight"))?.data,
            bias: &arrays.get(&format!("{name}.bias"))?.data,
        })
    }

    /// `x weight^T + bias`, (rows, in) to (rows, out).
    pub(crate) fn linear(&self, x: &[f32]) -> Vec<f32> {
        let out = self.bias.len();
        let wide = self.weight.len() / out;
        let rows = x.len() / wide;
        let mut y = vec![0.0; rows * out];
        let weight = Mat::new(self.weight, out, wide, wide).t();
        gemm(&mut y, out, Mat::new(x, rows, wide, wide), weight, false);
        math::add_bias(&mut y, self.bias);
        y
    }

    /// Adds the parameters' gradients under `name`; returns the input's, (rows, in).
    pub(crate) fn linear_backward(
        &self,
        x: &[f32],
        grad: &[f32],
        name: &str,
        grads: &mut Arrays,
    ) -> Vec<f32> {
        let out = self.bias.len();
        let wide = self.weight.len() / out;
        let rows = x.len() / wide;
        let grad_mat = Mat::new(grad, rows, out, out);
        let dweight = grads.slot(&format!("{name}.weight"), &[out, wide]);
        gemm(dweight, wide, grad_mat.t(), Mat::new(x, rows, wide, wide), true);
        math::add_columns(grad, grads.slot(&format!("{name}.bias"), &[out]));
        let mut dx = vec![0.0; x.len()];
        gemm(&mut dx, wide, grad_mat, Mat::new(self.weight, out, wide, wide), false);
        dx
    }

    fn norm(&self, x: &[f32], eps: f32) -> (Vec<f32>, Vec<[f32; 2]>) {
        let mut out = vec![0.0; x.len()];
        let mut stats = vec![[0.0; 2]; x.len() / self.weight.len()];
        math::layer_norm(x, self.weight, self.bias, eps, &mut out, &mut stats);
        (out, stats)
    }

    fn norm_backward(
        &self,
        (x, stats): (&[f32], &[[f32; 2]]),
        grad: &[f32],
        dx: &mut [f32],
        name: &str,
        grads: &mut Arrays,
    ) {
        let width = self.weight.len();
        let mut dweight = vec![0.0; width];
        let dbias = grads.slot(&format!("{name}.bias"), &[width]);
        math::layer_norm_backward(x, stats, self.weight, grad, dx, &mut dweight, dbias);
        math::add(grads.slot(&format!("{name}.weight"), &[width]), &dweight);
    }
}

/// One block's weights.
struct Block<'a> {
    name: String,
    norm1: Affine<'a>,
    qkv: Affine<'a>,
    proj: Affine<'a>,
    norm2: Affine<'a>,
    fc1: Affine<'a>,
    fc2: Affine<'a>,
}

/// What the backward pass of one block needs.
pub(crate) struct BlockTape {
    x: Vec<f32>,
    stats1: Vec<[f32; 2]>,
    qkv: Vec<f32>,
    probs: Vec<Vec<f32>>,
    mixed: Vec<f32>,
    middle: Vec<f32>,
    stats2: Vec<[f32; 2]>,
    hidden: Vec<f32>,
}

/// All blocks of a tower and its final LayerNorm.
pub(crate) struct Stack<'a> {
    blocks: Vec<Block<'a>>,
    norm: Affine<'a>,
    norm_name: String,
    heads: usize,
    width: usize,
    eps: f32,
}

impl<'a> Stack<'a> {
    pub(crate) fn new(config: &TowerConfig, arrays: &'a Arrays, prefix: &str) -> Result<Self> {
        let block = |index: usize| {
            let name = format!("{prefix}.blocks.{index}");
            let find = |part: &str| Affine::find(arrays, &format!("{name}.{part}"));
            Ok(Block {
                norm1: find("norm1")?,
                qkv: find("attn.qkv")?,
                proj: find("attn.proj")?,
                norm2: find("norm2")?,
                fc1: find("mlp.fc1")?,
                fc2: find("mlp.fc2")?,
                name,
            })
        };
        let norm_name = format!("{prefix}.norm");
        Ok(Self {
            blocks: (0..config.layers).map(block).collect::<Result<_>>()?,
            norm: Affine::find(arrays, &norm_name)?,
            norm_name,
            heads: config.heads,
            width: config.width,
            eps: config.norm_eps,
        })
    }

    /// Runs the blocks in place over `x`, (rows, W); `spans` are the sequences' rows. Records a
    /// tape from block `first_taped` on.
    pub(crate) fn forward(
        &self,
        x: &mut Vec<f32>,
        spans: &[Range<usize>],
        first_taped: usize,
    ) -> Vec<BlockTape> {
        let mut tapes = Vec::new();
        for (index, block) in self.blocks.iter().enumerate() {
            let tape = self.block_forward(block, x, spans);
            if index >= first_taped {
                tapes.push(tape);
            }
        }
        tapes
    }

    fn block_forward(&self, block: &Block<'_>, x: &mut Vec<f32>, spans: &[Range<usize>]) -> BlockTape {
        let (normed, stats1) = block.norm1.norm(x, self.eps);
        let qkv = block.qkv.linear(&normed);
        let (mixed, probs) = self.attend(&qkv, spans);
        let mut middle = block.proj.linear(&mixed);
        math::add(&mut middle, x);
        let (normed, stats2) = block.norm2.norm(&middle, self.eps);
        let hidden = block.fc1.linear(&normed);
        let mut active = vec![0.0; hidden.len()];
        math::gelu(&hidden, &mut active);
        let mut y = block.fc2.linear(&active);
        math::add(&mut y, &middle);
        let x = std::mem::replace(x, y);
        BlockTape { x, stats1, qkv, probs, mixed, middle, stats2, hidden }
    }

    /// Query, key or value (`part` 0, 1, 2) of one head in one sequence.
    fn part<'q>(&self, qkv: &'q [f32], span: &Range<usize>, part: usize, head: usize) -> Mat<'q> {
        let depth = self.width / self.heads;
        let start = span.start * 3 * self.width + part * self.width + head * depth;
        Mat::new(&qkv[start..], span.len(), depth, 3 * self.width)
    }

    fn scale(&self) -> f32 {
        ((self.width / self.heads) as f32).powf(-0.5)
    }

    /// Softmax attention, (rows, 3W) to (rows, W), and the attention weights of each sequence:
    /// (H, L, L).
    fn attend(&self, qkv: &[f32], spans: &[Range<usize>]) -> (Vec<f32>, Vec<Vec<f32>>) {
        let depth = self.width / self.heads;
        let mut mixed = vec![0.0; qkv.len() / 3];
        let probs = spans.iter().map(|span| {
            let len = span.len();
            let mut probs = vec![0.0; self.heads * len * len];
            for (head, probs) in probs.chunks_exact_mut(len * len).enumerate() {
                let part = |index| self.part(qkv, span, index, head);
                gemm(probs, len, part(0), part(1).t(), false);
                math::softmax(probs, len, self.scale());
                let target = &mut mixed[span.start * self.width + head * depth..];
                gemm(target, self.width, Mat::new(probs, len, len, len), part(2), false);
            }
            probs
        });
        let probs = probs.collect();
        (mixed, probs)
    }

    /// The gradient of (rows, 3W) from that of `attend`'s result.
    fn attend_backward(&self, tape: &BlockTape, spans: &[Range<usize>], grad: &[f32]) -> Vec<f32> {
        let depth = self.width / self.heads;
        let stride = 3 * self.width;
        let mut dqkv = vec![0.0; tape.qkv.len()];
        let mut dscores = Vec::new();
        for (span, probs) in spans.iter().zip(&tape.probs) {
            let len = span.len();
            for (head, probs) in probs.chunks_exact(len * len).enumerate() {
                let part = |index| self.part(&tape.qkv, span, index, head);
                let from = span.start * self.width + head * depth;
                let grad = Mat::new(&grad[from..], len, depth, self.width);
                let prob = Mat::new(probs, len, len, len);
                dscores.resize(len * len, 0.0);
                gemm(&mut dscores, len, grad, part(2).t(), false);
                math::softmax_backward(probs, &mut dscores, len, self.scale());
                let dscore = Mat::new(&dscores, len, len, len);
                let at = |part: usize| span.start * stride + part * self.width + head * depth;
                gemm(&mut dqkv[at(0)..], stride, dscore, part(1), false);
                gemm(&mut dqkv[at(1)..], stride, dscore.t(), part(0), false);
                gemm(&mut dqkv[at(2)..], stride, prob.t(), grad, false);
            }
        }
        dqkv
    }

    /// Takes the gradient of the last block's output back to the first taped block's input.
    pub(crate) fn backward(
        &self,
        tapes: &[BlockTape],
        spans: &[Range<usize>],
        mut grad: Vec<f32>,
        grads: &mut Arrays,
    ) -> Vec<f32> {
        let taped = &self.blocks[self.blocks.len() - tapes.len()..];
        for (block, tape) in taped.iter().zip(tapes).rev() {
            self.block_backward(block, tape, spans, &mut grad, grads);
        }
        grad
    }

    fn block_backward(
        &self,
        block: &Block<'_>,
        tape: &BlockTape,
        spans: &[Range<usize>],
        grad: &mut [f32],
        grads: &mut Arrays,
    ) {
        let name = |part: &str| format!("{}.{part}", block.name);
        let mut active = vec![0.0; tape.hidden.len()];
        math::gelu(&tape.hidden, &mut active);
        let mut dhidden = block.fc2.linear_backward(&active, grad, &name("mlp.fc2"), grads);
        math::gelu_backward(&tape.hidden, &mut dhidden);
        // The normalised rows are cheaper to compute again than to keep.
        let (normed, _) = block.norm2.norm(&tape.middle, self.eps);
        let dnormed = block.fc1.linear_backward(&normed, &dhidden, &name("mlp.fc1"), grads);
        let rows = (&tape.middle[..], &tape.stats2[..]);
        block.norm2.norm_backward(rows, &dnormed, grad, &name("norm2"), grads);
        let dmixed = block.proj.linear_backward(&tape.mixed, grad, &name("attn.proj"), grads);
        let dqkv = self.attend_backward(tape, spans, &dmixed);
        let (normed, _) = block.norm1.norm(&tape.x, self.eps);
        let dnormed = block.qkv.linear_backward(&normed, &dqkv, &name("attn.qkv"), grads);
        let rows = (&tape.x[..], &tape.stats1[..]);
        block.norm1.norm_backward(rows, &dnormed, grad, &name("norm1"), grads);
    }

    /// The final LayerNorm over some rows.
    pub(crate) fn finish(&self, x: &[f32]) -> (Vec<f32>, Vec<[f32; 2]>) {
        self.norm.norm(x, self.eps)
    }

    /// Gradient of [`Stack::finish`]'s input.
    pub(crate) fn finish_backward(
        &self,
        rows: (&[f32], &[[f32; 2]]),
        grad: &[f32],
        grads: &mut Arrays,
    ) -> Vec<f32> {
        let mut dx = vec![0.0; grad.len()];
        self.norm.norm_backward(rows, grad, &mut dx, &self.norm_name, grads);
        dx
    }
}
