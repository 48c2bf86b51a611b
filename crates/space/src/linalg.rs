//! Small dense linear algebra in f64, as the closed forms need it: products, Cholesky, the eigenvectors of symmetric
//! matrices.

use rayon::prelude::*;

/// Rows of a product that one thread makes at once.
const ROWS: usize = 16;

/// A matrix, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// How many rows there are.
    pub rows: usize,
    /// Values of a row.
    pub columns: usize,
    /// Row-major.
    pub values: Vec<f64>,
}

impl Matrix {
    /// Zeros.
    pub fn zeros(rows: usize, columns: usize) -> Self {
        Self { rows, columns, values: vec![0.0; rows * columns] }
    }

    /// 1 on the diagonal.
    pub fn identity(size: usize) -> Self {
        let mut out = Self::zeros(size, size);
        (0..size).for_each(|at| out.values[at * size + at] = 1.0);
        out
    }

    /// Of floats.
    ///
    /// # Panics
    /// When they are no whole rows.
    pub fn of(values: &[f32], columns: usize) -> Self {
        assert_eq!(values.len() % columns.max(1), 0, "whole rows");
        let rows = values.len() / columns.max(1);
        Self { rows, columns, values: values.iter().map(|&value| f64::from(value)).collect() }
    }

    /// As floats.
    pub fn to_floats(&self) -> Vec<f32> {
        self.values.iter().map(|&value| value as f32).collect()
    }

    /// One row.
    pub fn row(&self, at: usize) -> &[f64] {
        &self.values[at * self.columns..][..self.columns]
    }

    /// Columns as rows.
    #[must_use]
    pub fn t(&self) -> Self {
        let at = |at: usize| self.values[at % self.rows * self.columns + at / self.rows];
        let values = (0..self.values.len()).map(at).collect();
        Self { rows: self.columns, columns: self.rows, values }
    }

    /// The product with a matrix that has as many rows as this one has columns.
    ///
    /// # Panics
    /// When the sizes do not fit.
    #[must_use]
    pub fn times(&self, right: &Self) -> Self {
        assert_eq!(self.columns, right.rows, "sizes of a product");
        let (mut out, wide) = (Self::zeros(self.rows, right.columns), right.columns.max(1));
        let blocks = out.values.par_chunks_mut(wide * ROWS).enumerate();
        // Several rows at once, so that the right matrix is read less often; each sum is in its order.
        blocks.for_each(|(block, out)| {
            for (k, row) in right.values.chunks(wide).enumerate() {
                for (at, out) in out.chunks_mut(wide).enumerate() {
                    let factor = self.values[(block * ROWS + at) * self.columns + k];
                    out.iter_mut().zip(row).for_each(|(out, value)| *out += factor * value);
                }
            }
        });
        out
    }

    /// Every value times a factor.
    #[must_use]
    pub fn scaled(mut self, factor: f64) -> Self {
        self.values.iter_mut().for_each(|value| *value *= factor);
        self
    }

    /// The same with something added to the diagonal.
    #[must_use]
    pub fn ridged(mut self, ridge: f64) -> Self {
        let step = self.columns + 1;
        self.values.iter_mut().step_by(step).for_each(|value| *value += ridge);
        self
    }

    /// The mean of each column.
    pub fn means(&self) -> Vec<f64> {
        let mut means = vec![0.0; self.columns];
        for row in self.values.chunks(self.columns.max(1)) {
            means.iter_mut().zip(row).for_each(|(mean, value)| *mean += value);
        }
        means.iter_mut().for_each(|mean| *mean /= self.rows as f64);
        means
    }

    /// Each column's mean taken away.
    #[must_use]
    pub fn centred(&self) -> Self {
        let (means, mut out) = (self.means(), self.clone());
        for row in out.values.chunks_mut(self.columns.max(1)) {
            row.iter_mut().zip(&means).for_each(|(value, mean)| *value -= mean);
        }
        out
    }

    /// Some columns, in this order.
    #[must_use]
    pub fn columns_at(&self, columns: &[usize]) -> Self {
        let rows = (0..self.rows).map(|at| self.row(at));
        let values = rows.flat_map(|row| columns.iter().map(|&at| row[at])).collect();
        Self { rows: self.rows, columns: columns.len(), values }
    }
}

/// L of `matrix = L L^T`; none where that is not positive definite.
pub fn cholesky(matrix: &Matrix) -> Option<Matrix> {
    let size = matrix.rows;
    let mut lower = Matrix::zeros(size, size);
    for row in 0..size {
        for column in 0..=row {
            let dot: f64 = (0..column)
                .map(|k| lower.values[row * size + k] * lower.values[column * size + k])
                .sum();
            let rest = matrix.values[row * size + column] - dot;
            lower.values[row * size + column] = match row == column {
                true if rest > 0.0 => rest.sqrt(),
                true => return None,
                false => rest / lower.values[column * size + column],
            };
        }
    }
    Some(lower)
}

