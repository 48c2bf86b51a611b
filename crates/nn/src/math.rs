//! The element-wise layers and their gradients, written so that the compiler vectorises them.

use tuwen_simd::simd;

/// Partial sums of a reduction: as many as the widest vector has lanes.
const LANES: usize = 16;

/// e^x with a relative error below 2e-7 on [-87, 88] (range reduction to [-ln 2 / 2, ln 2 / 2] and
/// a polynomial, coefficients from Cephes `expf`, <https://netlib.org/cephes/>).
#[inline(always)]
#[allow(clippy::excessive_precision, reason = "as published")]
fn exp(x: f32) -> f32 {
    // Adding 1.5 * 2^23 rounds to an integer, which then lies in the low bits.
    const MAGIC: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + MAGIC;
    let n = shifted - MAGIC;
    let r = x - n * 0.693_359_375 - n * -2.121_944_40e-4;
    let mut p = 1.987_569_15e-4;
    p = p * r + 1.398_199_95e-3;
    p = p * r + 8.333_451_91e-3;
    p = p * r + 4.166_579_59e-2;
    p = p * r + 1.666_666_55e-1;
    p = p * r + 5.000_000_12e-1;
    let scale = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    (p * r * r + r + 1.0) * scale
}

/// The normal distribution's density and cumulative probability at x, the latter within 1e-7
/// (Abramowitz and Stegun 7.1.26).
#[inline(always)]
fn normal(x: f32) -> (f32, f32) {
    let bell = exp(-0.5 * x * x);
    let t = 1.0 / (1.0 + 0.327_591_1 * std::f32::consts::FRAC_1_SQRT_2 * x.abs());
    let poly = ((((1.061_405_4 * t - 1.453_152_1) * t) + 1.421_413_8) * t - 0.284_496_74) * t
        + 0.254_829_6;
    let tail = 0.5 * poly * t * bell;
    (bell * 0.398_942_3, if x < 0.0 { tail } else { 1.0 - tail })
}

#[inline(always)]
fn sum_of(values: &[f32], term: impl Fn(usize, f32) -> f32) -> f32 {
    let mut sums = [0f32; LANES];
    let whole = values.len() / LANES * LANES;
    for start in (0..whole).step_by(LANES) {
        for lane in 0..LANES {
            sums[lane] += term(start + lane, values[start + lane]);
        }
    }
    let rest: f32 = (whole..values.len()).map(|i| term(i, values[i])).sum();
    sums.iter().sum::<f32>() + rest
}

#[inline(always)]
fn largest(values: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (parts, rest) = values.as_chunks::<LANES>();
    for part in parts {
        for lane in 0..LANES {
            lanes[lane] = larger(lanes[lane], part[lane]);
        }
    }
    lanes.into_iter().chain(rest.iter().copied()).fold(f32::NEG_INFINITY, larger)
}

simd! {
    /// Exact (erf) GELU of `x` into `out`.
    pub fn gelu(x: &[f32], out: &mut [f32]) {
        for (out, &x) in out.iter_mut().zip(x) {
            *out = x * normal(x).1;
        }
    }
}

simd! {
    /// Multiplies `grad` by the slope of GELU at `x`.
    pub fn gelu_backward(x: &[f32], grad: &mut [f32]) {
        for (grad, &x) in grad.iter_mut().zip(x) {
            let (density, probability) = normal(x);
            *grad *= probability + x * density;
        }
    }
}

/// The slope of quick GELU's sigmoid.
const QUICK: f32 = 1.702;

simd! {
    /// `x * sigmoid(1.702 x)` into `out`.
    pub fn quick_gelu(x: &[f32], out: &mut [f32]) {
        for (out, &x) in out.iter_mut().zip(x) {
            *out = x / (1.0 + exp(-QUICK * x));
        }
    }
}

