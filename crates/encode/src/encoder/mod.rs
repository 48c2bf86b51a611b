//! [`Encoder`] on the CPU: the way every search, index and evaluation goes without a GPU.

mod device;
mod faster;
mod fine;
mod layer;
mod matching;
mod pictures;
mod sides;
mod source;
mod texts;
mod tokens;
mod traced;

use std::path::Path;
use std::sync::{Arc, OnceLock};

use crate::{Batch, Encoder, Output, TextInput};
use tuwen_files::Error as DataError;
use tuwen_image::{Preprocess, RgbImage};
use tuwen_nn::{Executor, Tape, Value, math};
use tuwen_text::token::Tokens;

use crate::arrays::Arrays;
use crate::checkpoint::digest::{description, digits};
use crate::checkpoint::{Checkpoint, TokenizerFile};
use crate::towers::{FusionTower, Record, Wanted};
use crate::{Error, ModelConfig, Result, Tokenizer};

pub use device::Device;
pub use fine::PatchFeatures;
use sides::{ImageSide, TextSide};
pub use source::Products;
use source::Source;
use texts::Lost;
pub use texts::{DATASET_TEXT, LongText, WINDOW};
pub use tokens::{TokenProjection, WithTokens};
pub use traced::{TextTrace, Trace};

/// File name of the architecture in a model folder.
pub const CONFIG_FILE: &str = "config.json";
/// File name of the weights in a model folder.
pub const WEIGHTS_FILE: &str = "model.safetensors";

/// A dual encoder that is ready to embed. Each tower is loaded when it is first needed: a search by
/// words never reads the image tower.
pub struct CpuEncoder {
    config: ModelConfig,
    source: Source,
    products: Products,
    /// Where the towers run, if not on the host.
    executor: Option<Arc<dyn Executor>>,
    /// The towers once more, with a backward pass: made where an explanation asks for them.
    traced_image: OnceLock<ImageSide>,
    traced_text: OnceLock<TextSide>,
    /// See [`Self::with_random_blocks`].
    random: Option<(usize, u64)>,
    /// Of weights and architecture.
    base: String,
    /// That, and what the user chose for texts.
    fingerprint: String,
    image: OnceLock<ImageSide>,
    text: OnceLock<TextSide>,
    /// The matching head of the model's own.
    fusion: OnceLock<Option<FusionTower<'static>>>,
    tokens: OnceLock<Tokens>,
    /// The model's own tokenizer, where it has one.
    tokenizer: Option<TokenizerFile>,
    long_text: LongText,
    /// Text as in data sets, although the model's own configuration does not say so.
    dataset_text: bool,
    lost: Lost,
    notes: Vec<String>,
}

impl CpuEncoder {
    /// Wraps weights in memory; `source` is what the fingerprint hashes.
    ///
    /// ```
    /// use tuwen_encode::{Arrays, CpuEncoder, Encoder, ModelConfig, TowerConfig};
    /// use tuwen_image::{Picture, Preprocess, RgbImage};
    ///
    /// let tower = || TowerConfig::new(8, 1, 2, 16);
    /// let config = ModelConfig::new("tiny", tower(), tower(), Preprocess::squash(16));
    /// let mut weights = Arrays::default();
    /// for (name, shape) in config.weight_shapes() {
    ///     weights.slot(&name, &shape).iter_mut().zip(1..).for_each(|(w, i)| *w = (i as f32).sin());
    /// }
    /// let encoder = CpuEncoder::new(config, weights, b"tiny")?;
    ///
    /// let square = encoder.preprocess().fit(&Picture::Rgb(RgbImage::new(60, 40)));
    /// let image = encoder.encode_images(&[square])?;
    /// let text = encoder.encode_texts(&["一只狗"])?;
    /// assert_eq!((image.len(), text.len()), (encoder.dim(), encoder.dim()));
    /// let cosine: f32 = image.iter().zip(&text).map(|(a, b)| a * b).sum();
    /// assert!((-1.001..=1.001).contains(&cosine));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A weight is missing or has another shape.
    pub fn new(config: ModelConfig, arrays: Arrays, source: &[u8]) -> Result<Self> {
        config.check_weights(&arrays)?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(&description(&config)).update(source);
        Ok(Self::assemble(config, Source::Memory(arrays), &digits(&hasher)))
    }

