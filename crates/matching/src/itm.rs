//! The matching head: words attend to each other and to a photo's stored patches, and say whether both belong together
//! (ITM of ALBEF, Li et al. 2021, <https://arxiv.org/abs/2107.07651>; BLIP, <https://arxiv.org/abs/2201.12086>).
//!
//! Where this differs:
//! 1. All heads of the attention to patches share the patches themselves as keys and as values (multi-query attention,
//!    Shazeer 2019, <https://arxiv.org/abs/1911.02150>): the matrices that would make keys and values of them stand before
//!    and behind it, on the side of the words, of which there are ten and not 196. A stored patch is so used as it is.
//! 2. There is no class token: the blocks' words are pooled with a share for each that is learned.
//! 3. A word is told what it found and, value by value, how much that is what it asked for (the similarity vectors of
//!    SGRAF, Diao et al. 2021, <https://arxiv.org/abs/2101.01368>): what attention mixes does not say how well it fits,
//!    and two blocks do not learn to ask that.

use std::ops::Range;
use std::sync::Arc;

use tuwen_nn::{Activation, Attention, Linear, Norm, Part, Sequence, Spans, Tape, Value, Weight};

use crate::Result;
use crate::config::Itm;
use crate::heads::spans_of;
use crate::weights::{EPSILON, Source};

/// Unit vectors of K values become as long as if each value had deviation 1.
fn stretch(dim: usize) -> f32 {
    (dim as f32).sqrt().ln()
}

/// See the module.
pub struct Matcher<'a> {
    embed: Linear<'a>,
    places: Weight<'a>,
    memory: Norm<'a>,
    patch_places: Weight<'a>,
    blocks: Vec<Block<'a>>,
    norm: Norm<'a>,
    share: Linear<'a>,
    last: Linear<'a>,
    config: Itm,
    dim: usize,
}

struct Block<'a> {
    norm1: Norm<'a>,
    qkv: Linear<'a>,
    proj: Linear<'a>,
    norm2: Norm<'a>,
    ask: Linear<'a>,
    told: Linear<'a>,
    norm3: Norm<'a>,
    fc1: Linear<'a>,
    fc2: Linear<'a>,
}

/// A text and a photo that are looked at together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Rows of the text's words.
    pub words: Range<usize>,
    /// Rows of the photo's patches.
    pub patches: Range<usize>,
}

/// Who attends to whom.
struct Looks {
    among_words: Arc<[Sequence]>,
    at_patches: Arc<[Sequence]>,
}

impl<'a> Matcher<'a> {
    pub(crate) fn new(config: Itm, dim: usize, source: Source<'a, '_>) -> Result<Self> {
        Ok(Self {
            embed: source.linear("itm.embed", true)?,
            places: source.weight("itm.places")?,
            memory: source.norm("itm.memory", EPSILON)?,
            patch_places: source.weight("itm.patch_places")?,
            blocks: (0..config.layers).map(|at| Block::new(at, source)).collect::<Result<_>>()?,
            norm: source.norm("itm.norm", EPSILON)?,
            share: source.linear("itm.share", false)?,
            last: source.linear("itm.match", true)?,
            config,
            dim,
        })
    }

