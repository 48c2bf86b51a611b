//! SigLIP 2 of any aspect ratio (NaFlex; Tschannen et al. 2025, <https://arxiv.org/abs/2502.14786>) as transformers keeps it,
//! `modeling_siglip2.py`: SigLIP's towers, for pictures that keep their shape. With a fixed resolution it is a SigLIP.

use tuwen_image::{Budget, Filter, Geometry, Grid, Preprocess};

use super::{Family, Pictures, sig_lip};
use crate::checkpoint::names::{Names, Origin, TextNames, Turn};
use crate::checkpoint::settings::keys::Rule::{Only, Read};
use crate::checkpoint::settings::keys::Table;
use crate::checkpoint::settings::{Described, Section};
use crate::{ModelConfig, Result};

pub(super) const FAMILY: Family = Family {
    model_type: "siglip2",
    class: "Siglip2Model",
    words: "text",
    keys: [&[], VISION, &[]],
    pictures: Pictures {
        processor: "Siglip2",
        keys: PIXELS,
        filter: Filter::Bilinear,
        grid: Some(|json, usual| grid(json, usual, "Siglip2")),
        ..Pictures::USUAL
    },
    reads_tokenizer: false,
    weights_fit: None,
    read,
    ends: |_, _| Ok(()),
    origin,
    spare: &[],
    scale: 0.0,
    is_written: |_| false,
};

/// Patches of a picture where no file says it, and of the square that the positions are for.
const PATCHES: usize = 256;
/// Gemma's `<pad>`.
const PADDING: u32 = 0;

/// Keys of the image tower.
pub(super) const VISION: &Table = &[
    ("num_patches", Read),
    ("image_size", Only(&[], "pictures have any shape: the weights hold `num_patches` positions")),
];

/// Keys of its image processor.
const PIXELS: &Table = &[("patch_size", Read), ("max_num_patches", Read)];

/// Both towers.
pub(super) fn read(name: String, said: &Described<'_>) -> Result<(ModelConfig, TextNames)> {
    let (config, names) = sig_lip::read(name, said)?;
    let positions = said.vision.number("num_patches", PATCHES)?;
    let side = positions.isqrt();
    if side == 0 || side * side != positions {
        let cure = "it should be a square: the positions are those of a square grid";
        return Err(said.vision.refuse("num_patches", cure));
    }
    let grid = Grid { patch: config.patch as u32, budget: Budget::Fixed(PATCHES as u32) };
    let size = u32::try_from(side.saturating_mul(config.patch)).unwrap_or(u32::MAX);
    let preprocess = Preprocess {
        geometry: Geometry::Grid(grid),
        filter: Filter::Bilinear,
        ..Preprocess::squash(size)
    };
    Ok((ModelConfig { pad: Some(PADDING), preprocess, ..config }, names))
}

/// What an image processor of the class `own` says of the grid.
pub(super) fn grid(json: &Section<'_>, usual: Grid, own: &str) -> Result<Grid> {
    let class = json.word("image_processor_type", own)?;
    if !class.starts_with(&format!("{own}ImageProcessor")) && class != own {
        let cure = format!("it is another model's: {own}ImageProcessor is its own");
        return Err(json.refuse("image_processor_type", cure));
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
    let most = json.number("max_num_patches", PATCHES)?;
    Ok(Grid { budget: Budget::Fixed(u32::try_from(most).unwrap_or(u32::MAX)), ..usual })
}

/// The names of its weights.
pub(super) fn origin(names: &Names, name: &str) -> Option<Origin> {
    match name {
        "image.patch_embed.weight" => {
            let name = "vision_model.embeddings.patch_embedding.weight";
            Some(Origin::turned(name, Turn::ChannelsLast))
        }
        _ => sig_lip::origin(names, name),
    }
}
