//! ResNet-18 to 152, <https://github.com/pytorch/vision/blob/main/torchvision/models/resnet.py>; timm's have the same names.

use tuwen_nn::{Bend, Window};

use super::{EPS, Layer, Plan, Step, stage};

/// A stem, four stages of residual blocks, and the mean of their last grid.
pub(super) fn plan(stem: usize, blocks: [usize; 4], bottleneck: bool) -> Plan {
    let layer = |name: &str, norm: &str, channels, side, stride| {
        Layer::normed(name, norm, channels, Window::around(side, stride), EPS[0])
    };
    let first = layer("conv1", "bn1", [3, stem], 7, 2);
    let mut plan = vec![stage("stem", vec![first.step(), Step::Largest(Window::around(3, 2))])];
    let mut wide = stem;
    for (at, count) in blocks.into_iter().enumerate() {
        let planes = stem << at;
        let out = if bottleneck { 4 * planes } else { planes };
        let block = |index: usize| {
            let stride = if index == 0 && at > 0 { 2 } else { 1 };
            let from = if index == 0 { wide } else { out };
            let part = |part: &str| format!("layer{}.{index}.{part}", at + 1);
            let numbered = |n: usize, channels, side, stride| {
                layer(&part(&format!("conv{n}")), &part(&format!("bn{n}")), channels, side, stride)
            };
            let inner = match bottleneck {
                true => vec![
                    numbered(1, [from, planes], 1, 1),
                    numbered(2, [planes, planes], 3, stride),
                    numbered(3, [planes, out], 1, 1).last(),
                ],
                false => vec![
                    numbered(1, [from, planes], 3, stride),
                    numbered(2, [planes, out], 3, 1).last(),
                ],
            };
            let shortcut = || {
                let names = [part("downsample.0"), part("downsample.1")];
                layer(&names[0], &names[1], [from, out], 1, stride).bent(Bend::None)
            };
            Step::Residual {
                inner: inner.into_iter().map(Layer::step).collect(),
                shortcut: (stride > 1 || from != out).then(shortcut),
                bend: Bend::Relu,
            }
        };
        plan.push(stage(format!("layer{}", at + 1), (0..count).map(block).collect()));
        wide = out;
    }
    plan.push(stage("pool", vec![Step::MeanOfAll]));
    plan
}
