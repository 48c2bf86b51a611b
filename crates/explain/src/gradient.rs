//! Maps from gradients: gradient times input, and Grad-CAM on tokens.

/// Gradient times input (Shrikumar et al. 2016, <https://arxiv.org/abs/1605.01713>), summed over each row: how much of
/// the score a row accounts for where the network is taken for a linear one.
///
/// # Shapes
/// `rows` and `gradient`: (rows, `width`). Returns (rows).
pub fn times_input(rows: &[f32], gradient: &[f32], width: usize) -> Vec<f32> {
    let rows = rows.chunks_exact(width.max(1)).zip(gradient.chunks_exact(width.max(1)));
    rows.map(|(row, gradient)| row.iter().zip(gradient).map(|(a, b)| a * b).sum()).collect()
}

/// Grad-CAM (Selvaraju et al. 2017, <https://arxiv.org/abs/1610.02391>) with patches for the pixels of a last layer:
/// each channel weighs what its gradient is on average, and negative sums are 0.
///
/// # Shapes
/// As [`times_input`], of the patches alone.
pub fn grad_cam(rows: &[f32], gradient: &[f32], width: usize) -> Vec<f32> {
    let mut weights = vec![0.0; width];
    let count = (gradient.len() / width.max(1)).max(1) as f32;
    for row in gradient.chunks_exact(width.max(1)) {
        weights.iter_mut().zip(row).for_each(|(weight, value)| *weight += value / count);
    }
    let weigh = |row: &[f32]| row.iter().zip(&weights).map(|(a, b)| a * b).sum::<f32>().max(0.0);
    rows.chunks_exact(width.max(1)).map(weigh).collect()
}

/// The pixels' gradient times the pixels, summed over channels and each patch.
///
/// # Shapes
/// `pixels` and `gradient`: (3, `side`, `side`), as the tower takes them, whose 0 is the mean colour of its training.
/// Returns (across, across).
pub fn on_patches(pixels: &[f32], gradient: &[f32], side: usize, across: usize) -> Vec<f32> {
    let mut out = vec![0.0; across * across];
    for (at, (pixel, gradient)) in pixels.iter().zip(gradient).enumerate() {
        let (y, x) = (at / side % side, at % side);
        out[y * across / side * across + x * across / side] += pixel * gradient;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_that_one_computes_by_hand() {
        let (rows, gradient) = ([1.0, 2.0, 3.0, 4.0], [1.0, -1.0, 3.0, 0.0]);
        assert_eq!(times_input(&rows, &gradient, 2), [-1.0, 9.0]);
        // Channels weigh 2 and -0.5.
        assert_eq!(grad_cam(&rows, &gradient, 2), [1.0, 4.0]);
        let ones = vec![1.0; 3 * 16];
        assert_eq!(on_patches(&ones, &ones, 4, 2), [12.0; 4]);
    }
}