simd! {
    /// Multiplies `grad` by the slope of quick GELU at `x`.
    pub fn quick_gelu_backward(x: &[f32], grad: &mut [f32]) {
        for (grad, &x) in grad.iter_mut().zip(x) {
            let sigmoid = 1.0 / (1.0 + exp(-QUICK * x));
            *grad *= sigmoid * (1.0 + QUICK * x * (1.0 - sigmoid));
        }
    }
}

/// tanh of GELU's approximation at x, <https://arxiv.org/abs/1606.08415>.
#[inline(always)]
fn gelu_tanh_of(x: f32) -> f32 {
    // sqrt(2 / pi)
    let inner = 0.797_884_6 * (x + 0.044_715 * x * x * x);
    1.0 - 2.0 / (1.0 + exp(2.0 * inner))
}

simd! {
    /// GELU's approximation with tanh, of `x` into `out`.
    pub fn gelu_tanh(x: &[f32], out: &mut [f32]) {
        for (out, &x) in out.iter_mut().zip(x) {
            *out = 0.5 * x * (1.0 + gelu_tanh_of(x));
        }
    }
}

simd! {
    /// Multiplies `grad` by the slope of [`gelu_tanh`] at `x`.
    pub fn gelu_tanh_backward(x: &[f32], grad: &mut [f32]) {
        for (grad, &x) in grad.iter_mut().zip(x) {
            let tanh = gelu_tanh_of(x);
            let inner = 0.797_884_6 * (1.0 + 3.0 * 0.044_715 * x * x);
            *grad *= 0.5 * (1.0 + tanh) + 0.5 * x * (1.0 - tanh * tanh) * inner;
        }
    }
}

simd! {
    /// Adds `bias` to every row.
    pub fn add_bias(rows: &mut [f32], bias: &[f32]) {
        for row in rows.chunks_exact_mut(bias.len()) {
            for (value, bias) in row.iter_mut().zip(bias) {
                *value += bias;
            }
        }
    }
}

simd! {
    /// Adds every row to `sums`: the gradient of a bias.
    pub fn add_columns(rows: &[f32], sums: &mut [f32]) {
        for row in rows.chunks_exact(sums.len()) {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += value;
            }
        }
    }
}

simd! {
    /// Inner product.
    pub fn dot(a: &[f32], b: &[f32]) -> f32 {
        sum_of(a, |at, value| value * b[at])
    }
}

simd! {
    /// `a += b`.
    pub fn add(a: &mut [f32], b: &[f32]) {
        for (a, b) in a.iter_mut().zip(b) {
            *a += b;
        }
    }
}

simd! {
    /// Adds to `sum` the products of the values of each row of `a` with those of `b`, of rows as wide as `sum`.
    pub fn add_products(sum: &mut [f32], a: &[f32], b: &[f32]) {
        let wide = sum.len();
        for (a, b) in a.chunks_exact(wide).zip(b.chunks_exact(wide)) {
            for ((sum, a), b) in sum.iter_mut().zip(a).zip(b) {
                *sum += a * b;
            }
        }
    }
}

simd! {
    /// The larger of `kept` and `seen` at each place.
    pub fn keep_larger(kept: &mut [f32], seen: &[f32]) {
        for (kept, seen) in kept.iter_mut().zip(seen) {
            *kept = if *seen > *kept { *seen } else { *kept };
        }
    }
}

simd! {
    /// `x * sigmoid(x)` of every value, in place.
    pub fn silu(values: &mut [f32]) {
        for value in values.iter_mut() {
            *value /= 1.0 + exp(-*value);
        }
    }
}

simd! {
    /// Multiplies `grad` by the slope of [`silu`] at `x`.
    pub fn silu_backward(x: &[f32], grad: &mut [f32]) {
        for (grad, &x) in grad.iter_mut().zip(x) {
            let sigmoid = 1.0 / (1.0 + exp(-x));
            *grad *= sigmoid * (1.0 + x * (1.0 - sigmoid));
        }
    }
}

