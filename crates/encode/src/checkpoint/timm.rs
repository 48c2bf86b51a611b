//! An image tower from a timm ViT checkpoint.

use std::path::Path;

use crate::arrays::{self, Array, Arrays};
use crate::{Error, Result};

/// The image tower's weights in a timm ViT checkpoint (`vit_tiny_patch16_224`), under our names.
/// Its classifier is not used.
///
/// # Errors
/// The file cannot be read, or its patch projection is no convolution.
pub fn timm_vit(path: &Path) -> Result<Arrays> {
    let mut out = Arrays::default();
    for (name, array) in arrays::read(path)?.0 {
        let (name, array) = match name.as_str() {
            "head.weight" | "head.bias" => continue,
            "patch_embed.proj.weight" => ("patch_embed.weight".to_owned(), flat(name, array)?),
            "patch_embed.proj.bias" => ("patch_embed.bias".to_owned(), array),
            _ => (name, array),
        };
        out.0.insert(format!("image.{name}"), array);
    }
    Ok(out)
}

/// A convolution (W, 3, p, p) as a matrix (W, 3 * p * p).
fn flat(name: String, array: Array) -> Result<Array> {
    let [width, channels, height, patch] = array.shape[..] else {
        return Err(Error::Shape { name, found: array.shape, wanted: vec![0; 4] });
    };
    Ok(Array { shape: vec![width, channels * height * patch], data: array.data })
}
