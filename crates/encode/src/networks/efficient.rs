//! EfficientNet and EfficientNet-Lite,
//! <https://github.com/huggingface/pytorch-image-models/blob/main/timm/models/efficientnet.py>, whose names these are;
//! torchvision's is the same network under other names.

use tuwen_nn::{Bend, Padding, Window};

use super::{EPS, Layer, Plan, Step, stage};
use crate::config::MobileStage;

/// Of the seven stages.
const STRIDES: [usize; 7] = [1, 2, 2, 2, 1, 2, 1];

/// How all convolutions pad, normalise and bend.
struct Parts {
    squeeze: bool,
    tensorflow: bool,
}

impl Parts {
    fn window(&self, side: usize, stride: usize) -> Window {
        match self.tensorflow {
            true => Window { kernel: [side; 2], stride, padding: Padding::Same },
            false => Window::around(side, stride),
        }
    }

    fn layer(&self, [name, norm]: [&str; 2], channels: [usize; 2], window: Window) -> Layer {
        let bend = if self.squeeze { Bend::Silu } else { Bend::Relu6 };
        Layer::normed(name, norm, channels, window, EPS[usize::from(self.tensorflow)]).bent(bend)
    }

    /// An inverted residual block.
    fn block(
        &self,
        name: &str,
        wide: usize,
        kind: &MobileStage,
        stride: usize,
    ) -> Vec<Step<Layer>> {
        let part = |part: &str| format!("{name}.{part}");
        let [_, out, kernel, expand] = kind.numbers();
        let (inner, one) = (wide * expand, self.window(1, 1));
        let layer = |conv: &str, norm: &str, channels, window| {
            self.layer([&part(conv), &part(norm)], channels, window)
        };
        let expands = expand > 1;
        let [each, last] = if expands { ["bn2", "bn3"] } else { ["bn1", "bn2"] };
        let mut steps = Vec::new();
        if expands {
            steps.push(layer("conv_pw", "bn1", [wide, inner], one).step());
        }
        let depthwise = layer("conv_dw", each, [1, inner], self.window(kernel, stride));
        steps.push(Layer { each: true, ..depthwise }.step());
        if self.squeeze {
            let few = (wide / 4).max(1);
            let biased = |name: &str, channels| Layer::biased(&part(name), channels, one);
            steps.push(Step::Gate {
                down: biased("se.conv_reduce", [inner, few]).bent(Bend::Silu),
                up: biased("se.conv_expand", [few, inner]).bent(Bend::Sigmoid),
            });
        }
        let conv = if expands { "conv_pwl" } else { "conv_pw" };
        steps.push(layer(conv, last, [inner, out], one).last().step());
        match stride == 1 && wide == out {
            true => vec![Step::Residual { inner: steps, shortcut: None, bend: Bend::None }],
            false => steps,
        }
    }
}

/// A convolution, seven stages of blocks, a convolution, and the mean of its grid.
pub(super) fn plan(
    [stem, head]: [usize; 2],
    stages: &[MobileStage; 7],
    squeeze: bool,
    tensorflow: bool,
) -> Plan {
    let parts = Parts { squeeze, tensorflow };
    let first = parts.layer(["conv_stem", "bn1"], [3, stem], parts.window(3, 2));
    let mut plan = vec![stage("stem", vec![first.step()])];
    let mut wide = stem;
    for (at, (kind, stride)) in stages.iter().zip(STRIDES).enumerate() {
        let mut steps = Vec::new();
        let [blocks, out, ..] = kind.numbers();
        for index in 0..blocks {
            let stride = if index == 0 { stride } else { 1 };
            steps.extend(parts.block(&format!("blocks.{at}.{index}"), wide, kind, stride));
            wide = out;
        }
        plan.push(stage(format!("blocks.{at}"), steps));
    }
    let last = parts.layer(["conv_head", "bn2"], [wide, head], parts.window(1, 1));
    plan.push(stage("head", vec![last.step()]));
    plan.push(stage("pool", vec![Step::MeanOfAll]));
    plan
}
