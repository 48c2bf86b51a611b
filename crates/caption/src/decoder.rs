//! The network: blocks of attention among the words so far, attention to the picture's rows, and an MLP, each behind a
//! LayerNorm (GPT-2's block with cross-attention; Vaswani et al. 2017, <https://arxiv.org/abs/1706.03762>).
//!
//! Where this differs:
//! 1. Each language has a table of its own, which is also the matrix of its logits (Press and Wolf 2017,
//!    <https://arxiv.org/abs/1608.05859>): the softmax is over the words of one language, and the language is the token
//!    that stands before the first word.
//! 2. The tower's rows are standardised column by column, projected, given places, and normalised once for all blocks.

use std::ops::Range;
use std::sync::Arc;

use tuwen_nn::{
    Activation, Arrays, Attention, Linear, Named, Norm, Part, Sequence, Tape, Value, Weight,
};

use crate::config::{BEGIN, DecoderConfig};
use crate::weights::{EPSILON, check};
use crate::{Error, Result};

/// See the module. A decoder that learns borrows its weights; one that is used owns what it needs.
pub struct Decoder<'a> {
    config: DecoderConfig,
    mean: Vec<f32>,
    inverse: Vec<f32>,
    row_proj: Linear<'a>,
    row_places: Weight<'a>,
    row_norm: Norm<'a>,
    places: Weight<'a>,
    tongues: Vec<Tongue<'a>>,
    pub(crate) blocks: Vec<Block<'a>>,
    norm: Norm<'a>,
}

/// The words of a language.
struct Tongue<'a> {
    table: Weight<'a>,
    logits: Linear<'a>,
}

/// The layers of a block.
pub(crate) struct Block<'a> {
    norm1: Norm<'a>,
    qkv: Linear<'a>,
    proj: Linear<'a>,
    norm2: Norm<'a>,
    ask: Linear<'a>,
    seen: Linear<'a>,
    told: Linear<'a>,
    norm3: Norm<'a>,
    fc1: Linear<'a>,
    fc2: Linear<'a>,
}

/// A caption that the decoder is shown, as it learns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Which language.
    pub language: usize,
    /// Which of the pictures it is of.
    pub picture: usize,
    /// Its tokens, without those at its ends.
    pub tokens: Vec<usize>,
}

/// What a decoder is shown of one picture.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'r> {
    /// Its rows, (places, row width).
    pub rows: &'r [f32],
    /// Which of the P places each of them has.
    pub places: &'r [usize],
}

/// What is left out by chance while a decoder learns.
#[derive(Clone, Copy, Debug, Default)]
pub struct Drop {
    /// Of what ends a branch, of the embedded words, and of the rows.
    pub share: f32,
    /// What is left out is a function of it.
    pub seed: u64,
}

impl Drop {
    /// Another seed for each place where something is left out.
    fn at(self, place: u64) -> u64 {
        self.seed.wrapping_add((place + 1).wrapping_mul(0xd1b5_4a32_d192_ed03))
    }
}

/// What a block's words see of the pictures.
#[derive(Clone, Copy)]
pub(crate) struct Sight<'s> {
    /// Keys and values of the pictures' rows, (rows, 2 W).
    pub(crate) keys: &'s Value,
    /// Who looks at which of them.
    pub(crate) looks: &'s Arc<[Sequence]>,
}

/// What is left out of a block's three branches.
#[derive(Clone, Copy, Default)]
pub(crate) struct BranchDrop {
    share: f32,
    seeds: [u64; 3],
}

/// Rows that keys and values are made of, and where each picture's are.
pub(crate) struct Memory {
    pub(crate) rows: Value,
    pub(crate) spans: Vec<Range<usize>>,
}

impl Decoder<'static> {
    /// A decoder that is used.
    ///
    /// # Errors
    /// Weights that do not fit the configuration.
    pub fn new(config: DecoderConfig, arrays: &Arrays) -> Result<Self> {
        Self::of(config, Named::Fixed(arrays), arrays)
    }
}

impl<'a> Decoder<'a> {
    /// A decoder that learns, of weights that it borrows.
    ///
    /// # Errors
    /// As [`Decoder::new`].
    pub fn learning(config: DecoderConfig, arrays: &'a Arrays) -> Result<Self> {
        Self::of(config, Named::Learning(arrays), arrays)
    }

    fn of(config: DecoderConfig, source: Named<'a, '_>, arrays: &Arrays) -> Result<Self> {
        check(&config, arrays)?;
        let deviation = source.constant("row.deviation")?;
        let tongue = |language: &crate::Language| {
            let name = format!("words.{}.weight", language.name);
            let bias = source.weight(&format!("words.{}.bias", language.name))?;
            Ok(Tongue { table: source.weight(&name)?, logits: source.matrix(&name, Some(bias))? })
        };
        Ok(Self {
            mean: source.constant("row.mean")?,
            inverse: deviation.iter().map(|deviation| 1.0 / deviation.max(1e-6)).collect(),
            row_proj: source.linear("row.proj", true)?,
            row_places: source.weight("row.places")?,
            row_norm: source.norm("row.norm", EPSILON)?,
            places: source.weight("places")?,
            tongues: config.languages.iter().map(tongue).collect::<Result<_>>()?,
            blocks: (0..config.layers).map(|at| Block::new(at, source)).collect::<Result<_>>()?,
            norm: source.norm("norm", EPSILON)?,
            config,
        })
    }

