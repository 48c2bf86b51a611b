//! The towers of an encoder, each made when it is first needed.

use std::sync::OnceLock;

use tuwen_nn::Linear;

use super::CpuEncoder;
use super::source::Multiplied;
use crate::Result;
use crate::layers::linear;
use crate::towers::{AnyImageTower, TextHead, TextTower};

/// A tower and its way into the common space.
pub(super) type ImageSide = (AnyImageTower<'static>, Option<Linear<'static>>);
pub(super) type TextSide = (TextTower<'static>, TextHead<'static>);

impl CpuEncoder {
    /// With `keeps`, what gradients of inputs need stays at hand, on the host.
    pub(super) fn weights(&self, keeps: bool) -> Multiplied<'_> {
        let Self { products, random, .. } = *self;
        let executor = self.executor.as_ref().filter(|_| !keeps);
        Multiplied { source: &self.source, products, keeps, random, executor }
    }

    pub(super) fn image_tower(&self) -> Result<&ImageSide> {
        self.image_side(&self.image, false)
    }

    pub(super) fn image_side<'s>(
        &self,
        place: &'s OnceLock<ImageSide>,
        keeps: bool,
    ) -> Result<&'s ImageSide> {
        if place.get().is_none() {
            // Few products, of rows that are the host's.
            let weights = Multiplied { executor: None, ..self.weights(keeps) };
            let head = |bias| linear(&weights, "heads.image_proj", bias);
            let head = self.config.image_proj_bias().map(head).transpose()?;
            let tower = AnyImageTower::new(&self.config, self.weights(keeps))?;
            // Another thread may have been faster; then its tower stays.
            let _ = place.set((tower, head));
        }
        Ok(place.get().expect("just set"))
    }

    pub(super) fn text_tower(&self) -> Result<&TextSide> {
        self.text_side(&self.text, false)
    }

    pub(super) fn text_side<'s>(
        &self,
        place: &'s OnceLock<TextSide>,
        keeps: bool,
    ) -> Result<&'s TextSide> {
        self.needs_texts()?;
        if place.get().is_none() {
            let tower = TextTower::new(&self.config, self.weights(keeps))?;
            let weights = Multiplied { executor: None, ..self.weights(keeps) };
            let head = TextHead::new(&self.config, &weights)?;
            let _ = place.set((tower, head));
        }
        Ok(place.get().expect("just set"))
    }
}
