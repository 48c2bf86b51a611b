//! Token ids to features: CLIP's, BERT's and e5's text towers, the last with a bag of words beside it.

use std::borrow::Cow;
use std::ops::Range;

use tuwen_nn::{Fetched, Spans, Table, Weight, math};
use tuwen_text::token::unpadded;

use super::words::BagOfWords;
use super::{Found, Pass, PassGradients, Record, Runner, Tokens, Told, Wanted};
use crate::arrays::Arrays;
use crate::block::{Depth, OutputRows, Stack};
use crate::config::Pool;
use crate::layers::{Weights, weight_of};
use crate::{Error, ModelConfig, Result};

/// Why a pass over weights in memory does not fail.
const READABLE: &str = "weights on the host, with a table of tokens that can be read";

/// The text tower, wherever its weights are.
pub struct TextTower<'a> {
    stack: Stack<'a>,
    token_embed: Table<'a>,
    tokens_learn: bool,
    pos_embed: Weight<'a>,
    /// The positions of texts that are longer than this many tokens.
    long: Option<(usize, Weight<'a>)>,
    /// BERT's token types; all tokens are of the first.
    type_embed: Option<Weight<'a>>,
    pool: Pool,
    /// What texts are filled with, where that is attended to as the tokens are.
    pad: Option<u32>,
    /// A token that is left out.
    masked: Option<u32>,
    /// The row of the table of positions that is a text's first.
    first_position: usize,
    /// The token whose first occurrence is the end of a text, where what lies behind it cannot be seen.
    end: Option<u32>,
    /// Tokens behind the first one of each text.
    prefix: Vec<u32>,
    words: Option<BagOfWords<'a>>,
    width: usize,
    runner: Runner,
}

impl<'a> TextTower<'a> {
    /// The weights under `text.`. Borrowed ones allow the backward pass.
    ///
    /// # Errors
    /// A weight is missing.
    pub fn new(config: &ModelConfig, weights: impl Weights<'a>) -> Result<Self> {
        let types = || weight_of(&weights, "text.type_embed".to_owned());
        let long = |_| {
            Ok::<_, Error>((config.context, weight_of(&weights, "text.long_pos_embed".to_owned())?))
        };
        Ok(Self {
            stack: Stack::new(&config.text, config.causal, &weights, "text")?,
            token_embed: weights.table("text.token_embed.weight")?.1,
            tokens_learn: weights.learns("text.token_embed.weight"),
            pos_embed: weight_of(&weights, "text.pos_embed".to_owned())?,
            long: config.long.map(long).transpose()?,
            type_embed: (config.token_types > 0).then(types).transpose()?,
            pool: config.pool,
            pad: config.pad,
            masked: config.masked,
            first_position: config.first_position(),
            // A text may hold the token itself; transformers and open_clip take the feature at the first one.
            end: config.end.filter(|_| config.causal && config.pool == Pool::Last),
            prefix: config.prefix.clone(),
            words: BagOfWords::find(config, &weights)?,
            width: config.text.width,
            runner: Runner::new(
                &weights,
                &config.text,
                config.text.width,
                format!("the text tower of {}", config.name),
            ),
        })
    }

