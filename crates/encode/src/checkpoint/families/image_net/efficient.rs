//! EfficientNet's numbers from the shapes of its tensors, and torchvision's names of them.

use super::{Dialect, File};
use crate::{Error, MobileStage, Network, Result};

/// An EfficientNet or EfficientNet-Lite.
pub(super) fn read(file: &File<'_, '_>) -> Result<Network> {
    let stem = file.need("conv_stem.weight", 4)?[0];
    let squeeze = file.shape_of("blocks.0.0.se.conv_reduce.weight").is_some();
    let mut stages = [MobileStage::of([0; 4]); 7];
    let mut wide = stem;
    for (at, stage) in stages.iter_mut().enumerate() {
        let part = |index: usize, part: &str| format!("blocks.{at}.{index}.{part}.weight");
        let blocks = (0..).take_while(|&index| file.shape_of(&part(index, "conv_dw")).is_some());
        // The first stage has no convolution before the depthwise one.
        let last = if at == 0 { "conv_pw" } else { "conv_pwl" };
        let inner = file.need(&part(0, "conv_dw"), 4)?;
        let out = file.need(&part(0, last), 4)?[0];
        let expand = inner[0].checked_div(wide).unwrap_or(0);
        *stage = MobileStage::of([blocks.count(), out, inner[2], expand]);
        wide = out;
    }
    let head = file.need("conv_head.weight", 4)?[0];
    let blocks: u32 = stages.iter().map(|stage| stage.blocks).sum();
    if file.dialect == Dialect::Efficient && blocks != 16 {
        let what = format!(
            "an EfficientNet of torchvision's with {blocks} blocks: of these EfficientNet-B0 with 16 is supported; take \
             timm's with its config.json"
        );
        return Err(Error::malformed(file.path, what));
    }
    Ok(Network::Efficient { stem, head, stages, squeeze, tensorflow: pads_as_tensorflow(file)? })
}

/// Whether it pads as TensorFlow, which only its name says.
fn pads_as_tensorflow(file: &File<'_, '_>) -> Result<bool> {
    match file.dialect {
        Dialect::TimmEfficient if file.name.starts_with("tf_efficientnet") => Ok(true),
        Dialect::TimmEfficient if !file.name.starts_with("efficientnet") => {
            let what = format!(
                "an EfficientNet of timm's called `{}`, which does not say whether it pads as TensorFlow: put timm's \
                 config.json beside it, or call the file tf_efficientnet_lite0.safetensors, efficientnet_b0.safetensors \
                 or as timm does",
                file.name
            );
            Err(Error::malformed(file.path, what))
        }
        _ => Ok(false),
    }
}

/// torchvision's name of one of timm's tensors.
pub(super) fn torchvision(name: &str) -> Option<String> {
    let Some(rest) = name.strip_prefix("blocks.") else {
        let (part, kind) = name.split_once('.')?;
        let place = match part {
            "conv_stem" => "0.0",
            "bn1" => "0.1",
            "conv_head" => "8.0",
            "bn2" => "8.1",
            _ => return None,
        };
        return Some(format!("features.{place}.{kind}"));
    };
    let [stage, index, part] = rest.splitn(3, '.').collect::<Vec<_>>().try_into().ok()?;
    let (part, kind) = part.rsplit_once('.')?;
    let stage: usize = stage.parse().ok()?;
    // Without a convolution before the depthwise one all others stand one place earlier.
    let place = match (part, stage > 0) {
        ("conv_pw", true) | ("conv_dw", false) => "0.0",
        ("bn1", _) => "0.1",
        ("conv_dw", true) => "1.0",
        ("bn2", true) => "1.1",
        ("se.conv_reduce", true) => "2.fc1",
        ("se.conv_expand", true) => "2.fc2",
        ("se.conv_reduce", false) => "1.fc1",
        ("se.conv_expand", false) => "1.fc2",
        ("conv_pwl", true) => "3.0",
        ("bn3", true) => "3.1",
        ("conv_pw", false) => "2.0",
        ("bn2", false) => "2.1",
        _ => return None,
    };
    Some(format!("features.{}.{index}.block.{place}.{kind}", stage + 1))
}
