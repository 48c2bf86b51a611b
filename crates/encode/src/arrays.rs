//! Named host arrays, and safetensors files of them.
//!
//! ```
//! use std::collections::BTreeMap;
//! use tuwen_encode::Arrays;
//! use tuwen_encode::arrays::{Precision, read, write};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("model.safetensors");
//! let mut weights = Arrays::default();
//! weights.slot("heads.logit_scale", &[1])[0] = 2.5;
//! write(&weights, Precision::F32, &BTreeMap::new(), &path)?;
//! assert_eq!(read(&path)?, weights);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use half::{bf16, f16};
use serde_json::json;

use crate::checkpoint::tensors::{self, Blob};
use crate::{Error, Result};

pub use tuwen_nn::{Array, Arrays};

/// How floats are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// 32 bits.
    F32,
    /// IEEE half.
    F16,
    /// The upper half of an f32.
    Bf16,
    /// Of matrices 8 bits and a scale for each row, in a tensor of its own (`NAME.scale`); everything small in
    /// 32 bits.
    Int8,
}

/// What the name of a matrix's scales ends with.
pub(crate) const SCALE: &str = ".scale";
/// Rows of fewer values are not worth a scale.
const LEAST_ROW: usize = 32;

/// Reads a safetensors file; F16, BF16 and I8 with scales become f32.
///
/// # Errors
/// The file cannot be read, is no safetensors file, or has a type that no weight has.
pub fn read(path: &Path) -> Result<Arrays> {
    of_blob(Blob::File(path.to_path_buf()), path)
}

/// The same of bytes inside the program; `path` is what errors call them.
///
/// # Errors
/// As [`read`].
pub fn embedded(bytes: &'static [u8], path: &Path) -> Result<Arrays> {
    of_blob(Blob::Static(bytes), path)
}

fn of_blob(blob: Blob, path: &Path) -> Result<Arrays> {
    let raws = tensors::safetensors(blob, path)?;
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
    let named: Vec<(String, &Array)> =
        arrays.0.iter().map(|(name, array)| (name.clone(), array)).collect();
    write_named(&named, precision, metadata, path)
}

/// The same for arrays that lie in several places.
///
/// # Errors
/// The file cannot be written.
pub fn write_named(
    arrays: &[(String, &Array)],
    precision: Precision,
    metadata: &BTreeMap<String, String>,
    path: &Path,
) -> Result<()> {
    let tensors: Vec<Tensor> = arrays
        .iter()
        .map(|(name, array)| Tensor { name: name.clone(), shape: array.shape.clone() })
        .collect();
    let mut values = arrays.iter();
    let next = || Ok(Cow::Borrowed(&*values.next().expect("one for each tensor").1.data));
    write_tensors(&tensors, precision, metadata, path, next)
}

/// Name and shape of a tensor that is to be written.
pub(crate) struct Tensor {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
}

/// The same with values that are asked for one after the other, so that a large model is never in
/// memory as a whole. Format: <https://github.com/huggingface/safetensors#format>.
pub(crate) fn write_tensors<'v>(
    tensors: &[Tensor],
    precision: Precision,
    metadata: &BTreeMap<String, String>,
    path: &Path,
    mut next: impl FnMut() -> Result<Cow<'v, [f32]>>,
) -> Result<()> {
    let mut header = serde_json::Map::new();
    if !metadata.is_empty() {
        header.insert("__metadata__".into(), json!(metadata));
    }
    let mut end = 0;
    for tensor in tensors {
        for Part { name, shape, dtype, bytes } in tensor.parts(precision) {
            let start = end;
            end += shape.iter().product::<usize>() * bytes;
            let entry = json!({ "dtype": dtype, "shape": shape, "data_offsets": [start, end] });
            header.insert(name, entry);
        }
    }
    let mut header = serde_json::to_vec(&header).map_err(|e| Error::malformed(path, e))?;
    // The values start at a multiple of 8.
    header.resize(header.len().next_multiple_of(8), b' ');
    let temporary = path.with_extension("tmp");
    let failed = |e| Error::io(&temporary, e);
    let mut fill = || {
        let mut file = BufWriter::new(File::create(&temporary).map_err(failed)?);
        file.write_all(&(header.len() as u64).to_le_bytes()).map_err(failed)?;
        file.write_all(&header).map_err(failed)?;
        for tensor in tensors {
            let bytes = match tensor.has_scales(precision) {
                true => encode_rows(&next()?, tensor.row()),
                false => encode(&next()?, precision.of_values()),
            };
            file.write_all(&bytes).map_err(failed)?;
        }
        let file = file.into_inner().map_err(|e| failed(e.into_error()))?;
        file.sync_all().map_err(failed)
    };
    // Half a file on a full disk helps nobody.
    fill().inspect_err(|_| drop(std::fs::remove_file(&temporary)))?;
    std::fs::rename(&temporary, path).map_err(|e| Error::io(path, e))
}

