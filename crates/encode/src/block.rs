//! A stack of pre-norm transformer blocks over ragged rows: forward, and backward from a tape.
//!
//! The readable reference is `tuwen-model`'s `Block`; a test there holds the two together.
//! Rows of several sequences lie one behind the other without padding: only attention knows where
//! a sequence starts.

use std::ops::Range;

use crate::arrays::Arrays;
use crate::gemm::{Mat, Packed, gemm};
use crate::math;
use crate::{Result, TowerConfig};

/// A matrix (out, in), packed for many products, with its bias.
pub(crate) struct Linear<'a> {
    weight: &'a [f32],
    bias: &'a [f32],
    packed: Packed,
}

/// A LayerNorm's weight and bias.
struct Norm<'a> {
    weight: &'a [f32],
    bias: &'a [f32],
}

impl<'a> Linear<'a> {
    pub(crate) fn find(arrays: &'a Arrays, name: &str) -> Result<Self> {
        let weight = arrays.get(&format!("{name}.weight"))?;
        let bias = &arrays.get(&format!("{name}.bias"))?.data;
        let (out, wide) = (weight.shape[0], weight.shape[1]);
        let packed = Packed::new(Mat::new(&weight.data, out, wide, wide).t());
        Ok(Self { weight: &weight.data, bias, packed })
    }

    /// `x weight^T + bias`, (rows, in) to (rows, out), into `y`, whose old content is lost.
    pub(crate) fn forward(&self, x: &[f32], y: &mut Vec<f32>) {
        let out = self.bias.len();
        let wide = self.weight.len() / out;
        let rows = x.len() / wide;
        // Only growth is filled: the product writes every value.
        y.resize(rows * out, 0.0);
        self.packed.multiply(y, out, Mat::new(x, rows, wide, wide));
        math::add_bias(y, self.bias);
    }

    /// Adds the parameters' gradients under `name`; returns the input's, (rows, in).
    pub(crate) fn backward(
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
}

impl<'a> Norm<'a> {
    fn find(arrays: &'a Arrays, name: &str) -> Result<Self> {
        let part = |part: &str| Ok(&arrays.get(&format!("{name}.{part}"))?.data);
        Ok(Self { weight: part("weight")?, bias: part("bias")? })
    }

    fn forward(&self, x: &[f32], eps: f32, out: &mut Vec<f32>, stats: &mut Vec<[f32; 2]>) {
        out.resize(x.len(), 0.0);
        stats.resize(x.len() / self.weight.len(), [0.0; 2]);
        math::layer_norm(x, self.weight, self.bias, eps, out, stats);
    }

    fn backward(
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
    x: Vec<f32>,
    stats1: Vec<[f32; 2]>,
    qkv: Vec<f32>,
    probs: Vec<Vec<f32>>,
    mixed: Vec<f32>,
    middle: Vec<f32>,
    stats2: Vec<[f32; 2]>,
    hidden: Vec<f32>,
}

/// Rows that nothing needs afterwards.
#[derive(Default)]
struct Scratch {
    normed: Vec<f32>,
    active: Vec<f32>,
}

/// All blocks of a tower and its final LayerNorm.
pub(crate) struct Stack<'a> {
    blocks: Vec<Block<'a>>,
    norm: Norm<'a>,
    norm_name: String,
    heads: usize,
    width: usize,
    eps: f32,
}

impl<'a> Stack<'a> {
    pub(crate) fn new(config: &TowerConfig, arrays: &'a Arrays, prefix: &str) -> Result<Self> {
        let block = |index: usize| {
            let name = format!("{prefix}.blocks.{index}");
            let norm = |part: &str| Norm::find(arrays, &format!("{name}.{part}"));
            let find = |part: &str| Linear::find(arrays, &format!("{name}.{part}"));
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
        let norm_name = format!("{prefix}.norm");
        Ok(Self {
            blocks: (0..config.layers).map(block).collect::<Result<_>>()?,
            norm: Norm::find(arrays, &norm_name)?,
            norm_name,
            heads: config.heads,
            width: config.width,
            eps: config.norm_eps,
        })
    }

    /// Runs the blocks in place over `x`, (rows, W); `spans` are the sequences' rows. Records a
    /// tape from block `first_taped` on. With `first_only` just the first row of each sequence
    /// leaves the last block, which saves most of its work.
    pub(crate) fn forward(
        &self,
        x: &mut Vec<f32>,
        spans: &[Range<usize>],
        first_taped: usize,
        first_only: bool,
    ) -> Vec<BlockTape> {
        let (mut tapes, mut tape) = (Vec::new(), BlockTape::default());
        let mut scratch = Scratch::default();
        for (index, block) in self.blocks.iter().enumerate() {
            let first_only = first_only && index + 1 == self.blocks.len();
            self.block_forward(block, x, (spans, first_only), &mut tape, &mut scratch);
            if index >= first_taped {
                tapes.push(std::mem::take(&mut tape));
            }
        }
        tapes
    }

    /// Writes into the buffers of `tape`, which are reused when nobody keeps them.
    fn block_forward(
        &self,
        block: &Block<'_>,
        x: &mut Vec<f32>,
        (spans, first_only): (&[Range<usize>], bool),
        tape: &mut BlockTape,
        scratch: &mut Scratch,
    ) {
        let Scratch { normed, active } = scratch;
        block.norm1.forward(x, self.eps, normed, &mut tape.stats1);
        block.qkv.forward(normed, &mut tape.qkv);
        self.attend(&tape.qkv, (spans, first_only), &mut tape.mixed, &mut tape.probs);
        if first_only {
            *x = self.first_rows(x, spans);
        }
        block.proj.forward(&tape.mixed, &mut tape.middle);
        math::add(&mut tape.middle, x);
        block.norm2.forward(&tape.middle, self.eps, normed, &mut tape.stats2);
        block.fc1.forward(normed, &mut tape.hidden);
        active.resize(tape.hidden.len(), 0.0);
        math::gelu(&tape.hidden, active);
        block.fc2.forward(active, &mut tape.x);
        math::add(&mut tape.x, &tape.middle);
        std::mem::swap(x, &mut tape.x);
    }

    /// The first row of each sequence.
    pub(crate) fn first_rows(&self, x: &[f32], spans: &[Range<usize>]) -> Vec<f32> {
        let rows = spans.iter().flat_map(|span| &x[span.start * self.width..][..self.width]);
        rows.copied().collect()
    }

    /// The first `rows` of query, key or value (`part` 0, 1, 2) of one head in one sequence.
    fn part<'q>(
        &self,
        qkv: &'q [f32],
        start: usize,
        rows: usize,
        part: usize,
        head: usize,
    ) -> Mat<'q> {
        let depth = self.width / self.heads;
        let start = start * 3 * self.width + part * self.width + head * depth;
        Mat::new(&qkv[start..], rows, depth, 3 * self.width)
    }

