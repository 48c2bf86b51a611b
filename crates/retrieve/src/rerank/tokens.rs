//! The built-in rerankers: heads that look at a photo's stored patches, or at those that are computed now where a
//! gallery keeps none.

use std::sync::Arc;

use tuwen_encode::CpuEncoder;
use tuwen_encode::Encoder;
use tuwen_index::{Item, TokenStore};
use tuwen_matching::{Heads, Patches};

use super::store::patches_of;
use super::{Asked, Candidate, Reranker, Scores};
use crate::{Error, Result};

/// Which head looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Late interaction.
    Late,
    /// The matching head.
    Itm,
}

/// A head with what it reads.
pub struct TokenReranker {
    encoder: Arc<CpuEncoder>,
    heads: Arc<Heads<'static>>,
    store: Arc<TokenStore>,
    which: Which,
}

/// Whether heads have the one that is wanted.
pub(super) fn check_head(heads: &Heads<'_>, which: Which) -> Result<()> {
    if which == Which::Itm && heads.config().itm.is_none() {
        return Err(Error::Usage(format!(
            "the heads `{}` have no matching head: rerank with late, or train one (`tuwen heads train`)",
            heads.config().name
        )));
    }
    if which == Which::Late && heads.config().late.is_none() {
        return Err(Error::Usage(format!(
            "the heads `{}` have no late interaction: rerank with itm",
            heads.config().name
        )));
    }
    Ok(())
}

impl TokenReranker {
    /// # Errors
    /// The heads lack the one that is wanted.
    pub fn new(
        encoder: Arc<CpuEncoder>,
        heads: Arc<Heads<'static>>,
        store: Arc<TokenStore>,
        which: Which,
    ) -> Result<Self> {
        check_head(&heads, which)?;
        Ok(Self { encoder, heads, store, which })
    }

    /// The items' patches, and how many were computed now.
    fn patches(&self, items: &[Candidate]) -> Result<(Vec<Option<Patches>>, Scores)> {
        let count = self.heads.config().patches;
        let kept = |candidate: &Candidate| {
            let codes = self.store.get(&candidate.item.hash)?;
            Some(Patches::from_codes(codes, count))
        };
        let mut all: Vec<Option<Patches>> = items.iter().map(kept).collect();
        let missing: Vec<usize> = (0..all.len()).filter(|&at| all[at].is_none()).collect();
        let mut said = Scores::default();
        if missing.is_empty() {
            return Ok((all, said));
        }
        let files: Vec<&Item> = missing.iter().map(|&at| &items[at].item).collect();
        let mut failed = Vec::new();
        for (&at, found) in missing.iter().zip(patches_of(&self.encoder, &self.heads, &files)?) {
            match found {
                Ok(patches) => all[at] = Some(patches),
                Err(error) => failed.push(error),
            }
        }
        said.remarks.push(format!(
            "the tokens of {} of {} reranked photos were computed for this search (`tuwen index --tokens` keeps them)",
            missing.len() - failed.len(),
            items.len()
        ));
        if let Some(first) = failed.first() {
            said.remarks.push(format!(
                "{} of {} photos could not be looked at again and stand behind the others ({first})",
                failed.len(),
                items.len()
            ));
        }
        Ok((all, said))
    }
}

impl Reranker for TokenReranker {
    fn name(&self) -> String {
        match self.which {
            Which::Late => "late".into(),
            Which::Itm => "itm".into(),
        }
    }

    fn score(&self, query: Asked<'_>, items: &[Candidate]) -> Result<Scores> {
        let input = self.encoder.tokenise(query.words)?;
        let words = self.encoder.text_tokens(&[input])?;
        let question = self.heads.question(&words.tokens.values);
        if question.is_empty() {
            let remark = format!("«{}» has no word that a head could look for", query.words.trim());
            let values = items.iter().map(|item| Some(item.cosine)).collect();
            return Ok(Scores { values, remarks: vec![remark] });
        }
        let (patches, said) = self.patches(items)?;
        let there: Vec<&Patches> = patches.iter().flatten().collect();
        let config = self.heads.config();
        let (scores, share) = match self.which {
            Which::Late => {
                (self.heads.late(&question, &there), config.late.map_or(0.0, |late| late.cosine))
            }
            Which::Itm => {
                (self.heads.matches(&question, &there), config.itm.map_or(0.0, |itm| itm.cosine))
            }
        };
        let mut scores = scores.into_iter();
        let one = |(patches, item): (&Option<Patches>, &Candidate)| {
            patches.as_ref().and_then(|_| Some(scores.next()? + share * item.cosine))
        };
        let values = patches.iter().zip(items).map(one).collect();
        Ok(Scores { values, ..said })
    }
}