simd! {
    /// Softmax of each row of `width` after multiplying by `scale`, in place.
    pub fn softmax(rows: &mut [f32], width: usize, scale: f32) {
        for row in rows.chunks_exact_mut(width) {
            let largest = largest(row);
            for value in row.iter_mut() {
                *value = exp((*value - largest) * scale);
            }
            let inverse = 1.0 / sum_of(row, |_, value| value);
            for value in row.iter_mut() {
                *value *= inverse;
            }
        }
    }
}

simd! {
    /// Turns `grad`, the gradient of the softmax's result `probs`, into that of its scaled input.
    pub fn softmax_backward(probs: &[f32], grad: &mut [f32], width: usize, scale: f32) {
        for (probs, grad) in probs.chunks_exact(width).zip(grad.chunks_exact_mut(width)) {
            let mean = sum_of(grad, |i, value| value * probs[i]);
            for (grad, prob) in grad.iter_mut().zip(probs) {
                *grad = (*grad - mean) * prob * scale;
            }
        }
    }
}

simd! {
    /// LayerNorm of each row into `out`; mean and inverse deviation of each row into `stats`.
    pub fn layer_norm(
        x: &[f32], weight: &[f32], bias: &[f32], eps: f32, out: &mut [f32], stats: &mut [[f32; 2]],
    ) {
        let width = weight.len();
        let rows = x.chunks_exact(width).zip(out.chunks_exact_mut(width));
        for ((x, out), stats) in rows.zip(stats) {
            let mean = sum_of(x, |_, value| value) / width as f32;
            let variance = sum_of(x, |_, value| (value - mean) * (value - mean)) / width as f32;
            let inverse = 1.0 / (variance + eps).sqrt();
            *stats = [mean, inverse];
            for i in 0..width {
                out[i] = (x[i] - mean) * inverse * weight[i] + bias[i];
            }
        }
    }
}

simd! {
    /// Adds to `dx` the gradient of LayerNorm's input, to `dweight` and `dbias` those of its
    /// parameters.
    pub fn layer_norm_backward(
        x: &[f32], stats: &[[f32; 2]], weight: &[f32], grad: &[f32], dx: &mut [f32],
        dweight: &mut [f32], dbias: &mut [f32],
    ) {
        let width = weight.len();
        let rows = x.chunks_exact(width).zip(grad.chunks_exact(width));
        for (((x, grad), dx), &[mean, inverse]) in rows.zip(dx.chunks_exact_mut(width)).zip(stats) {
            let direct = sum_of(grad, |i, g| g * weight[i]) / width as f32;
            let along = sum_of(grad, |i, g| g * weight[i] * (x[i] - mean) * inverse) / width as f32;
            for i in 0..width {
                let normal = (x[i] - mean) * inverse;
                dx[i] += inverse * (grad[i] * weight[i] - direct - normal * along);
                dweight[i] += grad[i] * normal;
                dbias[i] += grad[i];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gelu_is_the_exact_one() {
        // torch.nn.functional.gelu of the same points.
        let x = [-6.0, -2.0, -0.5, 0.0, 0.3, 1.0, 3.0];
        let wanted =
            [-5.919e-9, -0.045_500_26, -0.154_268_77, 0.0, 0.185_373_4, 0.841_344_7, 2.995_950_2];
        let mut out = [0.0; 7];
        gelu(&x, &mut out);
        for (out, wanted) in out.iter().zip(wanted) {
            assert!((out - wanted).abs() < 1e-6, "{out} is not {wanted}");
        }
    }

    #[test]
    fn exp_is_within_a_few_units_of_the_last_place() {
        for i in -870..=880 {
            let x = i as f32 / 10.0;
            let relative = (f64::from(exp(x)) / f64::from(x).exp() - 1.0).abs();
            assert!(relative < 3e-7, "exp({x}) is off by {relative}");
        }
    }
}
