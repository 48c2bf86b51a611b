//! A learned model as a file: safetensors whose header has what is no number, under one key, and whose tensors are its
//! arrays in their order. What is cut or changed is an error.

use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tuwen_files::error::Error as FileError;
use tuwen_files::file;

use crate::error::{Error, Result};

/// The header's key, and that of the arrays' checksum.
const KEY: &str = "features";
const CHECK: &str = "crc32";

/// The file's bytes.
///
/// # Errors
/// The header cannot be said in JSON.
pub fn bytes<H: Serialize>(header: &H, arrays: &[&[f32]]) -> Result<Vec<u8>> {
    let wrong =
        |e: &dyn std::fmt::Display| Error::Input(format!("the model cannot be written: {e}"));
    let bytes: Vec<Vec<u8>> =
        arrays.iter().map(|array| array.iter().flat_map(|v| v.to_le_bytes()).collect()).collect();
    let mut views = Vec::new();
    for (at, (array, bytes)) in arrays.iter().zip(&bytes).enumerate() {
        let view = TensorView::new(Dtype::F32, vec![array.len()], bytes).map_err(|e| wrong(&e))?;
        views.push((format!("{at:04}"), view));
    }
    let header = serde_json::to_string(header).map_err(|e| wrong(&e))?;
    let check = checksum(&header, bytes.iter().map(Vec::as_slice)).to_string();
    let header = HashMap::from([(KEY.to_owned(), header), (CHECK.to_owned(), check)]);
    safetensors::serialize(views, Some(header)).map_err(|e| wrong(&e))
}

/// Reads a file: its header and its arrays.
///
/// # Errors
/// It is missing, damaged, or none that we wrote.
pub fn load<H: DeserializeOwned>(path: &Path) -> Result<(H, Vec<Vec<f32>>)> {
    let bytes = file::read(path, file::DOCUMENT)?;
    parse(&bytes).map_err(|what| Error::File(FileError::data_set(path, what)))
}

/// [`load`] of bytes.
pub(crate) fn parse<H: DeserializeOwned>(bytes: &[u8]) -> Result<(H, Vec<Vec<f32>>), String> {
    let (_, about) = SafeTensors::read_metadata(bytes).map_err(|e| e.to_string())?;
    let tensors = SafeTensors::deserialize(bytes).map_err(|e| e.to_string())?;
    let said = about.metadata().as_ref();
    let said = said.and_then(|all| Some((all.get(KEY)?, all.get(CHECK)?)));
    let (header, check) =
        said.ok_or("it holds no model of features: `tuwen features … --save` writes one")?;
    let mut found = Vec::new();
    for at in 0..tensors.len() {
        let view = tensors.tensor(&format!("{at:04}")).map_err(|e| e.to_string())?;
        if view.dtype() != Dtype::F32 {
            return Err(format!("tensor {at:04} is {:?}; F32 is wanted", view.dtype()));
        }
        found.push(view.data());
    }
    if *check != checksum(header, found.iter().copied()).to_string() {
        return Err("its values are not those that were written: fit it again".into());
    }
    let floats = |data: &&[u8]| data.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let header = serde_json::from_str(header).map_err(|e| e.to_string())?;
    Ok((header, found.iter().map(floats).collect()))
}

fn checksum<'b>(header: &str, tensors: impl Iterator<Item = &'b [u8]>) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(header.as_bytes());
    tensors.for_each(|bytes| hasher.update(bytes));
    hasher.finalize()
}
