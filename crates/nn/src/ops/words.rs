//! What a network that says words needs beside the other operations: rows behind rows, values left out by chance, and
//! the loss of the words that it should have said.

use crate::math;
use crate::tape::Tape;
use crate::value::Value;

/// Values whose fates one number of 64 bits decides.
const FATES: usize = 4;

/// The rows' right answers.
#[derive(Clone, Copy, Debug)]
pub struct Answers<'a> {
    /// For each row the column that is right.
    pub right: &'a [usize],
    /// For each row how much it counts: a mean has one over the number of rows, a reward may be below 0.
    pub weights: &'a [f32],
    /// Share of the truth that goes evenly to all columns (Szegedy et al. 2016, <https://arxiv.org/abs/1512.00567>).
    pub smoothing: f32,
}

impl<'w> Tape<'w> {
    /// The rows of several values, one value behind the other.
    ///
    /// # Panics
    /// When their widths differ, or there is none.
    pub fn stack(&mut self, parts: &[&Value]) -> Value {
        let width = parts.first().expect("rows to stack").width();
        assert!(parts.iter().all(|part| part.width() == width), "rows of one width");
        let mut y = self.take(parts.iter().map(|part| part.len()).sum());
        let mut rest = &mut y.values[..];
        for part in parts {
            let (own, others) = rest.split_at_mut(part.len());
            own.copy_from_slice(part);
            rest = others;
        }
        if !self.records(parts, false) {
            return self.plain(y, width);
        }
        let slots: Vec<_> = parts.iter().map(|part| part.slot()).collect();
        self.record(y, width, move |grad, back| {
            let mut start = 0;
            for slot in slots {
                if let Some(sum) = back.slot(slot) {
                    math::add(sum, &grad.values[start..start + slot.len]);
                }
                start += slot.len;
            }
        })
    }

    /// Sets each value to 0 with the probability `share` and makes up for it with the others (dropout, Srivastava et
    /// al. 2014, <https://jmlr.org/papers/v15/srivastava14a.html>). Which ones is a function of `seed` and of their
    /// places alone; `share` counts in steps of 1/65536.
    pub fn dropout(&mut self, x: Value, share: f32, seed: u64) -> Value {
        if share <= 0.0 {
            return x;
        }
        let (width, from) = (x.width(), x.node);
        let records = self.records(&[&x], false);
        let mut y = self.owned(x);
        drop_out(&mut y.values, share, seed);
        if !records {
            return self.plain(y, width);
        }
        self.record(y, width, move |mut grad, back| {
            drop_out(&mut grad.values, share, seed);
            if let Some(from) = from {
                back.give(from, grad);
            }
        })
    }

    /// The sum over rows of each one's weight times the cross-entropy of its softmax with its right column.
    ///
    /// # Panics
    /// When there is not one answer and one weight for each row, or an answer is no column.
    pub fn answer_loss(&mut self, logits: Value, answers: Answers<'_>) -> Value {
        let Answers { right, weights, smoothing } = answers;
        let (rows, width, from) = (logits.rows(), logits.width(), logits.node);
        assert!(
            right.len() == rows && weights.len() == rows,
            "an answer and a weight for each row"
        );
        let records = self.records(&[&logits], false);
        let mut slope = self.owned(logits);
        let mut total = 0.0f64;
        let even = smoothing / width as f32;
        for ((row, &right), &weight) in slope.values.chunks_exact_mut(width).zip(right).zip(weights)
        {
            let (said, largest) = (row[right], row.iter().copied().fold(f32::MIN, f32::max));
            let mean = if smoothing > 0.0 { row.iter().sum::<f32>() / width as f32 } else { 0.0 };
            math::softmax(row, width, 1.0);
            // The largest one's probability is at least one over the width, so that its logarithm is exact.
            let most = row.iter().copied().fold(0.0, f32::max);
            let log_sum = largest - most.ln();
            let loss = log_sum - (1.0 - smoothing) * said - smoothing * mean;
            total += f64::from(loss) * f64::from(weight);
            row[right] -= 1.0 - smoothing;
            row.iter_mut().for_each(|value| *value = (*value - even) * weight);
        }
        let mut y = self.take(1);
        y.values[0] = total as f32;
        let Some(from) = from.filter(|_| records) else { return self.plain(y, 1) };
        self.record(y, 1, move |grad, back| {
            let mut slope = slope;
            let factor = grad.values[0];
            slope.values.iter_mut().for_each(|value| *value *= factor);
            back.give(from, slope);
        })
    }
}

