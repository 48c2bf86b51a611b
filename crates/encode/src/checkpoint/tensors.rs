//! The named tensors of checkpoint files, read one at a time, so that a large file is never in
//! memory beside the model: safetensors (also in several files) and torch's zip of a pickle.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use safetensors::tensor::{Dtype, Metadata, SafeTensors, TensorInfo};
use tuwen_files::pickle::{self, TensorRef, Value};

use crate::arrays::SCALE;
use crate::{Error, Result};
use tuwen_nn::Rows;

/// Values that are read at once.
const PIECE: usize = 1 << 20;

/// Where bytes are.
#[derive(Clone, Debug)]
pub(crate) enum Blob {
    /// Inside the program.
    Static(&'static [u8]),
    /// In a file.
    File(PathBuf),
}

/// One tensor of a checkpoint.
#[derive(Clone, Debug)]
pub(crate) struct Raw {
    pub(super) blob: Blob,
    /// First byte of the storage.
    pub(super) start: u64,
    pub(super) element: ElementType,
    /// Sizes of the axes.
    pub(crate) shape: Vec<usize>,
    /// Distances between neighbours, in values; none when row-major.
    pub(super) strides: Option<Vec<usize>>,
    /// Of 8 bits, what the values of each row are multiplied with.
    scales: Option<Box<Raw>>,
}

/// How values are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ElementType {
    F32,
    F16,
    Bf16,
    /// With scales, see [`crate::arrays::Precision::Int8`].
    I8,
    /// Anything else, by its name; an error only when somebody wants it.
    Other(String),
}

impl ElementType {
    /// Bytes of a value.
    pub(super) fn width(&self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::I8 | Self::Other(_) => 1,
        }
    }

    /// Puts the values that `bytes` stand for behind `values`. What is none of the known types is read as bf16.
    pub(super) fn append(&self, bytes: &[u8], values: &mut Vec<f32>) {
        let (quads, pairs) = (bytes.as_chunks::<4>().0, bytes.as_chunks::<2>().0);
        match self {
            Self::F32 => values.extend(quads.iter().map(|&b| f32::from_le_bytes(b))),
            // The slice conversion uses the processor's own, where it has one.
            Self::F16 => {
                let halves: Vec<f16> = pairs.iter().map(|&b| f16::from_le_bytes(b)).collect();
                values.extend(halves.to_f32_vec());
            }
            Self::I8 => values.extend(bytes.iter().map(|&b| f32::from(b as i8))),
            _ => values.extend(pairs.iter().map(|&b| bf16::from_le_bytes(b).to_f32())),
        }
    }
}

impl Blob {
    fn read(&self, start: u64, len: usize) -> Result<Vec<u8>> {
        match self {
            Self::Static(bytes) => Ok(bytes[start as usize..][..len].to_vec()),
            Self::File(path) => {
                let read = || -> std::io::Result<Vec<u8>> {
                    let mut file = File::open(path)?;
                    file.seek(SeekFrom::Start(start))?;
                    let mut bytes = vec![0; len];
                    file.read_exact(&mut bytes)?;
                    Ok(bytes)
                };
                read().map_err(|e| Error::io(path, e))
            }
        }
    }

    /// Adds the whole content to a hash.
    pub(crate) fn hash(&self, hasher: &mut blake3::Hasher) -> Result<()> {
        match self {
            Self::Static(bytes) => drop(hasher.update(bytes)),
            Self::File(path) => {
                let file = File::open(path).map_err(|e| Error::io(path, e))?;
                hasher.update_reader(file).map_err(|e| Error::io(path, e))?;
            }
        }
        Ok(())
    }
}

impl Raw {
    /// Three equal parts of the rows.
    pub(crate) fn thirds(self) -> [Raw; 3] {
        let rows = self.shape.first().map_or(0, |rows| rows / 3);
        let dense = self.shape.iter().skip(1).product();
        let stride = self.strides.as_ref().map_or(dense, |strides| strides[0]);
        let bytes = (rows * stride * self.element.width()) as u64;
        [0, 1, 2].map(|index| {
            let mut part = self.clone();
            part.start += index * bytes;
            if let Some(first) = part.shape.first_mut() {
                *first = rows;
            }
            if let Some(scales) = part.scales.take() {
                let [a, b, c] = scales.thirds();
                part.scales = Some(Box::new([a, b, c].into_iter().nth(index as usize).expect("3")));
            }
            part
        })
    }

