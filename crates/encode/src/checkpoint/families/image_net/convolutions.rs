//! ResNet's and VGG's numbers from the shapes of their tensors.

use super::File;
use crate::checkpoint::families::open_ai::count;
use crate::{Error, Network, Result};

/// A ResNet.
pub(super) fn residual(file: &File<'_, '_>) -> Result<Network> {
    let stem = file.need("conv1.weight", 4)?[0];
    let stage = |n: usize| count(file.shape, |index| format!("layer{n}.{index}.conv1.weight"));
    let blocks = [1, 2, 3, 4].map(stage);
    let bottleneck = file.shape_of("layer1.0.conv3.weight").is_some();
    // Wide ResNets and ResNeXt have the same names.
    let inner = file.need("layer1.0.conv2.weight", 4)?;
    if inner[..2] != [stem, stem] || blocks.contains(&0) {
        let what = format!(
            "a ResNet of another kind: `layer1.0.conv2.weight` is of {} to {} channels and blocks are {blocks:?}; those \
             of torchvision's resnet18 to resnet152 are supported",
            inner[1], inner[0]
        );
        return Err(Error::malformed(file.path, what));
    }
    Ok(Network::Residual { stem, blocks, bottleneck })
}

/// A VGG: where a place in torchvision's list is passed over, pixels were pooled.
pub(super) fn vgg(file: &File<'_, '_>) -> Result<Network> {
    let norm = file.shape_of("features.1.running_mean").is_some();
    let step = if norm { 3 } else { 2 };
    let (mut convolutions, mut widths) = (vec![0], vec![0]);
    let mut place = 0;
    loop {
        let layer = |place: usize| file.shape_of(&format!("features.{place}.weight"));
        let found = match (layer(place), layer(place + 1)) {
            (Some(&[out, _, _, _]), _) => out,
            (_, Some(&[out, _, _, _])) => {
                place += 1;
                convolutions.push(0);
                widths.push(0);
                out
            }
            _ => break,
        };
        let at = convolutions.len() - 1;
        (convolutions[at], widths[at]) = (convolutions[at] + 1, found);
        place += step;
    }
    let hidden = [file.need("fc1.weight", file.axes("fc1.weight"))?[0]];
    let hidden = [hidden[0], file.need("fc2.weight", file.axes("fc2.weight"))?[0]];
    match (convolutions.try_into(), widths.try_into()) {
        (Ok(convolutions), Ok(widths)) => Ok(Network::Vgg { convolutions, widths, hidden, norm }),
        _ => Err(Error::malformed(file.path, "no VGG: its convolutions are not in five blocks")),
    }
}

impl File<'_, '_> {
    /// Axes that a layer behind the blocks has: of timm's it is a convolution.
    fn axes(&self, name: &str) -> usize {
        self.shape_of(name).map_or(2, |shape| if shape.len() == 4 { 4 } else { 2 })
    }
}