    /// What it is.
    pub fn config(&self) -> &DecoderConfig {
        &self.config
    }

    /// Refuses rows of another model than the one that it knows.
    ///
    /// # Errors
    /// Both fingerprints and the cure.
    pub fn check_model(&self, fingerprint: &str) -> Result<()> {
        match self.config.model == fingerprint {
            true => Ok(()),
            false => Err(Error::OtherModel {
                found: fingerprint.to_owned(),
                wanted: self.config.model.clone(),
            }),
        }
    }

    /// Logits of every word that the texts should have: for each language (rows, V), in the order of the texts, which
    /// are sorted by language; of a text its tokens and what stands behind them.
    ///
    /// # Shapes
    /// Logits of a language: (words, V).
    ///
    /// # Panics
    /// When the texts are not sorted by language, one of them is longer than the longest, or a token is none.
    pub fn logits<'w>(
        &'w self,
        tape: &mut Tape<'w>,
        pictures: &[Seen<'_>],
        texts: &[Text],
        drop: Drop,
    ) -> Vec<Value> {
        assert!(texts.is_sorted_by_key(|text| text.language), "texts by language");
        let memory = self.memory(tape, pictures, drop);
        let lengths: Vec<usize> = texts.iter().map(|text| text.tokens.len() + 1).collect();
        let spans = spans_of(&lengths);
        let x = self.embed(tape, texts, &lengths);
        let mut x = tape.dropout(x, drop.share, drop.at(0));
        let among_words: Arc<[Sequence]> =
            spans.iter().map(|span| Sequence::itself(span.clone())).collect();
        let look = |(text, span): (&Text, &Range<usize>)| (text.picture, span.clone());
        let at_rows = looks(texts.iter().zip(&spans).map(look), &memory.spans);
        for (at, block) in self.blocks.iter().enumerate() {
            let keys = block.keys(tape, &memory.rows);
            let own = |tape: &mut Tape<'w>, qkv: &Value| {
                let part = |at: usize| Part { of: qkv, column: at * self.config.width };
                tape.attention(self.attention(true), part(0), part(1), part(2), &among_words)
            };
            let place = at as u64 * 3 + 1;
            let seeds = [0, 1, 2].map(|of_branch| drop.at(place + of_branch));
            let sight = Sight { keys: &keys, looks: &at_rows };
            x = self.block(tape, block, x, own, sight, BranchDrop { share: drop.share, seeds });
        }
        let mut start = 0;
        let mut of_language = |language: usize| {
            let own = texts.iter().zip(&lengths).filter(|(text, _)| text.language == language);
            let rows = own.map(|(_, len)| len).sum::<usize>();
            start += rows;
            let some = tape.pick(&x, (start - rows..start).collect());
            self.words(tape, &some, language)
        };
        (0..self.tongues.len()).map(&mut of_language).collect()
    }

    /// The logits of a language's words, of rows that the blocks gave.
    pub(crate) fn words<'w>(&'w self, tape: &mut Tape<'w>, x: &Value, language: usize) -> Value {
        tape.normed_linear(x, &self.norm, &self.tongues[language].logits)
    }

    /// Embedded words of texts with their places, each behind the token of its language.
    fn embed<'w>(&'w self, tape: &mut Tape<'w>, texts: &[Text], lengths: &[usize]) -> Value {
        let of_language = |(language, tongue): (usize, &'w Tongue<'a>)| {
            let own = texts.iter().filter(|text| text.language == language);
            let tokens = own.flat_map(|text| std::iter::once(&BEGIN).chain(&text.tokens)).copied();
            (tokens.collect::<Vec<usize>>(), &tongue.table)
        };
        let parts: Vec<_> = self.tongues.iter().enumerate().map(of_language).collect();
        let parts: Vec<Value> = parts
            .into_iter()
            .map(|(tokens, table)| self.rows_of_table(tape, tokens, table))
            .collect();
        let x = tape.stack(&parts.iter().collect::<Vec<_>>());
        let places = lengths.iter().flat_map(|&len| 0..len).collect();
        tape.add_places(x, &self.places, places)
    }

    /// The next words of sequences that speak one language and have `place` words.
    pub(crate) fn embed_next<'w>(
        &'w self,
        tape: &mut Tape<'w>,
        language: usize,
        tokens: &[usize],
        place: usize,
    ) -> Value {
        let x = self.rows_of_table(tape, tokens.to_vec(), &self.tongues[language].table);
        tape.add_places(x, &self.places, vec![place; tokens.len()])
    }

    fn rows_of_table<'w>(
        &self,
        tape: &mut Tape<'w>,
        tokens: Vec<usize>,
        table: &'w Weight<'w>,
    ) -> Value {
        let width = self.config.width;
        let zeros = tape.leaf(vec![0.0; tokens.len() * width], width, false);
        tape.add_places(zeros, table, tokens)
    }

    /// The rows of pictures as all blocks see them.
    pub(crate) fn memory<'w>(
        &'w self,
        tape: &mut Tape<'w>,
        pictures: &[Seen<'_>],
        drop: Drop,
    ) -> Memory {
        let wide = self.config.row_width;
        let standard = |row: &[f32]| {
            let values = row.iter().zip(&self.mean).zip(&self.inverse);
            values.map(|((value, mean), inverse)| (value - mean) * inverse).collect::<Vec<f32>>()
        };
        let rows = pictures.iter().flat_map(|seen| seen.rows.chunks_exact(wide)).flat_map(standard);
        let x = tape.leaf(rows.collect(), wide, false);
        let x = tape.dropout(x, drop.share, drop.at(u64::MAX / 2));
        let x = tape.linear(&x, &self.row_proj);
        let places = pictures.iter().flat_map(|seen| seen.places.iter().copied()).collect();
        let x = tape.add_places(x, &self.row_places, places);
        let lengths: Vec<usize> = pictures.iter().map(|seen| seen.places.len()).collect();
        Memory { rows: tape.layer_norm(&x, &self.row_norm), spans: spans_of(&lengths) }
    }

    pub(crate) fn attention(&self, causal: bool) -> Attention {
        Attention { heads: self.config.heads, width: self.config.width, causal }
    }

    /// One block: `attend` makes of its queries, keys and values what the words gather of each other.
    pub(crate) fn block<'w>(
        &'w self,
        tape: &mut Tape<'w>,
        block: &'w Block<'a>,
        x: Value,
        attend: impl FnOnce(&mut Tape<'w>, &Value) -> Value,
        sight: Sight<'_>,
        drop: BranchDrop,
    ) -> Value {
        let qkv = tape.normed_linear(&x, &block.norm1, &block.qkv);
        let mixed = attend(tape, &qkv);
        let branch = tape.linear(&mixed, &block.proj);
        let branch = tape.dropout(branch, drop.share, drop.seeds[0]);
        let x = tape.add(branch, &x);

        let asked = tape.normed_linear(&x, &block.norm2, &block.ask);
        let query = Part { of: &asked, column: 0 };
        let part = |column| Part { of: sight.keys, column };
        let shape = self.attention(false);
        let told = tape.attention(shape, query, part(0), part(self.config.width), sight.looks);
        let branch = tape.linear(&told, &block.told);
        let branch = tape.dropout(branch, drop.share, drop.seeds[1]);
        let x = tape.add(branch, &x);

        let hidden = tape.normed_linear(&x, &block.norm3, &block.fc1);
        let branch = tape.active_linear(&hidden, Activation::Gelu, &block.fc2);
        let branch = tape.dropout(branch, drop.share, drop.seeds[2]);
        tape.add(branch, &x)
    }
}

