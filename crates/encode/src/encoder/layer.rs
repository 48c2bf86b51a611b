//! What lies inside an image tower, a row for each picture: features of its blocks, as common spaces take them.

use tuwen_image::RgbImage;

use super::{CpuEncoder, failed};
use crate::params::Part;
use crate::towers::{STAGES, Wanted};
use crate::{Error, Result, Vision};

/// Pictures whose rows are held at once.
const AT_ONCE: usize = 16;

impl CpuEncoder {
    /// The image tower's layers in their order: of a transformer the rows behind its embedding (`0`) and behind each block,
    /// of convolutions their stages by their names.
    pub fn image_layers(&self) -> Vec<String> {
        match self.config.vision {
            Vision::Network(net) => net.plan().into_iter().map(|stage| stage.name).collect(),
            Vision::ResNet(_) => STAGES.map(str::to_owned).to_vec(),
            Vision::ClassToken | Vision::Probe => {
                (0..=self.config.image.layers).map(|block| block.to_string()).collect()
            }
        }
    }

    /// The layer of that name, or of that place.
    ///
    /// # Errors
    /// There is none, or the tower gives none.
    pub fn image_layer(&self, name: &str) -> Result<usize> {
        let layers = self.image_layers();
        let place = || name.parse().ok().filter(|&at| at < layers.len());
        layers.iter().position(|layer| layer == name).or_else(place).ok_or_else(|| {
            Error::NotGiven {
                tower: format!("the image tower of {}", self.config.name),
                what: format!("layer `{name}`"),
                cure: match &layers[..] {
                    [first, .., last] if *first != "0" => format!(
                        "ask for {}, or by their places for 0 ({first}) to {} ({last})",
                        layers.join(", "),
                        layers.len() - 1
                    ),
                    _ => format!("ask for 0 (the embedding) to {}", layers.len().saturating_sub(1)),
                },
            }
        })
    }

    /// What a layer of [`Self::image_layers`] makes of pictures: the class token of its rows where there is one, else their
    /// mean; of convolutions the mean over the pixels.
    ///
    /// # Shapes
    /// (B, W), W being the width of the layer.
    ///
    /// # Errors
    /// There is no such layer, or a picture has another size than the model's.
    pub fn encode_layer(&self, images: &[RgbImage], layer: usize) -> tuwen_files::Result<Vec<f32>> {
        let wanted = Wanted { hidden: vec![layer], ..Wanted::default() };
        wanted.check(&self.config, Part::Image).map_err(failed)?;
        let mut rows = Vec::new();
        for images in images.chunks(AT_ONCE) {
            let pass = self.seen(images, &wanted)?;
            let found = &pass.hidden[0];
            let all = found.spans.last().map_or(0, |span| span.end);
            let width = found.values.len() / all.max(1);
            let class = self.config.vision == Vision::ClassToken;
            for span in &found.spans {
                let span = if class { span.start..span.start + 1 } else { span.clone() };
                let mut mean = vec![0.0; width];
                tuwen_nn::math::add_columns(
                    &found.values[span.start * width..span.end * width],
                    &mut mean,
                );
                mean.iter_mut().for_each(|value| *value /= span.len() as f32);
                rows.extend(mean);
            }
        }
        self.sound(&rows, images.len(), |row| format!("picture {} of {}", row + 1, images.len()))?;
        Ok(rows)
    }
}
