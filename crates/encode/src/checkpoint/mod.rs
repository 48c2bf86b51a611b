//! Checkpoints of every layout we read, as one set of named weights.
//!
//! `layout` says what a folder is, `files` which of its files are read, `tensors` reads them
//! (safetensors, torch's zip), `tuwen_files::pickle` what is inside the latter, `wrappers` takes off what
//! trainers put around the names, `families` says what each family of models is, `settings` reads what their files say,
//! `names` finds a weight in a layout.

mod authors;
mod bert;
mod captions;
pub(crate) mod digest;
mod families;
mod files;
mod flash;
mod layout;
mod memory;
mod names;
mod networks;
mod positions;
mod settings;
mod stored;
pub(crate) mod tensors;
mod timm;
mod tokenizer;
mod trim;
mod wrappers;
mod write;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use tuwen_image::{Centre, ToRgb};
use tuwen_text::token::Cleaning;

use crate::arrays::{Array, Arrays};
use crate::layers::Weights;
use crate::{CONFIG_FILE, Error, ModelConfig, Result, Tokenizer, Vision, WEIGHTS_FILE};
pub use bert::bert;
pub use captions::CaptionModel;
use families::albef::TEMPERATURE;
use families::{albef, image_net, open_ai, open_clip, r2d2};
use files::{
    folder_tensors, module_tensors, only_torch_file, optional, read_file, read_json, weight_files,
};
pub use layout::MODULES_FILE;
use names::{Layout, Names, TextNames, Turn};
pub use positions::Resized;
pub use settings::known_keys;
use tensors::{Blob, Raw};
pub use timm::timm_vit;
pub use tokenizer::TokenizerFile;
pub use trim::Trimmed;
use tuwen_nn::{Rows, Table};
pub use write::{Target, write};

/// Files of HF's layout, in the order we look for them.
const TORCH_FILE: &str = "pytorch_model.bin";
const SHARDS: [&str; 2] = ["model.safetensors.index.json", "pytorch_model.bin.index.json"];

/// Files of open_clip's layout.
const OPEN_CLIP_CONFIG: &str = "open_clip_config.json";
const OPEN_CLIP_WEIGHTS: [&str; 2] = ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"];
/// File name of a model's own tokenizer in its folder.
pub const TOKENIZER_FILE: &str = "tokenizer.json";

/// The weights of one model in files, each read when it is asked for.
#[derive(Debug)]
pub struct Checkpoint {
    raws: BTreeMap<String, Raw>,
    names: Names,
    blobs: Vec<Blob>,
    /// The model's own tokenizer, where it has one.
    tokenizer: Option<TokenizerFile>,
    /// What a user should know of how it was read.
    notes: Vec<String>,
    /// Whether the folder names torchvision's resize.
    torchvision: bool,
    /// The digest of an architecture, by its description, with the weights inside the program.
    known: Option<(Vec<u8>, &'static str)>,
}

impl Checkpoint {
    /// Our own layout inside the program; `path` is named in errors, `digest` is what `config` and all bytes
    /// hash to.
    ///
    /// # Errors
    /// Not a safetensors file.
    pub fn embedded(
        config: &ModelConfig,
        bytes: &'static [u8],
        tokenizer: &'static [u8],
        digest: &'static str,
        path: &Path,
    ) -> Result<Self> {
        let blob = Blob::Static(bytes);
        let raws = tensors::safetensors(blob.clone(), path)?;
        let names = Names::new(Layout::Tuwen, config, TextNames::Clip);
        let tokenizer = (config.tokenizer == Tokenizer::File).then_some(tokenizer);
        let blobs = [blob].into_iter().chain(tokenizer.map(Blob::Static)).collect();
        let tokenizer = tokenizer.map(TokenizerFile::Inside);
        let known = Some((digest::description(config), digest));
        Ok(Self { tokenizer, known, ..Self::new(raws, names, blobs) })
    }

    fn new(raws: BTreeMap<String, Raw>, names: Names, blobs: Vec<Blob>) -> Self {
        let (tokenizer, notes, torchvision, known) = (None, Vec::new(), false, None);
        Self { raws, names, blobs, tokenizer, notes, torchvision, known }
    }

