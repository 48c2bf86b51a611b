//! A linear layer, `x W^T + b`, whose matrix is packed as f32 or as bytes, with a low-rank adapter where there is
//! one.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;
use tuwen_gemm::{ByteRows, Mat, PANEL, Packed, PackedBytes, Precision, gemm, gemm_with};

use super::{Rows, Weight};
use crate::executor::{Executor, Matrix, Memory};
use crate::grads::Grads;
use crate::helpers::{Wide, by_rows};
use crate::math;

/// Rows of a share: of fewer rows the threads share columns, so that each reads its part of the matrix alone.
const SHARED_ROWS: usize = 48;
/// Products that are worth another thread that waits for them: some 10 us of one core.
const SHARED_PRODUCTS: usize = 1 << 19;
/// The same of bytes.
const SHARED_BYTES: usize = 1 << 21;
/// Columns of a thread's share, at least.
const SHARED_COLUMNS: usize = 2 * PANEL;

/// Why a matrix on a card has no place in a pass on the host.
const NOT_HERE: &str = "this matrix lies on a graphics card, its rows on the host";

/// A matrix (out, in), ready for many products, with its bias.
pub struct Linear<'a> {
    /// Under which the matrix's gradient is added.
    name: String,
    /// Its gradient's shape; that of a convolution over patches has more than two axes.
    out: usize,
    wide: usize,
    learns: bool,
    /// None where nothing needs the rows but the product: then there is no backward pass to the input.
    weight: Option<Cow<'a, [f32]>>,
    bias: Option<Weight<'a>>,
    factor: Factor,
    adapter: Option<Adapter<'a>>,
    precision: Precision,
}

/// A low-rank sum beside a matrix that does not learn: `s x A^T B^T` (LoRA, Hu et al. 2021,
/// <https://arxiv.org/abs/2106.09685>).
pub struct Adapter<'a> {
    /// A, (r, in).
    pub down: Weight<'a>,
    /// B, (out, r).
    pub up: Weight<'a>,
    /// s.
    pub scale: f32,
}

/// A packed matrix; a copy shares it.
#[derive(Clone)]
pub enum Factor {
    /// What rows are multiplied with as they are, or as bf16.
    Floats(Arc<Packed>),
    /// What rows are multiplied with once they are rounded to 8 bits.
    Bytes(Arc<PackedBytes>),
    /// What lies in an executor's memory, which no row on the host is multiplied with.
    Elsewhere(Memory),
}

/// Rows, as a factor wants them.
enum Left<'x> {
    Floats(Mat<'x>),
    Bytes(ByteRows),
}

impl Factor {
    fn left<'x>(&self, x: Mat<'x>) -> Left<'x> {
        match self {
            Self::Floats(_) => Left::Floats(x),
            Self::Bytes(_) => Left::Bytes(ByteRows::new(x)),
            Self::Elsewhere(_) => panic!("{NOT_HERE}"),
        }
    }

    /// The matrix brought to an executor, (out, in) as it is stored: one of bytes as what these stand for.
    pub fn on(executor: &dyn Executor, rows: &Rows<'_>) -> Self {
        Self::Elsewhere(match rows {
            Rows::Floats(values) | Rows::Kept(values) | Rows::Rounded { floats: values, .. } => {
                executor.put(values)
            }
            Rows::Bytes { values, scales } => {
                let wide = values.len() / scales.len().max(1);
                let row = |(row, scale): (&[u8], &f32)| {
                    row.iter().map(|&byte| f32::from(byte as i8) * scale).collect::<Vec<f32>>()
                };
                let rows = values.chunks_exact(wide.max(1)).zip(scales);
                executor.put(&rows.flat_map(row).collect::<Vec<f32>>())
            }
        })
    }

    fn multiply(&self, y: &mut [f32], stride: usize, x: &Left<'_>, columns: Range<usize>) {
        match (self, x) {
            (Self::Floats(factor), Left::Floats(x)) => {
                factor.multiply_columns(y, stride, *x, columns);
            }
            (Self::Bytes(factor), Left::Bytes(x)) => {
                factor.multiply_columns(y, stride, x, columns);
            }
            _ => unreachable!("rows of this factor's kind"),
        }
    }

    /// How many products make another thread worth its start.
    fn shared_from(&self) -> usize {
        match self {
            Self::Floats(_) => SHARED_PRODUCTS,
            Self::Bytes(_) => SHARED_BYTES,
            Self::Elsewhere(_) => panic!("{NOT_HERE}"),
        }
    }
}

