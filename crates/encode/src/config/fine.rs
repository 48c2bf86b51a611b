//! What a model has for fine detail (FG-CLIP 2, <https://arxiv.org/abs/2510.10921>): positions and a projection for longer
//! texts, and features of patches.

use serde::{Deserialize, Serialize};
use tuwen_image::{Budget, Geometry};

use super::{ModelConfig, Pool, Vision};

/// A way for texts that are longer than the context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Long {
    /// Longest text in tokens.
    pub context: usize,
    /// The first so many positions are close to those of shorter texts (Long-CLIP, <https://arxiv.org/abs/2403.15378>);
    /// FG-CLIP 2's files have them in a table of their own.
    pub kept: usize,
}

impl ModelConfig {
    /// Whether pictures have grids of their own shapes, to which the positions are resized.
    pub fn any_shape(&self) -> bool {
        matches!(self.preprocess.geometry, Geometry::Grid(_))
    }

    /// Whether a text of so many tokens goes the way of longer ones.
    pub fn is_long(&self, tokens: usize) -> bool {
        self.long.is_some() && tokens > self.context
    }

    /// Whether the settings of fine detail go together.
    pub(super) fn fine_fits(&self) -> Result<(), String> {
        const MOST_PATCHES: u32 = 1 << 14;
        if let Geometry::Grid(grid) = self.preprocess.geometry {
            if grid.patch as usize != self.patch {
                let (patch, own) = (grid.patch, self.patch);
                return Err(format!(
                    "pictures are cut into patches of {patch} and the tower's are {own}"
                ));
            }
            if self.vision != Vision::Probe {
                return Err("pictures of any shape are for image towers that a probe pools".into());
            }
            if let Budget::Fixed(patches) = grid.budget
                && !(1..=MOST_PATCHES).contains(&patches)
            {
                return Err(format!(
                    "a picture has {patches} patches: 1 to {MOST_PATCHES} are possible"
                ));
            }
        }
        if self.dense && self.vision != Vision::Probe {
            return Err("`dense` is for image towers that a probe pools".into());
        }
        let Some(Long { context, kept }) = self.long else { return Ok(()) };
        if self.pad.is_none() || self.pool != Pool::Last || self.causal {
            return Err("`long` is for texts that are filled up with a `pad` and pooled at their last token".into());
        }
        if context <= self.context || kept > context {
            let own = self.context;
            return Err(format!(
                "`long` has a context of {context}, of which {kept} positions are kept: it should be longer than \
                 `context`, {own}, and keep no more than it has"
            ));
        }
        Ok(())
    }
}
