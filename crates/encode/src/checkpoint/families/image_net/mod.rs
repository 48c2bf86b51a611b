//! ImageNet's networks in torchvision's and timm's files, which have no text tower: recognised by the names of their
//! tensors, described by the shapes.
//!
//! What is done with pictures is what timm's `config.json` says (`timm`); of a file that lies alone it is torchvision's
//! preset for the architecture, and of names that only timm has its own.

mod convolutions;
mod efficient;
pub(crate) mod timm;
mod vit;

use std::collections::BTreeMap;
use std::path::Path;

use tuwen_image::{Filter, Geometry, Preprocess, Resize};

use super::open_ai::Shapes;
use crate::checkpoint::names::{Layout, Names, Origin};
use crate::checkpoint::tensors::Raw;
use crate::{Error, ModelConfig, Network, Result, TowerConfig, Vision};

/// Whose names a file's tensors have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// torchvision's and timm's ResNet.
    Residual,
    /// torchvision's VGG.
    Vgg,
    /// timm's.
    TimmVgg,
    /// Inception v3 of both.
    Inception,
    /// torchvision's EfficientNet.
    Efficient,
    /// timm's.
    TimmEfficient,
    /// torchvision's ViT.
    Vit,
    /// timm's.
    TimmVit,
}

/// A tensor that only one of them has.
const SIGNS: [(&str, Dialect); 8] = [
    ("layer1.0.conv1.weight", Dialect::Residual),
    ("classifier.3.weight", Dialect::Vgg),
    ("pre_logits.fc1.weight", Dialect::TimmVgg),
    ("Mixed_7c.branch_pool.conv.weight", Dialect::Inception),
    ("features.1.0.block.0.0.weight", Dialect::Efficient),
    ("blocks.0.0.conv_dw.weight", Dialect::TimmEfficient),
    ("encoder.layers.encoder_layer_0.ln_1.weight", Dialect::Vit),
    ("patch_embed.proj.weight", Dialect::TimmVit),
];

/// torchvision's files of ResNets that were trained again, whose preset resizes to 232.
const AGAIN: [&str; 3] = ["resnet50-11ad3fa6", "resnet101-cd907fc2", "resnet152-f82ba261"];

/// ImageNet's mean and deviation.
const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const STD: [f32; 3] = [0.229, 0.224, 0.225];

/// A network's file: the shapes of its tensors, and what is known of it beside.
pub(crate) struct File<'s, 'f> {
    pub(crate) shape: &'s Shapes<'f>,
    pub(crate) path: &'s Path,
    pub(crate) dialect: Dialect,
    /// timm's name of the architecture, or the file's own.
    pub(crate) name: String,
}

/// Whose names the tensors have, if they are those of a network of ImageNet alone.
pub(crate) fn recognise<'f>(shape: &Shapes<'f>) -> Option<Dialect> {
    let (_, dialect) = SIGNS.into_iter().find(|(name, _)| shape(name).is_some())?;
    // What BLIP, CLIP and others put around a ViT has a prefix; MobileNets and others have these names too.
    let whole = match dialect {
        Dialect::TimmVit => shape("cls_token").is_some() && shape("pos_embed").is_some(),
        Dialect::Vgg => shape("features.0.weight").is_some(),
        Dialect::TimmEfficient => shape("blocks.6.0.conv_dw.weight").is_some(),
        _ => true,
    };
    whole.then_some(dialect)
}

impl Dialect {
    /// Where one of our weights is.
    pub(crate) fn origin(self, name: &str) -> Option<Origin> {
        let name = name.strip_prefix("image.")?;
        Some(Origin::one(match self {
            Self::Residual | Self::Inception | Self::TimmEfficient => name.to_owned(),
            Self::Vgg => {
                name.replacen("fc1.", "classifier.0.", 1).replacen("fc2.", "classifier.3.", 1)
            }
            Self::TimmVgg => match name.starts_with("fc") {
                true => format!("pre_logits.{name}"),
                false => name.to_owned(),
            },
            Self::Efficient => efficient::torchvision(name)?,
            Self::Vit => vit::torchvision(name)?,
            Self::TimmVit => name.replacen("patch_embed.", "patch_embed.proj.", 1),
        }))
    }

    /// Whether a tensor is that of a classifier, which no feature needs.
    pub(crate) fn is_classifier(self, name: &str) -> bool {
        let prefixes: &[&str] = match self {
            Self::Residual => &["fc."],
            Self::Inception => &["fc.", "AuxLogits."],
            Self::Vgg => &["classifier.6."],
            Self::TimmVgg => &["head.fc."],
            Self::Efficient | Self::TimmEfficient => &["classifier."],
            Self::Vit => &["heads."],
            Self::TimmVit => &["head."],
        };
        prefixes.iter().any(|prefix| name.starts_with(prefix))
    }

