//! Named host arrays, and safetensors files of them.

use std::collections::BTreeMap;
use std::path::Path;

use half::f16;
use safetensors::tensor::{Dtype, TensorView};

use crate::checkpoint::tensors::{self, Blob};
use crate::{Error, Result};

/// One array on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Sizes of the axes.
    pub shape: Vec<usize>,
    /// Values, row-major.
    pub data: Vec<f32>,
}

/// Arrays by name, in the order of their names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arrays(pub BTreeMap<String, Array>);

impl Arrays {
    /// The array of that name.
    ///
    /// # Errors
    /// There is none.
    pub fn get(&self, name: &str) -> Result<&Array> {
        self.0.get(name).ok_or_else(|| Error::MissingWeight(name.to_owned()))
    }

    /// The values to accumulate into, zeros when the name is new.
    pub fn slot(&mut self, name: &str, shape: &[usize]) -> &mut [f32] {
        if !self.0.contains_key(name) {
            let data = vec![0.0; shape.iter().product()];
            self.0.insert(name.to_owned(), Array { shape: shape.to_vec(), data });
        }
        &mut self.0.get_mut(name).expect("just inserted").data
    }

    /// Adds another set, name by name.
    pub fn accumulate(&mut self, other: Arrays) {
        for (name, array) in other.0 {
            match self.0.get_mut(&name) {
                Some(sum) => crate::math::add(&mut sum.data, &array.data),
                None => drop(self.0.insert(name, array)),
            }
        }
    }
}

/// How floats are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// 32 bits.
    F32,
    /// IEEE half.
    F16,
}

/// Reads a safetensors file; F16 and BF16 become f32.
///
/// # Errors
/// The file cannot be read, is no safetensors file, or has a type other than F32, F16 and BF16.
pub fn read(path: &Path) -> Result<Arrays> {
    let raws = tensors::safetensors(Blob::File(path.to_path_buf()), path)?;
    let array = |(name, raw): (String, tensors::Raw)| {
        let data = raw.values(&name)?;
        Ok((name, Array { shape: raw.shape, data }))
    };
    raws.into_iter().map(array).collect::<Result<_>>().map(Arrays)
}

/// The free-form header of a safetensors file.
///
/// # Errors
/// The file cannot be read or is no safetensors file.
pub fn metadata(path: &Path) -> Result<BTreeMap<String, String>> {
    let (header, _) = tensors::header(&Blob::File(path.to_path_buf()), path)?;
    Ok(header.metadata().clone().unwrap_or_default().into_iter().collect())
}

/// Writes a safetensors file under a temporary name, then renames it.
///
/// # Errors
/// The file cannot be written.
pub fn write(
    arrays: &Arrays,
    precision: Precision,
    metadata: &BTreeMap<String, String>,
    path: &Path,
) -> Result<()> {
    let encoded: Vec<(&String, &Array, Vec<u8>)> = arrays
        .0
        .iter()
        .map(|(name, array)| (name, array, encode(&array.data, precision)))
        .collect();
    let dtype = if precision == Precision::F16 { Dtype::F16 } else { Dtype::F32 };
    let views = encoded
        .iter()
        .map(|(name, array, bytes)| {
            let view = TensorView::new(dtype, array.shape.clone(), bytes);
            Ok((name.as_str(), view.map_err(|e| Error::malformed(path, e))?))
        })
        .collect::<Result<Vec<_>>>()?;
    let metadata = (!metadata.is_empty()).then(|| metadata.clone().into_iter().collect());
    let bytes = safetensors::serialize(views, metadata).map_err(|e| Error::malformed(path, e))?;
    let temporary = path.with_extension("tmp");
    std::fs::write(&temporary, bytes).map_err(|e| Error::io(&temporary, e))?;
    std::fs::rename(&temporary, path).map_err(|e| Error::io(path, e))
}

fn encode(values: &[f32], precision: Precision) -> Vec<u8> {
    match precision {
        Precision::F32 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        Precision::F16 => values.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()).collect(),
    }
}
