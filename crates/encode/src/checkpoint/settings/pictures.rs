//! How pictures become pixels, as transformers' image processors say it: `preprocessor_config.json`,
//! or since transformers 5 a part of `processor_config.json`, which wins where there are both.

use std::path::Path;

use serde_json::Value;
use tuwen_files::file;
use tuwen_image::{Centre, Filter, Geometry, Preprocess, Resize, ToRgb};

use super::Section;
use super::keys::pictures;
use crate::checkpoint::families::{self, Family, Pictures};
use crate::checkpoint::optional;
use crate::{Error, Result};

const FILE: &str = "preprocessor_config.json";
/// transformers 5 writes this one alone.
const WHOLE_FILE: &str = "processor_config.json";

/// What the folder says about pictures, where it says something.
pub(super) fn read(preprocess: &mut Preprocess, family: &Family, folder: &Path) -> Result<()> {
    let usual = &family.pictures;
    let (whole_path, path) = (folder.join(WHOLE_FILE), folder.join(FILE));
    if let Some(whole) = json(&whole_path)?
        && whole["image_processor"].is_object()
    {
        let json = &whole["image_processor"];
        return processor(
            preprocess,
            usual,
            &Section { path: &whole_path, at: "image_processor.", json },
        );
    }
    match json(&path)? {
        Some(json) => processor(preprocess, usual, &Section { path: &path, at: "", json: &json }),
        None => Ok(()),
    }
}

/// A file that need not be there.
pub(crate) fn json(path: &Path) -> Result<Option<Value>> {
    let read =
        |bytes: Vec<u8>| serde_json::from_slice(&bytes).map_err(|e| Error::malformed(path, e));
    optional(path, file::TEXT)?.map(read).transpose()
}

fn processor(preprocess: &mut Preprocess, usual: &Pictures, json: &Section<'_>) -> Result<()> {
    json.check(&[usual.keys, pictures::PROCESSOR])?;
    let crops = crops_by_default(usual, json)?;
    preprocess.filter = match &json.json["resample"] {
        Value::Null => usual.filter,
        value => value
            .as_u64()
            .and_then(|code| Filter::PILLOW.get(code as usize).copied())
            .ok_or_else(|| json.refuse("resample", "Pillow's numbers 0 to 5 are supported"))?,
    };
    // A picture that is not converted would stay grey or transparent, which no model takes.
    preprocess.to_rgb = ToRgb::First;
    preprocess.centre = Centre::First;
    match (preprocess.geometry, usual.grid) {
        (Geometry::Grid(grid), Some(read)) => {
            // Nothing is cut.
            preprocess.centre = Centre::Even;
            preprocess.geometry = Geometry::Grid(read(json, grid)?);
        }
        _ => geometry(preprocess, json, crops, usual)?,
    }
    values(preprocess, json)
}

/// The class of the processor says what a file leaves out: CLIP's and Chinese-CLIP's crop, SigLIP's
/// does not.
fn crops_by_default(usual: &Pictures, json: &Section<'_>) -> Result<bool> {
    let keys = ["image_processor_type", "feature_extractor_type"];
    let Some(key) = keys.into_iter().find(|key| json.json[*key].is_string()) else {
        return Ok(usual.crops);
    };
    let class = json.word(key, "")?;
    let ends = ["ImageProcessorFast", "ImageProcessorPil", "ImageProcessor", "FeatureExtractor"];
    let name = ends.iter().find_map(|end| class.strip_suffix(end));
    match name.and_then(families::with_processor) {
        Some(known) => Ok(known.crops),
        None => Err(json.refuse(
            key,
            "the image processors of CLIP, Chinese-CLIP, SigLIP and BLIP are supported; with the same \
             settings spelt out, call it CLIPImageProcessor",
        )),
    }
}

/// What is resized to what, and cut out of it.
fn geometry(
    preprocess: &mut Preprocess,
    json: &Section<'_>,
    crops: bool,
    usual: &Pictures,
) -> Result<()> {
    let side = preprocess.size;
    let crops = json.flag("do_center_crop", crops)?;
    let resize = match (json.flag("do_resize", true)?, size(json, crops, usual)?) {
        (false, _) => Resize::Not,
        (true, resize) => resize,
    };
    if crops {
        let crop = json.side("crop_size", 224)?;
        if crop != side as usize {
            return Err(wrong_size(json, "crop_size", crop, side));
        }
        preprocess.geometry = Geometry::CentreCrop;
        preprocess.resize = if resize == Resize::Shortest(side) { Resize::Side } else { resize };
        return Ok(());
    }
    match resize {
        Resize::To(width, height) if width == side && height == side => {
            // Nothing is cut, so that it does not matter where the centre is.
            (preprocess.geometry, preprocess.centre) = (Geometry::Squash, Centre::Even);
            Ok(())
        }
        Resize::To(width, _) => Err(wrong_size(json, "size", width as usize, side)),
        Resize::Not => Err(json.refuse(
            "do_resize",
            "pictures of any size cannot enter the model: set it, or `do_center_crop`",
        )),
        _ => Err(json.refuse(
            "size",
            "with the shortest edge alone pictures stay oblong: set `do_center_crop`, or give \
             height and width",
        )),
    }
}

