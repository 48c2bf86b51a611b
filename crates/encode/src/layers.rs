//! Where weights come from, and layers of `tuwen-nn` made of them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tuwen_gemm::Precision;
use tuwen_nn::{
    Adapter, BatchNorm, Behind, Convolution, Executor, Factor, Linear, Norm, Rows, Table, Weight,
    Window,
};

use crate::arrays::Arrays;
use crate::{Error, Result};

/// Where a tower finds its weights: named arrays in memory are borrowed, a file's are read.
pub trait Weights<'a>: Sync {
    /// Shape and values of one weight.
    ///
    /// # Errors
    /// There is none of that name, or it cannot be read.
    fn find(&self, name: &str) -> Result<(Vec<usize>, Cow<'a, [f32]>)>;

    /// The same of a table, whose rows may stay as they are stored.
    ///
    /// # Errors
    /// As [`Self::find`].
    fn rows(&self, name: &str) -> Result<(Vec<usize>, Rows<'a>)> {
        let (shape, values) = self.find(name)?;
        Ok((shape, Rows::Floats(values)))
    }

    /// The same of a table of which few rows are needed, which may stay where it is.
    ///
    /// # Errors
    /// As [`Self::find`].
    fn table(&self, name: &str) -> Result<(Vec<usize>, Table<'a>)> {
        let (shape, rows) = self.rows(name)?;
        Ok((shape, Table::Here(rows)))
    }

    /// The same of a block's matrix, which may be multiplied in 8 bits.
    ///
    /// # Errors
    /// As [`Self::find`].
    fn matrix(&self, name: &str) -> Result<(Vec<usize>, Rows<'a>)> {
        let (shape, values) = self.find(name)?;
        Ok((shape, Rows::Floats(values)))
    }

    /// The precision of products with these weights in both passes; the products inside attention stay f32.
    fn precision(&self) -> Precision {
        Precision::F32
    }

    /// The same of products in blocks, where nearly all time goes.
    fn block_precision(&self) -> Precision {
        self.precision()
    }

    /// Whether matrices that are not borrowed stay at hand for gradients of their inputs.
    fn keeps(&self) -> bool {
        false
    }

    /// Where the operations of these weights run, if not on the host: then matrices lie there alone.
    fn executor(&self) -> Option<&Arc<dyn Executor>> {
        None
    }

    /// Whether a weight learns: what does not costs a backward pass nothing.
    fn learns(&self, _name: &str) -> bool {
        false
    }

    /// A low-rank adapter beside a matrix.
    ///
    /// # Errors
    /// A part of it is missing.
    fn adapter(&self, _matrix: &str) -> Result<Option<Adapter<'a>>> {
        Ok(None)
    }

    /// Where matrices that do not learn stay packed, for the next time that layers are made of them.
    fn packs(&self) -> Option<&Packs> {
        None
    }
}

/// Packed matrices by their names.
pub type Packs = Mutex<HashMap<String, Factor>>;

impl<'a> Weights<'a> for &'a Arrays {
    fn find(&self, name: &str) -> Result<(Vec<usize>, Cow<'a, [f32]>)> {
        let array = self.get(name)?;
        Ok((array.shape.clone(), Cow::Borrowed(&array.data)))
    }

    fn learns(&self, _name: &str) -> bool {
        true
    }
}

/// A weight that is used as it is.
pub(crate) fn weight_of<'a>(weights: &dyn Weights<'a>, name: String) -> Result<Weight<'a>> {
    let (shape, values) = weights.find(&name)?;
    let learns = weights.learns(&name);
    Ok(Weight::new(name, shape, values, learns))
}

/// Weight and bias of a block's layer under `name`, where nearly all time goes: of a model in 8 bits the products are
/// those of bytes.
pub(crate) fn block_linear<'a>(weights: &dyn Weights<'a>, name: &str) -> Result<Linear<'a>> {
    let (shape, rows) = weights.matrix(&format!("{name}.weight"))?;
    linear_of(weights, name, &shape, rows, true, weights.block_precision())
}

/// Weight and, where wanted, bias under `name`, of a layer at a tower's beginning or end: it costs little, and what
/// it loses is lost for all.
pub(crate) fn linear<'a>(weights: &dyn Weights<'a>, name: &str, bias: bool) -> Result<Linear<'a>> {
    linear_with(weights, name, bias, weights.precision())
}

/// The same with products of another precision.
pub(crate) fn linear_with<'a>(
    weights: &dyn Weights<'a>,
    name: &str,
    bias: bool,
    precision: Precision,
) -> Result<Linear<'a>> {
    let (shape, values) = weights.find(&format!("{name}.weight"))?;
    let rows = if weights.keeps() { Rows::Kept(values) } else { Rows::Floats(values) };
    linear_of(weights, name, &shape, rows, bias, precision)
}

fn linear_of<'a>(
    weights: &dyn Weights<'a>,
    name: &str,
    shape: &[usize],
    rows: Rows<'a>,
    bias: bool,
    precision: Precision,
) -> Result<Linear<'a>> {
    let weight = format!("{name}.weight");
    let find_bias = || weight_of(weights, format!("{name}.bias"));
    let bias = bias.then(find_bias).transpose()?;
    let learns = weights.learns(&weight);
    let packs = weights.packs().filter(|_| !learns);
    let known = match weights.executor() {
        Some(executor) => Some(Factor::on(&**executor, &rows)),
        None => packs.and_then(|packs| packs.lock().ok()?.get(&weight).cloned()),
    };
    let adapter = weights.adapter(&weight)?;
    let linear = Linear::new(weight.clone(), shape, rows, bias, precision, known);
    if let Some(Ok(mut packs)) = packs.map(Mutex::lock) {
        packs.insert(weight, linear.packed());
    }
    Ok(linear.learning(learns).with_adapter(adapter))
}

/// A LayerNorm.
pub(crate) fn norm<'a>(weights: &dyn Weights<'a>, name: &str, eps: f32) -> Result<Norm<'a>> {
    let part = |part: &str| weight_of(weights, format!("{name}.{part}"));
    Ok(Norm { weight: part("weight")?, bias: part("bias")?, eps })
}

/// A convolution of a side, with as many pixels around as its result is as large as the picture, and the batch
/// normalisation behind it.
pub(crate) fn convolution<'a>(
    weights: &dyn Weights<'a>,
    conv: &str,
    norm: &str,
    stride: usize,
) -> Result<Convolution<'a>> {
    let weight = weight_of(weights, format!("{conv}.weight"))?;
    let behind = Behind::Norm(Box::new(batch_norm(weights, norm, 1e-5)?));
    let window = Window::around(weight.shape[2], stride);
    Ok(Convolution::new(weight, behind, window, weights.precision()))
}

/// A batch normalisation.
pub(crate) fn batch_norm<'a>(
    weights: &dyn Weights<'a>,
    norm: &str,
    eps: f32,
) -> Result<BatchNorm<'a>> {
    let part = |part: &str| weight_of(weights, format!("{norm}.{part}"));
    let statistic = |part: &str| Ok::<_, Error>(weights.find(&format!("{norm}.{part}"))?.1);
    Ok(BatchNorm {
        before: None,
        weight: part("weight")?,
        bias: part("bias")?,
        mean: statistic("running_mean")?,
        variance: statistic("running_var")?,
        eps,
    })
}