    /// All values, row-major, as f32. `name` is for the error.
    pub(crate) fn values(&self, name: &str) -> Result<Vec<f32>> {
        if let ElementType::Other(dtype) = &self.element {
            return Err(Error::Dtype { name: name.to_owned(), dtype: dtype.clone() });
        }
        let width = self.element.width();
        let count: usize = self.shape.iter().product();
        let stored = match &self.strides {
            Some(strides) if count > 0 => {
                let last = self.shape.iter().zip(strides).map(|(n, stride)| (n - 1) * stride);
                last.sum::<usize>() + 1
            }
            _ => count,
        };
        let mut values = Vec::with_capacity(stored);
        // Piece by piece, so that a large table is not in memory twice.
        for first in (0..stored).step_by(PIECE) {
            let len = PIECE.min(stored - first) * width;
            let bytes = self.blob.read(self.start + (first * width) as u64, len)?;
            let done = values.len();
            self.element.append(&bytes, &mut values);
            // While the piece is in the cache; a tensor that is read is a weight that counts.
            // Without an early end, so that the loop is one of vectors.
            if values[done..].iter().fold(false, |bad, value| bad | !value.is_finite()) {
                return Err(Error::NotFinite(name.to_owned()));
            }
        }
        if let Some(scales) = self.scales_of(name)? {
            let row = self.shape.last().copied().unwrap_or(1).max(1);
            for (row, scale) in values.chunks_exact_mut(row).zip(scales) {
                row.iter_mut().for_each(|value| *value *= scale);
            }
        }
        Ok(match &self.strides {
            Some(strides) => gather(&values, &self.shape, strides),
            None => values,
        })
    }

    /// What the values of each row are multiplied with, where there is such.
    fn scales_of(&self, name: &str) -> Result<Option<Vec<f32>>> {
        let Some(scales) = &self.scales else { return Ok(None) };
        let name = format!("{name}{SCALE}");
        let scales = scales.values(&name)?;
        match scales.iter().any(|scale| *scale < 0.0) {
            true => Err(Error::NegativeScale(name)),
            false => Ok(Some(scales)),
        }
    }

    /// The rows of a matrix of 8 bits as they are stored, and where they are when they are inside the program;
    /// none of another tensor.
    pub(crate) fn rows(&self, name: &str) -> Result<Option<Rows<'static>>> {
        let (&[rows, row], Some(scales)) = (&self.shape[..], self.scales_of(name)?) else {
            return Ok(None);
        };
        let values = match &self.blob {
            Blob::Static(bytes) => Cow::Borrowed(&bytes[self.start as usize..][..rows * row]),
            Blob::File(_) => Cow::Owned(self.blob.read(self.start, rows * row)?),
        };
        Ok(Some(Rows::Bytes { values, scales }))
    }
}