    fn scale(&self) -> f32 {
        ((self.width / self.heads) as f32).powf(-0.5)
    }

    /// Softmax attention, (rows, 3W) to (rows, W), and the attention weights of each sequence:
    /// (H, L, L), or (H, 1, L) when only the first row asks.
    fn attend(
        &self,
        qkv: &[f32],
        (spans, first_only): (&[Range<usize>], bool),
        mixed: &mut Vec<f32>,
        probs: &mut Vec<Vec<f32>>,
    ) {
        let depth = self.width / self.heads;
        let rows = if first_only { spans.len() } else { qkv.len() / (3 * self.width) };
        mixed.resize(rows * self.width, 0.0);
        probs.resize_with(spans.len(), Vec::new);
        for (index, (span, probs)) in spans.iter().zip(probs).enumerate() {
            let len = span.len();
            let (asking, target) = if first_only { (1, index) } else { (len, span.start) };
            probs.resize(self.heads * asking * len, 0.0);
            for (head, probs) in probs.chunks_exact_mut(asking * len).enumerate() {
                let part = |rows, index| self.part(qkv, span.start, rows, index, head);
                gemm(probs, len, part(asking, 0), part(len, 1).t(), false);
                math::softmax(probs, len, self.scale());
                let target = &mut mixed[target * self.width + head * depth..];
                gemm(target, self.width, Mat::new(probs, asking, len, len), part(len, 2), false);
            }
        }
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
                let part = |index| self.part(&tape.qkv, span.start, len, index, head);
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
        let mut dhidden = block.fc2.backward(&active, grad, &name("mlp.fc2"), grads);
        math::gelu_backward(&tape.hidden, &mut dhidden);
        // The normalised rows are cheaper to compute again than to keep.
        let (mut normed, mut stats) = (Vec::new(), Vec::new());
        block.norm2.forward(&tape.middle, self.eps, &mut normed, &mut stats);
        let dnormed = block.fc1.backward(&normed, &dhidden, &name("mlp.fc1"), grads);
        let rows = (&tape.middle[..], &tape.stats2[..]);
        block.norm2.backward(rows, &dnormed, grad, &name("norm2"), grads);
        let dmixed = block.proj.backward(&tape.mixed, grad, &name("attn.proj"), grads);
        let dqkv = self.attend_backward(tape, spans, &dmixed);
        block.norm1.forward(&tape.x, self.eps, &mut normed, &mut stats);
        let dnormed = block.qkv.backward(&normed, &dqkv, &name("attn.qkv"), grads);
        let rows = (&tape.x[..], &tape.stats1[..]);
        block.norm1.backward(rows, &dnormed, grad, &name("norm1"), grads);
    }

    /// The final LayerNorm over some rows.
    pub(crate) fn finish(&self, x: &[f32]) -> (Vec<f32>, Vec<[f32; 2]>) {
        let (mut out, mut stats) = (Vec::new(), Vec::new());
        self.norm.forward(x, self.eps, &mut out, &mut stats);
        (out, stats)
    }

    /// Gradient of [`Stack::finish`]'s input.
    pub(crate) fn finish_backward(
        &self,
        rows: (&[f32], &[[f32; 2]]),
        grad: &[f32],
        grads: &mut Arrays,
    ) -> Vec<f32> {
        let mut dx = vec![0.0; grad.len()];
        self.norm.backward(rows, grad, &mut dx, &self.norm_name, grads);
        dx
    }
}