impl<'a> Linear<'a> {
    /// Packs a matrix, or takes the `packed` one. What is borrowed as f32 stays at hand for the backward pass, all
    /// else is gone once it is packed.
    ///
    /// # Panics
    /// When the shape has fewer than two axes.
    pub fn new(
        name: String,
        shape: &[usize],
        rows: Rows<'a>,
        bias: Option<Weight<'a>>,
        precision: Precision,
        packed: Option<Factor>,
    ) -> Self {
        let (out, wide) = (shape[0], shape[1..].iter().product());
        let of_bytes =
            |values: &[u8], scales| Factor::Bytes(Arc::new(PackedBytes::new(values, scales)));
        let pack = |values: &[f32]| {
            let values = Mat::new(values, out, wide, wide).t();
            Factor::Floats(Arc::new(Packed::with(precision, values)))
        };
        let (weight, factor) = match rows {
            Rows::Floats(values) => {
                let factor = packed.unwrap_or_else(|| pack(&values));
                (matches!(values, Cow::Borrowed(_)).then_some(values), factor)
            }
            Rows::Kept(values) => {
                let factor = packed.unwrap_or_else(|| pack(&values));
                (Some(values), factor)
            }
            Rows::Bytes { values, scales } => {
                (None, packed.unwrap_or_else(|| of_bytes(&values, scales)))
            }
            Rows::Rounded { floats, values, scales } => {
                (Some(floats), packed.unwrap_or_else(|| of_bytes(&values, scales)))
            }
        };
        Self { name, out, wide, learns: false, weight, bias, factor, adapter: None, precision }
    }

    /// The same as a layer whose matrix learns.
    #[must_use]
    pub fn learning(self, learns: bool) -> Self {
        Self { learns, ..self }
    }

    /// The same with an adapter beside the matrix.
    #[must_use]
    pub fn with_adapter(self, adapter: Option<Adapter<'a>>) -> Self {
        Self { adapter, ..self }
    }

    /// The packed matrix, for another layer with the same weights.
    pub fn packed(&self) -> Factor {
        self.factor.clone()
    }

    /// Values of a result's row.
    pub fn out(&self) -> usize {
        self.out
    }

    /// Whether any of its weights learns.
    pub fn learns(&self) -> bool {
        let bias = self.bias.as_ref().is_some_and(|bias| bias.learns);
        self.learns || bias || self.adapter.is_some()
    }

    /// `x weight^T + bias` on an executor, (rows, in) to (rows, out).
    ///
    /// # Panics
    /// Where the matrix lies on the host, or has an adapter beside it.
    pub(crate) fn forward_on(&self, executor: &Arc<dyn Executor>, x: Matrix<'_>) -> Memory {
        let Factor::Elsewhere(memory) = &self.factor else {
            panic!("`{}` lies on the host, its rows on a graphics card", self.name)
        };
        assert!(self.adapter.is_none(), "`{}` has an adapter: adapters run on the CPU", self.name);
        let weight = Matrix { memory, rows: self.out, width: self.wide };
        executor.linear(x, weight, self.bias.as_ref().map(|bias| bias.on(executor)))
    }

    /// `x weight^T + bias`, (rows, in) to (rows, out), over the old values of `y`; so many threads share it.
    pub(crate) fn forward(&self, x: &[f32], y: &mut [f32], threads: usize) {
        let (out, wide) = (self.out, self.wide);
        let rows = x.len() / wide;
        let pays = threads > 1 && rows * out * wide >= self.factor.shared_from();
        if pays && rows / SHARED_ROWS >= threads {
            let (x, y) = (Wide { values: x, width: wide }, Wide { values: y, width: out });
            by_rows(threads, x, y, |x, y| self.forward(x, y, 1));
            return;
        }
        let left = self.factor.left(Mat::new(x, rows, wide, wide));
        match if pays { threads.min(out / SHARED_COLUMNS) } else { 1 } {
            0 | 1 => self.factor.multiply(y, out, &left, 0..out),
            shares => self.multiply_shared(shares, rows, &left, y),
        }
        if let Some(adapter) = &self.adapter {
            let low = adapter.low(x, rows, wide);
            let up = Mat::new(&adapter.up.values, out, adapter.rank(), adapter.rank());
            gemm(y, out, Mat::new(&low, rows, adapter.rank(), adapter.rank()), up.t(), true);
        }
        if let Some(bias) = &self.bias {
            math::add_bias(y, &bias.values);
        }
    }

