//! Moving, adding and averaging rows.

use std::ops::Range;
use std::sync::Arc;

use crate::executor::{Matrix, Taps};
use crate::layers::Weight;
use crate::math;
use crate::tape::Tape;
use crate::value::Value;

/// The rows of each sequence.
pub type Spans = Arc<[Range<usize>]>;

impl<'w> Tape<'w> {
    /// `a + b`; over the values of `a` where nobody else has them.
    ///
    /// # Panics
    /// When the sizes differ.
    pub fn add(&mut self, a: Value, b: &Value) -> Value {
        assert_eq!((a.len(), a.width()), (b.len(), b.width()), "sizes of a sum");
        if let (Some((executor, left)), Some((_, right))) = (self.there(&a), self.there(b)) {
            return self.elsewhere(executor.add(left, right), left.rows, left.width);
        }
        let (width, from) = (a.width(), [a.node, b.node]);
        let records = self.records(&[&a, b], false);
        let mut sum = self.owned(a);
        math::add(&mut sum.values, b);
        if !records {
            return self.plain(sum, width);
        }
        self.record(sum, width, move |grad, back| {
            if let [Some(a), Some(b)] = from {
                let mut copy = back.take(grad.values.len());
                copy.values.copy_from_slice(&grad.values);
                back.give(b, copy);
                back.give(a, grad);
            } else if let Some(one) = from.into_iter().flatten().next() {
                back.give(one, grad);
            }
        })
    }

    /// The same row added to all.
    pub fn add_row(&mut self, x: Value, row: &'w Weight<'w>) -> Value {
        let taps = || (0..x.rows()).map(|at| [(0, at, 1.0), (1, 0, 1.0)]).collect();
        if let Some(sum) = self.gathered(&x, Some(row), taps) {
            return sum;
        }
        let (width, from) = (x.width(), x.node);
        let records = self.records(&[&x], row.learns);
        let mut sum = self.owned(x);
        math::add_bias(&mut sum.values, &row.values[..width]);
        if !records {
            return self.plain(sum, width);
        }
        self.record(sum, width, move |grad, back| {
            row.add(back.grads, |sum| math::add_columns(&grad.values, &mut sum[..width]));
            if let Some(from) = from {
                back.give(from, grad);
            }
        })
    }

    /// Adds to row i the row `places[i]` of a table.
    pub fn add_places(&mut self, x: Value, table: &'w Weight<'w>, places: Vec<usize>) -> Value {
        let both = |(at, &place)| [(0, at, 1.0), (1, place, 1.0)];
        let taps = || places.iter().enumerate().map(both).collect();
        if let Some(sum) = self.gathered(&x, Some(table), taps) {
            return sum;
        }
        let (width, from) = (x.width(), x.node);
        let records = self.records(&[&x], table.learns);
        let mut sum = self.owned(x);
        for (row, place) in sum.values.chunks_exact_mut(width).zip(&places) {
            math::add(row, &table.values[place * width..][..width]);
        }
        if !records {
            return self.plain(sum, width);
        }
        self.record(sum, width, move |grad, back| {
            table.add(back.grads, |sum| {
                for (row, place) in grad.values.chunks_exact(width).zip(&places) {
                    math::add(&mut sum[place * width..][..width], row);
                }
            });
            if let Some(from) = from {
                back.give(from, grad);
            }
        })
    }

    /// Puts a row before each of the sequences, which have `counts` rows.
    pub fn before_each(&mut self, x: &Value, row: &'w Weight<'w>, counts: Vec<usize>) -> Value {
        let taps = || {
            let starts =
                counts.iter().scan(0, |end, count| Some(std::mem::replace(end, *end + count)));
            let one = |(start, count): (usize, &usize)| {
                let own = (start..start + count).map(|at| [(0, at, 1.0)]);
                std::iter::once([(1, 0, 1.0)]).chain(own)
            };
            starts.zip(&counts).flat_map(one).collect()
        };
        if let Some(all) = self.gathered(x, Some(row), taps) {
            return all;
        }
        let width = x.width();
        let mut y = self.take((x.rows() + counts.len()) * width);
        let (mut from, mut to) = (&x[..], &mut y.values[..]);
        for count in &counts {
            let (some, rest) = from.split_at(count * width);
            let (target, others) = to.split_at_mut((count + 1) * width);
            target[..width].copy_from_slice(&row.values);
            target[width..].copy_from_slice(some);
            (from, to) = (rest, others);
        }
        if !self.records(&[x], row.learns) {
            return self.plain(y, width);
        }
        let x = x.clone();
        self.record(y, width, move |grad, back| {
            let mut dx = back.take(x.len());
            let mut drow = vec![0.0; width];
            let (mut from, mut to) = (&grad.values[..], &mut dx.values[..]);
            for count in &counts {
                let (some, rest) = from.split_at((count + 1) * width);
                let (target, others) = to.split_at_mut(count * width);
                math::add(&mut drow, &some[..width]);
                target.copy_from_slice(&some[width..]);
                (from, to) = (rest, others);
            }
            row.add(back.grads, |sum| sum.copy_from_slice(&drow));
            back.give_to(&x, dx);
        })
    }

