//! CLIP's attention pooling (`AttentionPool2d`): the mean of a grid is the query that attends to all of it.

use std::borrow::Cow;
use std::ops::Range;

use super::grid::Grid;
use crate::attention::{Attention, OutputRows, Sequences};
use crate::grads::Grads;
use crate::layers::Weights;
use crate::linear::Linear;
use crate::{Result, TowerConfig, math};

pub(super) struct Pool<'a> {
    qkv: Linear<'a>,
    pos_embed: Cow<'a, [f32]>,
    attention: Attention,
}

/// The activations of pooling, kept for the backward pass.
#[derive(Default)]
pub(super) struct PoolTape {
    /// Of each picture the mean, then all pixels, with their positions.
    rows: Vec<f32>,
    qkv: Vec<f32>,
    probs: Vec<Vec<f32>>,
}

impl<'a> Pool<'a> {
    pub(super) fn new(config: &TowerConfig, weights: &dyn Weights<'a>) -> Result<Self> {
        Ok(Self {
            qkv: Linear::find(weights, "image.pool.qkv", true)?,
            pos_embed: weights.find("image.pos_embed")?.1,
            attention: Attention { heads: config.heads, width: config.width, causal: false },
        })
    }

    /// One row for each picture, (B, W).
    pub(super) fn forward(&self, grid: &Grid) -> (Vec<f32>, PoolTape) {
        let mut tape = PoolTape::default();
        for pixels in grid.data.chunks_exact(grid.area() * grid.channels) {
            let mut rows = vec![0.0; grid.channels];
            math::add_columns(pixels, &mut rows);
            rows.iter_mut().for_each(|value| *value /= grid.area() as f32);
            rows.extend_from_slice(pixels);
            math::add(&mut rows, &self.pos_embed);
            tape.rows.extend(rows);
        }
        self.qkv.forward(&tape.rows, &mut tape.qkv);
        let mut mixed = Vec::new();
        let rows = Sequences { spans: &spans(grid), output: OutputRows::First };
        self.attention.forward(&tape.qkv, rows, &mut mixed, &mut tape.probs);
        (mixed, tape)
    }

    /// The gradient of the grid from that of its row.
    pub(super) fn backward(
        &self,
        grid: &Grid,
        tape: &PoolTape,
        grad: &[f32],
        grads: &mut Grads<'_>,
    ) -> Grid {
        let rows = Sequences { spans: &spans(grid), output: OutputRows::First };
        let dqkv = self.attention.backward(&tape.qkv, &tape.probs, rows, grad);
        let drows = self.qkv.backward(&tape.rows, &dqkv, "image.pool.qkv", grads);
        let shape = [1, grid.area() + 1, grid.channels];
        let mut dgrid = Grid { data: Vec::with_capacity(grid.data.len()), ..*grid };
        grads.add("image.pos_embed", &shape, |dpos| {
            for drows in drows.chunks_exact(dpos.len()) {
                math::add(dpos, drows);
                let (mean, pixels) = drows.split_at(grid.channels);
                let share: Vec<f32> = mean.iter().map(|v| v / grid.area() as f32).collect();
                let start = dgrid.data.len();
                dgrid.data.extend_from_slice(pixels);
                math::add_bias(&mut dgrid.data[start..], &share);
            }
        });
        dgrid
    }
}

/// The rows of each picture: its mean and its pixels.
fn spans(grid: &Grid) -> Vec<Range<usize>> {
    let rows = grid.area() + 1;
    (0..grid.pictures()).map(|picture| picture * rows..(picture + 1) * rows).collect()
}
