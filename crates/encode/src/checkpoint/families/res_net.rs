//! CLIP's ModifiedResNet (<https://arxiv.org/abs/2103.00020>, section 2.4) in the files of OpenAI, open_clip and cn_clip.

use std::path::Path;

use super::Image;
use super::open_ai::{Shapes, count, need};
use crate::checkpoint::names::Origin;
use crate::{ResNet, Result, TowerConfig, Vision};

/// The image tower from the shapes of its tensors.
pub(super) fn image<'s>(shape: &Shapes<'s>, stem: usize, path: &Path) -> Result<Image> {
    let stage = |n: usize| count(shape, |index| format!("visual.layer{n}.{index}.conv1.weight"));
    let rows = need(shape, "visual.attnpool.positional_embedding", 2, path)?[0];
    let width = 32 * stem;
    Ok(Image {
        tower: TowerConfig::new(width, 0, (width / 64).max(1), 0),
        vision: Vision::ResNet(ResNet { stem, blocks: [1, 2, 3, 4].map(stage) }),
        patch: 32,
        size: rows.saturating_sub(1).isqrt() * 32,
    })
}

/// The names of convolutions, normalisations and the attention that pools.
pub(super) fn origin(name: &str) -> Option<Origin> {
    let rest = match name {
        "heads.image_proj.weight" => "attnpool.c_proj.weight",
        "heads.image_proj.bias" => "attnpool.c_proj.bias",
        "image.pos_embed" => "attnpool.positional_embedding",
        _ => name.strip_prefix("image.")?,
    };
    if let Some(kind) = rest.strip_prefix("pool.qkv.") {
        let part = |p: &str| format!("visual.attnpool.{p}_proj.{kind}");
        return Some(Origin::several(["q", "k", "v"].map(part)));
    }
    Some(Origin::one(format!("visual.{rest}")))
}
