//! [`Encoder`] on the CPU: the way every search, index and evaluation goes without a GPU.

use std::path::Path;

use tuwen_data::image::{Preprocess, RgbImage};
use tuwen_data::token::WordPiece;
use tuwen_data::{Encoder, Error as DataError};

use crate::arrays::{self, Arrays};
use crate::gemm::{Mat, gemm};
use crate::towers::{ImageTower, Record, TextTower};
use crate::{Error, ModelConfig, Result};

/// File name of the architecture in a model folder.
pub const CONFIG_FILE: &str = "config.json";
/// File name of the weights in a model folder.
pub const WEIGHTS_FILE: &str = "model.safetensors";

/// A dual encoder that is ready to embed.
pub struct CpuEncoder {
    config: ModelConfig,
    arrays: Arrays,
    fingerprint: String,
}

impl CpuEncoder {
    /// Wraps weights in memory; `source` is what the fingerprint hashes.
    ///
    /// # Errors
    /// A weight is missing or has another shape.
    pub fn new(config: ModelConfig, arrays: Arrays, source: &[u8]) -> Result<Self> {
        config.check_weights(&arrays)?;
        let description = serde_json::to_vec(&config).expect("a configuration is plain data");
        let mut hasher = blake3::Hasher::new();
        hasher.update(&description).update(source);
        let fingerprint = format!("{}-{}", config.name, &hasher.finalize().to_hex()[..16]);
        Ok(Self { config, arrays, fingerprint })
    }

    /// Builds a model from a configuration and the bytes of a safetensors file; `path` is named in
    /// errors.
    ///
    /// # Errors
    /// Not a safetensors file, or weights that do not fit the configuration.
    pub fn from_bytes(config: ModelConfig, bytes: &[u8], path: &Path) -> Result<Self> {
        Self::new(config, arrays::parse(bytes, path)?, bytes)
    }

    /// Opens a folder with `config.json` and `model.safetensors`.
    ///
    /// # Errors
    /// A file is missing or does not fit.
    pub fn open(folder: &Path) -> Result<Self> {
        let config = ModelConfig::load(&folder.join(CONFIG_FILE))?;
        let path = folder.join(WEIGHTS_FILE);
        let bytes = std::fs::read(&path).map_err(|e| Error::io(&path, e))?;
        Self::from_bytes(config, &bytes, &path)
    }

    /// The architecture.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Number of trained values.
    pub fn parameters(&self) -> usize {
        self.arrays.0.values().map(|array| array.data.len()).sum()
    }

    /// Features to unit vectors of the common space.
    fn project(&self, features: &[f32], name: &str) -> Result<Vec<f32>> {
        let (dim, weight) = (self.config.embed_dim, self.arrays.get(name)?);
        let wide = weight.shape[1];
        let rows = features.len() / wide;
        let mut out = vec![0.0; rows * dim];
        let weight = Mat::new(&weight.data, dim, wide, wide).t();
        gemm(&mut out, dim, Mat::new(features, rows, wide, wide), weight, false);
        for row in out.chunks_exact_mut(dim) {
            let length = row.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-12);
            row.iter_mut().for_each(|value| *value /= length);
        }
        Ok(out)
    }
}

impl Encoder for CpuEncoder {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn dim(&self) -> usize {
        self.config.embed_dim
    }

    fn preprocess(&self) -> &Preprocess {
        &self.config.preprocess
    }

    fn encode_images(&self, images: &[RgbImage]) -> tuwen_data::Result<Vec<f32>> {
        let size = self.config.preprocess.size;
        let mut pixels = Vec::with_capacity(images.len() * 3 * (size * size) as usize);
        for image in images {
            let (width, height) = image.dimensions();
            if (width, height) != (size, size) {
                return Err(DataError::Encode(format!(
                    "{} takes pictures of {size}x{size}, this one has {width}x{height}: \
                     call Preprocess::fit first",
                    self.config.name
                )));
            }
            self.config.preprocess.normalise_into(image, &mut pixels);
        }
        let embed = || {
            let tower = ImageTower::new(&self.config, &self.arrays)?;
            let pass = tower.forward(&pixels, None, Record::No);
            self.project(&pass.features, "heads.image_proj.weight")
        };
        embed().map_err(|e: Error| DataError::Encode(e.to_string()))
    }

    fn encode_texts(&self, texts: &[&str]) -> tuwen_data::Result<Vec<f32>> {
        let encode = |text: &&str| WordPiece::shared().encode(text, self.config.context).0;
        let ids: Vec<Vec<u32>> = texts.iter().map(encode).collect();
        let ids: Vec<&[u32]> = ids.iter().map(Vec::as_slice).collect();
        let embed = || {
            let tower = TextTower::new(&self.config, &self.arrays)?;
            let pass = tower.forward(&ids, Record::No);
            self.project(&pass.features, "heads.text_proj.weight")
        };
        embed().map_err(|e: Error| DataError::Encode(e.to_string()))
    }

    fn lost_tokens(&self, text: &str) -> usize {
        WordPiece::shared().encode(text, self.config.context).1
    }
}
