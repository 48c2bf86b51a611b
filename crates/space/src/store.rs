//! A learned space as a file: safetensors whose header says the steps (`space`, JSON) and whose tensors, numbered in the
//! steps' order, are their values.

use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use tuwen_files::error::Error as FileError;
use tuwen_files::file;

use crate::chain::{Chain, Space, Step};
use crate::error::{Error, Result};

/// The header's key.
const KEY: &str = "space";

/// The checksum of all values, beside the steps.
const CHECK: &str = "crc32";

/// CRC-32 of the tensors' bytes, in their order.
fn check<'b>(tensors: impl Iterator<Item = &'b [u8]>) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    tensors.for_each(|bytes| hasher.update(bytes));
    hasher.finalize()
}

/// A space with what it was learned from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stored {
    /// The set's name.
    pub set: String,
    /// The method's name.
    pub method: String,
    /// Of everything random.
    pub seed: u64,
    /// Values of an image's and of a text's features.
    pub widths: [usize; 2],
    /// The projections.
    pub space: Space,
}

impl Step {
    fn arrays(&mut self) -> Vec<&mut Vec<f32>> {
        match self {
            Self::Standard { shift, scale } => vec![shift, scale],
            Self::Linear { weight, bias } => vec![weight, bias],
            Self::Beside(chains) => {
                chains.iter_mut().flat_map(|(_, chain)| chain.arrays()).collect()
            }
            Self::Root | Self::Tanh | Self::Rectify | Self::Softmax | Self::Sign | Self::Unit => {
                Vec::new()
            }
        }
    }

    /// The width of what it gives for features of that width.
    fn width(&self, width: usize) -> Result<usize, String> {
        match self {
            Self::Standard { shift, scale } if shift.len() != width || scale.len() != width => {
                Err(format!("a step of {} values behind one of {width}", shift.len()))
            }
            Self::Linear { weight, bias }
                if bias.is_empty() || weight.len() != width * bias.len() =>
            {
                Err(format!("a matrix of {} values for {width} x {}", weight.len(), bias.len()))
            }
            Self::Linear { bias, .. } => Ok(bias.len()),
            Self::Beside(chains) => chains.iter().map(|(_, chain)| chain.width(width)).sum(),
            _ => Ok(width),
        }
    }
}

impl Chain {
    fn arrays(&mut self) -> Vec<&mut Vec<f32>> {
        self.0.iter_mut().flat_map(Step::arrays).collect()
    }

    fn width(&self, width: usize) -> Result<usize, String> {
        self.0.iter().try_fold(width, |width, step| step.width(width))
    }
}

impl Stored {
    fn arrays(&mut self) -> Vec<&mut Vec<f32>> {
        let Space { image, text } = &mut self.space;
        image.arrays().into_iter().chain(text.arrays()).collect()
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// None that depends on the space.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut steps = self.clone();
        let values: Vec<Vec<f32>> = steps.arrays().into_iter().map(std::mem::take).collect();
        let bytes: Vec<Vec<u8>> = values
            .iter()
            .map(|array| array.iter().flat_map(|v| v.to_le_bytes()).collect())
            .collect();
        let wrong =
            |e: &dyn std::fmt::Display| Error::Input(format!("the space cannot be written: {e}"));
        let mut views = Vec::new();
        for (at, (array, bytes)) in values.iter().zip(&bytes).enumerate() {
            let view =
                TensorView::new(Dtype::F32, vec![array.len()], bytes).map_err(|e| wrong(&e))?;
            views.push((format!("{at:04}"), view));
        }
        let mut header = serde_json::to_value(&steps).map_err(|e| wrong(&e))?;
        header[CHECK] = check(bytes.iter().map(Vec::as_slice)).into();
        let header = HashMap::from([(KEY.to_owned(), header.to_string())]);
        safetensors::serialize(views, Some(header)).map_err(|e| wrong(&e))
    }

    /// Reads a file.
    ///
    /// # Errors
    /// It is missing, damaged, or none that we wrote.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = file::read(path, file::DOCUMENT)?;
        Self::parse(&bytes).map_err(|what| Error::File(FileError::data_set(path, what)))
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| e.to_string())?;
        let tensors = SafeTensors::deserialize(bytes).map_err(|e| e.to_string())?;
        let steps = header.metadata().as_ref().and_then(|all| all.get(KEY));
        let steps = steps.ok_or("it holds no common space: `tuwen space train` writes one")?;
        let header: serde_json::Value = serde_json::from_str(steps).map_err(|e| e.to_string())?;
        let wanted = header[CHECK].as_u64();
        let mut stored: Self = serde_json::from_value(header).map_err(|e| e.to_string())?;
        let mut found = Vec::new();
        for (at, array) in stored.arrays().into_iter().enumerate() {
            let view = tensors.tensor(&format!("{at:04}")).map_err(|e| e.to_string())?;
            if view.dtype() != Dtype::F32 {
                return Err(format!("tensor {at:04} is {:?}; F32 is wanted", view.dtype()));
            }
            found.push(view.data());
            *array =
                view.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        }
        if wanted != Some(u64::from(check(found.into_iter()))) {
            return Err("its values are not those that were written: learn the space again".into());
        }
        let [image, text] = stored.widths;
        let (a, b) = (stored.space.image.width(image)?, stored.space.text.width(text)?);
        if a != b {
            return Err(format!("images become {a} values and texts {b}: that is no common space"));
        }
        Ok(stored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored() -> Stored {
        let linear = |out: usize, wide: usize| Step::Linear {
            weight: (0..out * wide).map(|i| i as f32 * 0.1 - 1.0).collect(),
            bias: vec![0.5; out],
        };
        let both = Step::Beside(vec![
            (1.0, Chain(vec![linear(2, 3), Step::Unit])),
            (0.5, Chain::default()),
        ]);
        let image = Chain(vec![Step::Standard { shift: vec![1.0; 3], scale: vec![2.0; 3] }, both]);
        let text = Chain(vec![Step::Root, linear(5, 2), Step::Tanh]);
        let space = Space { image, text };
        Stored { set: "tiny".into(), method: "m".into(), seed: 3, widths: [3, 2], space }
    }

    #[test]
    fn what_is_read_is_what_was_written() {
        let bytes = stored().to_bytes().expect("bytes");
        assert_eq!(Stored::parse(&bytes).expect("a space"), stored());
    }

    #[test]
    fn damage_is_an_error_and_no_panic() {
        let bytes = stored().to_bytes().expect("bytes");
        for end in 0..bytes.len() {
            assert!(Stored::parse(&bytes[..end]).is_err(), "cut at {end}");
        }
        // The values stand at the end.
        let mut changed = bytes.clone();
        let last = changed.len() - 1;
        changed[last] ^= 1;
        let why = Stored::parse(&changed).expect_err("a changed value");
        assert!(why.contains("learn the space again"), "{why}");
        let mut wide = stored();
        wide.widths = [4, 2];
        let why = Stored::parse(&wide.to_bytes().expect("bytes")).expect_err("too wide");
        assert!(why.contains("3 values behind one of 4"), "{why}");
        let mut apart = stored();
        apart.space.text = Chain::default();
        let why = Stored::parse(&apart.to_bytes().expect("bytes")).expect_err("5 and 2");
        assert!(why.contains("no common space"), "{why}");
    }
}
