//! Value by value, and what small networks on feature vectors need: tanh, the rectifier, dropout, matrices side by
//! side, a reversed gradient, and losses whose slopes are known.

use crate::layers::Activation;
use crate::tape::Tape;
use crate::value::Value;

impl<'w> Tape<'w> {
    /// tanh of every value.
    pub fn tanh(&mut self, x: Value) -> Value {
        self.curve(x, f32::tanh, |y| 1.0 - y * y)
    }

    /// Every value that is above 0, and 0 for the others.
    pub fn rectify(&mut self, x: Value) -> Value {
        self.curve(x, |x| x.max(0.0), |y| if y > 0.0 { 1.0 } else { 0.0 })
    }

    /// The activation of every value, where no matrix follows at once ([`Self::active_linear`] has one).
    pub fn activate(&mut self, x: &Value, activation: Activation) -> Value {
        if let Some((executor, rows)) = self.there(x) {
            return self.elsewhere(executor.activate(rows, activation), rows.rows, rows.width);
        }
        let (width, from) = (x.width(), x.node);
        let mut y = self.take(x.len());
        activation.apply(x, &mut y.values);
        if !self.records(&[x], false) {
            return self.plain(y, width);
        }
        let input = x.detached();
        self.record(y, width, move |mut grad, back| {
            activation.backward(&input, &mut grad.values);
            if let Some(from) = from {
                back.give(from, grad);
            }
        })
    }

    /// `function` of every value; `slope` says how steep it is where its result is that.
    pub(super) fn curve(
        &mut self,
        x: Value,
        function: fn(f32) -> f32,
        slope: fn(f32) -> f32,
    ) -> Value {
        let (width, from) = (x.width(), x.node);
        let records = self.records(&[&x], false);
        let mut y = self.owned(x);
        y.values.iter_mut().for_each(|value| *value = function(*value));
        if !records {
            return self.plain(y, width);
        }
        let mut results = self.take(y.values.len());
        results.values.copy_from_slice(&y.values);
        self.record(y, width, move |mut grad, back| {
            let pairs = grad.values.iter_mut().zip(&results.values);
            pairs.for_each(|(grad, result)| *grad *= slope(*result));
            if let Some(from) = from {
                back.give(from, grad);
            }
        })
    }

    /// Every value times a constant of its own: dropout (Srivastava et al. 2014,
    /// <https://jmlr.org/papers/v15/srivastava14a.html>) with factors 0 and 1 / (1 - p).
    ///
    /// # Panics
    /// When there are not as many factors as values.
    pub fn times(&mut self, x: Value, factors: Vec<f32>) -> Value {
        assert_eq!(x.len(), factors.len(), "a factor for each value");
        let (width, from) = (x.width(), x.node);
        let records = self.records(&[&x], false);
        let mut y = self.owned(x);
        y.values.iter_mut().zip(&factors).for_each(|(value, factor)| *value *= factor);
        if !records {
            return self.plain(y, width);
        }
        self.record(y, width, move |mut grad, back| {
            grad.values.iter_mut().zip(&factors).for_each(|(grad, factor)| *grad *= factor);
            if let Some(from) = from {
                back.give(from, grad);
            }
        })
    }

    /// Every value of `a` times that of `b` at its place.
    ///
    /// # Panics
    /// When the sizes differ.
    pub fn multiply(&mut self, a: &Value, b: &Value) -> Value {
        assert_eq!((a.len(), a.width()), (b.len(), b.width()), "sizes of a product");
        let mut y = self.take(a.len());
        let pairs = a.iter().zip(&b[..]);
        y.values.iter_mut().zip(pairs).for_each(|(y, (a, b))| *y = a * b);
        if !self.records(&[a, b], false) {
            return self.plain(y, a.width());
        }
        let (a, b) = (a.clone(), b.clone());
        self.record(y, a.width(), move |grad, back| {
            for (of, other) in [(&a, &b), (&b, &a)] {
                let Some(into) = back.slot(of.slot()) else { continue };
                let pairs = grad.values.iter().zip(&other[..]);
                into.iter_mut().zip(pairs).for_each(|(into, (grad, other))| *into += grad * other);
            }
        })
    }

