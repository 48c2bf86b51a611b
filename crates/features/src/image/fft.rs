//! The discrete Fourier transform of squares whose side is a power of two (Cooley and Tukey 1965).

use std::f64::consts::TAU;

/// Real and imaginary part.
pub type Complex = [f32; 2];

/// What a side needs again and again.
pub struct Fourier {
    size: usize,
    /// `e^(-2 pi i k / size)` for the first half.
    turns: Vec<Complex>,
    /// Where each value goes: its place with its bits the other way round.
    places: Vec<usize>,
}

impl Fourier {
    /// For squares of `size`, a power of two from 2 on.
    pub fn new(size: usize) -> Self {
        assert!(size.is_power_of_two() && size > 1, "a power of two");
        let turn = |k: usize| {
            let angle = -TAU * k as f64 / size as f64;
            [angle.cos() as f32, angle.sin() as f32]
        };
        let shift = usize::BITS - size.trailing_zeros();
        Self {
            size,
            turns: (0..size / 2).map(turn).collect(),
            places: (0..size).map(|at| at.reverse_bits() >> shift).collect(),
        }
    }

    /// In place, of a square in row-major order; `room` is as large.
    pub fn square(&self, values: &mut [Complex], room: &mut [Complex]) {
        // Rows, and turned once more; twice turned is as it was.
        for _ in 0..2 {
            for row in values.chunks_exact_mut(self.size) {
                self.row(row);
            }
            self.turned(values, room);
            values.copy_from_slice(room);
        }
    }

    /// The inverse, up to a factor of `size * size`, by the transform of the conjugate.
    pub fn inverse(&self, values: &mut [Complex], room: &mut [Complex]) {
        values.iter_mut().for_each(|value| value[1] = -value[1]);
        self.square(values, room);
        values.iter_mut().for_each(|value| value[1] = -value[1]);
    }

    fn turned(&self, from: &[Complex], to: &mut [Complex]) {
        const TILE: usize = 16;
        let size = self.size;
        for top in (0..size).step_by(TILE) {
            for left in (0..size).step_by(TILE) {
                for y in top..(top + TILE).min(size) {
                    for x in left..(left + TILE).min(size) {
                        to[x * size + y] = from[y * size + x];
                    }
                }
            }
        }
    }

    fn row(&self, row: &mut [Complex]) {
        for (at, &place) in self.places.iter().enumerate() {
            if at < place {
                row.swap(at, place);
            }
        }
        let mut half = 1;
        while half < self.size {
            let step = self.size / (2 * half);
            for part in row.chunks_exact_mut(2 * half) {
                let (first, second) = part.split_at_mut(half);
                let turns = self.turns.iter().step_by(step);
                for ((a, b), turn) in first.iter_mut().zip(second).zip(turns) {
                    let [r, i] = [b[0] * turn[0] - b[1] * turn[1], b[0] * turn[1] + b[1] * turn[0]];
                    *b = [a[0] - r, a[1] - i];
                    *a = [a[0] + r, a[1] + i];
                }
            }
            half *= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wave_is_one_number_and_back() {
        let (size, fourier) = (8, Fourier::new(8));
        let wave = |at: usize| {
            let (y, x) = (at / size, at % size);
            let angle = TAU * (2 * x + 3 * y) as f64 / size as f64;
            [angle.cos() as f32, angle.sin() as f32]
        };
        let given: Vec<Complex> = (0..64).map(wave).collect();
        let (mut values, mut room) = (given.clone(), given.clone());
        fourier.square(&mut values, &mut room);
        for (at, value) in values.iter().enumerate() {
            let wanted = if at == 3 * size + 2 { 64.0 } else { 0.0 };
            assert!((value[0] - wanted).abs() < 1e-4 && value[1].abs() < 1e-4, "{at}: {value:?}");
        }
        fourier.inverse(&mut values, &mut room);
        for (value, given) in values.iter().zip(&given) {
            assert!((value[0] / 64.0 - given[0]).abs() < 1e-5);
            assert!((value[1] / 64.0 - given[1]).abs() < 1e-5);
        }
    }
}
