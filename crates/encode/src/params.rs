//! Every parameter of an architecture as data: what a learning rate, decay, freezing, an adapter, an estimate of
//! memory or a first value depends on is said here once, and nobody reads it out of a name.

mod fusion;

use std::ops::Range;

use crate::config::{ModelConfig, Network, NormPlace, ResNet, TowerConfig, Vision};
use crate::networks::{After, Step};

/// One parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Unique in its model.
    pub name: String,
    /// What it belongs to.
    pub part: Part,
    /// How far from the input: 0 is the embedding, 1.. the blocks (of a ResNet: its stages), one more than there
    /// are blocks what lies behind them. 0 for heads.
    pub depth: usize,
    /// What it is.
    pub kind: ParamKind,
    /// In PyTorch's layout.
    pub shape: Vec<usize>,
}

/// What a parameter belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The image tower.
    Image,
    /// The text tower.
    Text,
    /// The image tower's way into the common space.
    ImageHead,
    /// The text tower's.
    TextHead,
    /// Scale and bias of the logits.
    Logits,
    /// What makes a text, or rows between both towers, look at a picture, and the head behind it; no training here changes
    /// it.
    Fusion,
    /// What longer texts, patches and texts of regions have of their own (FG-CLIP 2); no training here changes it.
    Fine,
}

/// What a parameter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamKind {
    /// A matrix of a block that rows are multiplied with.
    Matrix(Role),
    /// A matrix elsewhere.
    Projection,
    /// A convolution.
    Kernel,
    /// A normalisation's weight; `silent` where it ends a branch, which begins at 0.
    Gain {
        /// See above.
        silent: bool,
    },
    /// Added to every row.
    Bias,
    /// A row for each token.
    Tokens,
    /// A row for each token of the bag of words beside the tower.
    Words,
    /// A row for each position.
    Positions,
    /// A row for each token type.
    Types,
    /// A class token or a probe.
    Token,
    /// A mean or variance that is measured, not learned.
    Statistic {
        /// Which of the two.
        variance: bool,
    },
    /// Logarithm of the logits' scale.
    LogScale,
    /// Added to the logits.
    LogitBias,
}

/// Which matrix of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Queries, keys and values.
    Qkv,
    /// Attention's output projection.
    Proj,
    /// The MLP's first matrix.
    Up,
    /// Its second one.
    Down,
}

impl Part {
    /// Whether it is inside a tower.
    pub fn is_tower(self) -> bool {
        matches!(self, Self::Image | Self::Text)
    }
}

impl Param {
    /// How many values it has.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether weight decay is for it: for matrices, but not for tables of embeddings.
    pub fn decays(&self) -> bool {
        let plain = matches!(
            self.kind,
            ParamKind::Tokens | ParamKind::Words | ParamKind::Positions | ParamKind::Token
        );
        self.shape.len() > 1 && !plain
    }
}

impl ModelConfig {
    /// How many values the model has.
    pub fn parameters(&self) -> usize {
        self.params().iter().map(Param::len).sum()
    }

    /// Name and shape of every weight, in PyTorch's layout.
    pub fn weight_shapes(&self) -> Vec<(String, Vec<usize>)> {
        self.params().into_iter().map(|param| (param.name, param.shape)).collect()
    }

    /// Every parameter.
    pub fn params(&self) -> Vec<Param> {
        let (width, dim) = (self.image.width, self.embed_dim);
        let feature = self.image_feature();
        let mut out = Params::new(Part::Image, "image");
        match self.vision {
            Vision::ResNet(net) => out.resnet(net, width),
            Vision::Network(net) => out.network(net),
            _ => {
                out.tower(&self.image);
                out.patches(self);
            }
        }
        out.depth = 0;
        if !matches!(self.vision, Vision::Network(_)) {
            out.add("pos_embed", ParamKind::Positions, &[1, self.image_positions(), width]);
        }
        let mut all = out.list;
        if self.image_only {
            return all;
        }
        let mut out = Params::new(Part::ImageHead, "heads");
        match self.image_proj_bias() {
            Some(true) => out.affine("image_proj", ParamKind::Projection, &[dim, feature]),
            Some(false) => out.add("image_proj.weight", ParamKind::Projection, &[dim, feature]),
            None => {}
        }
        all.extend(out.list);
        all.extend(self.text_params());
        all.extend(self.fusion_params());
        all.extend(self.fine_params());
        let mut out = Params::new(Part::Logits, "heads");
        out.add("logit_scale", ParamKind::LogScale, &[1]);
        out.add("logit_bias", ParamKind::LogitBias, &[1]);
        all.extend(out.list);
        all
    }

