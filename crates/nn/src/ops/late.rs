//! Words that look at patches (late interaction): the best inner product of each word with the patches of each item,
//! and what a text's words make of theirs.
//!
//! FILIP (Yao et al. 2021, <https://arxiv.org/abs/2111.07783>), ColBERT (Khattab and Zaharia 2020,
//! <https://arxiv.org/abs/2004.12832>), hard assignment as in CHAN (Pan et al. 2023,
//! <https://openaccess.thecvf.com/content/CVPR2023/html/Pan_Fine-Grained_Image-Text_Matching_by_Cross-Modal_Hard_Aligning_Network_CVPR_2023_paper.html>).

use std::sync::Arc;

use rayon::prelude::*;
use tuwen_gemm::{Mat, gemm};

use super::Spans;
use crate::math;
use crate::tape::Tape;
use crate::value::Value;

impl<'w> Tape<'w> {
    /// For each of `words`, (R, W), its largest inner product with the rows of `patches` in each of the spans: (R,
    /// spans). Only that row gets a gradient, the first of several that are equal. The threads share the spans: not for
    /// a tape that shares a backward pass with others.
    ///
    /// # Panics
    /// When the widths differ, or a span is empty.
    pub fn best_products(&mut self, words: &Value, patches: &Value, spans: &Spans) -> Value {
        let (rows, width, items) = (words.rows(), words.width(), spans.len());
        assert_eq!(width, patches.width(), "words and patches of one width");
        let one = |span: &std::ops::Range<usize>| {
            let patches = &patches[span.start * width..span.end * width];
            best(words, patches, width)
        };
        let found: Vec<Vec<(f32, u32)>> = spans.par_iter().map(one).collect();
        let mut y = self.take(rows * items);
        for (item, best) in found.iter().enumerate() {
            for (row, (value, _)) in best.iter().enumerate() {
                y.values[row * items + item] = *value;
            }
        }
        if !self.records(&[words, patches], false) {
            return self.plain(y, items);
        }
        let (words, patches, spans) = (words.clone(), patches.clone(), Arc::clone(spans));
        self.record(y, items, move |grad, back| {
            let (slopes, found, spans) = (&grad.values[..], &found[..], &spans[..]);
            let places = move |row: usize| {
                let place = move |item: usize| spans[item].start + found[item][row].1 as usize;
                (0..items).map(move |item| (slopes[row * items + item], place(item)))
            };
            if let Some(dwords) = back.slot(words.slot()) {
                dwords.par_chunks_mut(width).enumerate().for_each(|(row, dword)| {
                    for (slope, place) in places(row).filter(|(slope, _)| *slope != 0.0) {
                        add_scaled(dword, &patches[place * width..][..width], slope);
                    }
                });
            }
            if let Some(dpatches) = back.slot(patches.slot()) {
                for row in 0..rows {
                    for (slope, place) in places(row).filter(|(slope, _)| *slope != 0.0) {
                        let dpatch = &mut dpatches[place * width..][..width];
                        add_scaled(dpatch, &words[row * width..][..width], slope);
                    }
                }
            }
        })
    }

    /// Softmax over the rows of each span, column by column.
    pub fn softmax_of_spans(&mut self, x: &Value, spans: &Spans) -> Value {
        let width = x.width();
        let mut y = self.take(x.len());
        y.values.copy_from_slice(x);
        for span in spans.iter() {
            let part = &mut y.values[span.start * width..span.end * width];
            for column in 0..width {
                let own = || (0..span.len()).map(|row| row * width + column);
                let most = own().map(|at| part[at]).fold(f32::NEG_INFINITY, f32::max);
                own().for_each(|at| part[at] = (part[at] - most).exp());
                let sum: f32 = own().map(|at| part[at]).sum();
                own().for_each(|at| part[at] /= sum);
            }
        }
        if !self.records(&[x], false) {
            return self.plain(y, width);
        }
        let (input, shares, spans) = (x.slot(), y.values.clone(), Arc::clone(spans));
        self.record(y, width, move |mut grad, back| {
            for span in spans.iter() {
                for column in 0..width {
                    let own = || span.clone().map(|row| row * width + column);
                    let along: f32 = own().map(|at| grad.values[at] * shares[at]).sum();
                    own().for_each(|at| grad.values[at] = shares[at] * (grad.values[at] - along));
                }
            }
            if let Some(node) = input.node {
                back.give(node, grad);
            }
        })
    }

