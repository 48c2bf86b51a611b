//! Token ids to features: CLIP's, BERT's and e5's text towers, the last with a bag of words beside it.

use std::borrow::Cow;
use std::ops::Range;

use tuwen_text::token::unpadded;

use super::words::BagOfWords;
use super::{Chunk, Pass, Record, cut, run};
use crate::arrays::Arrays;
use crate::attention::OutputRows;
use crate::block::Stack;
use crate::config::Pool;
use crate::grads::collect;
use crate::layers::{Rows, Weights};
use crate::math;
use crate::{ModelConfig, Result};

/// The text tower on the CPU.
pub struct TextTower<'a> {
    stack: Stack<'a>,
    token_embed: Rows<'a>,
    pos_embed: Cow<'a, [f32]>,
    /// BERT's token types; all tokens are of the first.
    type_embed: Option<Cow<'a, [f32]>>,
    pool: Pool,
    /// What texts are filled with, where that is attended to as the tokens are.
    pad: Option<u32>,
    /// Tokens behind the first one of each text.
    prefix: Vec<u32>,
    words: Option<BagOfWords<'a>>,
    width: usize,
}

impl<'a> TextTower<'a> {
    /// The weights under `text.`. Borrowed ones allow the backward pass.
    ///
    /// # Errors
    /// A weight is missing.
    pub fn new(config: &ModelConfig, weights: impl Weights<'a>) -> Result<Self> {
        let types = || weights.find("text.type_embed");
        Ok(Self {
            stack: Stack::new(&config.text, config.causal, &weights, "text")?,
            token_embed: weights.rows("text.token_embed.weight")?.1,
            pos_embed: weights.find("text.pos_embed")?.1,
            type_embed: (config.token_types > 0).then(types).transpose()?.map(|(_, values)| values),
            pool: config.pool,
            pad: config.pad,
            prefix: config.prefix.clone(),
            words: BagOfWords::find(config, &weights)?,
            width: config.text.width,
        })
    }

    /// # Shapes
    /// `texts`: B lists of ids, unpadded or padded with 0 at the end, which is cut; with
    /// `config.pad` as they are. The features are (B, W), with a bag of words behind each.
    pub fn forward(&self, texts: &[&[u32]], record: Record) -> Pass {
        let mut pass = self.deep(texts, record);
        if let Some(words) = &self.words {
            pass.features = words.beside(&pass.features, texts);
        }
        pass
    }

    /// The same without the bag of words: (B, W) of the transformer.
    pub fn deep(&self, texts: &[&[u32]], record: Record) -> Pass {
        let texts = self.attended(texts);
        let rows: Vec<usize> = texts.iter().map(|ids| ids.len()).collect();
        run(cut(&rows), |items| {
            let (mut x, spans) = self.embed(&texts[items.clone()]);
            let output = self.output();
            let tape = self.stack.forward(&mut x, &spans, record.taping(), output);
            let last = if output == OutputRows::All { self.means(&x, &spans) } else { x };
            let (features, stats) = self.stack.finish(&last);
            (Chunk { items, spans, tape, last, stats, ..Chunk::default() }, features)
        })
    }