    fn fine_params(&self) -> Vec<Param> {
        let (width, dim) = (self.text.width, self.embed_dim);
        let mut image = Params::new(Part::Fine, "image");
        let mut text = Params::new(Part::Fine, "text");
        let mut heads = Params::new(Part::Fine, "heads");
        if self.dense {
            image.pooling("dense", &self.image);
            heads.affine("region_proj", ParamKind::Projection, &[dim, width]);
        }
        if let Some(long) = self.long {
            text.add("long_pos_embed", ParamKind::Positions, &[long.context, width]);
            heads.affine("long_proj", ParamKind::Projection, &[dim, width]);
        }
        [image.list, text.list, heads.list].concat()
    }

    fn text_params(&self) -> Vec<Param> {
        let width = self.text.width;
        let mut out = Params::new(Part::Text, "text");
        out.tower(&self.text);
        out.depth = 0;
        out.add("token_embed.weight", ParamKind::Tokens, &[self.vocab, width]);
        out.add("pos_embed", ParamKind::Positions, &[self.position_rows(), width]);
        if self.token_types > 0 {
            out.add("type_embed", ParamKind::Types, &[self.token_types, width]);
        }
        if self.words > 0 {
            out.add("words.weight", ParamKind::Words, &[self.vocab, self.words]);
        }
        let mut head = Params::new(Part::TextHead, "heads");
        let mut wide = self.text_feature();
        if self.text_hidden > 0 {
            head.add("text_hidden.weight", ParamKind::Projection, &[self.text_hidden, wide]);
            wide = self.text_hidden;
        }
        let shape = [self.embed_dim, wide];
        match self.text_proj_bias {
            true => head.affine("text_proj", ParamKind::Projection, &shape),
            false => head.add("text_proj.weight", ParamKind::Projection, &shape),
        }
        out.list.extend(head.list);
        out.list
    }
}

/// The parameters of a part, as they are added.
struct Params {
    part: Part,
    prefix: &'static str,
    depth: usize,
    list: Vec<Param>,
}

impl Params {
    fn new(part: Part, prefix: &'static str) -> Self {
        Self { part, prefix, depth: 0, list: Vec::new() }
    }

    fn add(&mut self, name: &str, kind: ParamKind, shape: &[usize]) {
        let name = format!("{}.{name}", self.prefix);
        let (part, depth) = (self.part, self.depth);
        self.list.push(Param { name, part, depth, kind, shape: shape.to_vec() });
    }

    /// A weight, and a bias as long as its first axis.
    fn affine(&mut self, name: &str, kind: ParamKind, shape: &[usize]) {
        self.add(&format!("{name}.weight"), kind, shape);
        self.add(&format!("{name}.bias"), ParamKind::Bias, &shape[..1]);
    }

    fn norm(&mut self, name: &str, width: usize) {
        self.affine(name, ParamKind::Gain { silent: false }, &[width]);
    }

    fn blocks(&mut self, tower: &TowerConfig, blocks: Range<usize>) {
        let (width, mlp) = (tower.width, tower.mlp);
        for block in blocks {
            self.depth = block + 1;
            let part = |part: &str| format!("blocks.{block}.{part}");
            self.norm(&part("norm1"), width);
            self.affine(&part("attn.qkv"), ParamKind::Matrix(Role::Qkv), &[3 * width, width]);
            self.affine(&part("attn.proj"), ParamKind::Matrix(Role::Proj), &[width, width]);
            self.norm(&part("norm2"), width);
            self.affine(&part("mlp.fc1"), ParamKind::Matrix(Role::Up), &[mlp, width]);
            self.affine(&part("mlp.fc2"), ParamKind::Matrix(Role::Down), &[width, mlp]);
        }
    }

    fn tower(&mut self, tower: &TowerConfig) {
        self.blocks(tower, 0..tower.layers);
        self.depth = 0;
        if tower.first_norm {
            self.norm("first_norm", tower.width);
        }
        self.depth = tower.layers + 1;
        if tower.norm == NormPlace::Pre && tower.last_norm {
            self.norm("norm", tower.width);
        }
    }

