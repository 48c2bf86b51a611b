//! A model in the layouts of others: transformers' folder, and cn_clip's or OpenAI's `.pt` file.

mod hf;
mod torch;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use super::families::open_ai::image_heads;
use super::families::written_as;
use super::names::{Layout, Names, Origin, TextNames, Turn};
use crate::arrays::{Precision, Tensor, write_tensors};
use crate::layers::Weights;
use crate::{
    Activation, CONFIG_FILE, Error, ImagePool, ModelConfig, NormPlace, Result, Tokenizer, Vision,
    WEIGHTS_FILE,
};
use tuwen_image::Geometry;
use tuwen_text::token::Cleaning;

/// What to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Our folder: `config.json` and `model.safetensors`.
    Tuwen,
    /// transformers' folder.
    Hf,
    /// One `.pt` file: cn_clip's for a BERT text tower, OpenAI's for another.
    Torch,
}

/// Writes a model; `path` is a folder, made where it is missing, or the `.pt` file.
///
/// # Errors
/// A layout that has no place for this architecture, a weight that is missing, a file that cannot
/// be written.
pub fn write(
    config: &ModelConfig,
    weights: &dyn Weights<'static>,
    target: Target,
    precision: Precision,
    path: &Path,
) -> Result<()> {
    fits(config, target).map_err(|what| Error::malformed(path, what))?;
    if precision == Precision::Int8 && target != Target::Tuwen {
        let what =
            "8 bits with a scale for each row are of our own layout alone: leave --layout out";
        return Err(Error::malformed(path, what));
    }
    let layout = match target {
        Target::Tuwen => Layout::Tuwen,
        Target::Hf => Layout::Hf(written_as(config)),
        Target::Torch => Layout::OpenAi,
    };
    let names = Names::new(layout, config, TextNames::for_writing(config));
    let mut parts = Parts { weights, queue: plan(config, &names), ready: Vec::new() };
    if target == Target::Torch {
        return torch::write(config, parts, precision, path);
    }
    std::fs::create_dir_all(path).map_err(|e| Error::io(path, e))?;
    let format = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
    let tensors = parts.tensors();
    let file = path.join(WEIGHTS_FILE);
    write_tensors(&tensors, precision, &format, &file, || parts.next().map(Cow::Owned))?;
    if target == Target::Hf {
        let json = hf::preprocessor(config).map_err(|e| Error::malformed(path, e))?;
        write_json(&json, &path.join("preprocessor_config.json"))?;
    }
    // Last: a folder without it is none that anybody opens.
    match target {
        Target::Hf => {
            let json = hf::config(config).map_err(|e| Error::malformed(path, e))?;
            write_json(&json, &path.join(CONFIG_FILE))
        }
        _ => write_json(config, &path.join(CONFIG_FILE)),
    }
}

fn write_json(json: &impl serde::Serialize, path: &Path) -> Result<()> {
    let text = serde_json::to_string_pretty(json).map_err(|e| Error::malformed(path, e))?;
    std::fs::write(path, text + "\n").map_err(|e| Error::io(path, e))
}

/// Whether a layout has a place for the architecture; if not, in words.
fn fits(config: &ModelConfig, target: Target) -> Result<(), String> {
    // CLIP's image towers normalise behind the embedding; ImageNet's do not.
    let ours = config.vision == Vision::ClassToken && !config.image.first_norm;
    match target {
        Target::Tuwen => Ok(()),
        _ if config.image_only => Err(format!(
            "`{}` is an image network of ImageNet, which only tuwen's layout has a place for: leave --layout out",
            config.name
        )),
        _ if config.fusion.is_some() => Err(format!(
            "`{}` has a matching head of its own (BLIP), which only tuwen's layout has a place for: leave --layout out",
            config.name
        )),
        _ if ours => Err(format!(
            "`{}` is of tuwen's own architecture, which only tuwen's layout has a place for",
            config.name
        )),
        Target::Hf if matches!(config.vision, Vision::ResNet(_)) => {
            Err("transformers has no CLIP with a ResNet: give an output that ends in .pt".into())
        }
        _ if let Some(what) = unsaid(config, target) => Err(what),
        Target::Torch if config.vision == Vision::Probe => {
            Err("SigLIP has no .pt layout: give a folder and `--layout hf`".into())
        }
        Target::Torch if !heads_are_implied(config) => Err(format!(
            "a .pt file does not say how many heads there are, and its readers would not guess {} \
             and {}: give a folder and `--layout hf`",
            config.image.heads, config.text.heads
        )),
        Target::Torch
            if config.tokenizer == crate::Tokenizer::ClipBpe
                && config.text.activation != Activation::QuickGelu =>
        {
            Err("OpenAI's .pt layout means quick GELU and this model has another: give a folder \
                 and `--layout hf`"
                .into())
        }
        _ => Ok(()),
    }
}