    /// Reads weights from files, tower by tower, when they are needed.
    ///
    /// # Errors
    /// Weights that do not fit the configuration, or files that cannot be read.
    pub fn from_checkpoint(config: ModelConfig, checkpoint: Checkpoint) -> Result<Self> {
        checkpoint.check(&config)?;
        // One of its own is looked at when it is read.
        if config.tokenizer != Tokenizer::File && !config.image_only {
            config.tokens(None)?;
        }
        let digest = checkpoint.digest(&config)?;
        let tokenizer = checkpoint.tokenizer().cloned();
        let notes = checkpoint.notes().to_vec();
        let encoder = Self::assemble(config, Source::File(Box::new(checkpoint)), &digest);
        Ok(Self { notes, tokenizer, ..encoder })
    }

    fn assemble(config: ModelConfig, source: Source, digest: &str) -> Self {
        let base = format!("{}-{digest}", config.name);
        Self {
            config,
            source,
            products: Products::default(),
            executor: None,
            traced_image: OnceLock::new(),
            traced_text: OnceLock::new(),
            random: None,
            fingerprint: base.clone(),
            base,
            image: OnceLock::new(),
            text: OnceLock::new(),
            fusion: OnceLock::new(),
            tokens: OnceLock::new(),
            tokenizer: None,
            long_text: LongText::Cut,
            dataset_text: false,
            lost: Lost::default(),
            notes: Vec::new(),
        }
    }

    /// The same with the model's own tokenizer, a `tokenizer.json`.
    pub fn with_tokenizer(self, tokenizer: Option<TokenizerFile>) -> Self {
        Self { tokenizer, ..self }
    }

    /// The same with other products in its blocks; its notes say where this processor has others.
    #[must_use]
    pub fn with_products(mut self, products: Products) -> Self {
        let (products, said) = products.here();
        self.notes.extend(said);
        Self { products, ..self }
    }

    /// The same with random matrices in the image tower's blocks from `first` on: what an explanation of such a model still
    /// says is not what the model learned. Its vectors are of no use, and its fingerprint says so.
    #[must_use]
    pub fn with_random_blocks(self, first: usize, seed: u64) -> Self {
        let fingerprint = format!("{}+random-from-{first}-{seed}", self.fingerprint);
        let (image, traced_image) = (OnceLock::new(), OnceLock::new());
        Self { random: Some((first, seed)), image, traced_image, fingerprint, ..self }
    }

    /// The weights it was made of, where these are in memory.
    pub fn into_weights(self) -> Option<Arrays> {
        match self.source {
            Source::Memory(arrays) => Some(arrays),
            Source::File(_) => None,
        }
    }

    /// Opens a model folder or a checkpoint of others, see [`Checkpoint::open`].
    ///
    /// # Errors
    /// A file is missing or does not fit.
    pub fn open(path: &Path) -> Result<Self> {
        let (config, checkpoint) = Checkpoint::open(path)?;
        Self::from_checkpoint(config, checkpoint)
    }

    /// What a user should know of how the model was read.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Whether the model's folder names torchvision's resize; what is used is Pillow's.
    pub fn names_torchvision(&self) -> bool {
        matches!(&self.source, Source::File(checkpoint) if checkpoint.names_torchvision())
    }

    /// The architecture.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Scale and bias of the logits, `scale * cosine + bias`; the bias belongs to a sigmoid loss and is
    /// 0 for a model without one ([`ModelConfig::is_sigmoid`]).
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn logits(&self) -> Result<(f32, f32)> {
        self.needs_texts()?;
        let one = |name: &str| Ok::<_, Error>(self.source.find(name)?.1[0]);
        let bias = if self.config.is_sigmoid() { one("heads.logit_bias")? } else { 0.0 };
        let scale = one("heads.logit_scale")?.exp();
        match scale.is_finite() && bias.is_finite() {
            true => Ok((scale, bias)),
            false => Err(Error::NotFinite("heads.logit_scale or heads.logit_bias".into())),
        }
    }

    /// Loads both towers now, which otherwise happens when each is first needed.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn load(&self) -> Result<()> {
        self.image_tower()?;
        if self.config.image_only { Ok(()) } else { self.text_tower().map(|_| ()) }
    }
}