    /// Logits of pairs, (pairs, 1): `text` has standardised words, (rows, word width), `patches` unit vectors, (rows,
    /// K), all P of each photo in their order.
    pub fn logits<'w>(
        &'w self,
        tape: &mut Tape<'w>,
        text: &Value,
        patches: &Value,
        pairs: &[Pair],
    ) -> Value {
        let (x, spans) = self.words(tape, text, pairs);
        let memory = self.memory(tape, patches);
        let heads = self.config.heads;
        // A row of the words has all heads, one behind the other: as rows of K values each head asks by itself.
        let look = |(pair, span): (&Pair, &Range<usize>)| Sequence {
            queries: span.start * heads..span.end * heads,
            keys: pair.patches.clone(),
            first: 0,
        };
        let looks = Looks {
            among_words: spans.iter().map(|span| Sequence::itself(span.clone())).collect(),
            at_patches: pairs.iter().zip(spans.iter()).map(look).collect(),
        };
        let forward = |x: Value, block: &'w Block<'a>| self.block(tape, block, x, &memory, &looks);
        let x = self.blocks.iter().fold(x, forward);
        let x = tape.layer_norm(&x, &self.norm);
        let shares = tape.linear(&x, &self.share);
        let shares = tape.softmax_of_spans(&shares, &spans);
        let pooled = tape.shared_sums(&x, &shares, &spans);
        tape.linear(&pooled, &self.last)
    }

    /// The words of each pair, (rows, width), with their places.
    fn words<'w>(&'w self, tape: &mut Tape<'w>, text: &Value, pairs: &[Pair]) -> (Value, Spans) {
        let x = tape.linear(text, &self.embed);
        let own = |pair: &Pair| {
            pair.words.start..pair.words.end.min(pair.words.start + self.config.words)
        };
        let spans = spans_of(pairs.iter().map(|pair| own(pair).len()));
        let x = tape.pick(&x, pairs.iter().flat_map(own).collect());
        let places = spans.iter().flat_map(|span| 0..span.len()).collect();
        (tape.add_places(x, &self.places, places), spans)
    }

    /// Keys and values: the patches with their places.
    fn memory<'w>(&'w self, tape: &mut Tape<'w>, patches: &Value) -> Value {
        let stretch = tape.leaf(vec![stretch(self.dim)], 1, false);
        let x = tape.scale(patches, &stretch);
        let count = self.patch_places.shape[0];
        let places = (0..x.rows()).map(|row| row % count).collect();
        let x = tape.add_places(x, &self.patch_places, places);
        tape.layer_norm(&x, &self.memory)
    }

    fn block<'w>(
        &'w self,
        tape: &mut Tape<'w>,
        block: &'w Block<'a>,
        x: Value,
        memory: &Value,
        looks: &Looks,
    ) -> Value {
        let width = self.config.width;
        let of_words = Attention { heads: self.config.heads, width, causal: false };
        let qkv = tape.normed_linear(&x, &block.norm1, &block.qkv);
        let part = |at: usize| Part { of: &qkv, column: at * width };
        let mixed = tape.attention(of_words, part(0), part(1), part(2), &looks.among_words);
        let branch = tape.linear(&mixed, &block.proj);
        let x = tape.add(branch, &x);

        let of_patches = Attention { heads: 1, width: self.dim, causal: false };
        let asked = tape.normed_linear(&x, &block.norm2, &block.ask);
        let asked = tape.rows_of(asked, self.dim);
        let [query, memory] = [&asked, memory].map(|of| Part { of, column: 0 });
        let told = tape.attention(of_patches, query, memory, memory, &looks.at_patches);
        let alike = tape.multiply(&asked, &told);
        let [told, alike] = [told, alike].map(|of| tape.rows_of(of, self.dim * self.config.heads));
        let told = tape.beside(&told, &alike);
        let branch = tape.linear(&told, &block.told);
        let x = tape.add(branch, &x);

        let hidden = tape.normed_linear(&x, &block.norm3, &block.fc1);
        let branch = tape.active_linear(&hidden, Activation::Gelu, &block.fc2);
        tape.add(branch, &x)
    }
}

impl<'a> Block<'a> {
    fn new(at: usize, source: Source<'a, '_>) -> Result<Self> {
        let linear = |part: &str| source.linear(&format!("itm.blocks.{at}.{part}"), true);
        let norm = |part: &str| source.norm(&format!("itm.blocks.{at}.{part}"), EPSILON);
        Ok(Self {
            norm1: norm("norm1")?,
            qkv: linear("qkv")?,
            proj: linear("proj")?,
            norm2: norm("norm2")?,
            ask: linear("ask")?,
            told: linear("told")?,
            norm3: norm("norm3")?,
            fc1: linear("fc1")?,
            fc2: linear("fc2")?,
        })
    }
}
