//! A captioning model of others that is whole in itself: its own image tower, and a decoder over its rows that says one token
//! after the other (BLIP's, Li et al. 2022, <https://arxiv.org/abs/2201.12086>: a BERT whose blocks have a step of
//! cross-attention and a causal mask, with BERT's head over the table of tokens).

use std::borrow::Cow;
use std::path::Path;

use tuwen_image::{Preprocess, RgbImage};
use tuwen_nn::{Cache, Linear, Norm, Rows, Tape, Value};
use tuwen_text::token::{FileTokenizer, Tokens};

use crate::block::{Cross, OnePicture};
use crate::checkpoint::{CaptionModel, Checkpoint};
use crate::layers::{Weights, linear, norm, weight_of};
use crate::towers::{AnyImageTower, Record, TextTower, Wanted};
use crate::{Activation, Error, ModelConfig, Result};

/// See the module.
pub struct Captioner {
    config: ModelConfig,
    image: AnyImageTower<'static>,
    text: TextTower<'static>,
    /// One for each block.
    cross: Vec<Cross<'static>>,
    dense: Linear<'static>,
    norm: Norm<'static>,
    logits: Linear<'static>,
    activation: Activation,
    tokens: Box<FileTokenizer>,
    begin: u32,
    end: u32,
}

/// A picture as every block sees it: keys and values, (rows, 2 W).
pub struct Shown(Vec<Value>);

/// Captions of one picture that grow together.
pub struct Sentences(Vec<Cache>);

/// Weights that are in memory as a whole, so that a token's row can always be read.
struct InMemory<'c>(&'c Checkpoint);

impl Weights<'static> for InMemory<'_> {
    fn find(&self, name: &str) -> Result<(Vec<usize>, Cow<'static, [f32]>)> {
        self.0.find(name)
    }
}

impl Captioner {
    /// Opens a folder; none where it holds no captioning model.
    ///
    /// # Errors
    /// Missing or malformed files of one, weights that do not fit, a tokenizer that lacks the tokens around a text.
    pub fn open(folder: &Path) -> Result<Option<Self>> {
        let Some(CaptionModel { config, begin, end, checkpoint }) = CaptionModel::open(folder)?
        else {
            return Ok(None);
        };
        let Tokens::File(tokens) = config.tokens(checkpoint.tokenizer())? else {
            return Err(Error::NoTokenizer);
        };
        let last = tokens.encode("").map_err(Error::Data)?.0.last().copied();
        if last != Some(end) {
            let last = last.map_or("nothing".to_owned(), |last| format!("token {last}"));
            let what = format!(
                "its tokenizer ends a text with {last} and the decoder a caption with token {end} (`sep_token_id`): put the \
                 tokenizer.json that belongs to the model beside it"
            );
            return Err(Error::malformed(folder, what));
        }
        let weights = InMemory(&checkpoint);
        let blocks = 0..config.text.layers;
        let cross = |at| Cross::new(&weights, &format!("text.blocks.{at}"), config.text.norm_eps);
        let (shape, table) = weights.find("text.token_embed.weight")?;
        let bias = weight_of(&weights, "heads.say.bias".to_owned())?;
        let name = "text.token_embed.weight".to_owned();
        let rows = Rows::Floats(table);
        Ok(Some(Self {
            image: AnyImageTower::new(&config, InMemory(&checkpoint))?,
            text: TextTower::new(&config, InMemory(&checkpoint))?,
            cross: blocks.map(cross).collect::<Result<_>>()?,
            dense: linear(&weights, "heads.say.dense", true)?,
            norm: norm(&weights, "heads.say.norm", config.text.norm_eps)?,
            logits: Linear::new(name, &shape, rows, Some(bias), Default::default(), None),
            activation: config.text.activation,
            tokens,
            begin,
            end,
            config,
        }))
    }

    /// The same by another name.
    pub fn named(mut self, name: &str) -> Self {
        self.config.name = name.to_owned();
        self
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// How a picture becomes pixels.
    pub fn preprocess(&self) -> &Preprocess {
        &self.config.preprocess
    }

    /// The token before the first word.
    pub fn begin(&self) -> u32 {
        self.begin
    }

    /// The one behind the last.
    pub fn end(&self) -> u32 {
        self.end
    }

    /// Most tokens of a caption.
    pub fn longest(&self) -> usize {
        self.config.position_rows() - 1
    }

    /// Looks at a picture that its pre-processing has brought to size.
    pub fn look(&self, picture: &RgbImage) -> Shown {
        let mut pixels = Vec::new();
        self.config.preprocess.normalise_into(picture, &mut pixels);
        self.look_at(&pixels)
    }

    /// The same of pixels, (3 R R).
    pub fn look_at(&self, pixels: &[f32]) -> Shown {
        let wanted = Wanted { tokens: true, ..Wanted::default() };
        let pass = self.image.forward_with(pixels, None, Record::No, &wanted);
        let rows = pass.tokens.expect("they were wanted").values;
        let mut tape = Tape::forward_only();
        let rows = tape.leaf(rows, self.config.image.width, false);
        Shown(self.cross.iter().map(|cross| cross.keys(&mut tape, &rows)).collect())
    }

    /// So many captions of which nothing is said yet, with room for so many tokens, the one before the first word among
    /// them, up to as many as there are positions.
    pub fn start(&self, captions: usize, room: usize) -> Sentences {
        let width = 2 * self.config.text.width;
        let room = room.min(self.config.position_rows());
        let cache = |_: &Cross<'_>| Cache::new(captions, room, width);
        Sentences(self.cross.iter().map(cache).collect())
    }

    /// Says one more token in each caption: logits of what comes next, (captions, V).
    ///
    /// # Panics
    /// When there is not one token for each caption, or a caption has no room for it.
    pub fn say(&self, shown: &Shown, sentences: &mut Sentences, tokens: &[u32]) -> Vec<f32> {
        let place = sentences.0.first().map_or(0, Cache::len);
        let rows = self.text.try_embed_next(tokens, place).expect("the table is in memory");
        let mut tape = Tape::forward_only();
        let x = tape.leaf(rows, self.text.width(), false);
        let mut x = self.text.stack().begin(&mut tape, x);
        let layers = self.text.stack().blocks().iter().zip(&self.cross);
        for ((block, cross), (seen, cache)) in layers.zip(shown.0.iter().zip(&mut sentences.0)) {
            x = block.next(&mut tape, &x, cache, OnePicture { cross, seen });
        }
        let x = tape.linear(&x, &self.dense);
        let x = tape.activate(&x, self.activation);
        tape.normed_linear(&x, &self.norm, &self.logits).into_vec()
    }

    /// Tokens as people write them; those that stand for no word are left out.
    ///
    /// # Errors
    /// The tokenizer's own failure.
    pub fn write(&self, tokens: &[u32]) -> Result<String> {
        self.tokens.decode(tokens).map_err(Error::Data)
    }
}

impl Sentences {
    /// Each caption becomes a copy of caption `from[i]`, as the beams of a search do.
    pub fn reorder(&mut self, from: &[usize]) {
        self.0.iter_mut().for_each(|cache| cache.reorder(from));
    }
}