impl CpuEncoder {
    /// Whether all values of some vectors are numbers, and none has only zeros: with such a one every distance is
    /// wrong.
    fn sound(
        &self,
        vectors: &[f32],
        rows: usize,
        item: impl Fn(usize) -> String,
    ) -> tuwen_files::Result<()> {
        let width = (vectors.len() / rows.max(1)).max(1);
        let fault = |vector: &[f32]| {
            let finite = vector.iter().all(|value| value.is_finite());
            match (finite, vector.iter().all(|value| *value == 0.0)) {
                (false, _) => Some("is not finite (NaN or infinity)"),
                (_, true) => Some("has only zeros"),
                _ => None,
            }
        };
        let mut faults = vectors.chunks_exact(width).map(fault).enumerate();
        faults.find_map(|(row, fault)| Some((row, fault?))).map_or(Ok(()), |(row, fault)| {
            Err(DataError::Encode(format!(
                "{}: the vector of {} {fault}: its weights are damaged; fetch or convert the model again, or train \
                 it with a lower learning rate",
                self.config.name,
                item(row)
            )))
        })
    }
}

/// Features of `rows` items, projected, as unit vectors of the common space.
fn project<'w>(
    features: Vec<f32>,
    rows: usize,
    head: impl FnOnce(&mut Tape<'w>, &Value) -> Value,
) -> Vec<f32> {
    let mut tape = Tape::forward_only();
    let width = features.len() / rows.max(1);
    let features = tape.leaf(features, width, false);
    let projected = head(&mut tape, &features);
    let dim = projected.width().max(1);
    drop(features);
    let mut out = projected.into_vec();
    out.chunks_exact_mut(dim).for_each(normalise);
    out
}

fn normalise(row: &mut [f32]) {
    let length = row.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-12);
    row.iter_mut().for_each(|value| *value /= length);
}

/// The mean of some vectors, where `unit` says so of length 1; of one, itself.
fn mean<'v>(mut rows: impl Iterator<Item = &'v [f32]>, unit: bool) -> Vec<f32> {
    let Some(first) = rows.next() else { return Vec::new() };
    let (mut sum, mut count) = (first.to_vec(), 1);
    for row in rows {
        math::add(&mut sum, row);
        count += 1;
    }
    match (count, unit) {
        (1, _) => {}
        (_, true) => normalise(&mut sum),
        (_, false) => sum.iter_mut().for_each(|value| *value /= count as f32),
    }
    sum
}

impl CpuEncoder {
    /// Pictures to rows of the wanted kind.
    fn images(&self, images: &[RgbImage], wanted: Output) -> tuwen_files::Result<Vec<f32>> {
        let (_, head) = self.image_tower().map_err(failed)?;
        let features = self.seen(images, &Wanted::default())?.features;
        let rows = match wanted {
            Output::Embedding => project(features, images.len(), |tape, features| match head {
                Some(head) => tape.linear(features, head),
                None => features.clone(),
            }),
            Output::Feature => features,
        };
        self.sound(&rows, images.len(), |row| format!("picture {} of {}", row + 1, images.len()))?;
        Ok(rows)
    }

    /// Texts to rows of the wanted kind; of several pieces the mean counts.
    fn texts(&self, texts: &[TextInput], wanted: Output) -> tuwen_files::Result<Vec<f32>> {
        self.lost.count(texts);
        let ids: Vec<&[u32]> = texts.iter().flat_map(|t| &t.pieces).map(Vec::as_slice).collect();
        let (tower, head) = self.text_tower().map_err(failed)?;
        let features = tower.try_forward(&ids, Record::No).map_err(failed)?.features;
        let rows = match wanted {
            Output::Embedding => self.in_space(head, features, &ids),
            Output::Feature => features,
        };
        self.sound(&rows, ids.len(), |row| {
            let owners = texts.iter().enumerate().flat_map(|(at, t)| vec![at; t.pieces.len()]);
            let at = owners.into_iter().nth(row).unwrap_or(0);
            format!("text {} of {} (`{}`)", at + 1, texts.len(), texts[at].text)
        })?;
        if texts.iter().all(|text| text.pieces.len() == 1) {
            return Ok(rows);
        }
        let mut rows = rows.chunks_exact(rows.len() / ids.len());
        let normal = wanted == Output::Embedding;
        let means = texts.iter().flat_map(|t| mean(rows.by_ref().take(t.pieces.len()), normal));
        Ok(means.collect())
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

    fn tokenise(&self, text: &str) -> tuwen_files::Result<TextInput> {
        let (pieces, lost) = self.pieces(text)?;
        Ok(TextInput { text: text.to_owned(), pieces, lost })
    }

    fn forward(&self, batch: Batch<'_>, wanted: Output) -> tuwen_files::Result<Vec<f32>> {
        match batch {
            Batch::Images(images) => self.images(images, wanted),
            Batch::Texts(texts) => self.texts(texts, wanted),
        }
    }
}

fn failed(error: Error) -> DataError {
    DataError::Encode(error.to_string())
}
