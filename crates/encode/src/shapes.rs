//! Name and shape of every weight of an architecture.

use crate::config::{ResNet, Vision};
use crate::{ModelConfig, NormPlace, TowerConfig};

/// Names with their shapes, in PyTorch's layout.
struct Shapes(Vec<(String, Vec<usize>)>);

impl ModelConfig {
    /// Number of values of all weights.
    pub fn parameters(&self) -> usize {
        self.weight_shapes().iter().map(|(_, shape)| shape.iter().product::<usize>()).sum()
    }

    /// Name and shape of every weight, in PyTorch's layout.
    pub fn weight_shapes(&self) -> Vec<(String, Vec<usize>)> {
        let mut out = Shapes(Vec::new());
        let (width, dim) = (self.image.width, self.embed_dim);
        match self.vision {
            Vision::ResNet(net) => out.resnet(net),
            _ => out.tower("image", &self.image),
        }
        match self.image_proj_bias() {
            Some(true) => out.affine("heads.image_proj", &[dim, width]),
            Some(false) => out.add("heads.image_proj.weight", &[dim, width]),
            None => {}
        }
        match self.vision {
            Vision::ClassToken => out.add("image.cls_token", &[1, 1, width]),
            Vision::Probe => out.probe(&self.image),
            Vision::ResNet(_) => out.affine("image.pool.qkv", &[3 * width, width]),
        }
        if !matches!(self.vision, Vision::ResNet(_)) {
            out.add("image.patch_embed.weight", &[width, 3 * self.patch * self.patch]);
            if self.patch_bias {
                out.add("image.patch_embed.bias", &[width]);
            }
        }
        out.add("image.pos_embed", &[1, self.image_positions(), width]);
        out.text(self);
        out.add("heads.logit_scale", &[1]);
        out.add("heads.logit_bias", &[1]);
        out.0
    }
}

impl Shapes {
    fn add(&mut self, name: &str, shape: &[usize]) {
        self.0.push((name.to_owned(), shape.to_vec()));
    }

    /// A weight, and a bias as long as its first axis.
    fn affine(&mut self, name: &str, shape: &[usize]) {
        self.add(&format!("{name}.weight"), shape);
        self.add(&format!("{name}.bias"), &shape[..1]);
    }

    fn tower(&mut self, name: &str, tower: &TowerConfig) {
        let (width, mlp) = (tower.width, tower.mlp);
        for block in 0..tower.layers {
            let part = |part: &str| format!("{name}.blocks.{block}.{part}");
            self.affine(&part("norm1"), &[width]);
            self.affine(&part("attn.qkv"), &[3 * width, width]);
            self.affine(&part("attn.proj"), &[width, width]);
            self.affine(&part("norm2"), &[width]);
            self.affine(&part("mlp.fc1"), &[mlp, width]);
            self.affine(&part("mlp.fc2"), &[width, mlp]);
        }
        if tower.first_norm {
            self.affine(&format!("{name}.first_norm"), &[width]);
        }
        if tower.norm == NormPlace::Pre {
            self.affine(&format!("{name}.norm"), &[width]);
        }
    }

    fn text(&mut self, config: &ModelConfig) {
        let width = config.text.width;
        self.tower("text", &config.text);
        self.add("text.token_embed.weight", &[config.vocab, width]);
        self.add("text.pos_embed", &[config.position_rows(), width]);
        if config.token_types > 0 {
            self.add("text.type_embed", &[config.token_types, width]);
        }
        if config.words > 0 {
            self.add("text.words.weight", &[config.vocab, config.words]);
        }
        self.add("heads.text_proj.weight", &[config.embed_dim, config.text_feature()]);
        if config.text_proj_bias {
            self.add("heads.text_proj.bias", &[config.embed_dim]);
        }
    }

    fn probe(&mut self, tower: &TowerConfig) {
        let (width, mlp) = (tower.width, tower.mlp);
        self.add("image.pool.probe", &[1, 1, width]);
        self.affine("image.pool.qkv", &[3 * width, width]);
        self.affine("image.pool.proj", &[width, width]);
        self.affine("image.pool.norm", &[width]);
        self.affine("image.pool.mlp.fc1", &[mlp, width]);
        self.affine("image.pool.mlp.fc2", &[width, mlp]);
    }

    fn resnet(&mut self, net: ResNet) {
        let half = net.stem / 2;
        self.convolution("image.conv1", "image.bn1", half, 3, 3);
        self.convolution("image.conv2", "image.bn2", half, half, 3);
        self.convolution("image.conv3", "image.bn3", net.stem, half, 3);
        let mut wide = net.stem;
        for (stage, &count) in net.blocks.iter().enumerate() {
            let planes = net.stem << stage;
            for block in 0..count {
                let name = format!("image.layer{}.{block}", stage + 1);
                let part = |part: &str| format!("{name}.{part}");
                self.convolution(&part("conv1"), &part("bn1"), planes, wide, 1);
                self.convolution(&part("conv2"), &part("bn2"), planes, planes, 3);
                self.convolution(&part("conv3"), &part("bn3"), 4 * planes, planes, 1);
                if block == 0 {
                    let (conv, norm) = (part("downsample.0"), part("downsample.1"));
                    self.convolution(&conv, &norm, 4 * planes, wide, 1);
                }
                wide = 4 * planes;
            }
        }
    }

    /// A convolution without bias and the batch normalisation behind it.
    fn convolution(&mut self, conv: &str, norm: &str, out: usize, wide: usize, side: usize) {
        self.add(&format!("{conv}.weight"), &[out, wide, side, side]);
        for part in ["weight", "bias", "running_mean", "running_var"] {
            self.add(&format!("{norm}.{part}"), &[out]);
        }
    }
}
