//! A linear layer, `x W^T + b`, whose matrix is packed as f32 or used where it lies in 8 bits; forward and
//! backward.

use std::borrow::Cow;
use std::ops::Range;

use rayon::prelude::*;
use tuwen_gemm::{Mat, PANEL, Packed, Precision, Quantised, gemm_with};

use crate::grads::Grads;
use crate::layers::{Rows, Weights};
use crate::{Result, math};

/// Rows of a batch that the threads share column by column; of more rows there are several chunks, which
/// keep the threads busy without waiting for each other.
const SHARED_ROWS: usize = 200;
/// Products that are worth another thread: some 20 us of one core.
const SHARED_PRODUCTS: usize = 1 << 20;
/// Columns of a thread's share, at least.
const SHARED_COLUMNS: usize = 4 * PANEL;

/// A matrix (out, in), ready for many products, with its bias.
pub(crate) struct Linear<'a> {
    /// Empty when the tower owns its weights: then only the packed factor is kept, and there is no backward
    /// pass.
    weight: Cow<'a, [f32]>,
    bias: Option<Cow<'a, [f32]>>,
    factor: Factor<'a>,
    sizes: (usize, usize),
    precision: Precision,
}

/// What rows are multiplied with.
enum Factor<'a> {
    Packed(Packed),
    Quantised(Quantised<'a>),
}

impl Factor<'_> {
    fn multiply(&self, y: &mut [f32], stride: usize, x: Mat<'_>, columns: Range<usize>) {
        match self {
            Self::Packed(factor) => factor.multiply_columns(y, stride, x, columns),
            Self::Quantised(factor) => factor.multiply_columns(y, stride, x, columns),
        }
    }
}

impl<'a> Linear<'a> {
    /// Weight and, where wanted, bias under `name`.
    pub(crate) fn find(weights: &dyn Weights<'a>, name: &str, bias: bool) -> Result<Self> {
        let (shape, weight) = weights.rows(&format!("{name}.weight"))?;
        let sizes = (shape[0], shape[1..].iter().product());
        let find_bias = || weights.find(&format!("{name}.bias"));
        let bias = bias.then(find_bias).transpose()?.map(|(_, values)| values);
        let precision = weights.precision();
        Ok(match weight {
            Rows::Floats(weight) => Self::new(weight, bias, sizes, precision),
            Rows::Bytes { values, scales } => {
                let factor = Factor::Quantised(Quantised::new(values, scales));
                Self { weight: Cow::Owned(Vec::new()), bias, factor, sizes, precision }
            }
        })
    }

    /// Packs a weight of (out, in) `sizes`.
    pub(crate) fn new(
        weight: Cow<'a, [f32]>,
        bias: Option<Cow<'a, [f32]>>,
        sizes: (usize, usize),
        precision: Precision,
    ) -> Self {
        let matrix = Mat::new(&weight, sizes.0, sizes.1, sizes.1);
        let factor = Factor::Packed(Packed::with(precision, matrix.t()));
        let weight = match weight {
            Cow::Owned(_) => Cow::Owned(Vec::new()),
            borrowed => borrowed,
        };
        Self { weight, bias, factor, sizes, precision }
    }

    /// How it multiplies.
    pub(crate) fn precision(&self) -> Precision {
        self.precision
    }

    /// Number of results of each row.
    pub(crate) fn out(&self) -> usize {
        self.sizes.0
    }

    /// `x weight^T + bias`, (rows, in) to (rows, out), into `y`, whose old content is lost.
    pub(crate) fn forward(&self, x: &[f32], y: &mut Vec<f32>) {
        let (out, wide) = self.sizes;
        let rows = x.len() / wide;
        // Only growth is filled: the product writes every value.
        y.resize(rows * out, 0.0);
        let x = Mat::new(x, rows, wide, wide);
        let shares = match rows <= SHARED_ROWS && rows * out * wide >= SHARED_PRODUCTS {
            true => rayon::current_num_threads().min(out / SHARED_COLUMNS),
            false => 1,
        };
        match shares {
            0 | 1 => self.factor.multiply(y, out, x, 0..out),
            _ => self.multiply_shared(shares, rows, x, y),
        }
        if let Some(bias) = &self.bias {
            math::add_bias(y, bias);
        }
    }