    fn is_timm(self) -> bool {
        matches!(self, Self::TimmVgg | Self::TimmEfficient | Self::TimmVit)
    }
}

impl<'f> File<'_, 'f> {
    /// The shape of the tensor that a weight of ours is kept as.
    fn shape_of(&self, name: &str) -> Option<&'f [usize]> {
        let origin = self.dialect.origin(&format!("image.{name}"))?;
        (self.shape)(origin.parts.first()?)
    }

    /// The same of one that must be there, with so many axes.
    fn need(&self, name: &str, axes: usize) -> Result<&'f [usize]> {
        self.shape_of(name).filter(|shape| shape.len() == axes).ok_or_else(|| {
            let origin = self.dialect.origin(&format!("image.{name}"));
            let name = origin.map_or_else(|| name.to_owned(), |origin| origin.parts.join(" + "));
            let what = format!("no network of ImageNet: `{name}` with {axes} axes is missing");
            Error::malformed(self.path, what)
        })
    }

    /// The architecture, with the usual pictures of its kind.
    ///
    /// # Errors
    /// Shapes that no such network has.
    pub(crate) fn read(&self) -> Result<ModelConfig> {
        let net = match self.dialect {
            Dialect::Vit | Dialect::TimmVit => return vit::read(self),
            Dialect::Residual => convolutions::residual(self)?,
            Dialect::Vgg | Dialect::TimmVgg => convolutions::vgg(self)?,
            Dialect::Inception => {
                Network::Inception { stem: self.need("Conv2d_1a_3x3.conv.weight", 4)?[0] }
            }
            Dialect::Efficient | Dialect::TimmEfficient => efficient::read(self)?,
        };
        let image = TowerConfig::new(net.width(), 0, 1, 0);
        let config = ModelConfig::image_network(&self.name, image, self.usual(224));
        Ok(ModelConfig { vision: Vision::Network(net), ..config })
    }

    /// What is done with pictures of `size` where no file says it.
    fn usual(&self, size: u32) -> Preprocess {
        let base = |size, side, filter| Preprocess {
            geometry: Geometry::CentreCrop,
            resize: Resize::Shortest(side),
            filter,
            mean: MEAN,
            std: STD,
            ..Preprocess::squash(size)
        };
        let lite = self.shape_of("blocks.0.0.se.conv_reduce.weight").is_none();
        let half = |preprocess| Preprocess { mean: [0.5; 3], std: [0.5; 3], ..preprocess };
        match self.dialect {
            // torchvision normalises as elsewhere, and its network then turns that into this.
            Dialect::Inception => half(base(299, 342, Filter::Bilinear)),
            Dialect::TimmVit if size >= 384 => half(base(size, size, Filter::Bicubic)),
            // 0.9 of the resized picture.
            Dialect::TimmVit => half(base(size, size * 10 / 9, Filter::Bicubic)),
            Dialect::TimmEfficient if lite && self.name.starts_with("tf_") => {
                half(base(size, size * 8 / 7, Filter::Bicubic))
            }
            Dialect::Efficient | Dialect::TimmEfficient => {
                base(size, size * 8 / 7, Filter::Bicubic)
            }
            Dialect::Residual if AGAIN.contains(&self.name.as_str()) => {
                base(size, 232, Filter::Bilinear)
            }
            _ => base(size, size * 8 / 7, Filter::Bilinear),
        }
    }
}

/// What a user should know where a file lies alone.
pub(crate) fn note(names: &Names, preprocess: &Preprocess) -> String {
    let timm = matches!(names.layout, Layout::ImageNet(dialect) if dialect.is_timm());
    let whose = if timm { "timm" } else { "torchvision" };
    let side = match preprocess.resize {
        Resize::Shortest(side) => side,
        _ => preprocess.size,
    };
    format!(
        "no config.json of timm's lies beside the weights: pictures are resized to {side} and cut to {}, as {whose} does \
         for this architecture",
        preprocess.size
    )
}

/// Tensors under the names that programs give them today: torchvision's published ViTs have older ones of an MLP's layers.
pub(crate) fn today(raws: BTreeMap<String, Raw>) -> BTreeMap<String, Raw> {
    let name = |name: String| match name.starts_with("encoder.layers.encoder_layer_") {
        true => name.replace(".mlp.linear_1.", ".mlp.0.").replace(".mlp.linear_2.", ".mlp.3."),
        false => name,
    };
    raws.into_iter().map(|(old, raw)| (name(old), raw)).collect()
}
