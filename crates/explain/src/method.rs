//! The methods by name, what each asks of a model, and what is refused.

use serde::Serialize;
use tuwen_encode::{ModelConfig, Vision};

use crate::{Error, Result};

/// How a score is explained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Each part hidden by itself.
    Occlusion,
    /// The pixels' gradient times the pixels; the tokens' times the tokens.
    Gradient,
    /// Grad-CAM on the patches before the last block.
    Gradcam,
    /// Attention rollout, which knows nothing of the text.
    Rollout,
    /// Generic attention explainability.
    #[default]
    Chefer,
    /// Gradients of every block's attention.
    Legrad,
    /// Values of the last attention along the gradient.
    GradEclip,
    /// The cosine of each patch with the text.
    Patches,
    /// The same without what patches have in common with texts that say nothing (a part of CLIP Surgery).
    Surgery,
    /// A linear model of the score over superpixels.
    Lime,
    /// Shapley values by sampling.
    Shap,
    /// Owen values along a tree of neighbouring parts.
    Owen,
    /// Interactions of patches and words.
    Fixlip,
}

impl Method {
    /// All of them by their names.
    pub const NAMES: [(&'static str, Self); 13] = [
        ("occlusion", Self::Occlusion),
        ("gradient", Self::Gradient),
        ("gradcam", Self::Gradcam),
        ("rollout", Self::Rollout),
        ("chefer", Self::Chefer),
        ("legrad", Self::Legrad),
        ("grad-eclip", Self::GradEclip),
        ("patches", Self::Patches),
        ("surgery", Self::Surgery),
        ("lime", Self::Lime),
        ("shap", Self::Shap),
        ("owen", Self::Owen),
        ("fixlip", Self::Fixlip),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        let found = Self::NAMES.iter().find(|(_, method)| *method == self);
        found.map_or("", |(name, _)| name)
    }

    /// Whether it hides parts and so needs many passes.
    pub fn hides(self) -> bool {
        matches!(self, Self::Occlusion | Self::Lime | Self::Shap | Self::Owen | Self::Fixlip)
    }

    /// Whether it needs a backward pass through the tower.
    pub fn goes_back(self) -> bool {
        !self.hides() && !matches!(self, Self::Patches | Self::Surgery)
    }

    /// Whether a map has only what speaks for the score, and nothing of what speaks against it.
    pub(crate) fn keeps_what_supports(self) -> bool {
        matches!(self, Self::Gradcam | Self::Chefer | Self::Legrad | Self::GradEclip)
    }

    /// The one to take for a model where nobody says: the fast one that was measured best for its kind of tower.
    pub fn usual(config: &ModelConfig) -> Self {
        let order = [Self::default(), Self::Gradcam, Self::Occlusion];
        order.into_iter().find(|method| method.lacks(config).is_none()).unwrap_or_default()
    }

    /// Whether a model can be explained so.
    ///
    /// # Errors
    /// What it lacks, and which methods it can.
    pub fn check(self, config: &ModelConfig) -> Result<()> {
        let refuse = |why: &str| {
            let can = Self::NAMES.iter().filter(|(_, method)| method.lacks(config).is_none());
            let mut can: Vec<&str> = can.map(|(name, _)| *name).collect();
            if can.is_empty() {
                can.push("none of them");
            }
            Err(Error::Refused(format!(
                "{} cannot be explained by {}: {why}; what can be used: {}",
                config.name,
                self.name(),
                can.join(", ")
            )))
        };
        self.lacks(config).map_or(Ok(()), refuse)
    }

    fn lacks(self, config: &ModelConfig) -> Option<&'static str> {
        let blocks = matches!(self, Self::Rollout | Self::Chefer | Self::Legrad);
        let in_space = matches!(self, Self::Patches | Self::Surgery);
        if config.image_only {
            return Some("it is an image network of ImageNet, which no words are compared with");
        }
        // A hidden part is a picture as any other.
        if config.any_shape() {
            let why = "its pictures have any shape, and maps of patches are made of squares";
            return (!self.hides()).then_some(why);
        }
        match config.vision {
            Vision::ResNet(_) if blocks => {
                Some("its image tower is one of convolutions, which have no attention")
            }
            Vision::ResNet(_) if self == Self::Gradient => Some(
                "the backward pass through its convolutions is not kept; gradcam goes back to its last grid",
            ),
            // Gradients go back through the queries; what reads attention or patches themselves knows nothing of them.
            _ if config.queries.is_some() && (blocks || in_space || self == Self::GradEclip) => {
                Some("queries stand between its patches and the common space (a Q-Former)")
            }
            Vision::Probe if in_space => {
                Some("a probe pools its patches, which are not in the space that texts are in")
            }
            _ if in_space && config.text_hidden > 0 => {
                Some("a hidden layer lies between its tokens and the common space")
            }
            _ if config.image.layers == 0 && self.goes_back() => {
                Some("its image tower has no blocks")
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tuwen_encode::{ResNet, TowerConfig, builtin};
    use tuwen_image::{Budget, Geometry, Grid, Preprocess};

    #[test]
    fn what_a_family_cannot_do_is_refused_with_what_it_can() {
        let tower = || TowerConfig::new(8, 1, 2, 16);
        let vit = ModelConfig::new("vit", tower(), tower(), Preprocess::squash(16));
        assert!(Method::NAMES.iter().all(|(_, method)| method.check(&vit).is_ok()));
        let net = ResNet { stem: 8, blocks: [1; 4] };
        let net = ModelConfig { vision: Vision::ResNet(net), ..vit.clone() };
        let said = Method::Rollout.check(&net).expect_err("no attention").to_string();
        assert!(said.contains("no attention") && said.contains("gradcam"), "{said}");
        assert!(!said.contains("legrad"), "{said}");
        assert_eq!(Method::usual(&net), Method::Gradcam);
        let probe = ModelConfig { vision: Vision::Probe, ..vit };
        let said = Method::Patches.check(&probe).expect_err("not in the space").to_string();
        assert!(said.contains("probe") && said.contains("legrad"), "{said}");
        let (built_in, _) = builtin::checkpoint().expect("the built-in model");
        assert_eq!(Method::usual(&built_in), Method::default());
    }

    #[test]
    fn pictures_of_any_shape_are_explained_by_hiding_parts() {
        let tower = || TowerConfig::new(8, 1, 2, 16);
        let geometry = Geometry::Grid(Grid { patch: 16, budget: Budget::Stepped });
        let pixels = Preprocess { geometry, ..Preprocess::squash(16) };
        let model = ModelConfig::new("any", tower(), tower(), pixels);
        assert_eq!(Method::usual(&model), Method::Occlusion);
        for (name, method) in Method::NAMES {
            match method.check(&model) {
                Ok(()) => assert!(method.hides(), "{name}"),
                Err(said) => {
                    let said = said.to_string();
                    assert!(!method.hides() && said.contains("any shape"), "{said}");
                    assert!(said.ends_with("occlusion, lime, shap, owen, fixlip"), "{said}");
                }
            }
        }
    }
}
