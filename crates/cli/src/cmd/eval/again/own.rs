//! The matching head that a model brings along, asked picture by picture.

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;
use rayon::prelude::*;
use tuwen_encode::{CpuEncoder, Encoder, TextInput};
use tuwen_eval::Ranked;
use tuwen_sets::{Sample, relation};
use tuwen_train::fitted;

use crate::progress;

/// Pictures whose rows are looked at together.
const PICTURES: usize = 8;

/// A set as a model's own matching head sees it: pictures' rows are too many to stay in memory.
pub(super) struct Own<'s> {
    encoder: CpuEncoder,
    samples: &'s [Sample],
    /// As above.
    texts: BTreeMap<String, Vec<TextInput>>,
}

/// The scores of pairs of a text and a picture by the model's own head.
pub(super) type Matches = HashMap<(usize, usize), f32>;

impl<'s> Own<'s> {
    pub(super) fn new(encoder: CpuEncoder, samples: &'s [Sample]) -> Result<Self> {
        let one = |(source, list): (&str, Vec<relation::Text<'_>>)| {
            let tokens = list.iter().map(|text| encoder.tokenise(text.words));
            Ok((source.to_owned(), tokens.collect::<tuwen_files::Result<Vec<_>>>()?))
        };
        let texts = relation::texts(samples).into_iter().map(one).collect::<Result<_>>()?;
        Ok(Self { encoder, samples, texts })
    }

    /// The scores of all that stand among the first of each other, picture by picture; `cosine` is of a text and a picture.
    pub(super) fn matches(
        &self,
        source: &str,
        ranked: &[Vec<Ranked>; 2],
        first: usize,
        cosine: impl Fn(usize, usize) -> f32,
    ) -> Result<Matches> {
        let [to_images, to_texts] = ranked;
        let mut asks: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let top = |ranked: &Ranked| ranked.top.iter().take(first).copied().collect::<Vec<_>>();
        for ranked in to_images {
            top(ranked).into_iter().for_each(|at| asks.entry(at).or_default().push(ranked.query));
        }
        for ranked in to_texts {
            asks.entry(ranked.query).or_default().extend(top(ranked));
        }
        let all: Vec<(usize, Vec<usize>)> = asks.into_iter().collect();
        let bar = progress::bar(Some(all.len()), "pictures that texts look at");
        let mut found = Matches::new();
        for some in all.chunks(PICTURES) {
            let read =
                |(image, _): &(usize, Vec<usize>)| fitted(&self.encoder, &self.samples[*image]);
            let pictures: Vec<_> = some.par_iter().map(read).collect::<tuwen_files::Result<_>>()?;
            let tokens = self.encoder.match_rows(&pictures)?;
            let seen: Vec<&[f32]> = tokens.rows().collect();
            let mut pairs = Vec::new();
            for (place, (_, texts)) in some.iter().enumerate() {
                let mut texts = texts.clone();
                texts.sort_unstable();
                texts.dedup();
                pairs.extend(texts.into_iter().map(|text| (text, place)));
            }
            let texts = &self.texts[source];
            let vectors = |(text, place): (usize, usize)| cosine(text, some[place].0);
            let scores = self.encoder.match_scores(texts, &seen, &pairs, vectors)?;
            let one =
                |(&(text, place), score): (&(usize, usize), f32)| ((text, some[place].0), score);
            found.extend(pairs.iter().zip(scores).map(one));
            bar.inc(some.len() as u64);
        }
        bar.finish_and_clear();
        Ok(found)
    }
}