    /// The product of few rows, whose columns the threads divide: no sum is divided, so that the bits are
    /// those of one thread.
    fn multiply_shared(&self, shares: usize, rows: usize, x: Mat<'_>, y: &mut [f32]) {
        let out = self.sizes.0;
        let width = out.div_ceil(shares).next_multiple_of(PANEL);
        let starts: Vec<usize> = (0..out).step_by(width).collect();
        let multiply = |start: usize| {
            let columns = start..(start + width).min(out);
            let mut part = vec![0.0; rows * columns.len()];
            self.factor.multiply(&mut part, columns.len(), x, columns.clone());
            (columns, part)
        };
        let parts: Vec<_> = starts.into_par_iter().map(multiply).collect();
        for (columns, part) in parts {
            for (y, part) in y.chunks_exact_mut(out).zip(part.chunks_exact(columns.len())) {
                y[columns.clone()].copy_from_slice(part);
            }
        }
    }

    /// Adds the parameters' gradients under `name`; returns the input's, (rows, in).
    ///
    /// # Panics
    /// When the weights are owned: such a tower has no backward pass.
    pub(crate) fn backward(
        &self,
        x: &[f32],
        grad: &[f32],
        name: &str,
        grads: &mut Grads<'_>,
    ) -> Vec<f32> {
        let (out, wide) = self.sizes;
        let rows = x.len() / wide;
        let grad_mat = Mat::new(grad, rows, out, out);
        let x_mat = Mat::new(x, rows, wide, wide);
        grads.put(&format!("{name}.weight"), &[out, wide], |dweight| {
            gemm_with(self.precision, dweight, wide, grad_mat.t(), x_mat, false);
        });
        if self.bias.is_some() {
            grads.add(&format!("{name}.bias"), &[out], |dbias| math::add_columns(grad, dbias));
        }
        let mut dx = vec![0.0; x.len()];
        let weight = Mat::new(&self.weight, out, wide, wide);
        gemm_with(self.precision, &mut dx, wide, grad_mat, weight, false);
        dx
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A matrix of 8 bits; as floats where nobody asks for its rows.
    struct Stored {
        sizes: [usize; 2],
        values: Vec<u8>,
        scales: Vec<f32>,
    }

    impl Weights<'static> for Stored {
        fn find(&self, name: &str) -> Result<(Vec<usize>, Cow<'static, [f32]>)> {
            let [out, wide] = self.sizes;
            if name.ends_with("bias") {
                return Ok((vec![out], Cow::Owned(self.scales.clone())));
            }
            let value = |(i, &byte): (usize, &u8)| f32::from(byte as i8) * self.scales[i / wide];
            let floats: Vec<f32> = self.values.iter().enumerate().map(value).collect();
            Ok((vec![out, wide], Cow::Owned(floats)))
        }

        fn rows(&self, _: &str) -> Result<(Vec<usize>, Rows<'static>)> {
            let (values, scales) = (Cow::Owned(self.values.clone()), self.scales.clone());
            Ok((self.sizes.to_vec(), Rows::Bytes { values, scales }))
        }
    }

    #[test]
    fn stored_rows_give_the_bits_of_floats_on_any_number_of_threads() {
        let sizes @ [out, wide] = [1160, 384];
        let stored = Stored {
            sizes,
            values: (0..out * wide).map(|i| (i * 7919 % 256) as u8).collect(),
            scales: (0..out).map(|row| (row as f32 + 0.7) / 5000.0).collect(),
        };
        let (_, floats) = stored.find("fc.weight").unwrap();
        let bias = Some(stored.find("fc.bias").unwrap().1);
        let packed = Linear::new(floats, bias, (out, wide), Precision::F32);
        let quantised = Linear::find(&stored, "fc", true).unwrap();
        assert!(matches!(quantised.factor, Factor::Quantised(_)));
        for rows in [1, 13, SHARED_ROWS + 1] {
            let x: Vec<f32> =
                (0..rows * wide).map(|i| (i * 31 % 257) as f32 / 128.0 - 1.0).collect();
            let mut wanted = vec![0.0; rows * out];
            packed.factor.multiply(&mut wanted, out, Mat::new(&x, rows, wide, wide), 0..out);
            math::add_bias(&mut wanted, packed.bias.as_ref().unwrap());
            for threads in 1..=3 {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                for linear in [&packed, &quantised] {
                    let mut found = Vec::new();
                    pool.install(|| linear.forward(&x, &mut found));
                    assert_eq!(found, wanted, "{rows} rows on {threads} threads");
                }
            }
        }
    }
}