/// Row-major values of a view with any strides.
fn gather(values: &[f32], shape: &[usize], strides: &[usize]) -> Vec<f32> {
    let count = shape.iter().product();
    let mut index = vec![0; shape.len()];
    let mut out = Vec::with_capacity(count);
    while out.len() < count {
        out.push(values[index.iter().zip(strides).map(|(i, stride)| i * stride).sum::<usize>()]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    out
}

/// A safetensors file's header, and where its data begin; `path` is named in errors.
pub(crate) fn header(blob: &Blob, path: &Path) -> Result<(Metadata, usize)> {
    let malformed = |e: String| Error::malformed(path, e);
    let (len, start) = match blob {
        Blob::Static(bytes) => {
            let (size, metadata) =
                SafeTensors::read_metadata(bytes).map_err(|e| malformed(e.to_string()))?;
            return Ok((metadata, size + 8));
        }
        Blob::File(path) => {
            let len = std::fs::metadata(path).map_err(|e| Error::io(path, e))?.len();
            (len, blob.read(0, 8.min(len as usize))?)
        }
    };
    let size = start.try_into().map_or(u64::MAX, u64::from_le_bytes);
    if size > len.saturating_sub(8) {
        return Err(malformed("no safetensors file, or one cut short".into()));
    }
    let json = blob.read(8, size as usize)?;
    let metadata: Metadata = serde_json::from_slice(&json).map_err(|e| malformed(e.to_string()))?;
    let wanted = metadata.data_len() as u64 + size + 8;
    if wanted != len {
        let what = if wanted > len { "it is cut short" } else { "something follows its tensors" };
        return Err(malformed(format!(
            "{what}: its header tells of {wanted} bytes and it has {len}: fetch it again"
        )));
    }
    Ok((metadata, size as usize + 8))
}

/// Tensors of one safetensors file; `path` is named in errors.
pub(crate) fn safetensors(blob: Blob, path: &Path) -> Result<BTreeMap<String, Raw>> {
    let (header, offset) = header(&blob, path)?;
    let raw = |(name, info): (String, &TensorInfo)| {
        let element = match info.dtype {
            Dtype::F32 => ElementType::F32,
            Dtype::F16 => ElementType::F16,
            Dtype::BF16 => ElementType::Bf16,
            other => ElementType::Other(format!("{other:?}")),
        };
        let start = (offset + info.data_offsets.0) as u64;
        let (blob, shape) = (blob.clone(), info.shape.clone());
        (name, Raw { blob, start, element, shape, strides: None, scales: None })
    };
    let mut raws: BTreeMap<String, Raw> = header.tensors().into_iter().map(raw).collect();
    let is_bytes = |raw: &Raw| raw.element == ElementType::Other("I8".into());
    let bytes = raws.iter().filter(|(_, raw)| is_bytes(raw)).map(|(name, _)| name.clone());
    for name in bytes.collect::<Vec<_>>() {
        let Some(scales) = raws.remove(&format!("{name}{SCALE}")) else { continue };
        let raw = raws.get_mut(&name).expect("a name of the list");
        if Some(&*scales.shape) != raw.shape.split_last().map(|(_, rows)| rows) {
            let (found, wanted) = (&scales.shape, &raw.shape);
            let what = format!("`{name}{SCALE}` has the shape {found:?} for rows of {wanted:?}");
            return Err(Error::malformed(path, what));
        }
        (raw.element, raw.scales) = (ElementType::I8, Some(Box::new(scales)));
    }
    Ok(raws)
}

/// Bytes that a checkpoint's pickle may have: it names the tensors and does not hold them.
const PICKLE: u64 = 1 << 30;

/// torch's zip, which begins where the file does. Looked for elsewhere, the directory of a file that was saved under a name of 21
/// letters, whose first entry is as long as the zip64 records, seems to begin with its second entry.
fn archive_of(file: File) -> zip::result::ZipResult<zip::ZipArchive<File>> {
    let archive_offset = zip::read::ArchiveOffset::Known(0);
    zip::ZipArchive::with_config(zip::read::Config { archive_offset }, file)
}

/// Tensors of a file that `torch.save` or `torch.jit.save` wrote, under dotted names.
pub(crate) fn torch(path: &Path) -> Result<BTreeMap<String, Raw>> {
    let malformed = |what: String| Error::malformed(path, what);
    let file = File::open(path).map_err(|e| Error::io(path, e))?;
    let mut archive = archive_of(file).map_err(|e| {
        malformed(format!(
            "no torch checkpoint that can be read ({e}); files of torch before 1.6 must be saved \
             again with a newer one"
        ))
    })?;
    let mut starts = BTreeMap::new();
    let mut pickled = None;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|e| malformed(e.to_string()))?;
        let name = entry.name().map_err(|e| malformed(e.to_string()))?.into_owned();
        let inner = name.split_once('/').map_or(&*name, |(_, inner)| inner);
        if inner == "data.pkl" {
            let mut bytes = Vec::new();
            (&mut entry).take(PICKLE).read_to_end(&mut bytes).map_err(|e| Error::io(path, e))?;
            pickled = Some(bytes);
        } else if let Some(key) = inner.strip_prefix("data/") {
            if entry.compression() != zip::CompressionMethod::Stored {
                return Err(malformed(format!("`{name}` is compressed; torch never does that")));
            }
            let start = entry.data_start();
            let start = start.ok_or_else(|| malformed(format!("`{name}` cannot be located")))?;
            starts.insert(key.to_owned(), (start, entry.size()));
        }
    }
    let pickled = pickled.ok_or_else(|| malformed("there is no data.pkl inside".into()))?;
    let value = pickle::parse(&pickled).map_err(|what| malformed(format!("its pickle: {what}")))?;
    let mut found = Vec::new();
    flatten(String::new(), &value, 0, &mut found);
    let view = |(name, tensor): (String, std::rc::Rc<TensorRef>)| {
        let raw = torch_view(&name, &tensor, &starts, path).map_err(malformed)?;
        Ok((name, raw))
    };
    found.into_iter().map(view).collect()
}