/// X of `lower X = right`.
pub fn solve_lower(lower: &Matrix, right: &Matrix) -> Matrix {
    let (size, mut x) = (lower.rows, right.clone());
    for row in 0..size {
        let (before, rest) = x.values.split_at_mut(row * right.columns);
        let rest = &mut rest[..right.columns];
        for (factor, known) in lower.row(row)[..row].iter().zip(before.chunks(right.columns)) {
            rest.iter_mut().zip(known).for_each(|(value, known)| *value -= factor * known);
        }
        rest.iter_mut().for_each(|value| *value /= lower.values[row * size + row]);
    }
    x
}

/// X of `lower^T X = right`.
pub fn solve_upper(lower: &Matrix, right: &Matrix) -> Matrix {
    let (size, mut x) = (lower.rows, right.clone());
    for row in (0..size).rev() {
        let (before, behind) = x.values.split_at_mut((row + 1) * right.columns);
        let rest = &mut before[row * right.columns..];
        for (below, known) in (row + 1..size).zip(behind.chunks(right.columns)) {
            let factor = lower.values[below * size + row];
            rest.iter_mut().zip(known).for_each(|(value, known)| *value -= factor * known);
        }
        rest.iter_mut().for_each(|value| *value /= lower.values[row * size + row]);
    }
    x
}

/// Eigenvalues of a symmetric matrix, the largest first, and its eigenvectors as columns in that order; each vector's
/// largest value is positive, so that what is computed from them does not depend on chance.
pub fn eigen(matrix: &Matrix) -> (Vec<f64>, Matrix) {
    let size = matrix.rows;
    let (mut vectors, mut diagonal, mut beside) =
        (matrix.values.clone(), vec![0.0; size], vec![0.0; size]);
    tridiagonal(&mut vectors, &mut diagonal, &mut beside);
    implicit_ql(&mut vectors, &mut diagonal, &mut beside);
    let mut order: Vec<usize> = (0..size).collect();
    order.sort_by(|&a, &b| diagonal[b].total_cmp(&diagonal[a]));
    let all = Matrix { rows: size, columns: size, values: vectors };
    let mut sorted = all.columns_at(&order);
    for column in 0..size {
        let at = |row: usize| row * size + column;
        let largest = (0..size)
            .max_by(|&a, &b| sorted.values[at(a)].abs().total_cmp(&sorted.values[at(b)].abs()));
        if largest.is_some_and(|row| sorted.values[at(row)] < 0.0) {
            (0..size).for_each(|row| sorted.values[at(row)] *= -1.0);
        }
    }
    (order.iter().map(|&at| diagonal[at]).collect(), sorted)
}

/// Householder's reduction to three diagonals (EISPACK's `tred2`, Martin, Reinsch and Wilkinson 1968,
/// <https://doi.org/10.1007/BF02161360>). `a` becomes the transformation.
fn tridiagonal(a: &mut [f64], d: &mut [f64], e: &mut [f64]) {
    let n = d.len();
    for i in (1..n).rev() {
        let mut h = 0.0;
        let scale: f64 =
            if i > 1 { a[i * n..i * n + i].iter().map(|v| v.abs()).sum() } else { 0.0 };
        if scale == 0.0 {
            e[i] = a[i * n + i - 1];
            d[i] = 0.0;
            continue;
        }
        for value in &mut a[i * n..i * n + i] {
            *value /= scale;
            h += *value * *value;
        }
        let f = a[i * n + i - 1];
        let g = if f >= 0.0 { -h.sqrt() } else { h.sqrt() };
        e[i] = scale * g;
        h -= f * g;
        a[i * n + i - 1] = f - g;
        let mut sum = 0.0;
        for j in 0..i {
            a[j * n + i] = a[i * n + j] / h;
            let first: f64 = (0..=j).map(|k| a[j * n + k] * a[i * n + k]).sum();
            let second: f64 = (j + 1..i).map(|k| a[k * n + j] * a[i * n + k]).sum();
            e[j] = (first + second) / h;
            sum += e[j] * a[i * n + j];
        }
        let half = sum / (h + h);
        for j in 0..i {
            let f = a[i * n + j];
            e[j] -= half * f;
            let g = e[j];
            for k in 0..=j {
                a[j * n + k] -= f * e[k] + g * a[i * n + k];
            }
        }
        d[i] = h;
    }
    if n == 0 {
        return;
    }
    (d[0], e[0]) = (0.0, 0.0);
    for i in 0..n {
        if d[i] != 0.0 {
            for j in 0..i {
                let g: f64 = (0..i).map(|k| a[i * n + k] * a[k * n + j]).sum();
                for k in 0..i {
                    a[k * n + j] -= g * a[k * n + i];
                }
            }
        }
        d[i] = a[i * n + i];
        a[i * n + i] = 1.0;
        for j in 0..i {
            (a[j * n + i], a[i * n + j]) = (0.0, 0.0);
        }
    }
}

