//! CLIP's ModifiedResNet, whose batch normalisations keep their statistics.
//!
//! Source: <https://github.com/openai/CLIP/blob/main/clip/model.py>.

use burn::module::{Initializer, Module, Param};
use burn::nn::Linear;
use burn::tensor::activation::relu;
use burn::tensor::module::{avg_pool2d, conv2d};
use burn::tensor::ops::{AvgPoolOptions, ConvOptions};
use burn::tensor::{Device, Tensor};
use tuwen_encode::{ModelConfig, ResNet as Sizes};

use crate::layers::{attend, linear};

/// PyTorch's default.
const NORM_EPS: f64 = 1e-5;

/// Pixels to one feature per picture.
#[derive(Module, Debug)]
pub struct ResNet {
    conv1: Convolution,
    bn1: Norm,
    conv2: Convolution,
    bn2: Norm,
    conv3: Convolution,
    bn3: Norm,
    layer1: Vec<Bottleneck>,
    layer2: Vec<Bottleneck>,
    layer3: Vec<Bottleneck>,
    layer4: Vec<Bottleneck>,
    pool: Pool,
    pos_embed: Param<Tensor<3>>,
}

#[derive(Module, Debug)]
struct Convolution {
    weight: Param<Tensor<4>>,
}

/// A batch normalisation by the statistics that it has.
#[derive(Module, Debug)]
struct Norm {
    weight: Param<Tensor<1>>,
    bias: Param<Tensor<1>>,
    running_mean: Param<Tensor<1>>,
    running_var: Param<Tensor<1>>,
}

#[derive(Module, Debug)]
struct Bottleneck {
    conv1: Convolution,
    bn1: Norm,
    conv2: Convolution,
    bn2: Norm,
    conv3: Convolution,
    bn3: Norm,
    downsample: Option<(Convolution, Norm)>,
    halves: bool,
}

#[derive(Module, Debug)]
struct Pool {
    qkv: Linear,
    heads: usize,
}

impl ResNet {
    /// Random weights; as in CLIP, each block starts by passing its input on.
    pub fn new(config: &ModelConfig, net: Sizes, device: &Device) -> Self {
        let (stem, width) = (net.stem, config.image.width);
        let conv = |wide, out, side| Convolution::new(out, wide, side, device);
        let norm = |width| Norm::new(width, 1.0, device);
        let stage = |stage: usize| -> Vec<Bottleneck> {
            let planes = stem << stage;
            let before = if stage == 0 { stem } else { 2 * planes };
            let wide = |index| if index == 0 { before } else { 4 * planes };
            let block = |index| Bottleneck::new(wide(index), planes, stage, index, device);
            (0..net.blocks[stage]).map(block).collect()
        };
        let normal = Initializer::Normal { mean: 0.0, std: (width as f64).powf(-0.5) };
        Self {
            conv1: conv(3, stem / 2, 3),
            bn1: norm(stem / 2),
            conv2: conv(stem / 2, stem / 2, 3),
            bn2: norm(stem / 2),
            conv3: conv(stem / 2, stem, 3),
            bn3: norm(stem),
            layer1: stage(0),
            layer2: stage(1),
            layer3: stage(2),
            layer4: stage(3),
            pool: Pool { qkv: linear(width, 3 * width, true, device), heads: config.image.heads },
            pos_embed: normal.init([1, config.image_positions(), width], device),
        }
    }

    /// # Shapes
    /// `pixels`: (B, 3, R, R), normalised. Returns (B, W).
    pub fn forward(&self, pixels: Tensor<4>) -> Tensor<2> {
        let x = relu(self.bn1.forward(self.conv1.forward(pixels, 2)));
        let x = relu(self.bn2.forward(self.conv2.forward(x, 1)));
        let x = relu(self.bn3.forward(self.conv3.forward(x, 1)));
        let mut x = halved(x);
        for block in [&self.layer1, &self.layer2, &self.layer3, &self.layer4].into_iter().flatten()
        {
            x = block.forward(x);
        }
        let rows: Tensor<3> = x.flatten::<3>(2, 3).swap_dims(1, 2); // (B, P, W)
        let rows = Tensor::cat(vec![rows.clone().mean_dim(1), rows], 1) + self.pos_embed.val();
        self.pool.forward(rows)
    }
}