/// Whether `torch.jit.save` wrote the file, as OpenAI's published ones.
pub(crate) fn is_scripted(path: &Path) -> bool {
    let archive = File::open(path).ok().and_then(|file| archive_of(file).ok());
    let scripted = |archive: &zip::ZipArchive<File>| {
        archive.file_names().flatten().any(|name| name.ends_with("/constants.pkl"))
    };
    archive.is_some_and(|archive| scripted(&archive))
}

fn torch_view(
    name: &str,
    tensor: &TensorRef,
    starts: &BTreeMap<String, (u64, u64)>,
    path: &Path,
) -> Result<Raw, String> {
    let (element, width) = match &*tensor.storage.kind {
        "torch.FloatStorage" => (ElementType::F32, 4),
        "torch.HalfStorage" => (ElementType::F16, 2),
        "torch.BFloat16Storage" => (ElementType::Bf16, 2),
        other => (ElementType::Other(other.to_owned()), 1),
    };
    let key = &*tensor.storage.key;
    let &(start, size) =
        starts.get(key).ok_or_else(|| format!("`{name}`: no data/{key} inside"))?;
    // Saturating throughout: a damaged file may claim any size.
    let extent = |(n, stride): (&usize, &usize)| n.saturating_sub(1).saturating_mul(*stride);
    let extents = tensor.shape.iter().zip(&tensor.strides).map(extent);
    let last = extents.fold(tensor.offset, usize::saturating_add);
    let count = tensor.shape.iter().fold(1usize, |product, &n| product.saturating_mul(n));
    let end = last.max(count.saturating_sub(1)).saturating_add(1).saturating_mul(width);
    if end as u64 > size && count > 0 {
        return Err(format!("`{name}` ends at byte {end} of {size}"));
    }
    let mut dense = vec![1; tensor.shape.len()];
    for axis in (1..dense.len()).rev() {
        dense[axis - 1] = dense[axis] * tensor.shape[axis];
    }
    Ok(Raw {
        blob: Blob::File(path.to_path_buf()),
        start: start + (tensor.offset * width) as u64,
        element,
        shape: tensor.shape.clone(),
        strides: (dense != tensor.strides).then(|| tensor.strides.clone()),
        scales: None,
    })
}

/// Tensors inside dictionaries and objects, under dotted names.
fn flatten(
    prefix: String,
    value: &Value,
    depth: usize,
    found: &mut Vec<(String, std::rc::Rc<TensorRef>)>,
) {
    /// Deeper than any model; a dictionary may contain itself.
    const DEEPEST: usize = 16;
    match value {
        Value::Tensor(tensor) => found.push((prefix, tensor.clone())),
        Value::Dict(pairs) | Value::Object(pairs) if depth < DEEPEST => {
            for (key, value) in pairs.borrow().iter() {
                if let Value::Str(key) = key {
                    let dot = if prefix.is_empty() { "" } else { "." };
                    flatten(format!("{prefix}{dot}{key}"), value, depth + 1, found);
                }
            }
        }
        _ => {}
    }
}