    /// Opens a folder (ours, HF's with `config.json` and weights as safetensors or
    /// `pytorch_model.bin`, whole or in shards, open_clip's, sentence-transformers' with a CLIP) or a
    /// file (`.pt` of OpenAI or cn_clip).
    ///
    /// # Errors
    /// Missing or malformed files, an architecture that is not supported, weights that do not fit
    /// it.
    pub fn open(path: &Path) -> Result<(ModelConfig, Self)> {
        if !path.is_dir() && !path.is_file() {
            let what = "it is a device or a pipe; a folder with weights or a .pt file is needed";
            return Err(Error::malformed(path, what));
        }
        let (config, checkpoint) =
            if path.is_dir() { Self::open_folder(path)? } else { Self::open_file(path)? };
        config.check().map_err(|what| Error::malformed(path, what))?;
        checkpoint.check(&config)?;
        Ok((config, checkpoint))
    }

    fn open_folder(folder: &Path) -> Result<(ModelConfig, Self)> {
        let inner = layout::model_folder(folder)?;
        let (config_path, open_clip) = (inner.join(CONFIG_FILE), inner.join(OPEN_CLIP_CONFIG));
        let (mut config, checkpoint) = match (config_path.exists(), open_clip.exists()) {
            (false, false) => {
                let whole = || Some(inner.join(WEIGHTS_FILE)).filter(|file| file.exists());
                let file = only_torch_file(&inner).or_else(whole);
                let file = file.ok_or_else(|| layout::no_model(&inner))?;
                return Self::open_file(&file);
            }
            (false, true) => Self::open_clip(&inner)?,
            (true, both) => {
                let json = read_json(&config_path)?;
                // timm's repositories have a config.json beside open_clip's, of the image tower alone.
                match (json["model_type"].is_string(), image_net::timm::architecture(&json)) {
                    (true, _) => Self::open_described(&inner, &json)?,
                    _ if both => Self::open_clip(&inner)?,
                    (_, Some(architecture)) => Self::open_timm(&inner, architecture, &json)?,
                    _ => Self::open_described(&inner, &json)?,
                }
            }
        };
        if inner != folder
            && let Some(name) = folder.file_name()
        {
            config.name = name.to_string_lossy().into_owned();
        }
        Ok((config, checkpoint))
    }

    /// Our folder, or transformers'.
    fn open_described(folder: &Path, json: &serde_json::Value) -> Result<(ModelConfig, Self)> {
        let config_path = folder.join(CONFIG_FILE);
        let (layout, (mut config, text)) = match json["model_type"].as_str() {
            Some(kind) => {
                let family = families::of_type(kind);
                let family = family.map_err(|what| Error::malformed(&config_path, what))?;
                if let Some(fit) = family.weights_fit {
                    // They say which of its models it is, and whether anything else matters.
                    let (_, raws, _) = folder_tensors(folder)?;
                    fit(&raws).map_err(|what| Error::malformed(folder, what))?;
                }
                (Layout::Hf(family), settings::from_hf(family, json, &config_path)?)
            }
            // Which has one way to name each weight.
            None => (Layout::Tuwen, (ModelConfig::load(&config_path)?, TextNames::Clip)),
        };
        let (files, raws, note) = folder_tensors(folder)?;
        if matches!(layout, Layout::Hf(_)) {
            // A CLIP of ours that was trained with a sigmoid loss: transformers' has no such weight.
            config.sigmoid = config.vision != Vision::Probe && raws.contains_key("logit_bias");
        }
        let names = Names::new(layout, &config, text);
        let blobs = files.into_iter().map(Blob::File).collect();
        let torchvision = layout != Layout::Tuwen && settings::names_torchvision(folder);
        let checkpoint = Self { torchvision, ..Self::new(raws, names, blobs) };
        Ok((config.clone(), checkpoint.noted(note).with_tokenizer(&config, folder)))
    }

    fn open_clip(folder: &Path) -> Result<(ModelConfig, Self)> {
        let path = folder.join(OPEN_CLIP_CONFIG);
        let json = read_json(&path)?;
        let file = OPEN_CLIP_WEIGHTS.map(|name| folder.join(name)).into_iter().find(|f| f.exists());
        let Some(file) = file else {
            let names = OPEN_CLIP_WEIGHTS.join(" or ");
            let what = layout::unsupported(folder).map_or_else(
                || format!("the weights are missing: put {names} there"),
                |what| format!("it is {what}"),
            );
            return Err(Error::malformed(folder, what));
        };
        let (raws, note) = module_tensors(&file)?;
        let shape = |name: &str| Some(&raws.get(name)?.shape[..]);
        let (mut config, text) = open_clip::from_open_clip(&shape, &path, &json)?;
        if let Some(name) = folder.file_name() {
            config.name = name.to_string_lossy().into_owned();
        }
        let names = Names::new(Layout::OpenAi, &config, text);
        let checkpoint = Self::new(raws, names, vec![Blob::File(file)]);
        Ok((config.clone(), checkpoint.noted(note).with_tokenizer(&config, folder)))
    }

