//! FG-CLIP 2 (Xie et al. 2025, <https://arxiv.org/abs/2510.10921>) in its authors' folder
//! (<https://github.com/360CVGroup/FG-CLIP>): SigLIP 2's towers for pictures of any shape, positions and a projection for
//! longer texts, and features of patches with a projection for texts that say what a part of a picture shows.

use tuwen_image::{Budget, Filter, Geometry, Grid, Preprocess};

use super::{Family, Pictures, sig_lip};
use crate::checkpoint::names::{Names, Origin, TextNames, Turn};
use crate::checkpoint::settings::keys::Rule::{Idle, Only, Read};
use crate::checkpoint::settings::keys::Table;
use crate::checkpoint::settings::{Described, Section};
use crate::{Long, ModelConfig, Result};

pub(super) const FAMILY: Family = Family {
    model_type: "fgclip2",
    class: "Fgclip2Model",
    keys: [TOP, VISION, TEXT],
    pictures: Pictures {
        processor: PROCESSOR,
        keys: PIXELS,
        filter: Filter::Bilinear,
        grid: Some(grid),
        ..Pictures::USUAL
    },
    reads_tokenizer: false,
    weights_fit: None,
    read,
    ends: |_, _| Ok(()),
    origin,
    // Each patch asks in its place.
    spare: &["dense_feature_head.probe"],
    scale: 0.0,
    is_written: |_| false,
};

const PROCESSOR: &str = "Fgclip2";
const CODE: &str = "what the code beside it does is built in";
/// Gemma's `<pad>`.
const PADDING: u32 = 0;

/// Keys beside the two towers.
const TOP: &Table = &[("auto_map", Idle(CODE))];

/// Keys of the image tower.
const VISION: &Table = &[
    ("num_patches", Read),
    ("image_size", Only(&[], "pictures have any shape: the weights hold `num_patches` positions")),
];

/// Keys of the text tower.
const TEXT: &Table = &[
    ("longtext_len", Read),
    ("keep_len", Read),
    ("pad_token_id", Idle("texts are filled with Gemma's token 0")),
];

/// Keys of its image processor.
const PIXELS: &Table = &[
    ("auto_map", Idle(CODE)),
    ("patch_size", Read),
    ("dynamic_max_patches", Read),
    ("max_num_patches", Read),
];

fn read(name: String, said: &Described<'_>) -> Result<(ModelConfig, TextNames)> {
    let (config, names) = sig_lip::read(name, said)?;
    let positions = said.vision.number("num_patches", 256)?;
    let side = positions.isqrt();
    if side == 0 || side * side != positions {
        let cure = "it should be a square: the positions are those of a square grid";
        return Err(said.vision.refuse("num_patches", cure));
    }
    let grid = Grid { patch: config.patch as u32, budget: Budget::Stepped };
    let size = u32::try_from(side.saturating_mul(config.patch)).unwrap_or(u32::MAX);
    let long = Long {
        context: said.words.number("longtext_len", 196)?,
        kept: said.words.number("keep_len", 20)?,
    };
    let config = ModelConfig {
        long: Some(long),
        dense: true,
        pad: Some(PADDING),
        preprocess: Preprocess {
            geometry: Geometry::Grid(grid),
            filter: Filter::Bilinear,
            ..Preprocess::squash(size)
        },
        ..config
    };
    Ok((config, names))
}

/// What its image processor says of the grid.
fn grid(json: &Section<'_>, usual: Grid) -> Result<Grid> {
    let class = json.word("image_processor_type", PROCESSOR)?;
    if !class.starts_with(PROCESSOR) {
        return Err(json.refuse(
            "image_processor_type",
            "it is another model's: Fgclip2ImageProcessor is its own",
        ));
    }
    if !json.flag("do_resize", true)? {
        return Err(json.refuse("do_resize", "a picture has to become whole patches: set it"));
    }
    if json.flag("do_center_crop", false)? {
        return Err(json.refuse("do_center_crop", "its pictures keep their shape: remove it"));
    }
    if json.number("patch_size", usual.patch as usize)? != usual.patch as usize {
        let cure = format!("the model's patch_size is {}: they must be equal", usual.patch);
        return Err(json.refuse("patch_size", cure));
    }
    if json.flag("dynamic_max_patches", true)? {
        return Ok(usual);
    }
    let most = json.number("max_num_patches", 256)?;
    let budget = Budget::Fixed(u32::try_from(most).unwrap_or(u32::MAX));
    Ok(Grid { budget, ..usual })
}

fn origin(names: &Names, name: &str) -> Option<Origin> {
    let plain = match name {
        "image.patch_embed.weight" => {
            let name = "vision_model.embeddings.patch_embedding.weight";
            return Some(Origin::turned(name, Turn::ChannelsLast));
        }
        "text.long_pos_embed" => {
            let table =
                |end: &str| format!("text_model.embeddings.position_embedding_{end}.weight");
            let turn = Turn::Spliced(names.long_kept);
            return Some(Origin { parts: ["ori", "res"].map(table).to_vec(), turn });
        }
        "heads.long_proj.weight" => "longtext_head.weight",
        "heads.long_proj.bias" => "longtext_head.bias",
        "heads.region_proj.weight" => "boxtext_head.weight",
        "heads.region_proj.bias" => "boxtext_head.bias",
        _ => match name.strip_prefix("image.dense.") {
            Some(rest) => return sig_lip::pooling("dense_feature_head", rest).map(Origin::one),
            None => return sig_lip::origin(names, name),
        },
    };
    Some(Origin::one(plain))
}