impl<'a> Block<'a> {
    fn new(at: usize, source: Named<'a, '_>) -> Result<Self> {
        let linear = |part: &str| source.linear(&format!("blocks.{at}.{part}"), true);
        let norm = |part: &str| source.norm(&format!("blocks.{at}.{part}"), EPSILON);
        Ok(Self {
            norm1: norm("norm1")?,
            qkv: linear("qkv")?,
            proj: linear("proj")?,
            norm2: norm("norm2")?,
            ask: linear("ask")?,
            seen: linear("seen")?,
            told: linear("told")?,
            norm3: norm("norm3")?,
            fc1: linear("fc1")?,
            fc2: linear("fc2")?,
        })
    }

    /// Keys and values of the pictures' rows.
    pub(crate) fn keys<'w>(&'w self, tape: &mut Tape<'w>, memory: &Value) -> Value {
        tape.linear(memory, &self.seen)
    }
}

/// Who looks at which rows: queries that lie one behind the other and look at one picture ask together.
pub(crate) fn looks(
    queries: impl Iterator<Item = (usize, Range<usize>)>,
    pictures: &[Range<usize>],
) -> Arc<[Sequence]> {
    let mut all: Vec<Sequence> = Vec::new();
    for (picture, queries) in queries {
        let keys = pictures[picture].clone();
        match all.last_mut() {
            Some(last) if last.keys == keys && last.queries.end == queries.start => {
                last.queries.end = queries.end;
            }
            _ => all.push(Sequence { queries, keys, first: 0 }),
        }
    }
    all.into()
}

/// One span for each of several lengths, one behind the other.
pub(crate) fn spans_of(lengths: &[usize]) -> Vec<Range<usize>> {
    let mut end = 0;
    let one = |len: &usize| {
        end += len;
        end - len..end
    };
    lengths.iter().map(one).collect()
}