    fn open_file(path: &Path) -> Result<(ModelConfig, Self)> {
        let (raws, note) = module_tensors(path)?;
        if albef::is_authors(&raws) {
            return Self::open_authors(path, raws, note);
        }
        if r2d2::is_one(&raws) {
            return Self::open_r2d2(path, raws, note);
        }
        let shape = |name: &str| Some(&raws.get(name)?.shape[..]);
        if let Some(dialect) = image_net::recognise(&shape) {
            return Self::open_network(path, dialect, (raws, note));
        }
        let (mut config, text) = open_ai::from_shapes(&shape, path)?;
        config.sigmoid = raws.contains_key("logit_bias");
        let names = Names::new(Layout::OpenAi, &config, text);
        // OpenAI's own files are scripted, or at least hold what its module records.
        let openai = raws.contains_key("input_resolution") || tensors::is_scripted(path);
        if text != TextNames::Bert && !openai {
            return Err(open_clip::needs_configuration(path));
        }
        let blobs = vec![Blob::File(path.to_path_buf())];
        Ok((config, Self::new(raws, names, blobs).noted(note)))
    }

    fn noted(mut self, note: Option<String>) -> Self {
        self.notes.extend(note);
        self
    }

    /// With the tokenizer in `folder`, where the model has its own.
    fn with_tokenizer(mut self, config: &ModelConfig, folder: &Path) -> Self {
        if config.tokenizer == Tokenizer::File {
            let path = folder.join(TOKENIZER_FILE);
            // It belongs to the fingerprint as the weights do.
            self.blobs.extend(path.exists().then(|| Blob::File(path.clone())));
            self.tokenizer = Some(TokenizerFile::Path(path));
        }
        self
    }

    /// What a user should know of how it was read.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Whether the folder names torchvision's resize, which equals Pillow's, the one used here, to one
    /// of 255 levels.
    pub fn names_torchvision(&self) -> bool {
        self.torchvision
    }

    /// What older programs derived from the same files, and then embedded otherwise in rare cases:
    /// full-width letters in the built-in model, palettes, transparency and odd margins in
    /// transformers' layout.
    pub(crate) fn older_configs(&self, config: &ModelConfig) -> Vec<ModelConfig> {
        let mut older = config.clone();
        match self.names.layout {
            Layout::Tuwen => older.fold_width = false,
            Layout::Hf(family) if family.pictures.crops => {
                older.preprocess.to_rgb = ToRgb::Last;
                older.preprocess.centre = Centre::Even;
            }
            _ => {}
        }
        let mut all = vec![older.clone()];
        // CLIP's tokens were OpenAI's whatever the folder's own file said.
        if matches!(self.names.layout, Layout::Hf(_))
            && config.tokenizer == Tokenizer::File
            && config.causal
        {
            let tokenizer = Tokenizer::ClipBpe;
            let cleaning = Cleaning::Lower;
            all.push(ModelConfig { tokenizer, cleaning, ..config.clone() });
            all.push(ModelConfig { tokenizer, cleaning, ..older });
        }
        all.retain(|older| older != config);
        all
    }

    /// The model's own tokenizer, if it has one.
    pub fn tokenizer(&self) -> Option<&TokenizerFile> {
        self.tokenizer.as_ref()
    }

    /// All weights of `config` in memory, under our names.
    ///
    /// # Errors
    /// One is missing or cannot be read.
    pub fn to_arrays(&self, config: &ModelConfig) -> Result<Arrays> {
        let array = |(name, shape): (String, Vec<usize>)| {
            let data = self.find(&name)?.1.into_owned();
            Ok((name, Array { shape, data }))
        };
        config.weight_shapes().into_iter().map(array).collect::<Result<_>>().map(Arrays)
    }

    /// Whether these are exactly the weights of `config`.
    ///
    /// # Errors
    /// The first one that is missing, unused or of another shape.
    pub fn check(&self, config: &ModelConfig) -> Result<()> {
        self.check_shapes(config.weight_shapes())
    }

    fn check_shapes(&self, shapes: Vec<(String, Vec<usize>)>) -> Result<()> {
        let mut used = HashSet::new();
        for (name, wanted) in shapes {
            let Some(origin) = self.names.origin(&name) else { continue };
            let (_, found) = self.parts(&name, &origin)?;
            if squeezed(&found) != squeezed(&wanted) {
                return Err(Error::Shape { name: origin.parts.join(" + "), found, wanted });
            }
            used.extend(origin.parts);
        }
        match self.raws.keys().find(|name| !used.contains(*name) && !self.names.are_without(name)) {
            Some(name) => Err(Error::UnusedWeight(name.clone())),
            None => Ok(()),
        }
    }

