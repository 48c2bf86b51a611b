//! SigLIP's attention pooling: one trained query, the probe, attends to all patches of a picture, and an MLP
//! follows.
//!
//! <https://github.com/google-research/big_vision/blob/main/big_vision/models/vit.py>, `MAPHead`.

use std::borrow::Cow;
use std::ops::Range;

use crate::attention::{Attention, OutputRows, Sequences};
use crate::grads::Grads;
use crate::layers::{Norm, Weights};
use crate::linear::Linear;
use crate::math;
use crate::{Activation, Result, TowerConfig};

pub(super) struct Probe<'a> {
    /// The query before its projection, (W).
    probe: Cow<'a, [f32]>,
    qkv: Linear<'a>,
    proj: Linear<'a>,
    norm: Norm<'a>,
    fc1: Linear<'a>,
    fc2: Linear<'a>,
    attention: Attention,
    activation: Activation,
}

/// The activations of pooling, kept for the backward pass.
#[derive(Default)]
pub(super) struct ProbeTape {
    qkv: Vec<f32>,
    probs: Vec<Vec<f32>>,
    mixed: Vec<f32>,
    /// The residual stream before the MLP.
    middle: Vec<f32>,
    stats: Vec<[f32; 2]>,
    hidden: Vec<f32>,
}

impl<'a> Probe<'a> {
    pub(super) fn new(config: &TowerConfig, weights: &dyn Weights<'a>) -> Result<Self> {
        let find = |part: &str| Linear::find(weights, &format!("image.pool.{part}"), true);
        let (width, heads) = (config.width, config.heads);
        Ok(Self {
            probe: weights.find("image.pool.probe")?.1,
            qkv: find("qkv")?,
            proj: find("proj")?,
            norm: Norm::find(weights, "image.pool.norm".into(), config.norm_eps)?,
            fc1: find("mlp.fc1")?,
            fc2: find("mlp.fc2")?,
            attention: Attention { heads, width, causal: false },
            activation: config.activation,
        })
    }

    /// From (rows, W) to (sequences, W).
    pub(super) fn pool(&self, x: &[f32], spans: &[Range<usize>]) -> (Vec<f32>, ProbeTape) {
        let width = self.probe.len();
        let mut tape = ProbeTape::default();
        self.qkv.forward(x, &mut tape.qkv);
        let mut query = Vec::new();
        self.qkv.forward(&self.probe, &mut query);
        // Attention takes the query from the sequence's first row, so the probe's replaces that of each
        // picture's first patch, which nothing else reads.
        for span in spans {
            tape.qkv[span.start * 3 * width..][..width].copy_from_slice(&query[..width]);
        }
        let rows = Sequences { spans, output: OutputRows::First };
        self.attention.forward(&tape.qkv, rows, &mut tape.mixed, &mut tape.probs);
        self.proj.forward(&tape.mixed, &mut tape.middle);
        let (mut normed, mut pooled) = (Vec::new(), Vec::new());
        self.norm.forward(&tape.middle, &mut normed, &mut tape.stats);
        self.fc1.forward(&normed, &mut tape.hidden);
        let mut active = vec![0.0; tape.hidden.len()];
        self.activation.apply(&tape.hidden, &mut active);
        self.fc2.forward(&active, &mut pooled);
        math::add(&mut pooled, &tape.middle);
        (pooled, tape)
    }

    /// The gradient of `x`, (rows, W), from that of the pooled rows.
    pub(super) fn backward(
        &self,
        x: &[f32],
        tape: &ProbeTape,
        spans: &[Range<usize>],
        grad: &[f32],
        grads: &mut Grads<'_>,
    ) -> Vec<f32> {
        let (mut normed, mut stats) = (Vec::new(), Vec::new());
        self.norm.forward(&tape.middle, &mut normed, &mut stats);
        let mut active = vec![0.0; tape.hidden.len()];
        self.activation.apply(&tape.hidden, &mut active);
        let mut dhidden = self.fc2.backward(&active, grad, "image.pool.mlp.fc2", grads);
        self.activation.backward(&tape.hidden, &mut dhidden);
        let dnormed = self.fc1.backward(&normed, &dhidden, "image.pool.mlp.fc1", grads);
        let mut dmiddle = grad.to_vec();
        self.norm.backward(&tape.middle, &tape.stats, &dnormed, &mut dmiddle, grads);
        let dmixed = self.proj.backward(&tape.mixed, &dmiddle, "image.pool.proj", grads);
        let rows = Sequences { spans, output: OutputRows::First };
        let mut dqkv = self.attention.backward(&tape.qkv, &tape.probs, rows, &dmixed);
        // The query gradient in the place of each first patch belongs to the probe.
        let width = self.probe.len();
        let mut dquery = vec![0.0; 3 * width];
        for span in spans {
            let first = &mut dqkv[span.start * 3 * width..][..width];
            math::add(&mut dquery[..width], first);
            first.fill(0.0);
        }
        // The probe went through the same projection as the patches: one more row of its input.
        let rows = [x, &self.probe].concat();
        dqkv.extend(dquery);
        let mut dx = self.qkv.backward(&rows, &dqkv, "image.pool.qkv", grads);
        let dprobe = dx.split_off(x.len());
        grads.put("image.pool.probe", &[1, 1, width], |out| out.copy_from_slice(&dprobe));
        dx
    }
}