impl Bottleneck {
    /// `wide` channels come in, 4 * `planes` go out; block `index` of a stage.
    fn new(wide: usize, planes: usize, stage: usize, index: usize, device: &Device) -> Self {
        let conv = |wide, out, side| Convolution::new(out, wide, side, device);
        let norm = |width, weight| Norm::new(width, weight, device);
        Self {
            conv1: conv(wide, planes, 1),
            bn1: norm(planes, 1.0),
            conv2: conv(planes, planes, 3),
            bn2: norm(planes, 1.0),
            conv3: conv(planes, 4 * planes, 1),
            bn3: norm(4 * planes, 0.0),
            downsample: (index == 0).then(|| (conv(wide, 4 * planes, 1), norm(4 * planes, 1.0))),
            halves: index == 0 && stage > 0,
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let smaller = |x: Tensor<4>| if self.halves { halved(x) } else { x };
        let out = relu(self.bn1.forward(self.conv1.forward(x.clone(), 1)));
        let out = relu(self.bn2.forward(self.conv2.forward(out, 1)));
        let out = self.bn3.forward(self.conv3.forward(smaller(out), 1));
        let shortcut = match &self.downsample {
            Some((conv, norm)) => norm.forward(conv.forward(smaller(x), 1)),
            None => x,
        };
        relu(out + shortcut)
    }
}

impl Convolution {
    /// He et al.'s initialisation, <https://arxiv.org/abs/1502.01852>.
    fn new(out: usize, wide: usize, side: usize, device: &Device) -> Self {
        let std = (2.0 / (wide * side * side) as f64).sqrt();
        let normal = Initializer::Normal { mean: 0.0, std };
        Self { weight: normal.init([out, wide, side, side], device) }
    }

    fn forward(&self, x: Tensor<4>, stride: usize) -> Tensor<4> {
        let weight = self.weight.val();
        let around = weight.dims()[3] / 2;
        let options = ConvOptions::new([stride; 2], [around; 2], [1; 2], 1);
        conv2d(x, weight, None, options)
    }
}

impl Norm {
    fn new(width: usize, weight: f64, device: &Device) -> Self {
        let all = |value| Initializer::Constant { value }.init([width], device);
        Self { weight: all(weight), bias: all(0.0), running_mean: all(0.0), running_var: all(1.0) }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let scale = self.weight.val() / (self.running_var.val() + NORM_EPS).sqrt();
        let shift = self.bias.val() - self.running_mean.val() * scale.clone();
        let wide = |row: Tensor<1>| -> Tensor<4> { row.unsqueeze::<2>().unsqueeze_dims(&[2, 3]) };
        x * wide(scale) + wide(shift)
    }
}

impl Pool {
    /// The first row of each picture attends to all: from (B, P + 1, W) to (B, W).
    fn forward(&self, x: Tensor<3>) -> Tensor<2> {
        let [batch, len, width] = x.dims();
        let qkv = self.qkv.forward(x).reshape([batch, len, 3, self.heads, width / self.heads]);
        let part = |index: usize| -> Tensor<4> {
            qkv.clone().narrow(2, index, 1).squeeze_dim::<4>(2).swap_dims(1, 2)
        };
        attend(part(0).narrow(2, 0, 1), part(1), part(2), None).squeeze_dim(1)
    }
}

/// The mean of every 2 x 2 pixels.
fn halved(x: Tensor<4>) -> Tensor<4> {
    let options = AvgPoolOptions {
        kernel_size: [2; 2],
        stride: [2; 2],
        padding: [(0, 0); 2],
        count_include_pad: true,
        ceil_mode: false,
    };
    avg_pool2d(x, options)
}