    /// What stands before and behind the blocks of an image tower.
    fn patches(&mut self, config: &ModelConfig) {
        let width = config.image.width;
        match config.vision {
            Vision::Probe => self.probe(&config.image),
            _ => {
                self.depth = 0;
                self.add("cls_token", ParamKind::Token, &[1, 1, width]);
            }
        }
        self.depth = 0;
        let shape = [width, 3 * config.patch * config.patch];
        match config.patch_bias {
            true => self.affine("patch_embed", ParamKind::Projection, &shape),
            false => self.add("patch_embed.weight", ParamKind::Projection, &shape),
        }
    }

    fn probe(&mut self, tower: &TowerConfig) {
        self.depth = tower.layers + 1;
        self.add("pool.probe", ParamKind::Token, &[1, 1, tower.width]);
        self.pooling("pool", tower);
    }

    /// An attention pooling without its probe.
    fn pooling(&mut self, name: &str, tower: &TowerConfig) {
        let (width, mlp) = (tower.width, tower.mlp);
        self.depth = tower.layers + 1;
        let part = |part: &str| format!("{name}.{part}");
        self.affine(&part("qkv"), ParamKind::Projection, &[3 * width, width]);
        self.affine(&part("proj"), ParamKind::Projection, &[width, width]);
        self.norm(&part("norm"), width);
        self.affine(&part("mlp.fc1"), ParamKind::Projection, &[mlp, width]);
        self.affine(&part("mlp.fc2"), ParamKind::Projection, &[width, mlp]);
    }

    fn resnet(&mut self, net: ResNet, width: usize) {
        let half = net.stem / 2;
        self.convolution("conv1", "bn1", [half, 3, 3], false);
        self.convolution("conv2", "bn2", [half, half, 3], false);
        self.convolution("conv3", "bn3", [net.stem, half, 3], false);
        let mut wide = net.stem;
        for (stage, &count) in net.blocks.iter().enumerate() {
            self.depth = stage + 1;
            let planes = net.stem << stage;
            for block in 0..count {
                let part = |part: &str| format!("layer{}.{block}.{part}", stage + 1);
                self.convolution(&part("conv1"), &part("bn1"), [planes, wide, 1], false);
                self.convolution(&part("conv2"), &part("bn2"), [planes, planes, 3], false);
                self.convolution(&part("conv3"), &part("bn3"), [4 * planes, planes, 1], true);
                if block == 0 {
                    let (conv, norm) = (part("downsample.0"), part("downsample.1"));
                    self.convolution(&conv, &norm, [4 * planes, wide, 1], false);
                }
                wide = 4 * planes;
            }
        }
        self.depth = net.blocks.len() + 1;
        self.affine("pool.qkv", ParamKind::Projection, &[3 * width, width]);
    }

    /// The layers of a plan, a stage at a depth.
    fn network(&mut self, net: Network) {
        for (at, stage) in net.plan().iter().enumerate() {
            self.depth = at;
            for layer in stage.steps.iter().flat_map(Step::layers) {
                let shape = [&[layer.out, layer.wide][..], &layer.window.kernel].concat();
                match &layer.behind {
                    // On a whole grid it is a matrix.
                    After::Bias if layer.name.starts_with("fc") => {
                        let shape = [layer.out, shape[1..].iter().product()];
                        self.affine(&layer.name, ParamKind::Projection, &shape);
                    }
                    After::Bias => self.affine(&layer.name, ParamKind::Kernel, &shape),
                    After::BiasAndNorm(norm, _) => {
                        self.affine(&layer.name, ParamKind::Kernel, &shape);
                        self.batch_norm(norm, layer.out, layer.silent);
                    }
                    After::Norm(norm, _) => {
                        let weight = format!("{}.weight", layer.name);
                        self.add(&weight, ParamKind::Kernel, &shape);
                        self.batch_norm(norm, layer.out, layer.silent);
                    }
                }
            }
        }
    }

    /// A convolution without bias, of `[out, in, side]`, and the batch normalisation behind it.
    fn convolution(&mut self, conv: &str, norm: &str, sizes: [usize; 3], silent: bool) {
        let [out, wide, side] = sizes;
        self.add(&format!("{conv}.weight"), ParamKind::Kernel, &[out, wide, side, side]);
        self.batch_norm(norm, out, silent);
    }

    fn batch_norm(&mut self, norm: &str, out: usize, silent: bool) {
        self.affine(norm, ParamKind::Gain { silent }, &[out]);
        self.add(&format!("{norm}.running_mean"), ParamKind::Statistic { variance: false }, &[out]);
        self.add(&format!("{norm}.running_var"), ParamKind::Statistic { variance: true }, &[out]);
    }
}
