//! What is asked of a tower, and whether it has that.

use crate::params::Part;
use crate::{Error, ModelConfig, Result, Vision};

/// What is asked of a tower beside its features.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The last block's rows, normalised where the tower has a last LayerNorm.
    pub tokens: bool,
    /// In their place what the model's own head makes of each patch: features in the common space (FG-CLIP 2).
    pub dense: bool,
    /// In their place what a Q-Former's queries make of the picture, before the projection (BLIP-2). Rows of blocks are not
    /// given with them.
    pub queries: bool,
    /// The rows behind these blocks, from 1; 0 is the embedding. Of convolutions one row for each picture behind these stages,
    /// from 0: the mean over the pixels.
    pub hidden: Vec<usize>,
    /// What each block attends to.
    pub maps: bool,
    /// The gradient of the tower's input: pixels, or the rows of embedded tokens.
    pub input_gradient: bool,
    /// The rows behind this block (0 is the embedding; of convolutions the last grid, whatever the number) and their
    /// gradient: what comes before is not recorded and costs the backward pass nothing.
    pub from: Option<usize>,
    /// What passes through each attention behind that, see [`tuwen_nn::Attended`].
    pub attention: bool,
    /// The features that a picture would have if the tower ended behind each of the blocks that are recorded; the way
    /// back from one of these ends where its block begins. Together with [`Self::from`].
    pub readouts: bool,
}

impl Wanted {
    /// Whether a tower of `model` has all of this; a head asks when it is made.
    ///
    /// # Errors
    /// What it does not have, and what can be asked for.
    pub fn check(&self, model: &ModelConfig, part: Part) -> Result<()> {
        let (layers, what) = match part {
            Part::Image | Part::ImageHead => (model.image.layers, "image tower"),
            _ => (model.text.layers, "text tower"),
        };
        if let (Vision::Network(net), "image tower") = (model.vision, what) {
            return self.check_network(net, model);
        }
        if what == "image tower" && model.has_convolutions() {
            return self.check_stages(model);
        }
        let refuse = |what: String, cure: String, tower: &str| {
            let tower = format!("the {tower} of {}", model.name);
            Err(Error::NotGiven { tower, what, cure })
        };
        if let Some(from) = self.from.filter(|&from| from >= layers && what != "image tower") {
            let cure = format!("it has {layers} blocks: ask for 0 to {}", layers.saturating_sub(1));
            return refuse(format!("backward pass to block {from}"), cure, what);
        }
        if self.dense && !(what == "image tower" && model.dense) {
            let cure = "it has no head for them: ask for tokens, or take a model that has one (fg-clip-2-base)";
            return refuse("a feature of each patch".into(), cure.into(), what);
        }
        if self.queries && !(what == "image tower" && model.queries.is_some()) {
            let cure = "it has no queries: ask for tokens, or take a model that has them (BLIP-2)";
            return refuse("a row of each query".into(), cure.into(), what);
        }
        match self.hidden.iter().find(|&&block| block > layers) {
            Some(block) => {
                let cure = format!("it has {layers}: ask for 0 (the embedding) to {layers}");
                refuse(format!("block {block}"), cure, what)
            }
            None => Ok(()),
        }
    }

    /// Whether the last block has to compute all rows.
    pub(super) fn all_rows(&self) -> bool {
        self.tokens
            || self.dense
            || self.queries
            || self.maps
            || self.readouts
            || !self.hidden.is_empty()
    }
}
