//! Opening ImageNet's networks: a file of torchvision's or timm's that lies alone, or a folder with timm's configuration.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::families::image_net::{self, Dialect, timm};
use super::files::folder_tensors;
use super::names::{Layout, Names, TextNames};
use super::tensors::{Blob, Raw};
use super::{CONFIG_FILE, Checkpoint, TORCH_FILE};
use crate::{Error, ModelConfig, Result, WEIGHTS_FILE};

/// Tensors of one model, and a remark where there was a choice.
type Tensors = (BTreeMap<String, Raw>, Option<String>);

impl Checkpoint {
    /// A folder with timm's `config.json`, which is `json`.
    pub(super) fn open_timm(
        folder: &Path,
        architecture: &str,
        json: &Value,
    ) -> Result<(ModelConfig, Self)> {
        let (files, raws, note) = folder_tensors(folder)?;
        let blobs = files.into_iter().map(Blob::File).collect();
        let path = folder.join(CONFIG_FILE);
        let Some(dialect) = image_net::recognise(&|name| Some(&raws.get(name)?.shape[..])) else {
            let what = format!(
                "`architecture` {architecture} of timm's is not supported: of ImageNet's networks ResNet-18 to 152, VGG, \
                 Inception v3, EfficientNet and ViT with a class token are"
            );
            return Err(Error::malformed(&path, what));
        };
        let name = architecture.to_owned();
        let (mut config, checkpoint) = open(&path, name, dialect, (raws, note), blobs)?;
        timm::follow(&mut config, json, &path)?;
        if let Some(name) = folder.file_name() {
            config.name = name.to_string_lossy().into_owned();
        }
        Ok((config, checkpoint))
    }

    /// The network whose tensors a file holds.
    pub(super) fn open_network(
        path: &Path,
        dialect: Dialect,
        tensors: Tensors,
    ) -> Result<(ModelConfig, Self)> {
        let blobs = vec![Blob::File(path.to_path_buf())];
        let name = |path: &Path| path.file_stem().map(|name| name.to_string_lossy().into_owned());
        // A file that is called as all are says nothing; its folder may.
        let usual = path.file_name().is_some_and(|name| name == WEIGHTS_FILE || name == TORCH_FILE);
        let named = if usual { path.parent().and_then(name) } else { name(path) };
        let name = named.unwrap_or_default();
        let (config, mut checkpoint) = open(path, name, dialect, tensors, blobs)?;
        checkpoint.notes.push(image_net::note(&checkpoint.names, &config.preprocess));
        Ok((config, checkpoint))
    }
}

fn open(
    path: &Path,
    name: String,
    dialect: Dialect,
    (raws, note): Tensors,
    blobs: Vec<Blob>,
) -> Result<(ModelConfig, Checkpoint)> {
    let raws = image_net::today(raws);
    let shape = |name: &str| Some(&raws.get(name)?.shape[..]);
    let config = image_net::File { shape: &shape, path, dialect, name }.read()?;
    let names = Names::new(Layout::ImageNet(dialect), &config, TextNames::Clip);
    let checkpoint = Checkpoint::new(raws, names, blobs);
    Ok((config, checkpoint.noted(note)))
}