    /// # Shapes
    /// `texts`: B lists of ids, unpadded or padded with 0 at the end, which is cut; with
    /// `config.pad` as they are. The features are (B, W), with a bag of words behind each.
    ///
    /// # Errors
    /// The table of tokens lies in a file that cannot be read any more, or the weights on an executor that has failed.
    pub fn try_forward(&self, texts: &[&[u32]], record: Record) -> Result<Pass<'_>> {
        let mut pass = self.try_deep_with(texts, record, &Wanted::default())?;
        if let Some(words) = &self.words {
            pass.features = words.beside(&pass.features, texts);
        }
        Ok(pass)
    }

    /// The features of [`Self::try_forward`], and beside them the rows of each text's words, (rows, W), with a bag of
    /// words (rows, W + K): without what the tokenizer and the tower put before and behind a text, but with the end
    /// where that is what the tower pools.
    ///
    /// # Errors
    /// As there.
    pub fn try_words(&self, texts: &[&[u32]]) -> Result<(Vec<f32>, Tokens)> {
        let wanted = Wanted { tokens: true, ..Wanted::default() };
        let pass = self.try_deep_with(texts, Record::No, &wanted)?;
        let all = pass.tokens.expect("they were wanted");
        let mut words = Tokens::default();
        let wide = self.width + self.words.as_ref().map_or(0, BagOfWords::width);
        for (ids, span) in self.attended(texts).iter().zip(&all.spans) {
            let first = words.values.len() / wide;
            for (place, row) in self.places(ids).into_iter().zip(span.clone()) {
                if self.is_word(ids, place) {
                    words.values.extend_from_slice(&all.values[row * self.width..][..self.width]);
                    let end = words.values.len();
                    words.values.resize(end - self.width + wide, 0.0);
                    if let Some(table) = &self.words {
                        table.add(ids[place] as usize, &mut words.values[end..]);
                    }
                }
            }
            words.spans.push(first..words.values.len() / wide);
        }
        let features = match &self.words {
            Some(words) => words.beside(&pass.features, texts),
            None => pass.features,
        };
        Ok((features, words))
    }

    /// Whether the token at a place is one of the text's own.
    fn is_word(&self, ids: &[u32], place: usize) -> bool {
        let before = match ids.len() {
            0 => 0,
            _ => 1 + self.prefix.len(),
        };
        let pools_end = matches!(self.pool, Pool::Last | Pool::End);
        let last = ids.iter().rposition(|&id| Some(id) != self.pad).unwrap_or(0);
        place >= before && (place < last || place == last && pools_end)
    }

    /// The same of weights in memory.
    ///
    /// # Panics
    /// Where [`Self::try_forward`] gives an error, as the functions that follow.
    pub fn forward(&self, texts: &[&[u32]], record: Record) -> Pass<'_> {
        self.try_forward(texts, record).expect(READABLE)
    }

    /// The same without the bag of words: (B, W) of the transformer.
    pub fn deep(&self, texts: &[&[u32]], record: Record) -> Pass<'_> {
        self.deep_with(texts, record, &Wanted::default())
    }

    /// The same with more than features.
    pub fn deep_with(&self, texts: &[&[u32]], record: Record, wanted: &Wanted) -> Pass<'_> {
        self.try_deep_with(texts, record, wanted).expect(READABLE)
    }

    fn try_deep_with(&self, texts: &[&[u32]], record: Record, wanted: &Wanted) -> Result<Pass<'_>> {
        let texts = self.attended(texts);
        let ids = texts.iter().flat_map(|ids| ids.iter().map(|&id| id as usize));
        let table = self.token_embed.fetch(ids, self.width).map_err(Error::Row)?;
        let rows: Vec<usize> = texts.iter().map(|ids| ids.len()).collect();
        self.runner.run(&rows, record, wanted, |items, tape| {
            let (rows, spans) = self.embed(&table, &texts[items]);
            let learns = wanted.input_gradient || self.embeddings_learn();
            let input = tape.leaf(rows, self.width, learns);
            let every = wanted.all_rows();
            let output = if every { OutputRows::All } else { self.output() };
            let how = Depth { output, recompute: record == Record::Inputs };
            let (mut hidden, mut from) = (Vec::new(), None);
            let x = self.stack.forward(tape, input.clone(), &spans, how, |tape, block, x| {
                if wanted.hidden.contains(&block) {
                    hidden.push(x.clone());
                }
                if wanted.from != Some(block) {
                    return x;
                }
                let width = x.width();
                let leaf = tape.leaf(x.into_vec(), width, true);
                from = Some(leaf.clone());
                leaf
            });
            let tokens = wanted.tokens.then(|| self.stack.finish(tape, x.clone()));
            let pooled = match self.output() {
                OutputRows::All => tape.means(&x, &Spans::from(&spans[..])),
                one if every => {
                    tape.pick(&x, spans.iter().filter_map(|span| one.of(span)).collect())
                }
                _ => x,
            };
            let features = self.stack.finish(tape, pooled);
            let readouts = Vec::new();
            Found { input: Some(input), features, spans, tokens, hidden, from, readouts }
        })
    }

    /// The embedded tokens of texts, (rows, W), before anything else, and where each text's are.
    pub(super) fn try_embed(&self, texts: &[&[u32]]) -> Result<(Vec<f32>, Vec<Range<usize>>)> {
        let texts = self.attended(texts);
        let ids = texts.iter().flat_map(|ids| ids.iter().map(|&id| id as usize));
        let table = self.token_embed.fetch(ids, self.width).map_err(Error::Row)?;
        Ok(self.embed(&table, &texts))
    }

    /// The same of one token of each of several texts, all at one place.
    pub(crate) fn try_embed_next(&self, ids: &[u32], place: usize) -> Result<Vec<f32>> {
        let rows = ids.iter().map(|&id| id as usize);
        let table = self.token_embed.fetch(rows, self.width).map_err(Error::Row)?;
        let at = (self.first_position + place) * self.width;
        let place = &self.pos_embed.values[at..][..self.width];
        let one = |&id: &u32| {
            let mut row = place.to_vec();
            table.add(id as usize, &mut row);
            row
        };
        let mut x: Vec<f32> = ids.iter().flat_map(one).collect();
        if let Some(types) = &self.type_embed {
            math::add_bias(&mut x, &types.values[..self.width]);
        }
        Ok(x)
    }

    pub(crate) fn stack(&self) -> &Stack<'a> {
        &self.stack
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    fn embeddings_learn(&self) -> bool {
        let types = self.type_embed.as_ref().is_some_and(|types| types.learns);
        self.tokens_learn || self.pos_embed.learns || types
    }

    /// The ids of each text as the transformer gets them: without padding or what is masked, with the prefix.
    fn attended<'t>(&self, texts: &[&'t [u32]]) -> Vec<Cow<'t, [u32]>> {
        let is_masked = |id: &u32| Some(*id) == self.masked;
        let one = |ids: &&'t [u32]| {
            let ids = if self.pad.is_some() { ids } else { unpadded(ids) };
            let end = self.end.and_then(|end| ids.iter().position(|&id| id == end));
            let ids = end.map_or(ids, |end| &ids[..=end]);
            let ids = match ids.iter().any(is_masked) {
                true => Cow::Owned(ids.iter().copied().filter(|id| !is_masked(id)).collect()),
                false => Cow::Borrowed(ids),
            };
            match self.prefix.is_empty() || ids.is_empty() {
                true => ids,
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
    /// rows makes no difference to attention, so the end of the text can come last, where the
    /// tower's output is the last row.
    pub fn places(&self, ids: &[u32]) -> Vec<usize> {
        let mut places: Vec<usize> = (0..ids.len()).collect();
        if self.pool == Pool::End
            && let Some(end) = ids.iter().rposition(|&id| Some(id) != self.pad)
        {
            places.remove(end);
            places.push(end);
        }
        places
    }

    fn embed(
        &self,
        table: &Fetched<'_>,
        texts: &[Cow<'_, [u32]>],
    ) -> (Vec<f32>, Vec<Range<usize>>) {
        let width = self.width;
        let (mut x, mut spans) = (Vec::new(), Vec::new());
        for ids in texts {
            let start = x.len() / width;
            let positions = self.positions(ids.len());
            for place in self.places(ids) {
                let position = self.first_position + place;
                x.extend_from_slice(&positions.values[position * width..][..width]);
                let row = x.len() - width;
                table.add(ids[place] as usize, &mut x[row..]);
            }
            spans.push(start..x.len() / width);
        }
        if let Some(types) = &self.type_embed {
            math::add_bias(&mut x, &types.values[..width]);
        }
        (x, spans)
    }

    /// The table of positions of a text of so many tokens.
    fn positions(&self, tokens: usize) -> &Weight<'a> {
        match &self.long {
            Some((context, long)) if tokens > *context => long,
            _ => &self.pos_embed,
        }
    }

    /// Gradients by parameter name from those of the features, (B, W) with the bag of words behind each.
    pub fn backward(&self, pass: Pass<'_>, texts: &[&[u32]], dfeatures: &[f32]) -> Arrays {
        let Some(words) = &self.words else { return self.deep_backward(pass, texts, dfeatures) };
        let rows = dfeatures.chunks_exact(self.width + words.width());
        let deep: Vec<f32> = rows.flat_map(|row| &row[..self.width]).copied().collect();
        let mut grads = self.deep_backward(pass, texts, &deep);
        grads.accumulate(words.backward(texts, dfeatures));
        grads
    }

    /// The transformer's, from those of its features, (B, W).
    fn deep_backward(&self, pass: Pass<'_>, texts: &[&[u32]], dfeatures: &[f32]) -> Arrays {
        self.backward_from(pass, texts, PassGradients { features: dfeatures, ..Default::default() })
            .0
    }

    /// Gradients of the weights that learn, by name, from those of all that was wanted of [`Self::deep_with`]; and
    /// that of the embedded tokens, (rows, W), where it was.
    pub fn backward_from(
        &self,
        pass: Pass<'_>,
        texts: &[&[u32]],
        of: PassGradients<'_>,
    ) -> (Arrays, Option<Vec<f32>>) {
        let (mut grads, rows) = pass.backward(of);
        if self.embeddings_learn() {
            self.embedding_gradients(texts, &rows, &mut grads);
        }
        let rows: Option<Vec<Vec<f32>>> = rows.into_iter().collect();
        (grads, rows.map(|rows| rows.concat()))
    }

    /// The pass of an explanation: the features of [`Self::try_forward`], with a tape.
    ///
    /// # Errors
    /// As there.
    pub fn try_told(&self, texts: &[&[u32]], wanted: &Wanted) -> Result<Pass<'_>> {
        let mut pass = self.try_deep_with(texts, Record::All, wanted)?;
        if let Some(words) = &self.words {
            pass.features = words.beside(&pass.features, texts);
        }
        Ok(pass)
    }

    /// What passed through the tower in the backward pass from the features of [`Self::try_told`], (B, W), with a bag of
    /// words (B, W + K); and for each token of each text how much of the bag's part of the score is its own.
    pub fn tell_from(
        &self,
        pass: Pass<'_>,
        texts: &[&[u32]],
        dfeatures: &[f32],
    ) -> (Told, Vec<Vec<f32>>) {
        let Some(words) = &self.words else {
            return (
                pass.tell(PassGradients { features: dfeatures, ..Default::default() }),
                vec![],
            );
        };
        let rows = || dfeatures.chunks_exact(self.width + words.width());
        let deep: Vec<f32> = rows().flat_map(|row| &row[..self.width]).copied().collect();
        let told = pass.tell(PassGradients { features: &deep, ..Default::default() });
        let shares =
            texts.iter().zip(rows()).map(|(ids, row)| words.shares(ids, &row[self.width..]));
        (told, shares.collect())
    }

    /// For each row that the tower has of a text, which of its ids it is; None for a prefix of the tower's own.
    pub fn origins(&self, ids: &[u32]) -> Vec<Option<usize>> {
        let attended = self.attended(&[ids]);
        // The prefix aside, what is attended to stands in the order of the ids.
        let (mut at, mut found) = (0, Vec::new());
        for (place, &id) in attended[0].iter().enumerate() {
            if !self.prefix.is_empty() && (1..=self.prefix.len()).contains(&place) {
                found.push(None);
                continue;
            }
            while ids.get(at).is_some_and(|&other| other != id) {
                at += 1;
            }
            found.push(Some(at).filter(|&at| at < ids.len()));
            at += 1;
        }
        self.places(&attended[0]).into_iter().map(|place| found[place]).collect()
    }

    /// The gradients of the tables, from those of the rows.
    fn embedding_gradients(&self, texts: &[&[u32]], rows: &[Option<Vec<f32>>], grads: &mut Arrays) {
        let width = self.width;
        // Here and not above: a table of the whole vocabulary for each chunk costs more than the few
        // rows that a batch touches.
        let texts = self.attended(texts);
        let places: Vec<(u32, Option<usize>)> = texts
            .iter()
            .flat_map(|ids| {
                // Longer texts have positions of their own, which do not learn.
                let learns = self.positions(ids.len()).learns;
                let place = move |place: usize| (ids[place], learns.then_some(place));
                self.places(ids).into_iter().map(place)
            })
            .collect();
        let rows = || rows.iter().flatten().flat_map(|rows| rows.chunks_exact(width));
        if self.tokens_learn {
            let shape = [self.token_embed.len() / width, width];
            let dtoken = grads.slot("text.token_embed.weight", &shape);
            for (&(id, _), row) in places.iter().zip(rows()) {
                math::add(&mut dtoken[id as usize * width..][..width], row);
            }
        }
        if self.pos_embed.learns {
            let dpos = grads.slot(&self.pos_embed.name, &self.pos_embed.shape);
            let places = places.iter().zip(rows()).filter_map(|(&(_, at), row)| Some((at?, row)));
            for (at, row) in places {
                math::add(&mut dpos[(self.first_position + at) * width..][..width], row);
            }
        }
        if let Some(types) = self.type_embed.as_ref().filter(|types| types.learns) {
            let dtype = grads.slot(&types.name, &types.shape);
            rows().for_each(|row| math::add(&mut dtype[..width], row));
        }
    }
}