    /// The products of every value of a row of `a` with every value of that of `b`, (N, A) and (N, B) to (N, A B), those
    /// of the first value of `a` first.
    ///
    /// # Panics
    /// When there are not as many rows of both.
    pub fn outer(&mut self, a: &Value, b: &Value) -> Value {
        assert_eq!(a.rows(), b.rows(), "as many rows of both");
        let (wide, high) = (b.width(), a.width());
        let mut y = self.take(a.len() * wide);
        let rows = a.chunks_exact(high).zip(b.chunks_exact(wide));
        for (y, (a, b)) in y.values.chunks_exact_mut(high * wide).zip(rows) {
            for (y, a) in y.chunks_exact_mut(wide).zip(a) {
                y.iter_mut().zip(b).for_each(|(y, b)| *y = a * b);
            }
        }
        if !self.records(&[a, b], false) {
            return self.plain(y, high * wide);
        }
        let (a, b) = (a.clone(), b.clone());
        self.record(y, high * wide, move |grad, back| {
            let grads = || grad.values.chunks_exact(high * wide);
            if let Some(da) = back.slot(a.slot()) {
                let rows = da.chunks_exact_mut(high).zip(b.chunks_exact(wide)).zip(grads());
                for ((da, b), grad) in rows {
                    let parts = da.iter_mut().zip(grad.chunks_exact(wide));
                    parts.for_each(|(da, grad)| *da += crate::math::dot(grad, b));
                }
            }
            if let Some(db) = back.slot(b.slot()) {
                let rows = db.chunks_exact_mut(wide).zip(a.chunks_exact(high)).zip(grads());
                for ((db, a), grad) in rows {
                    for (grad, a) in grad.chunks_exact(wide).zip(a) {
                        db.iter_mut().zip(grad).for_each(|(db, grad)| *db += grad * a);
                    }
                }
            }
        })
    }

    /// The values as they are; their gradient times `-factor` (gradient reversal, Ganin and Lempitsky 2015,
    /// <https://arxiv.org/abs/1409.7495>).
    pub fn reverse(&mut self, x: &Value, factor: f32) -> Value {
        let mut y = self.take(x.len());
        y.values.copy_from_slice(x);
        let Some(from) = x.node.filter(|_| self.records(&[x], false)) else {
            return self.plain(y, x.width());
        };
        self.record(y, x.width(), move |mut grad, back| {
            grad.values.iter_mut().for_each(|grad| *grad *= -factor);
            back.give(from, grad);
        })
    }

    /// Rows side by side: (N, A) and (N, B) to (N, A + B).
    ///
    /// # Panics
    /// When there are not as many rows of both.
    pub fn beside(&mut self, a: &Value, b: &Value) -> Value {
        assert_eq!(a.rows(), b.rows(), "as many rows side by side");
        let (wide, all) = (a.width(), a.width() + b.width());
        let mut y = self.take(a.len() + b.len());
        let parts = a.chunks_exact(wide).zip(b.chunks_exact(b.width()));
        for (y, (a, b)) in y.values.chunks_exact_mut(all).zip(parts) {
            y[..wide].copy_from_slice(a);
            y[wide..].copy_from_slice(b);
        }
        if !self.records(&[a, b], false) {
            return self.plain(y, all);
        }
        let (a, b) = (a.slot(), b.slot());
        self.record(y, all, move |grad, back| {
            for (input, part) in [(a, 0..wide), (b, wide..all)] {
                let Some(into) = back.slot(input) else { continue };
                let rows = into.chunks_exact_mut(part.len()).zip(grad.values.chunks_exact(all));
                rows.for_each(|(into, grad)| crate::math::add(into, &grad[part.clone()]));
            }
        })
    }

