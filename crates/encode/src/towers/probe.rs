//! SigLIP's attention pooling: one trained query, the probe, attends to all patches of a picture, and an MLP
//! follows.
//!
//! <https://github.com/google-research/big_vision/blob/main/big_vision/models/vit.py>, `MAPHead`.

use std::ops::Range;
use std::sync::Arc;

use tuwen_nn::{Activation, Attention, Linear, Norm, Part, Sequence, Tape, Value, Weight};

use crate::layers::{Weights, linear, norm, weight_of};
use crate::{Result, TowerConfig};

pub(super) struct Probe<'a> {
    /// The query before its projection, (W).
    probe: Weight<'a>,
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
        let find = |part: &str| linear(weights, &format!("image.pool.{part}"), true);
        let (width, heads) = (config.width, config.heads);
        Ok(Self {
            probe: weight_of(weights, "image.pool.probe".to_owned())?,
            qkv: find("qkv")?,
            proj: find("proj")?,
            norm: norm(weights, "image.pool.norm", config.norm_eps)?,
            fc1: find("mlp.fc1")?,
            fc2: find("mlp.fc2")?,
            attention: Attention { heads, width, causal: false },
            activation: config.activation,
        })
    }

    /// From (rows, W) to (sequences, W).
    pub(super) fn pool<'w>(
        &'w self,
        tape: &mut Tape<'w>,
        x: &Value,
        spans: &[Range<usize>],
    ) -> Value {
        // The probe goes through the same projection as the patches: one more row, which asks every picture.
        let probe = x.rows();
        let rows = tape.behind(x, &self.probe);
        let qkv = tape.linear(&rows, &self.qkv);
        let one = |span: &Range<usize>| Sequence {
            queries: probe..probe + 1,
            keys: span.clone(),
            first: 0,
        };
        let sequences: Arc<[Sequence]> = spans.iter().map(one).collect();
        let part = |at: usize| Part { of: &qkv, column: at * self.attention.width };
        let mixed = tape.attention(self.attention, part(0), part(1), part(2), &sequences);
        let middle = tape.linear(&mixed, &self.proj);
        let hidden = tape.normed_linear(&middle, &self.norm, &self.fc1);
        let branch = tape.active_linear(&hidden, self.activation, &self.fc2);
        tape.add(branch, &middle)
    }
}