    /// Puts one row behind all others.
    pub fn behind(&mut self, x: &Value, row: &'w Weight<'w>) -> Value {
        let own = || (0..x.rows()).map(|at| [(0, at, 1.0)]);
        if let Some(all) = self.gathered(x, Some(row), || own().chain([[(1, 0, 1.0)]]).collect()) {
            return all;
        }
        let (width, len) = (x.width(), x.len());
        let mut y = self.take(len + width);
        y.values[..len].copy_from_slice(x);
        y.values[len..].copy_from_slice(&row.values);
        if !self.records(&[x], row.learns) {
            return self.plain(y, width);
        }
        let from = x.node;
        self.record(y, width, move |mut grad, back| {
            row.add(back.grads, |sum| sum.copy_from_slice(&grad.values[len..]));
            grad.values.truncate(len);
            if let Some(from) = from {
                back.give(from, grad);
            }
        })
    }

    /// Some rows, in this order.
    pub fn pick(&mut self, x: &Value, rows: Vec<usize>) -> Value {
        let taps = || rows.iter().map(|&row| [(0, row, 1.0)]).collect();
        if let Some(picked) = self.gathered(x, None, taps) {
            return picked;
        }
        let width = x.width();
        let mut y = self.take(rows.len() * width);
        for (y, row) in y.values.chunks_exact_mut(width).zip(&rows) {
            y.copy_from_slice(&x[row * width..][..width]);
        }
        if !self.records(&[x], false) {
            return self.plain(y, width);
        }
        let input = x.slot();
        self.record(y, width, move |grad, back| {
            let Some(dx) = back.slot(input) else { return };
            for (grad, row) in grad.values.chunks_exact(width).zip(&rows) {
                math::add(&mut dx[row * width..][..width], grad);
            }
        })
    }

    /// The mean of the rows of each span, (spans, W).
    pub fn means(&mut self, x: &Value, spans: &Spans) -> Value {
        let mean = |span: &Range<usize>| {
            let share = 1.0 / span.len() as f32;
            span.clone().map(move |row| (0, row, share))
        };
        let taps = || spans.iter().map(mean).collect();
        if let Some(means) = self.gathered(x, None, taps) {
            return means;
        }
        let width = x.width();
        let mut y = self.zeros(spans.len() * width);
        for (mean, span) in y.values.chunks_exact_mut(width).zip(spans.iter()) {
            math::add_columns(&x[span.start * width..span.end * width], mean);
            mean.iter_mut().for_each(|value| *value /= span.len() as f32);
        }
        if !self.records(&[x], false) {
            return self.plain(y, width);
        }
        let (input, spans) = (x.slot(), Arc::clone(spans));
        self.record(y, width, move |grad, back| {
            let Some(dx) = back.slot(input) else { return };
            for (span, grad) in spans.iter().zip(grad.values.chunks_exact(width)) {
                let share = 1.0 / span.len() as f32;
                let part: Vec<f32> = grad.iter().map(|grad| grad * share).collect();
                math::add_bias(&mut dx[span.start * width..span.end * width], &part);
            }
        })
    }

    /// Each row divided by its length (at least 1e-12).
    pub fn normalise(&mut self, x: &Value) -> Value {
        if let Some((executor, rows)) = self.there(x) {
            return self.elsewhere(executor.normalise(rows), rows.rows, rows.width);
        }
        let width = x.width();
        let mut y = self.take(x.len());
        let mut lengths = Vec::with_capacity(x.rows());
        for (y, x) in y.values.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
            let length = math::dot(x, x).sqrt().max(1e-12);
            y.iter_mut().zip(x).for_each(|(y, x)| *y = x / length);
            lengths.push(length);
        }
        if !self.records(&[x], false) {
            return self.plain(y, width);
        }
        let from = x.node;
        let unit = y.values.clone();
        self.record(y, width, move |mut grad, back| {
            let rows = grad.values.chunks_exact_mut(width).zip(unit.chunks_exact(width));
            for ((grad, unit), length) in rows.zip(&lengths) {
                let along = math::dot(grad, unit);
                let pairs = grad.iter_mut().zip(unit);
                pairs.for_each(|(grad, unit)| *grad = (*grad - along * unit) / length);
            }
            if let Some(from) = from {
                back.give(from, grad);
            }
        })
    }

    /// On an executor, rows that `taps` makes of those of `x` and of a table as wide.
    pub(crate) fn gathered(
        &self,
        x: &Value,
        table: Option<&Weight<'_>>,
        taps: impl FnOnce() -> Taps,
    ) -> Option<Value> {
        let (executor, rows) = self.there(x)?;
        let (taps, width) = (taps(), rows.width);
        let other = table.map_or(rows, |table| Matrix {
            memory: table.on(executor),
            rows: table.values.len() / width,
            width,
        });
        Some(self.elsewhere(executor.gather([rows, other], &taps), taps.ends.len(), width))
    }

    /// The values of `x` to write over; a copy where somebody else has them.
    #[track_caller]
    pub(crate) fn owned(&self, x: Value) -> crate::value::Buffer {
        self.computes_here();
        match Arc::try_unwrap(x.buffer) {
            Ok(buffer) => buffer,
            Err(shared) => {
                let mut copy = self.take(shared.values.len());
                copy.values.copy_from_slice(&shared.values);
                copy
            }
        }
    }
}
