//! Blocks whose rows also look at a picture's: a text and a picture fused (ALBEF, BLIP), or a caption that grows a row at a
//! time.

use std::ops::Range;
use std::sync::Arc;

use tuwen_nn::{Attention, Cache, Linear, Norm, Part, Sequence, Tape, Value};

use super::{Block, OutputRows, Rows};
use crate::Result;
use crate::layers::{Weights, block_linear, norm};

/// The layers by which a block's rows also attend to a picture's: a step between attention and MLP, normalised behind its
/// sum as all of a BERT's.
pub(crate) struct Cross<'a> {
    ask: Linear<'a>,
    seen: Linear<'a>,
    told: Linear<'a>,
    norm: Norm<'a>,
}

/// A picture's rows as one block sees them.
pub(super) struct Across<'c, 'w> {
    pub(super) cross: &'w Cross<'w>,
    /// Keys and values, (rows, 2 W).
    pub(super) seen: Value,
    pub(super) sequences: &'c Arc<[Sequence]>,
}

/// The one picture that growing texts look at, as one block sees it.
#[derive(Clone, Copy)]
pub(crate) struct OnePicture<'p, 'w> {
    pub(crate) cross: &'w Cross<'w>,
    /// Keys and values, (rows, 2 W).
    pub(crate) seen: &'p Value,
}

impl<'a> Cross<'a> {
    /// The weights under `NAME.cross`.
    pub(crate) fn new(weights: &dyn Weights<'a>, name: &str, eps: f32) -> Result<Self> {
        let find = |part: &str| block_linear(weights, &format!("{name}.cross.{part}"));
        Ok(Self {
            ask: find("ask")?,
            seen: find("seen")?,
            told: find("told")?,
            norm: norm(weights, &format!("{name}.cross.norm"), eps)?,
        })
    }

    /// Keys and values of a picture's rows, (rows, 2 W).
    pub(crate) fn keys<'w>(&'w self, tape: &mut Tape<'w>, rows: &Value) -> Value {
        tape.linear(rows, &self.seen)
    }
}

/// Texts beside the pictures that they look at.
pub(crate) struct Looking<'v> {
    /// Rows of each text.
    pub(crate) spans: &'v [Range<usize>],
    /// Rows of all pictures.
    pub(crate) pictures: &'v Value,
    /// Of each text the rows of its picture.
    pub(crate) looks: &'v [Range<usize>],
}

/// Runs blocks over texts and the pictures that they look at; of the last one only the texts' first rows come out.
pub(crate) fn fuse<'w>(
    blocks: &[(&'w Block<'w>, &'w Cross<'w>)],
    tape: &mut Tape<'w>,
    mut x: Value,
    looking: &Looking<'_>,
) -> Value {
    let at_pictures = |queries: &dyn Fn(usize, &Range<usize>) -> Range<usize>| -> Arc<[Sequence]> {
        let one = |(at, (text, keys)): (usize, (&Range<usize>, &Range<usize>))| Sequence {
            queries: queries(at, text),
            keys: keys.clone(),
            first: 0,
        };
        looking.spans.iter().zip(looking.looks).enumerate().map(one).collect()
    };
    let all = (Rows::new(looking.spans, OutputRows::All), at_pictures(&|_, text| text.clone()));
    let last = (Rows::new(looking.spans, OutputRows::First), at_pictures(&|at, _| at..at + 1));
    for (index, (block, cross)) in blocks.iter().enumerate() {
        let (rows, sequences) = if index + 1 == blocks.len() { &last } else { &all };
        let seen = cross.keys(tape, looking.pictures);
        x = block.forward(tape, x, rows, Some(Across { cross, seen, sequences }));
    }
    x
}

impl Block<'_> {
    /// All rows of sequences that see nothing but themselves.
    pub(crate) fn among<'w>(
        &'w self,
        tape: &mut Tape<'w>,
        x: Value,
        spans: &[Range<usize>],
    ) -> Value {
        self.forward(tape, x, &Rows::new(spans, OutputRows::All), None)
    }

    /// The next row of several sequences, whose rows before it are in `cache`; all of them look at one picture.
    pub(crate) fn next<'w>(
        &'w self,
        tape: &mut Tape<'w>,
        x: &Value,
        cache: &mut Cache,
        picture: OnePicture<'_, 'w>,
    ) -> Value {
        let width = self.attention.width;
        let qkv = tape.linear(x, &self.qkv);
        let keys = qkv.chunks_exact(3 * width).flat_map(|row| &row[width..]).copied().collect();
        cache.push(&tape.leaf(keys, 2 * width, false));
        let query = Part { of: &qkv, column: 0 };
        let part = |column| Part { of: cache.rows(), column };
        let own = cache.sequences(1);
        let mixed = tape.attention(self.attention, query, part(0), part(width), &own);
        let branch = tape.linear(&mixed, &self.proj);
        let sum = tape.add(branch, x);
        let OnePicture { cross, seen } = picture;
        let all = Sequence { queries: 0..x.rows(), keys: 0..seen.rows(), first: 0 };
        let across = Across { cross, seen: seen.clone(), sequences: &[all].into() };
        self.behind(tape, sum, Some(across))
    }

    /// `x` and what its rows gather of the picture's, normalised.
    pub(super) fn look<'w>(
        &'w self,
        tape: &mut Tape<'w>,
        x: Value,
        across: Across<'_, 'w>,
    ) -> Value {
        let Across { cross, seen, sequences } = across;
        let shape = Attention { causal: false, ..self.attention };
        let asked = tape.linear(&x, &cross.ask);
        let query = Part { of: &asked, column: 0 };
        let part = |column| Part { of: &seen, column };
        let told = tape.attention(shape, query, part(0), part(shape.width), sequences);
        let branch = tape.linear(&told, &cross.told);
        let sum = tape.add(branch, &x);
        tape.layer_norm(&sum, &cross.norm)
    }
}
