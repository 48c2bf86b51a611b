//! SigLIP's attention pooling: one trained query, the probe, attends to all patches of a picture, and an MLP
//! follows. Where each patch asks instead of the probe, each has a feature of its own (FG-CLIP 2).
//!
//! <https://github.com/google-research/big_vision/blob/main/big_vision/models/vit.py>, `MAPHead`.

use std::ops::Range;
use std::sync::Arc;

use tuwen_nn::{Activation, Attention, Linear, Norm, Part, Sequence, Tape, Value, Weight};

use crate::layers::{Weights, linear, norm, weight_of};
use crate::{Result, TowerConfig};

pub(super) struct Probe<'a> {
    /// The query before its projection, (W); none where each patch is one.
    probe: Option<Weight<'a>>,
    qkv: Linear<'a>,
    proj: Linear<'a>,
    norm: Norm<'a>,
    fc1: Linear<'a>,
    fc2: Linear<'a>,
    attention: Attention,
    activation: Activation,
}

impl<'a> Probe<'a> {
    /// The weights under `name`.
    pub(super) fn new(config: &TowerConfig, weights: &dyn Weights<'a>, name: &str) -> Result<Self> {
        let probe = weight_of(weights, format!("{name}.probe"))?;
        Ok(Self { probe: Some(probe), ..Self::of_each(config, weights, name)? })
    }

    /// The same without a probe.
    pub(super) fn of_each(
        config: &TowerConfig,
        weights: &dyn Weights<'a>,
        name: &str,
    ) -> Result<Self> {
        let find = |part: &str| linear(weights, &format!("{name}.{part}"), true);
        let (width, heads) = (config.width, config.heads);
        Ok(Self {
            probe: None,
            qkv: find("qkv")?,
            proj: find("proj")?,
            norm: norm(weights, &format!("{name}.norm"), config.norm_eps)?,
            fc1: find("mlp.fc1")?,
            fc2: find("mlp.fc2")?,
            attention: Attention { heads, width, causal: false },
            activation: config.activation,
        })
    }

    /// From (rows, W) to (sequences, W).
    ///
    /// # Panics
    /// Without a probe.
    pub(super) fn pool<'w>(
        &'w self,
        tape: &mut Tape<'w>,
        x: &Value,
        spans: &[Range<usize>],
    ) -> Value {
        // The probe goes through the same projection as the patches: one more row, which asks every picture.
        let probe = x.rows();
        let query = self.probe.as_ref().expect("a probe pools");
        let rows = tape.behind(x, query);
        let qkv = tape.linear(&rows, &self.qkv);
        let one = |span: &Range<usize>| Sequence {
            queries: probe..probe + 1,
            keys: span.clone(),
            first: 0,
        };
        self.attend(tape, &qkv, spans.iter().map(one).collect())
    }

    /// From (rows, W) to as many: what the head makes of each.
    pub(super) fn each<'w>(
        &'w self,
        tape: &mut Tape<'w>,
        x: &Value,
        spans: &[Range<usize>],
    ) -> Value {
        let qkv = tape.linear(x, &self.qkv);
        let itself = |span: &Range<usize>| Sequence::itself(span.clone());
        self.attend(tape, &qkv, spans.iter().map(itself).collect())
    }

    /// Attention and what follows it.
    fn attend<'w>(&'w self, tape: &mut Tape<'w>, qkv: &Value, sequences: Arc<[Sequence]>) -> Value {
        let part = |at: usize| Part { of: qkv, column: at * self.attention.width };
        let mixed = tape.attention(self.attention, part(0), part(1), part(2), &sequences);
        let middle = tape.linear(&mixed, &self.proj);
        let hidden = tape.normed_linear(&middle, &self.norm, &self.fc1);
        let branch = tape.active_linear(&hidden, self.activation, &self.fc2);
        tape.add(branch, &middle)
    }
}