fn wrong_size(json: &Section<'_>, key: &str, found: usize, wanted: u32) -> Error {
    json.refuse(
        key,
        format!(
            "it gives pictures of {found} pixels and the model's image_size is {wanted}: they must \
             be equal"
        ),
    )
}

/// `{"shortest_edge": 224}`, `{"height": 224, "width": 224}`, or a number: the shortest edge.
fn size(json: &Section<'_>, crops: bool, usual: &Pictures) -> Result<Resize> {
    let value = &json.json["size"];
    let number = |value: &Value| value.as_u64().filter(|&n| (1..=8192).contains(&n));
    let number = |value: &Value| number(value).map(|n| n as u32);
    let other = |key: &String| !["height", "width", "shortest_edge"].contains(&&**key);
    let known = |found: Option<Resize>| {
        found.ok_or_else(|| {
            json.refuse(
                "size",
                "a number, height and width, or the shortest edge are supported, up to 8192",
            )
        })
    };
    match value {
        Value::Null if crops => Ok(Resize::Shortest(224)),
        Value::Null => Ok(Resize::To(usual.side, usual.side)),
        Value::Object(keys) if keys.iter().any(|(key, v)| other(key) && !v.is_null()) => {
            known(None)
        }
        Value::Object(_) => {
            let shortest = number(&value["shortest_edge"]).map(Resize::Shortest);
            let exact = number(&value["width"]).zip(number(&value["height"]));
            known(shortest.or(exact.map(|(width, height)| Resize::To(width, height))))
        }
        // Chinese-CLIP's first files mean a square by it where they do not crop.
        value if !crops && usual.number_is_square => {
            known(number(value).map(|side| Resize::To(side, side)))
        }
        value => known(number(value).map(Resize::Shortest)),
    }
}

/// Bytes to floats: `(byte * factor - mean) / std`, as one mean and deviation of bytes over 255.
fn values(preprocess: &mut Preprocess, json: &Section<'_>) -> Result<()> {
    let factor = match json.flag("do_rescale", true)? {
        true => json.float("rescale_factor", 1.0 / 255.0)?,
        false => 1.0,
    };
    if !(factor > 0.0 && factor.is_finite()) {
        return Err(json.refuse("rescale_factor", "it should be positive"));
    }
    let normalises = json.flag("do_normalize", true)?;
    let range = factor * 255.0;
    let default = |values: [f32; 3]| values.map(f64::from);
    let (mean, std) = match normalises {
        true => (
            triple(json, "image_mean", default(preprocess.mean))?,
            triple(json, "image_std", default(preprocess.std))?,
        ),
        false => ([0.0; 3], [1.0; 3]),
    };
    if let Some(bad) = std.iter().find(|&&std| std <= 0.0) {
        return Err(json.refuse("image_std", format!("{bad} is not positive")));
    }
    // 1/255 in seven digits is 1/255.
    let range = if (range - 1.0).abs() < 1e-6 { 1.0 } else { range };
    preprocess.mean = mean.map(|value| (value / range) as f32);
    preprocess.std = std.map(|value| (value / range) as f32);
    Ok(())
}

/// A number for each channel, or one for all.
pub(crate) fn triple(json: &Section<'_>, key: &str, default: [f64; 3]) -> Result<[f64; 3]> {
    let value = &json.json[key];
    if value.is_null() {
        return Ok(default);
    }
    let all = value.as_f64().map(|value| [value; 3]);
    let each = serde_json::from_value::<[f64; 3]>(value.clone()).ok();
    all.or(each)
        .ok_or_else(|| json.refuse(key, "a number, or one for each of 3 channels, belongs here"))
}

/// Whether a folder names transformers' other way to resize, torchvision's.
pub(crate) fn names_torchvision(folder: &Path) -> bool {
    let whole = json(&folder.join(WHOLE_FILE)).ok().flatten();
    let whole = whole.map(|json| json["image_processor"].clone()).filter(Value::is_object);
    let alone = || json(&folder.join(FILE)).ok().flatten();
    whole.or_else(alone).is_some_and(|json| {
        let class = json["image_processor_type"].as_str().unwrap_or("");
        class.ends_with("Fast") || json["use_fast"] == true || json["backend"] == "torchvision"
    })
}