    /// The sum of the rows of each span, each row times its share, (rows, 1): (spans, W).
    pub fn shared_sums(&mut self, x: &Value, shares: &Value, spans: &Spans) -> Value {
        let width = x.width();
        let mut y = self.zeros(spans.len() * width);
        for (sum, span) in y.values.chunks_exact_mut(width).zip(spans.iter()) {
            for row in span.clone() {
                add_scaled(sum, &x[row * width..][..width], shares[row]);
            }
        }
        if !self.records(&[x, shares], false) {
            return self.plain(y, width);
        }
        let (x, shares, spans) = (x.clone(), shares.clone(), Arc::clone(spans));
        self.record(y, width, move |grad, back| {
            let rows = || {
                let grads = grad.values.chunks_exact(width);
                spans
                    .iter()
                    .zip(grads)
                    .flat_map(|(span, grad)| span.clone().map(move |r| (r, grad)))
            };
            if let Some(dx) = back.slot(x.slot()) {
                rows().for_each(|(r, grad)| {
                    add_scaled(&mut dx[r * width..][..width], grad, shares[r])
                });
            }
            if let Some(dshares) = back.slot(shares.slot()) {
                rows()
                    .for_each(|(r, grad)| dshares[r] += math::dot(&x[r * width..][..width], grad));
            }
        })
    }

    /// `beta log(sum of e^(x / beta))` over the rows of each span: (spans, W).
    pub fn log_sums(&mut self, x: &Value, beta: f32, spans: &Spans) -> Value {
        let width = x.width();
        let mut y = self.take(spans.len() * width);
        for (sum, span) in y.values.chunks_exact_mut(width).zip(spans.iter()) {
            for (column, sum) in sum.iter_mut().enumerate() {
                *sum = log_sum(span.clone().map(|row| x[row * width + column]), beta);
            }
        }
        if !self.records(&[x], false) {
            return self.plain(y, width);
        }
        let (x, sums, spans) = (x.clone(), y.values.clone(), Arc::clone(spans));
        self.record(y, width, move |grad, back| {
            let Some(dx) = back.slot(x.slot()) else { return };
            let parts = grad.values.chunks_exact(width).zip(sums.chunks_exact(width));
            for (span, (grad, sums)) in spans.iter().zip(parts) {
                for at in span.start * width..span.end * width {
                    let column = at % width;
                    dx[at] += grad[column] * ((x[at] - sums[column]) / beta).exp();
                }
            }
        })
    }

    /// The same values as rows of another width.
    ///
    /// # Panics
    /// When they are no whole number of such rows.
    pub fn rows_of(&mut self, x: Value, width: usize) -> Value {
        assert_eq!(x.len() % width, 0, "whole rows");
        Value { width, ..x }
    }
}

/// `beta log(sum of e^(x / beta))`; minus infinity of nothing.
pub(crate) fn log_sum(values: impl Iterator<Item = f32> + Clone, beta: f32) -> f32 {
    let most = values.clone().fold(f32::NEG_INFINITY, f32::max);
    most + beta * values.map(|value| ((value - most) / beta).exp()).sum::<f32>().ln()
}

/// Each word's largest product, and which patch it is with.
fn best(words: &[f32], patches: &[f32], width: usize) -> Vec<(f32, u32)> {
    let (rows, count) = (words.len() / width, patches.len() / width);
    assert!(count > 0, "an item without patches");
    let mut products = vec![0.0; rows * count];
    let patches = Mat::new(patches, count, width, width);
    gemm(&mut products, count, Mat::new(words, rows, width, width), patches.t(), false);
    let first = |row: &[f32]| {
        let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        (most, row.iter().position(|&value| value == most).unwrap_or(0) as u32)
    };
    products.chunks_exact(count).map(first).collect()
}

fn add_scaled(sum: &mut [f32], values: &[f32], scale: f32) {
    sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value * scale);
}
