//! ViT (Dosovitskiy et al. 2021, <https://arxiv.org/abs/2010.11929>) with a class token, from the shapes of its tensors, and
//! torchvision's names of them.

use super::File;
use crate::checkpoint::families::open_ai::image_heads;
use crate::checkpoint::names::block;
use crate::{ModelConfig, Result, TowerConfig};

const EPS: f32 = 1e-6;

/// A ViT.
pub(super) fn read(file: &File<'_, '_>) -> Result<ModelConfig> {
    let conv = file.need("patch_embed.weight", 4)?;
    let (width, patch) = (conv[0], conv[3]);
    let rows = file.need("pos_embed", 3)?[1];
    let mlp = file.need("blocks.0.mlp.fc1.weight", 2)?[0];
    let is_block =
        |&index: &usize| file.shape_of(&format!("blocks.{index}.norm1.weight")).is_some();
    let layers = (0..).take_while(is_block).count();
    let image =
        TowerConfig { norm_eps: EPS, ..TowerConfig::new(width, layers, image_heads(width), mlp) };
    let size = rows.saturating_sub(1).isqrt() * patch;
    let preprocess = file.usual(size as u32);
    Ok(ModelConfig { patch, ..ModelConfig::image_network(&file.name, image, preprocess) })
}

/// torchvision's name of one of timm's tensors.
pub(super) fn torchvision(name: &str) -> Option<String> {
    if let Some((index, part, kind)) = block(name) {
        let layer = format!("encoder.layers.encoder_layer_{index}");
        return Some(match part {
            // A module's own parameters have no dot.
            "attn.qkv" => format!("{layer}.self_attention.in_proj_{kind}"),
            "attn.proj" => format!("{layer}.self_attention.out_proj.{kind}"),
            "norm1" => format!("{layer}.ln_1.{kind}"),
            "norm2" => format!("{layer}.ln_2.{kind}"),
            "mlp.fc1" => format!("{layer}.mlp.0.{kind}"),
            "mlp.fc2" => format!("{layer}.mlp.3.{kind}"),
            _ => return None,
        });
    }
    Some(match name {
        "cls_token" => "class_token".into(),
        "pos_embed" => "encoder.pos_embedding".into(),
        _ => match name.split_once('.')? {
            ("patch_embed", kind) => format!("conv_proj.{kind}"),
            ("norm", kind) => format!("encoder.ln.{kind}"),
            _ => return None,
        },
    })
}