/// QL steps with implicit shifts (EISPACK's `tql2`, Bowdler et al. 1968, <https://doi.org/10.1007/BF02166686>).
fn implicit_ql(z: &mut [f64], d: &mut [f64], e: &mut [f64]) {
    let n = d.len();
    e.rotate_left(1.min(n));
    for l in 0..n {
        loop {
            let small = |m: usize| e[m].abs() <= f64::EPSILON * (d[m].abs() + d[m + 1].abs());
            let m = (l..n - 1).find(|&m| small(m)).unwrap_or(n - 1);
            if m == l {
                break;
            }
            let mut g = (d[l + 1] - d[l]) / (2.0 * e[l]);
            let mut r = g.hypot(1.0);
            g = d[m] - d[l] + e[l] / (g + r.copysign(g));
            let (mut s, mut c, mut p, mut early) = (1.0, 1.0, 0.0, false);
            for i in (l..m).rev() {
                let (f, b) = (s * e[i], c * e[i]);
                r = f.hypot(g);
                e[i + 1] = r;
                if r == 0.0 {
                    d[i + 1] -= p;
                    e[m] = 0.0;
                    early = true;
                    break;
                }
                (s, c) = (f / r, g / r);
                g = d[i + 1] - p;
                r = (d[i] - g) * s + 2.0 * c * b;
                p = s * r;
                d[i + 1] = g + p;
                g = c * r - b;
                for row in z.chunks_exact_mut(n) {
                    let f = row[i + 1];
                    row[i + 1] = s * row[i] + c * f;
                    row[i] = c * row[i] - s * f;
                }
            }
            if !early {
                d[l] -= p;
                (e[l], e[m]) = (g, 0.0);
            }
        }
    }
}

/// The `count` largest singular values of a matrix, its left and its right singular vectors as columns; fewer where it
/// has a smaller rank. By the eigenvectors of the smaller of its two squares.
pub fn singular(matrix: &Matrix, count: usize) -> (Vec<f64>, Matrix, Matrix) {
    if matrix.rows < matrix.columns {
        let (values, left, right) = singular(&matrix.t(), count);
        return (values, right, left);
    }
    let (squares, vectors) = eigen(&matrix.t().times(matrix));
    let enough = |square: f64| square > squares[0].max(0.0) * 1e-14;
    let rank = squares.iter().take(count).take_while(|&&square| enough(square)).count();
    let values: Vec<f64> = squares[..rank].iter().map(|square| square.sqrt()).collect();
    let right = vectors.columns_at(&(0..rank).collect::<Vec<_>>());
    let mut left = matrix.times(&right);
    for row in left.values.chunks_mut(rank.max(1)) {
        row.iter_mut().zip(&values).for_each(|(value, length)| *value /= length);
    }
    (values, left, right)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(rows: usize, columns: usize) -> Matrix {
        let mut rng = tuwen_image::rng::Rng::new(&[rows as u64, columns as u64]);
        let values = (0..rows * columns).map(|_| f64::from(rng.normal())).collect();
        Matrix { rows, columns, values }
    }

    fn close(a: &Matrix, b: &Matrix) {
        let worst = a.values.iter().zip(&b.values).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(a.values.len() == b.values.len() && worst < 1e-9, "differs by {worst}");
    }

    #[test]
    fn eigenvectors_make_the_matrix_again() {
        for size in [1, 2, 3, 10, 57] {
            let half = random(size + 3, size);
            let matrix = half.t().times(&half);
            let (values, vectors) = eigen(&matrix);
            let mut scaled = vectors.clone();
            for row in scaled.values.chunks_mut(size) {
                row.iter_mut().zip(&values).for_each(|(v, by)| *v *= by);
            }
            close(&scaled.times(&vectors.t()), &matrix);
            close(&vectors.t().times(&vectors), &Matrix::identity(size));
            assert!(values.is_sorted_by(|a, b| a >= b));
        }
        // Equal values, zeros, a diagonal one.
        let (values, _) = eigen(&Matrix::identity(4));
        assert_eq!(values, [1.0; 4]);
        assert_eq!(eigen(&Matrix::zeros(3, 3)).0, [0.0; 3]);
    }

    #[test]
    fn cholesky_and_its_solutions() {
        let half = random(9, 6);
        let matrix = half.t().times(&half).ridged(0.1);
        let lower = cholesky(&matrix).expect("positive");
        close(&lower.times(&lower.t()), &matrix);
        let right = random(6, 4);
        close(&lower.times(&solve_lower(&lower, &right)), &right);
        close(&lower.t().times(&solve_upper(&lower, &right)), &right);
        assert!(cholesky(&Matrix::zeros(2, 2)).is_none());
    }

    #[test]
    fn singular_vectors_make_the_matrix_again() {
        for (rows, columns) in [(7, 4), (4, 7)] {
            let matrix = random(rows, columns);
            let (values, mut left, right) = singular(&matrix, 4);
            for row in left.values.chunks_mut(values.len()) {
                row.iter_mut().zip(&values).for_each(|(v, by)| *v *= by);
            }
            close(&left.times(&right.t()), &matrix);
        }
        let thin = random(6, 1).times(&random(1, 5));
        assert_eq!(singular(&thin, 5).0.len(), 1, "of rank one");
    }
}