/// A matrix in 8 bits.
#[derive(Clone, Debug, PartialEq)]
pub struct Int8 {
    /// Of i8, row-major.
    pub bytes: Vec<u8>,
    /// What one step of each row stands for.
    pub scales: Vec<f32>,
}

impl Int8 {
    /// What a file of 8 bits keeps of an array; None where it keeps all of 32.
    pub fn of(array: &Array) -> Option<Self> {
        let tensor = Tensor { name: String::new(), shape: array.shape.clone() };
        tensor.has_scales(Precision::Int8).then(|| Self::rows(&array.data, tensor.row()))
    }

    /// Rounds rows, symmetric around 0: the largest value of each is 127 steps.
    fn rows(values: &[f32], row: usize) -> Self {
        let scales: Vec<f32> = values.chunks_exact(row).map(scale_of).collect();
        let whole = |(row, scale): (&[f32], &f32)| {
            let inverse = if *scale > 0.0 { 1.0 / scale } else { 0.0 };
            row.iter().map(|v| (v * inverse).round() as i8 as u8).collect::<Vec<_>>()
        };
        let bytes = values.chunks_exact(row).zip(&scales).flat_map(whole).collect();
        Self { bytes, scales }
    }

    /// What it stands for.
    pub fn values(&self) -> Vec<f32> {
        let row = (self.bytes.len() / self.scales.len().max(1)).max(1);
        let rows = self.bytes.chunks_exact(row).zip(&self.scales);
        rows.flat_map(|(row, scale)| row.iter().map(move |&b| f32::from(b as i8) * scale)).collect()
    }
}

/// A tensor as a file has it.
struct Part {
    name: String,
    shape: Vec<usize>,
    dtype: &'static str,
    /// Of a value.
    bytes: usize,
}

impl Tensor {
    /// Values of a row: of the last axis.
    fn row(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// Whether the tensor is stored in 8 bits with a scale for each row.
    fn has_scales(&self, precision: Precision) -> bool {
        let rows = self.shape.iter().rev().skip(1).product::<usize>();
        precision == Precision::Int8 && self.shape.len() > 1 && rows > 1 && self.row() >= LEAST_ROW
    }

    fn parts(&self, precision: Precision) -> Vec<Part> {
        let (name, shape) = (self.name.clone(), self.shape.clone());
        if !self.has_scales(precision) {
            let stored = precision.of_values();
            return vec![Part { name, shape, dtype: stored.name(), bytes: stored.bytes() }];
        }
        let rows = shape[..shape.len() - 1].to_vec();
        let scales = Part { name: format!("{name}{SCALE}"), shape: rows, dtype: "F32", bytes: 4 };
        vec![Part { name, shape, dtype: "I8", bytes: 1 }, scales]
    }
}

impl Precision {
    /// Bytes of a value.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::F32 | Self::Int8 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// How values are stored that have no scale.
    fn of_values(self) -> Self {
        if self == Self::Int8 { Self::F32 } else { self }
    }

    fn name(self) -> &'static str {
        match self {
            Self::F32 | Self::Int8 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
        }
    }
}

/// Values as they are stored, little-endian.
pub(crate) fn encode(values: &[f32], precision: Precision) -> Vec<u8> {
    match precision {
        Precision::F32 | Precision::Int8 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        Precision::F16 => values.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()).collect(),
        Precision::Bf16 => values.iter().flat_map(|&v| bf16::from_f32(v).to_le_bytes()).collect(),
    }
}

/// What one step of a row in 8 bits stands for.
fn scale_of(row: &[f32]) -> f32 {
    row.iter().fold(0.0f32, |most, value| most.max(value.abs())) / 127.0
}

/// Rows in 8 bits, and behind them the scale of each.
fn encode_rows(values: &[f32], row: usize) -> Vec<u8> {
    let Int8 { mut bytes, scales } = Int8::rows(values, row);
    bytes.extend(encode(&scales, Precision::F32));
    bytes
}
