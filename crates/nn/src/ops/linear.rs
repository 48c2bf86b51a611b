//! Products with matrices, what stands before them, and normalisation.

use crate::executor::Matrix;
use crate::helpers::{Wide, by_rows};
use crate::layers::{Activation, Linear, Norm};
use crate::tape::Tape;
use crate::value::Value;

impl<'w> Tape<'w> {
    /// `x W^T + b`, (rows, in) to (rows, out).
    pub fn linear(&mut self, x: &Value, layer: &'w Linear<'w>) -> Value {
        if let Some((executor, rows)) = self.there(x) {
            return self.elsewhere(layer.forward_on(executor, rows), rows.rows, layer.out());
        }
        let mut y = self.take(x.rows() * layer.out());
        layer.forward(x, &mut y.values, self.threads());
        if !self.records(&[x], layer.learns()) {
            return self.plain(y, layer.out());
        }
        let x = x.clone();
        self.record(y, layer.out(), move |grad, back| {
            layer.backward(&x, &grad.values, back.grads);
            if x.learns() {
                let mut dx = back.take(x.len());
                layer.backward_input(&grad.values, &mut dx.values);
                back.give_to(&x, dx);
            }
        })
    }

    /// A linear layer of the normalised rows, which the backward pass computes again: that is cheaper than keeping
    /// them.
    pub fn normed_linear(&mut self, x: &Value, norm: &'w Norm<'w>, layer: &'w Linear<'w>) -> Value {
        if let Some((executor, rows)) = self.there(x) {
            let memory = &norm.forward_on(executor, rows);
            let y = layer.forward_on(executor, Matrix { memory, ..rows });
            return self.elsewhere(y, rows.rows, layer.out());
        }
        let mut normed = self.take(x.len());
        let stats = norm.shared(x, &mut normed.values, self.threads());
        let mut y = self.take(x.rows() * layer.out());
        layer.forward(&normed.values, &mut y.values, self.threads());
        if !self.records(&[x], layer.learns() || norm.learns()) {
            return self.plain(y, layer.out());
        }
        let x = x.clone();
        self.record(y, layer.out(), move |grad, back| {
            let mut normed = back.take(x.len());
            norm.forward(&x, &mut normed.values);
            layer.backward(&normed.values, &grad.values, back.grads);
            if !(x.learns() || norm.learns()) {
                return;
            }
            layer.backward_input(&grad.values, &mut normed.values);
            norm_backward(norm, &x, &stats, &normed.values, back);
        })
    }

    /// A linear layer of the activated values, which the backward pass computes again.
    pub fn active_linear(
        &mut self,
        x: &Value,
        activation: Activation,
        layer: &'w Linear<'w>,
    ) -> Value {
        if let Some((executor, rows)) = self.there(x) {
            let memory = &executor.activate(rows, activation);
            let y = layer.forward_on(executor, Matrix { memory, ..rows });
            return self.elsewhere(y, rows.rows, layer.out());
        }
        let mut active = self.take(x.len());
        let width = x.width();
        let to = Wide { values: &mut active.values[..], width };
        by_rows(self.threads(), Wide { values: x, width }, to, |x, active| {
            activation.apply(x, active);
        });
        let mut y = self.take(x.rows() * layer.out());
        layer.forward(&active.values, &mut y.values, self.threads());
        if !self.records(&[x], layer.learns()) {
            return self.plain(y, layer.out());
        }
        let x = x.clone();
        self.record(y, layer.out(), move |grad, back| {
            let mut active = back.take(x.len());
            activation.apply(&x, &mut active.values);
            layer.backward(&active.values, &grad.values, back.grads);
            if x.learns() {
                layer.backward_input(&grad.values, &mut active.values);
                activation.backward(&x, &mut active.values);
                back.give_to(&x, active);
            }
        })
    }

    /// LayerNorm of each row.
    pub fn layer_norm(&mut self, x: &Value, norm: &'w Norm<'w>) -> Value {
        if let Some((executor, rows)) = self.there(x) {
            return self.elsewhere(norm.forward_on(executor, rows), rows.rows, rows.width);
        }
        let mut normed = self.take(x.len());
        let stats = norm.shared(x, &mut normed.values, self.threads());
        if !self.records(&[x], norm.learns()) {
            return self.plain(normed, x.width());
        }
        let x = x.clone();
        self.record(normed, x.width(), move |grad, back| {
            norm_backward(norm, &x, &stats, &grad.values, back);
        })
    }
}

/// Adds the gradient of the norm's input, where it has one, and those of its weights.
fn norm_backward(
    norm: &Norm<'_>,
    x: &Value,
    stats: &[[f32; 2]],
    grad: &[f32],
    back: &mut crate::tape::Back<'_, '_>,
) {
    let mut dx = match x.learns() {
        true => std::mem::take(back.slot(x.slot()).expect("it learns")),
        false => vec![0.0; x.len()],
    };
    norm.backward(x, stats, grad, &mut dx, back.grads);
    if let Some(slot) = back.slot(x.slot()) {
        *slot = dx;
    }
}