/// What of an architecture the layouts of others have no word for.
fn unsaid(config: &ModelConfig, target: Target) -> Option<String> {
    let torch = target == Target::Torch;
    let clip = config.vision != Vision::Probe;
    let bert = TextNames::for_writing(config) == TextNames::Bert;
    let eps = if bert { 1e-12 } else { 1e-5 };
    let what = if bert != (config.text.norm == NormPlace::Post) {
        "a text tower that is neither CLIP's nor BERT's"
    } else if config.masked.is_some() || config.text_hidden > 0 {
        "a text tower as open_clip wraps it"
    } else if config.any_shape() || config.long.is_some() || config.dense {
        "pictures of any shape, longer texts and features of patches"
    } else if !(config.image.last_norm && config.text.last_norm) {
        "a tower that no LayerNorm ends"
    } else if config.image_pool != ImagePool::Class {
        "a mean of the patches as the picture's feature"
    } else if clip && config.pad.is_some() {
        "texts whose padding is attended to"
    } else if clip && config.text_proj_bias {
        "a bias in the text's projection"
    } else if clip && config.tokenizer == Tokenizer::File && config.cleaning != Cleaning::AsIs {
        "what happens to a text before its tokenizer"
    } else if config.preprocess.geometry == Geometry::Pad {
        "pictures in the middle of a grey square"
    } else if config.preprocess.geometry == Geometry::TwoToOne && !torch {
        "pictures cut to 2:1"
    } else if torch && config.tokenizer == Tokenizer::File && clip {
        "a tokenizer of its own"
    } else if torch && clip && config.sigmoid {
        "the logit bias of a sigmoid loss"
    } else if torch && clip && (config.text.norm_eps != eps || !image_eps_is_implied(config)) {
        "another epsilon of LayerNorm than OpenAI's"
    } else {
        return None;
    };
    let cure = if torch { "give a folder" } else { "leave --layout out" };
    Some(format!("the layout has no place for {what}: {cure}"))
}

fn image_eps_is_implied(config: &ModelConfig) -> bool {
    matches!(config.vision, Vision::ResNet(_)) || config.image.norm_eps == 1e-5
}

/// Whether both towers have as many heads as readers of a `.pt` file derive from their widths.
fn heads_are_implied(config: &ModelConfig) -> bool {
    let image = match config.vision {
        Vision::ResNet(_) => config.image.width / 64,
        _ => image_heads(config.image.width),
    };
    config.image.heads == image.max(1) && config.text.heads == config.text.width / 64
}

/// One of our weights and its tensors in the new layout.
struct Planned {
    name: String,
    origin: Origin,
    /// Shape of each of the tensors.
    shape: Vec<usize>,
}

fn plan(config: &ModelConfig, names: &Names) -> Vec<Planned> {
    let planned = |(name, ours): (String, Vec<usize>)| {
        let origin = names.origin(&name)?;
        let mut shape = match (names.layout, &*name) {
            (Layout::Tuwen, _) => ours,
            (_, "image.patch_embed.weight") => vec![ours[0], 3, config.patch, config.patch],
            (_, "image.cls_token" | "image.pos_embed") => {
                ours.into_iter().skip_while(|&n| n == 1).collect()
            }
            (_, "heads.logit_scale") if config.vision != Vision::Probe => Vec::new(),
            (_, "heads.logit_bias") if config.vision != Vision::Probe => Vec::new(),
            _ => ours,
        };
        if origin.turn == Turn::Transposed {
            shape.reverse();
        }
        if let Some(rows) = shape.first_mut() {
            *rows /= origin.parts.len();
        }
        Some(Planned { name, origin, shape })
    };
    config.weight_shapes().into_iter().filter_map(planned).collect()
}

/// The tensors of the new layout, one after the other.
struct Parts<'w> {
    weights: &'w dyn Weights<'static>,
    queue: Vec<Planned>,
    /// Of the weight that was read last, the last one first.
    ready: Vec<Vec<f32>>,
}

impl Parts<'_> {
    fn tensors(&self) -> Vec<Tensor> {
        let tensors = |planned: &Planned| {
            let shape = planned.shape.clone();
            let names = planned.origin.parts.clone();
            names.into_iter().map(move |name| Tensor { name, shape: shape.clone() })
        };
        self.queue.iter().flat_map(tensors).collect()
    }

    fn next(&mut self) -> Result<Vec<f32>> {
        if self.ready.is_empty() {
            let planned = self.queue.remove(0);
            let (shape, values) = self.weights.find(&planned.name)?;
            let mut values = values.into_owned();
            if let (true, &[rows, cols]) = (planned.origin.turn == Turn::Transposed, &shape[..]) {
                values = transposed(&values, rows, cols);
            }
            let count = values.len() / planned.origin.parts.len();
            self.ready = values.chunks(count).rev().map(<[f32]>::to_vec).collect();
        }
        Ok(self.ready.pop().expect("just filled"))
    }
}

/// (rows, cols) to (cols, rows).
pub(super) fn transposed(values: &[f32], rows: usize, cols: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(values.len());
    for col in 0..cols {
        out.extend((0..rows).map(|row| values[row * cols + col]));
    }
    out
}
