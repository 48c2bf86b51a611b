//! [`Encoder`] on the CPU: the way every search, index and evaluation goes without a GPU.

use std::borrow::Cow;
use std::path::Path;
use std::sync::OnceLock;

use tuwen_data::image::{Preprocess, RgbImage};
use tuwen_data::token::{ClipBpe, END_OF_TEXT, WordPiece};
use tuwen_data::{Encoder, Error as DataError};

use crate::arrays::Arrays;
use crate::checkpoint::Checkpoint;
use crate::layers::{Linear, Weights};
use crate::towers::{ImageTower, Record, TextTower};
use crate::{Error, ModelConfig, Result, Tokenizer};

/// File name of the architecture in a model folder.
pub const CONFIG_FILE: &str = "config.json";
/// File name of the weights in a model folder.
pub const WEIGHTS_FILE: &str = "model.safetensors";

/// A dual encoder that is ready to embed. Each tower is loaded when it is first needed: a search by
/// words never reads the image tower.
pub struct CpuEncoder {
    config: ModelConfig,
    source: Source,
    fingerprint: String,
    image: OnceLock<(ImageTower<'static>, Linear<'static>)>,
    text: OnceLock<(TextTower<'static>, Linear<'static>)>,
}

/// Where the weights come from.
enum Source {
    Memory(Arrays),
    File(Checkpoint),
}

impl Weights<'static> for &Source {
    fn find(&self, name: &str) -> Result<(Vec<usize>, Cow<'static, [f32]>)> {
        match self {
            Source::Memory(arrays) => {
                let array = arrays.get(name)?;
                Ok((array.shape.clone(), Cow::Owned(array.data.clone())))
            }
            Source::File(checkpoint) => checkpoint.find(name),
        }
    }
}

impl CpuEncoder {
    /// Wraps weights in memory; `source` is what the fingerprint hashes.
    ///
    /// # Errors
    /// A weight is missing or has another shape.
    pub fn new(config: ModelConfig, arrays: Arrays, source: &[u8]) -> Result<Self> {
        config.check_weights(&arrays)?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(&description(&config)).update(source);
        Ok(Self::assemble(config, Source::Memory(arrays), &hasher))
    }

    /// Reads weights from files, tower by tower, when they are needed.
    ///
    /// # Errors
    /// Weights that do not fit the configuration, or files that cannot be read.
    pub fn from_checkpoint(config: ModelConfig, checkpoint: Checkpoint) -> Result<Self> {
        checkpoint.check(&config)?;
        let entries = match config.tokenizer {
            Tokenizer::WordPiece => WordPiece::shared().vocab_size(),
            Tokenizer::ClipBpe => END_OF_TEXT as usize + 1,
        };
        if config.vocab < entries {
            return Err(Error::Vocabulary { found: config.vocab, entries });
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(&description(&config));
        checkpoint.hash(&mut hasher)?;
        Ok(Self::assemble(config, Source::File(checkpoint), &hasher))
    }

    fn assemble(config: ModelConfig, source: Source, hasher: &blake3::Hasher) -> Self {
        let fingerprint = format!("{}-{}", config.name, &hasher.finalize().to_hex()[..16]);
        Self { config, source, fingerprint, image: OnceLock::new(), text: OnceLock::new() }
    }

    /// Opens a model folder or a checkpoint of others, see [`Checkpoint::open`].
    ///
    /// # Errors
    /// A file is missing or does not fit.
    pub fn open(path: &Path) -> Result<Self> {
        let (config, checkpoint) = Checkpoint::open(path)?;
        Self::from_checkpoint(config, checkpoint)
    }

    /// The architecture.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Number of trained values.
    pub fn parameters(&self) -> usize {
        let sizes = self.config.weight_shapes();
        sizes.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum()
    }

    fn image_tower(&self) -> Result<&(ImageTower<'static>, Linear<'static>)> {
        if self.image.get().is_none() {
            let tower = ImageTower::new(&self.config, &self.source)?;
            let head = Linear::find(&&self.source, "heads.image_proj", false)?;
            // Another thread may have been faster; then its tower stays.
            let _ = self.image.set((tower, head));
        }
        Ok(self.image.get().expect("just set"))
    }

    fn text_tower(&self) -> Result<&(TextTower<'static>, Linear<'static>)> {
        if self.text.get().is_none() {
            let tower = TextTower::new(&self.config, &self.source)?;
            let head = Linear::find(&&self.source, "heads.text_proj", false)?;
            let _ = self.text.set((tower, head));
        }
        Ok(self.text.get().expect("just set"))
    }

    /// A text's tokens, and how many of them lie beyond the context.
    fn tokens(&self, text: &str) -> (Vec<u32>, usize) {
        match self.config.tokenizer {
            Tokenizer::WordPiece => WordPiece::shared().encode(text, self.config.context),
            Tokenizer::ClipBpe => ClipBpe::shared().encode(text, self.config.context),
        }
    }
}

fn description(config: &ModelConfig) -> Vec<u8> {
    serde_json::to_vec(config).expect("a configuration is plain data")
}

/// Features to unit vectors of the common space.
fn project(features: &[f32], head: &Linear<'_>, dim: usize) -> Vec<f32> {
    let mut out = Vec::new();
    head.forward(features, &mut out);
    for row in out.chunks_exact_mut(dim) {
        let length = row.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-12);
        row.iter_mut().for_each(|value| *value /= length);
    }
    out
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
        let (tower, head) = self.image_tower().map_err(failed)?;
        let features = tower.forward(&pixels, None, Record::No).features;
        Ok(project(&features, head, self.dim()))
    }

    fn encode_texts(&self, texts: &[&str]) -> tuwen_data::Result<Vec<f32>> {
        let ids: Vec<Vec<u32>> = texts.iter().map(|text| self.tokens(text).0).collect();
        let ids: Vec<&[u32]> = ids.iter().map(Vec::as_slice).collect();
        let (tower, head) = self.text_tower().map_err(failed)?;
        let features = tower.forward(&ids, Record::No).features;
        Ok(project(&features, head, self.dim()))
    }

    fn lost_tokens(&self, text: &str) -> usize {
        self.tokens(text).1
    }
}

fn failed(error: Error) -> DataError {
    DataError::Encode(error.to_string())
}