/// Leaves out a share of the values and stretches the others.
fn drop_out(values: &mut [f32], share: f32, seed: u64) {
    let below = (share.clamp(0.0, 1.0) * 65_536.0) as u64;
    let stretch = 65_536.0 / (65_536 - below.min(65_535)) as f32;
    for (at, some) in values.chunks_mut(FATES).enumerate() {
        let mut fates = mixed(seed.wrapping_add((at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        for value in some {
            *value *= if fates & 0xffff < below { 0.0 } else { stretch };
            fates >>= 16;
        }
    }
}

/// SplitMix64's last step: every bit of `z` changes half of the result's.
fn mixed(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grads;

    #[test]
    fn what_is_dropped_is_the_same_on_the_way_back_and_the_mean_stays() {
        let mut tape = Tape::recording();
        let x = tape.leaf(vec![1.0; 40_000], 100, true);
        let y = tape.dropout(x.clone(), 0.25, 7);
        let kept = y.iter().filter(|value| **value > 0.0).count();
        assert!((29_500..30_500).contains(&kept), "{kept} of 40,000 are kept");
        assert!(y.iter().all(|value| *value == 0.0 || (value - 4.0 / 3.0).abs() < 1e-4));
        let values = y.to_vec();
        let (_, found) = grads::collect(vec![tape], |tape, grads| {
            tape.backward(vec![(&y, vec![1.0; 40_000])], grads).take(&x).expect("it learns")
        });
        assert_eq!(found[0], values);
    }

    #[test]
    fn the_loss_is_that_of_written_out_targets() {
        let logits = vec![0.3, -1.2, 2.5, 0.0, 1.0, 1.0, -4.0, 3.0];
        let mut tape = Tape::recording();
        let x = tape.leaf(logits.clone(), 4, true);
        let answers = Answers { right: &[1, 3], weights: &[0.5, 0.5], smoothing: 0.1 };
        let loss = tape.answer_loss(x.clone(), answers);
        let mut plain = Tape::recording();
        let same = plain.leaf(logits, 4, true);
        let mut targets = vec![0.025; 8];
        targets[1] += 0.9;
        targets[7] += 0.9;
        let wanted = plain.cross_entropy(&same, &targets);
        assert!((loss[0] - wanted[0]).abs() < 1e-6, "{} beside {}", loss[0], wanted[0]);
        let back = |tape: Tape<'_>, loss: &Value, x: &Value| {
            let (_, mut found) = grads::collect(vec![tape], |tape, grads| {
                tape.backward(vec![(loss, vec![1.0])], grads).take(x).expect("it learns")
            });
            found.pop().expect("one tape")
        };
        let (found, wanted) = (back(tape, &loss, &x), back(plain, &wanted, &same));
        assert!(found.iter().zip(&wanted).all(|(a, b)| (a - b).abs() < 1e-6));
    }

    #[test]
    fn stacked_rows_give_back_what_belongs_to_each() {
        let mut tape = Tape::recording();
        let (a, b) = (tape.leaf(vec![1.0, 2.0], 2, true), tape.leaf(vec![3.0; 4], 2, false));
        let y = tape.stack(&[&b, &a]);
        assert_eq!(y[..], [3.0, 3.0, 3.0, 3.0, 1.0, 2.0]);
        let (_, found) = grads::collect(vec![tape], |tape, grads| {
            let grad = (0..6).map(|at| at as f32).collect();
            tape.backward(vec![(&y, grad)], grads).take(&a)
        });
        assert_eq!(found, [Some(vec![4.0, 5.0])]);
    }
}
