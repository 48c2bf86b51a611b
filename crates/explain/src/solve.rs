//! Weighted least squares with a ridge, by Cholesky's decomposition, in f64.

/// `(X^T W X + R) b = X^T W y` for several columns of `y` at once.
///
/// # Shapes
/// `x`: (n, k) row-major; `weights`: (n); `ridge`: (k), added to the diagonal; `y`: (n, m). Returns (k, m). A direction
/// that nothing determines gets 0, and a row of weight 0 is as if it were not there.
pub fn least_squares(x: &[f64], weights: &[f64], ridge: &[f64], y: &[f64]) -> Vec<f64> {
    let (n, k) = (weights.len(), ridge.len());
    let m = y.len() / n.max(1);
    let mut gram = vec![0.0; k * k];
    let mut right = vec![0.0; k * m];
    for ((row, &weight), targets) in
        x.chunks_exact(k.max(1)).zip(weights).zip(y.chunks_exact(m.max(1)))
    {
        if weight == 0.0 {
            continue;
        }
        for (i, &a) in row.iter().enumerate().filter(|(_, a)| **a != 0.0) {
            let wa = weight * a;
            for (j, &b) in row.iter().enumerate().take(i + 1) {
                gram[i * k + j] += wa * b;
            }
            for (out, &target) in right[i * m..][..m].iter_mut().zip(targets) {
                *out += wa * target;
            }
        }
    }
    for (i, &r) in ridge.iter().enumerate() {
        gram[i * k + i] += r;
    }
    solve(&mut gram, &mut right, k, m);
    right
}

/// Solves `A x = b` in place; of `a`, (k, k), the lower half counts, and it becomes its factor.
fn solve(a: &mut [f64], b: &mut [f64], k: usize, m: usize) {
    let scale = (0..k).map(|i| a[i * k + i]).fold(0.0, f64::max);
    for i in 0..k {
        for j in 0..=i {
            let sum: f64 = (0..j).map(|p| a[i * k + p] * a[j * k + p]).sum();
            let rest = a[i * k + j] - sum;
            a[i * k + j] = match (i == j, a[j * k + j]) {
                // What the others determine already.
                (true, _) if rest <= scale * 1e-12 => 0.0,
                (true, _) => rest.sqrt(),
                (false, 0.0) => 0.0,
                (false, pivot) => rest / pivot,
            };
        }
    }
    for column in 0..m {
        for i in 0..k {
            let sum: f64 = (0..i).map(|p| a[i * k + p] * b[p * m + column]).sum();
            let pivot = a[i * k + i];
            let rest = b[i * m + column] - sum;
            b[i * m + column] = if pivot == 0.0 { 0.0 } else { rest / pivot };
        }
        for i in (0..k).rev() {
            let sum: f64 = (i + 1..k).map(|p| a[p * k + i] * b[p * m + column]).sum();
            let pivot = a[i * k + i];
            let rest = b[i * m + column] - sum;
            b[i * m + column] = if pivot == 0.0 { 0.0 } else { rest / pivot };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plane_is_found_again_whatever_the_weights() {
        let x: Vec<f64> = (0..8).flat_map(|i| [1.0, (i % 2) as f64, (i / 2) as f64]).collect();
        let plane = |row: &[f64]| [2.0 - row[1] + 0.5 * row[2], 3.0 * row[1]];
        let y: Vec<f64> = x.chunks(3).flat_map(plane).collect();
        let weights: Vec<f64> = (1..=8).map(f64::from).collect();
        let found = least_squares(&x, &weights, &[0.0; 3], &y);
        for (found, wanted) in found.iter().zip([2.0, 0.0, -1.0, 3.0, 0.5, 0.0]) {
            assert!((found - wanted).abs() < 1e-9, "{found} {wanted}");
        }
    }

    #[test]
    fn what_nothing_determines_is_zero_and_a_ridge_shrinks() {
        // Two equal columns.
        let x = [1.0, 1.0, 2.0, 2.0, 3.0, 3.0];
        let found = least_squares(&x, &[1.0; 3], &[0.0; 2], &[1.0, 2.0, 3.0]);
        assert!((found[0] + found[1] - 1.0).abs() < 1e-9 && found.iter().all(|v| v.is_finite()));
        let shrunk = least_squares(&[1.0, 1.0], &[1.0; 2], &[2.0], &[1.0, 1.0]);
        assert!((shrunk[0] - 0.5).abs() < 1e-12);
    }
}
