//! SigLIP's pooling: a learned query attends to all patches of a picture.
//!
//! <https://github.com/google-research/big_vision/blob/main/big_vision/models/vit.py>, `MAPHead`.

use std::ops::Range;

use crate::attention::{Attention, Leave};
use crate::layers::{Linear, Norm, Weights};
use crate::math;
use crate::{Activation, Result, TowerConfig};

pub(super) struct Probe<'a> {
    /// The query, projected already, (W).
    query: Vec<f32>,
    qkv: Linear<'a>,
    proj: Linear<'a>,
    norm: Norm<'a>,
    fc1: Linear<'a>,
    fc2: Linear<'a>,
    attention: Attention,
    activation: Activation,
}

impl<'a> Probe<'a> {
    pub(super) fn new(config: &TowerConfig, weights: &dyn Weights<'a>) -> Result<Self> {
        let find = |part: &str| Linear::find(weights, &format!("image.pool.{part}"), true);
        let (width, heads) = (config.width, config.heads);
        let qkv = find("qkv")?;
        let mut query = Vec::new();
        qkv.forward(&weights.find("image.pool.probe")?.1, &mut query);
        query.truncate(width);
        Ok(Self {
            query,
            qkv,
            proj: find("proj")?,
            norm: Norm::find(weights, "image.pool.norm".into(), config.norm_eps)?,
            fc1: find("mlp.fc1")?,
            fc2: find("mlp.fc2")?,
            attention: Attention { heads, width, causal: false },
            activation: config.activation,
        })
    }

    /// From (rows, W) to (sequences, W).
    pub(super) fn pool(&self, x: &[f32], spans: &[Range<usize>]) -> Vec<f32> {
        let (mut qkv, mut mixed, mut probs) = (Vec::new(), Vec::new(), Vec::new());
        self.qkv.forward(x, &mut qkv);
        // The probe asks in the place of each first patch.
        for span in spans {
            qkv[span.start * 3 * self.query.len()..][..self.query.len()]
                .copy_from_slice(&self.query);
        }
        self.attention.forward(&qkv, (spans, Leave::First), &mut mixed, &mut probs);
        let (mut pooled, mut normed, mut stats) = (Vec::new(), Vec::new(), Vec::new());
        self.proj.forward(&mixed, &mut pooled);
        self.norm.forward(&pooled, &mut normed, &mut stats);
        let (mut hidden, mut branch) = (Vec::new(), Vec::new());
        self.fc1.forward(&normed, &mut hidden);
        let mut active = vec![0.0; hidden.len()];
        self.activation.apply(&hidden, &mut active);
        self.fc2.forward(&active, &mut branch);
        math::add(&mut pooled, &branch);
        pooled
    }
}