    /// The one tensor that a weight is stored as, with its name, where nothing has to be turned or put together.
    fn as_it_is(&self, name: &str) -> Option<(String, &Raw)> {
        let origin = self.names.origin(name).filter(|origin| origin.turn == Turn::Stacked)?;
        let [part] = <[String; 1]>::try_from(origin.parts).ok()?;
        let raw = self.raws.get(&part)?;
        Some((part, raw))
    }

    /// The tensors of a weight, and its shape as it will be.
    fn parts(&self, name: &str, origin: &names::Origin) -> Result<(Vec<&Raw>, Vec<usize>)> {
        let find =
            |part: &String| self.raws.get(part).ok_or_else(|| Error::MissingWeight(part.clone()));
        let parts = origin.parts.iter().map(find).collect::<Result<Vec<&Raw>>>()?;
        let mut shape = parts[0].shape.clone();
        if let (Turn::Spliced(_), Some(other)) = (origin.turn, parts.get(1)) {
            if other.shape != shape {
                let name = origin.parts[1].clone();
                return Err(Error::Shape { name, found: other.shape.clone(), wanted: shape });
            }
        } else if let Some(rows) = shape.first_mut() {
            *rows = parts.iter().map(|raw| raw.shape.first().copied().unwrap_or(1)).sum();
        }
        // Convolutions over the whole of what they see are matrices.
        let whole = ["image.patch_embed.weight", "image.fc1.weight", "image.fc2.weight"];
        if whole.contains(&name) && shape.len() == 4 {
            shape = vec![shape[0], shape[1..].iter().product()];
        }
        if origin.turn == Turn::Transposed {
            shape.reverse();
        }
        Ok((parts, shape))
    }
}

/// A shape without axes of 1, which layouts put differently.
fn squeezed(shape: &[usize]) -> Vec<usize> {
    shape.iter().copied().filter(|&n| n != 1).collect()
}

impl Weights<'static> for &Checkpoint {
    fn find(&self, name: &str) -> Result<(Vec<usize>, Cow<'static, [f32]>)> {
        let Some(origin) = self.names.origin(name) else {
            let scale = name == "heads.logit_scale" && self.names.has_temperature();
            let raw = self.raws.get(TEMPERATURE).filter(|_| scale);
            let value = match raw {
                // What is no number then is refused where the scale is used.
                Some(raw) => -raw.values(TEMPERATURE)?.first().copied().unwrap_or(0.0).ln(),
                None => self.names.unsaid(name),
            };
            return Ok((vec![1], Cow::Owned(vec![value])));
        };
        let (parts, shape) = self.parts(name, &origin)?;
        let mut values = parts[0].values(&origin.parts[0])?;
        for (raw, part) in parts.iter().zip(&origin.parts).skip(1) {
            let more = raw.values(part)?;
            match origin.turn {
                Turn::Spliced(kept) => {
                    let behind = (kept * shape.last().copied().unwrap_or(1)).min(values.len());
                    values[behind..].copy_from_slice(&more[behind..]);
                }
                _ => values.extend(more),
            }
        }
        match (origin.turn, &shape[..]) {
            (Turn::Transposed, &[rows, cols]) => values = write::transposed(&values, cols, rows),
            (Turn::ChannelsLast, &[_, cols]) if cols > 0 => {
                let rows = values.chunks_exact(cols);
                values = rows.flat_map(|row| write::transposed(row, cols / 3, 3)).collect();
            }
            _ => {}
        }
        Ok((shape, Cow::Owned(values)))
    }

    fn rows(&self, name: &str) -> Result<(Vec<usize>, Rows<'static>)> {
        if let Some((part, raw)) = self.as_it_is(name)
            && let Some(rows) = raw.rows(&part)?
        {
            return Ok((raw.shape.clone(), rows));
        }
        let (shape, values) = self.find(name)?;
        Ok((shape, Rows::Floats(values)))
    }

    fn matrix(&self, name: &str) -> Result<(Vec<usize>, Rows<'static>)> {
        self.rows(name)
    }

    fn table(&self, name: &str) -> Result<(Vec<usize>, Table<'static>)> {
        if let Some((part, raw)) = self.as_it_is(name)
            && let Some(stored) = raw.stored(&part)?
        {
            return Ok((raw.shape.clone(), Table::Stored(Arc::new(stored))));
        }
        let (shape, rows) = self.rows(name)?;
        Ok((shape, Table::Here(rows)))
    }
}