    /// A number that was computed elsewhere, with its slope for each value of what it was computed from.
    ///
    /// # Panics
    /// When there are not as many slopes as values.
    pub fn known(&mut self, number: f32, slopes: Vec<(&Value, Vec<f32>)>) -> Value {
        let mut y = self.take(1);
        y.values[0] = number;
        let inputs: Vec<&Value> = slopes.iter().map(|(value, _)| *value).collect();
        if !self.records(&inputs, false) {
            return self.plain(y, 1);
        }
        let with_slot = |(value, slope): (&Value, Vec<f32>)| {
            assert_eq!(value.len(), slope.len(), "a slope for each value");
            (value.slot(), slope)
        };
        let slopes: Vec<_> = slopes.into_iter().map(with_slot).collect();
        self.record(y, 1, move |grad, back| {
            for (slot, slope) in &slopes {
                let Some(into) = back.slot(*slot) else { continue };
                into.iter_mut()
                    .zip(slope)
                    .for_each(|(into, slope)| *into += grad.values[0] * slope);
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grads;

    /// The gradient of `sum of weights * f(x)` beside differences of it.
    fn checked(x: &[f32], width: usize, f: impl for<'w> Fn(&mut Tape<'w>, &Value) -> Value) {
        let weight = |i: usize| ((i * 7 + 3) % 11) as f32 / 5.0 - 1.0;
        let sum = |y: &[f32]| -> f64 {
            y.iter().enumerate().map(|(i, y)| f64::from(y * weight(i))).sum()
        };
        let mut tape = Tape::recording();
        let leaf = tape.leaf(x.to_vec(), width, true);
        let y = f(&mut tape, &leaf);
        let seed: Vec<f32> = (0..y.len()).map(weight).collect();
        let (_, mut found) = grads::collect(vec![tape], |tape, grads| {
            tape.backward(vec![(&y, seed.clone())], grads).take(&leaf)
        });
        let found = found.pop().flatten().expect("a gradient");
        for at in 0..x.len() {
            let value = |by: f32| {
                let mut moved = x.to_vec();
                moved[at] += by;
                let mut tape = Tape::forward_only();
                let leaf = tape.leaf(moved, width, false);
                sum(&f(&mut tape, &leaf))
            };
            let slope = (value(1e-2) - value(-1e-2)) / 2e-2;
            assert!((slope - f64::from(found[at])).abs() < 2e-3, "{at}: {slope}, {}", found[at]);
        }
    }

    const X: [f32; 6] = [0.3, -0.8, 1.2, -0.1, 0.5, -1.5];

    #[test]
    fn gradients_are_slopes() {
        checked(&X, 3, |tape, x| tape.tanh(x.clone()));
        checked(&X, 2, |tape, x| tape.rectify(x.clone()));
        checked(&X, 3, |tape, x| tape.times(x.clone(), vec![0.0, 2.0, 2.0, 0.0, 2.0, 0.5]));
        checked(&X, 2, |tape, x| {
            let bent = tape.tanh(x.clone());
            tape.beside(&bent, x)
        });
        // Of two values that are not the same, and of one with itself.
        checked(&X, 3, |tape, x| {
            let bent = tape.tanh(x.clone());
            tape.multiply(&bent, x)
        });
        checked(&X, 3, |tape, x| tape.multiply(x, x));
        checked(&X, 2, |tape, x| {
            let bent = tape.tanh(x.clone());
            tape.outer(&bent, x)
        });
    }

    #[test]
    fn a_reversed_gradient_changes_its_sign_and_nothing_else() {
        let mut tape = Tape::recording();
        let leaf = tape.leaf(X.to_vec(), 3, true);
        let y = tape.reverse(&leaf, 0.25);
        assert_eq!(y[..], X);
        let (_, found) = grads::collect(vec![tape], |tape, grads| {
            tape.backward(vec![(&y, X.to_vec())], grads).take(&leaf)
        });
        assert_eq!(found, [Some(X.map(|x| -0.25 * x).to_vec())]);
    }

    #[test]
    fn known_slopes_reach_all_that_they_are_for() {
        let mut tape = Tape::recording();
        let (a, b) = (tape.leaf(vec![1.0, 2.0], 2, true), tape.leaf(vec![3.0], 1, true));
        let number = tape.known(7.0, vec![(&a, vec![0.5, -1.0]), (&b, vec![4.0])]);
        let twice = tape.total(&[(number, 2.0)]);
        assert_eq!(twice[..], [14.0]);
        let (_, found) = grads::collect(vec![tape], |tape, grads| {
            let mut found = tape.backward(vec![(&twice, vec![1.0])], grads);
            [found.take(&a), found.take(&b)]
        });
        assert_eq!(found, [[Some(vec![1.0, -2.0]), Some(vec![8.0])]]);
    }
}