    /// The product of few rows, whose columns the threads divide: no sum is divided, so that the bits are
    /// those of one thread.
    fn multiply_shared(&self, shares: usize, rows: usize, x: &Left<'_>, y: &mut [f32]) {
        let out = self.out;
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

    /// Adds the gradients of the weights that learn.
    pub(crate) fn backward(&self, x: &[f32], grad: &[f32], grads: &mut Grads<'_>) {
        let (out, wide) = (self.out, self.wide);
        let rows = x.len() / wide;
        let (grad_mat, x_mat) = (Mat::new(grad, rows, out, out), Mat::new(x, rows, wide, wide));
        if self.learns {
            grads.put(&self.name, &[out, wide], |dweight| {
                gemm_with(self.precision, dweight, wide, grad_mat.t(), x_mat, false);
            });
        }
        if let Some(adapter) = &self.adapter {
            let (rank, low) = (adapter.rank(), adapter.low(x, rows, wide));
            let low = Mat::new(&low, rows, rank, rank);
            grads.put(&adapter.up.name, &[out, rank], |dup| {
                gemm(dup, rank, grad_mat.t(), low, false);
            });
            let dlow = adapter.dlow(grad, rows, out);
            grads.put(&adapter.down.name, &[rank, wide], |ddown| {
                gemm(ddown, wide, Mat::new(&dlow, rows, rank, rank).t(), x_mat, false);
            });
        }
        if let Some(bias) = &self.bias {
            bias.add(grads, |dbias| math::add_columns(grad, dbias));
        }
    }

    /// The input's gradient, (rows, in), over the old values of `dx`.
    ///
    /// # Panics
    /// Where the matrix is not at hand: what was read from a file for inference has no backward pass.
    pub(crate) fn backward_input(&self, grad: &[f32], dx: &mut [f32]) {
        let (out, wide) = (self.out, self.wide);
        let rows = grad.len() / out;
        let weight = self.weight.as_ref().expect("borrowed weights for a backward pass");
        let (grad_mat, weight) =
            (Mat::new(grad, rows, out, out), Mat::new(weight, out, wide, wide));
        gemm_with(self.precision, dx, wide, grad_mat, weight, false);
        if let Some(adapter) = &self.adapter {
            let (rank, dlow) = (adapter.rank(), adapter.dlow(grad, rows, out));
            let down = Mat::new(&adapter.down.values, rank, wide, wide);
            gemm(dx, wide, Mat::new(&dlow, rows, rank, rank), down, true);
        }
    }
}

impl Adapter<'_> {
    fn rank(&self) -> usize {
        self.down.shape[0]
    }

    /// `s x A^T`, (rows, r).
    fn low(&self, x: &[f32], rows: usize, wide: usize) -> Vec<f32> {
        let rank = self.rank();
        let mut low = vec![0.0; rows * rank];
        let down = Mat::new(&self.down.values, rank, wide, wide).t();
        gemm(&mut low, rank, Mat::new(x, rows, wide, wide), down, false);
        low.iter_mut().for_each(|value| *value *= self.scale);
        low
    }

    /// The gradient of `x A^T`, (rows, r).
    fn dlow(&self, grad: &[f32], rows: usize, out: usize) -> Vec<f32> {
        let rank = self.rank();
        let mut dlow = vec![0.0; rows * rank];
        let up = Mat::new(&self.up.values, out, rank, rank);
        gemm(&mut dlow, rank, Mat::new(grad, rows, out, out), up, false);
        dlow.iter_mut().for_each(|value| *value *= self.scale);
        dlow
    }
}
