//! VGG-11 to 19 with and without batch normalisations,
//! <https://github.com/pytorch/vision/blob/main/torchvision/models/vgg.py>. The feature is that before the classifier's last
//! layer, rectified (`fc7`), as the field's articles take it.

use tuwen_nn::{Bend, Window};

use super::{After, EPS, Layer, Plan, Step, bare, stage};

/// Side of the grid that the first layer behind the blocks sees as a whole.
const LAST: usize = 7;

/// Five blocks, each of which ends with a grid of half the side, and two layers on the whole of the last one.
pub(super) fn plan(
    convolutions: [usize; 5],
    widths: [usize; 5],
    hidden: [usize; 2],
    norm: bool,
) -> Plan {
    // Where a layer stands in torchvision's list, in which everything has a place.
    let (mut place, mut wide) = (0, 3);
    let mut plan = Plan::new();
    for (block, (count, width)) in convolutions.into_iter().zip(widths).enumerate() {
        let mut steps = Vec::new();
        for _ in 0..count {
            let (name, behind) = (format!("features.{place}"), format!("features.{}", place + 1));
            let (channels, window) = ([wide, width], Window::around(3, 1));
            let layer = Layer::biased(&name, channels, window);
            let layer = match norm {
                true => Layer { behind: After::BiasAndNorm(behind, EPS[0]), ..layer },
                false => layer,
            };
            steps.push(layer.step());
            place += if norm { 3 } else { 2 };
            wide = width;
        }
        place += 1;
        steps.push(Step::Largest(bare(2, 2)));
        plan.push(stage(format!("block{}", block + 1), steps));
    }
    let whole = Layer::biased("fc1", [wide, hidden[0]], bare(LAST, 1));
    plan.push(stage("fc6", vec![whole.bent(Bend::Relu).step()]));
    plan.push(stage("fc7", vec![Layer::biased("fc2", hidden, bare(1, 1)).step()]));
    plan
}