    /// The ids of each text as the transformer gets them: without padding, with the prefix.
    fn attended<'t>(&self, texts: &[&'t [u32]]) -> Vec<Cow<'t, [u32]>> {
        let one = |ids: &&'t [u32]| {
            let ids = if self.pad.is_some() { ids } else { unpadded(ids) };
            match self.prefix.is_empty() || ids.is_empty() {
                true => Cow::Borrowed(ids),
                false => Cow::Owned([&ids[..1], &self.prefix, &ids[1..]].concat()),
            }
        };
        texts.iter().map(one).collect()
    }

    /// Which rows the feature is pooled from.
    fn output(&self) -> OutputRows {
        match self.pool {
            Pool::Mean => OutputRows::All,
            Pool::First => OutputRows::First,
            Pool::Last | Pool::End => OutputRows::Last,
        }
    }

    /// The positions of a text's tokens in the order of the tower's rows. Without a causal mask the order of
    /// rows makes no difference to attention, so the end of the text can come last, as an output of
    /// [`OutputRows::Last`] wants it.
    fn places(&self, ids: &[u32]) -> Vec<usize> {
        let mut places: Vec<usize> = (0..ids.len()).collect();
        if self.pool == Pool::End
            && let Some(end) = ids.iter().rposition(|&id| Some(id) != self.pad)
        {
            places.remove(end);
            places.push(end);
        }
        places
    }

    fn embed(&self, texts: &[Cow<'_, [u32]>]) -> (Vec<f32>, Vec<Range<usize>>) {
        let width = self.width;
        let (mut x, mut spans) = (Vec::new(), Vec::new());
        for ids in texts {
            let start = x.len() / width;
            for place in self.places(ids) {
                x.extend_from_slice(&self.pos_embed[place * width..][..width]);
                let row = x.len() - width;
                self.token_embed.add(ids[place] as usize, &mut x[row..]);
            }
            spans.push(start..x.len() / width);
        }
        if let Some(types) = &self.type_embed {
            math::add_bias(&mut x, &types[..width]);
        }
        (x, spans)
    }

    fn means(&self, x: &[f32], spans: &[Range<usize>]) -> Vec<f32> {
        let width = self.width;
        let mut means = vec![0.0; spans.len() * width];
        for (mean, span) in means.chunks_exact_mut(width).zip(spans) {
            math::add_columns(&x[span.start * width..span.end * width], mean);
            mean.iter_mut().for_each(|value| *value /= span.len() as f32);
        }
        means
    }

    /// The gradient of all rows from that of their means.
    fn spread(&self, spans: &[Range<usize>], grad: &[f32]) -> Vec<f32> {
        let width = self.width;
        let mut dx = Vec::with_capacity(spans.last().map_or(0, |span| span.end) * width);
        for (span, grad) in spans.iter().zip(grad.chunks_exact(width)) {
            let share = 1.0 / span.len() as f32;
            for _ in span.clone() {
                dx.extend(grad.iter().map(|grad| grad * share));
            }
        }
        dx
    }

    /// Gradients by parameter name from those of the features, (B, W) with the bag of words behind each.
    pub fn backward(&self, pass: Pass, texts: &[&[u32]], dfeatures: &[f32]) -> Arrays {
        let Some(words) = &self.words else { return self.deep_backward(pass, texts, dfeatures) };
        let rows = dfeatures.chunks_exact(self.width + words.width());
        let deep: Vec<f32> = rows.flat_map(|row| &row[..self.width]).copied().collect();
        let mut grads = self.deep_backward(pass, texts, &deep);
        grads.accumulate(words.backward(texts, dfeatures));
        grads
    }

    /// The transformer's, from those of its features, (B, W).
    fn deep_backward(&self, pass: Pass, texts: &[&[u32]], dfeatures: &[f32]) -> Arrays {
        let width = self.width;
        let (mut grads, rows) = collect(&pass.chunks, |chunk, grads| {
            let grad = &dfeatures[chunk.items.start * width..chunk.items.end * width];
            let dlast = self.stack.finish_backward(&chunk.last, &chunk.stats, grad, grads);
            let dx = match self.output() {
                OutputRows::All => self.spread(&chunk.spans, &dlast),
                _ => dlast,
            };
            self.stack.backward(&chunk.tape, &chunk.spans, dx, grads)
        });
        // Here and not above: a table of the whole vocabulary for each chunk costs more than the few
        // rows that a batch touches.
        let shape = [self.token_embed.len() / width, width];
        let texts = self.attended(texts);
        let places: Vec<(u32, usize)> = texts
            .iter()
            .flat_map(|ids| self.places(ids).into_iter().map(|place| (ids[place], place)))
            .collect();
        let rows = || rows.iter().flat_map(|rows| rows.chunks_exact(width));
        let dtoken = grads.slot("text.token_embed.weight", &shape);
        for (&(id, _), row) in places.iter().zip(rows()) {
            math::add(&mut dtoken[id as usize * width..][..width], row);
        }
        let dpos = grads.slot("text.pos_embed", &[self.pos_embed.len() / width, width]);
        for (&(_, at), row) in places.iter().zip(rows()) {
            math::add(&mut dpos[at * width..][..width], row);
        }
        if let Some(types) = &self.type_embed {
            let dtype = grads.slot("text.type_embed", &[types.len() / width, width]);
            rows().for_each(|row| math::add(&mut dtype[..width], row));
        }
        grads
    }
}
