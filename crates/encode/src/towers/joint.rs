//! A picture that looks at a text (R2D2, Xie et al. 2023, <https://arxiv.org/abs/2205.03860>; `img_joint_layer` of
//! <https://github.com/yuxie11/R2D2>): the picture's rows, as wide as the text's, go through blocks with a step of attention to
//! the rows that the text tower ends with, and two logits stand behind the first one.

use std::ops::Range;

use tuwen_nn::{Linear, Tape, Value};

use super::fusion::spans;
use crate::block::{Block, Cross, Looking, fuse};
use crate::layers::{Weights, linear};
use crate::{ModelConfig, Result};

/// See the module.
pub(super) struct Joint<'a> {
    proj: Linear<'a>,
    blocks: Vec<(Block<'a>, Cross<'a>)>,
    head: Linear<'a>,
}

impl<'a> Joint<'a> {
    /// The weights of `config`'s blocks of pictures; none where it has none.
    ///
    /// # Errors
    /// A weight is missing.
    pub(super) fn find(config: &ModelConfig, weights: &dyn Weights<'a>) -> Result<Option<Self>> {
        let Some(fusion) = config.fusion.filter(|fusion| fusion.both_ways) else { return Ok(None) };
        let block = |block: usize| {
            let name = format!("joint.blocks.{block}");
            let cross = Cross::new(weights, &name, config.text.norm_eps)?;
            Ok((Block::new(&config.text, false, weights, &name)?, cross))
        };
        Ok(Some(Self {
            proj: linear(weights, "joint.proj", true)?,
            blocks: (0..fusion.blocks - fusion.from).map(block).collect::<Result<_>>()?,
            head: linear(weights, "heads.match_picture", true)?,
        }))
    }

    /// For each pair the logits of no match and of a match.
    ///
    /// # Shapes
    /// `pictures`: (rows, the image tower's width), of each pair's picture those at one of `looks`; `texts`: (rows, W), of
    /// its text those at one of `reads`.
    pub(super) fn logits<'w>(
        &'w self,
        tape: &mut Tape<'w>,
        (pictures, looks): (&Value, &[Range<usize>]),
        (texts, reads): (&Value, &[Range<usize>]),
    ) -> Vec<[f32; 2]> {
        let rows = tape.linear(pictures, &self.proj);
        // Each pair has a copy of its picture, which depends on the text from here on.
        let x = tape.pick(&rows, looks.iter().cloned().flatten().collect());
        let own = spans(looks.iter().map(Range::len));
        let looking = Looking { spans: &own, pictures: texts, looks: reads };
        let blocks: Vec<_> = self.blocks.iter().map(|(block, cross)| (block, cross)).collect();
        let x = fuse(&blocks, tape, x, &looking);
        tape.linear(&x, &self.head).as_chunks::<2>().0.to_vec()
    }
}
