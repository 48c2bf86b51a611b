//! The parameters of what looks at a picture: a text's blocks, queries, the head behind them.

use super::{Param, ParamKind, Params, Part, Role};
use crate::config::{Fusion, ModelConfig, Queries, TowerConfig};

impl ModelConfig {
    pub(super) fn fusion_params(&self) -> Vec<Param> {
        let Some(fusion) = self.fusion else { return Vec::new() };
        let (width, wide) = (self.text.width, self.image.width);
        let mut out = Params::new(Part::Fusion, "text");
        out.blocks(&self.text, self.text.layers..fusion.blocks);
        for block in (0..fusion.blocks).filter(|&block| self.looks(block)) {
            out.cross(block, width, wide);
        }
        if let Some(queries) = self.queries {
            out.queries(&self.text, queries);
        }
        if fusion.both_ways {
            out.list.extend(self.joint_params(fusion));
        }
        let mut head = Params::new(Part::Fusion, "heads");
        head.affine("match", ParamKind::Projection, &[2, width]);
        out.list.extend(head.list);
        out.list
    }

    /// What makes a picture's rows look at a text.
    fn joint_params(&self, fusion: Fusion) -> Vec<Param> {
        let width = self.text.width;
        let count = fusion.blocks - fusion.from;
        let mut out = Params::new(Part::Fusion, "joint");
        out.affine("proj", ParamKind::Projection, &[width, self.image.width]);
        out.blocks(&self.text, 0..count);
        (0..count).for_each(|block| out.cross(block, width, width));
        let mut head = Params::new(Part::Fusion, "heads");
        head.affine("match_picture", ParamKind::Projection, &[2, width]);
        out.list.extend(head.list);
        out.list
    }
}

impl Params {
    /// A block's step of attention to rows of another width.
    fn cross(&mut self, block: usize, width: usize, wide: usize) {
        self.depth = block + 1;
        let part = |part: &str| format!("blocks.{block}.cross.{part}");
        self.affine(&part("ask"), ParamKind::Matrix(Role::Qkv), &[width, width]);
        self.affine(&part("seen"), ParamKind::Matrix(Role::Qkv), &[2 * width, wide]);
        self.affine(&part("told"), ParamKind::Matrix(Role::Proj), &[width, width]);
        self.norm(&part("norm"), width);
    }

    /// Rows that go through the blocks of a text tower, each with an MLP of their own.
    fn queries(&mut self, tower: &TowerConfig, queries: Queries) {
        let (width, mlp) = (tower.width, tower.mlp);
        self.depth = 0;
        self.add("queries", ParamKind::Token, &[1, queries.count, width]);
        for block in 0..tower.layers {
            self.depth = block + 1;
            let part = |part: &str| format!("blocks.{block}.query.{part}");
            self.affine(&part("fc1"), ParamKind::Matrix(Role::Up), &[mlp, width]);
            self.affine(&part("fc2"), ParamKind::Matrix(Role::Down), &[width, mlp]);
            self.norm(&part("norm"), width);
        }
    }
}
