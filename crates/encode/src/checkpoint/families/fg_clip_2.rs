//! FG-CLIP 2 (Xie et al. 2025, <https://arxiv.org/abs/2510.10921>) in its authors' folder
//! (<https://github.com/360CVGroup/FG-CLIP>): SigLIP 2's towers for pictures of any shape, positions and a projection for
//! longer texts, and features of patches with a projection for texts that say what a part of a picture shows.

use tuwen_image::{Budget, Filter, Geometry, Grid};

use super::{Family, Pictures, sig_lip, sig_lip_2};
use crate::checkpoint::names::{Names, Origin, TextNames, Turn};
use crate::checkpoint::settings::keys::Rule::{Idle, Read};
use crate::checkpoint::settings::keys::Table;
use crate::checkpoint::settings::{Described, Section};
use crate::{Long, ModelConfig, Result};

pub(super) const FAMILY: Family = Family {
    model_type: "fgclip2",
    class: "Fgclip2Model",
    words: "text",
    keys: [TOP, sig_lip_2::VISION, TEXT],
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

/// Keys beside the two towers.
const TOP: &Table = &[("auto_map", Idle(CODE))];

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
    let (mut config, names) = sig_lip_2::read(name, said)?;
    if let Geometry::Grid(grid) = &mut config.preprocess.geometry {
        grid.budget = Budget::Stepped;
    }
    config.long = Some(Long {
        context: said.words.number("longtext_len", 196)?,
        kept: said.words.number("keep_len", 20)?,
    });
    config.dense = true;
    Ok((config, names))
}

/// What its image processor says of the grid.
fn grid(json: &Section<'_>, usual: Grid) -> Result<Grid> {
    let fixed = sig_lip_2::grid(json, usual, PROCESSOR)?;
    Ok(if json.flag("dynamic_max_patches", true)? { usual } else { fixed })
}

fn origin(names: &Names, name: &str) -> Option<Origin> {
    let plain = match name {
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
            None => return sig_lip_2::origin(names, name),
        },
    };
    Some(Origin::one(plain))
}
