//! Which of the layouts a folder has, and the names of those that are not read.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{OPEN_CLIP_CONFIG, OPEN_CLIP_WEIGHTS, read_json};
use crate::{CONFIG_FILE, Error, Result};

/// sentence-transformers' list of parts.
pub const MODULES_FILE: &str = "modules.json";

/// The folder with the model itself: of sentence-transformers' folder the one of its CLIP.
pub(super) fn model_folder(folder: &Path) -> Result<PathBuf> {
    let path = folder.join(MODULES_FILE);
    if !path.exists() {
        return Ok(folder.to_path_buf());
    }
    let json = read_json(&path)?;
    let modules = json.as_array().filter(|modules| !modules.is_empty());
    let modules = modules.ok_or_else(|| Error::malformed(&path, "it should list modules"))?;
    let mut found = None;
    for (index, module) in modules.iter().enumerate() {
        let kind = module["type"].as_str().unwrap_or("");
        let name = kind.rsplit('.').next().unwrap_or("");
        match name {
            "CLIPModel" if index == 0 => found = Some(module["path"].as_str().unwrap_or("")),
            // Every vector has length 1 here in any case.
            "Normalize" if index > 0 => {}
            _ => {
                let what = format!(
                    "module {index} is `{kind}`; of sentence-transformers' folders those are read \
                     whose one module is a CLIPModel: a text model, or one with layers behind it, has \
                     no image tower in the same space here"
                );
                return Err(Error::malformed(&path, what));
            }
        }
    }
    let inner = found.unwrap_or("");
    if !inner.split('/').all(is_plain) && !inner.is_empty() {
        let what = format!("the path `{inner}` leads out of the folder");
        return Err(Error::malformed(&path, what));
    }
    Ok(folder.join(inner))
}

/// Whether a name from a file can be that of a file in the same folder.
pub(super) fn is_plain(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\\', ':', '\0'])
}

/// What a folder is that holds no model we read, in words, with what to do.
pub(super) fn unsupported(folder: &Path) -> Option<String> {
    let has = |name: &str| folder.join(name).exists();
    let ends = |end: &str| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.into_iter().any(|entry| entry.file_name().to_string_lossy().ends_with(end))
    };
    let weights = ends(".safetensors") || ends(".bin") || ends(".pt");
    let what = if has("adapter_config.json") {
        let json = read_json(&folder.join("adapter_config.json")).unwrap_or(Value::Null);
        let base = json["base_model_name_or_path"].as_str().unwrap_or("its base model").to_owned();
        return Some(format!(
            "a LoRA adapter of PEFT, without its model: merge it into `{base}` \
             (`merge_and_unload()`, `save_pretrained`) and give that folder"
        ));
    } else if has("model_index.json") {
        "a pipeline of diffusers: it holds one text tower and no image tower of the same space; give \
         the CLIP that it was trained with"
    } else if ends(".gguf") {
        "a GGUF file, which is not read: give the model's folder in transformers' layout"
    } else if !weights && (ends(".onnx") || folder.join("onnx").is_dir()) {
        "an ONNX model, which is not read: give the weights as model.safetensors"
    } else if !weights && has("tf_model.h5") {
        "weights of TensorFlow alone, which are not read: save them as model.safetensors"
    } else if !weights && (has("flax_model.msgpack") || ends(".npz")) {
        "weights of JAX alone, which are not read: save them as model.safetensors"
    } else if has("vision_model") && has("text_model") {
        "a folder of two models: give one with both towers"
    } else {
        return None;
    };
    Some(what.to_owned())
}

/// What a folder that has neither configuration should have.
pub(super) fn no_model(folder: &Path) -> Error {
    let what = unsupported(folder).map_or_else(
        || {
            format!(
                "no model: it has neither {CONFIG_FILE} (with model.safetensors or \
                 pytorch_model.bin), nor {OPEN_CLIP_CONFIG} (with {}), nor one .pt file",
                OPEN_CLIP_WEIGHTS.join(" or ")
            )
        },
        |what| format!("it is {what}"),
    );
    Error::malformed(folder, what)
}
