//! Looking again at what an engine found: who does it, and with what.

use std::sync::Arc;

use tuwen_index::TokenStore;
use tuwen_matching::Heads;

use super::{Engine, Ranked, RankedItem, Search};
use crate::describe::Describer;
use crate::rerank::{
    Again, Asked, By, Candidate, Endpoint, HeadJudge, How, OwnReranker, Reranker, Stage, Together,
    TokenReranker, Which, check_modality, heads_of, matches_itself, reorder,
};
use crate::{Error, Result};

impl Engine {
    /// As [`Self::rank`], with all that is looked at again.
    pub(super) fn rank_to_look(
        &self,
        vector: &[f32],
        words: Option<&str>,
        search: &Search,
    ) -> Result<Ranked> {
        let first = search.rerank.iter().map(|stage| stage.first).max().unwrap_or(0);
        self.rank(vector, words, &Search { k: search.k.max(first), ..search.clone() })
    }

    /// What [`Search::rerank`] makes of ranked items, and what a user should know of it.
    ///
    /// # Errors
    /// There are no words to ask with, what is looked at cannot be read, or who is asked does not answer.
    pub fn look_again(
        &self,
        ranked: &Ranked,
        words: Option<&str>,
        vector: &[f32],
        search: &Search,
    ) -> Result<(Vec<Again>, Vec<String>)> {
        check_modality(search.modality)?;
        let Some(words) = words.filter(|words| !words.trim().is_empty()) else {
            let what = "there are no words in the query to look again with: give some, or leave `rerank` away";
            return Err(Error::Usage(what.into()));
        };
        let asked = Asked { words, vector };
        let item = |&RankedItem { id, score }: &RankedItem| Again {
            id,
            score: score.unwrap_or_default(),
            moved: None,
        };
        let mut items: Vec<Again> = ranked.items.iter().map(item).collect();
        let mut said = Vec::new();
        for stage in &search.rerank {
            let reranker = self.reranker(stage)?;
            let candidates = self.candidates(&mut items, stage.first, vector)?;
            let scores = reranker.score(asked, &candidates)?;
            items = reorder(&items, &scores, &reranker.name());
            said.extend(scores.remarks);
        }
        Ok((items, said))
    }

    /// The first items as rerankers see them; those that another program has removed meanwhile leave the list.
    fn candidates(
        &self,
        items: &mut Vec<Again>,
        first: usize,
        vector: &[f32],
    ) -> Result<Vec<Candidate>> {
        let gallery = self.gallery();
        let (mut found, mut gone) = (Vec::new(), Vec::new());
        for again in items.iter().take(first) {
            let Some(item) = gallery.item(again.id)? else {
                gone.push(again.id);
                continue;
            };
            let captions =
                gallery.captions_of(item.id)?.into_iter().filter_map(|c| c.text).collect();
            let own = gallery.vector(item.id)?;
            let cosine = own.iter().zip(vector).map(|(a, b)| a * b).sum();
            found.push(Candidate { item, captions, cosine });
        }
        items.retain(|again| !gone.contains(&again.id));
        Ok(found)
    }

    /// Who looks again at a stage.
    fn reranker(&self, stage: &Stage) -> Result<Box<dyn Reranker>> {
        let head = |which| -> Result<Box<dyn Reranker>> {
            let model = self.gallery().model()?.name;
            let folder = self.heads_folder.as_deref();
            if which == Which::Itm && matches_itself(&self.encoder, &model, folder) {
                return Ok(Box::new(OwnReranker::new(Arc::clone(&self.encoder))));
            }
            let (heads, store) = (self.heads()?, self.tokens()?);
            let encoder = Arc::clone(&self.encoder);
            Ok(Box::new(TokenReranker::new(encoder, heads, store, which)?))
        };
        match &stage.by {
            By::Late => head(Which::Late),
            By::Itm => head(Which::Itm),
            By::Both => {
                let members = vec![(head(Which::Late)?, 1.0), (head(Which::Itm)?, 1.0)];
                Ok(Box::new(Together { members, how: How::ZScore }))
            }
            By::Endpoint(url) => {
                let Some(send) = self.send.clone() else {
                    let what = format!("{url}: rerankers at addresses are not allowed here");
                    return Err(Error::Usage(what));
                };
                Ok(Box::new(Endpoint::new(url, None, Box::new(move |url, body| send(url, body)))))
            }
        }
    }

    /// Who looks again, for explanations of its scores.
    ///
    /// # Errors
    /// Heads of another model, heads that lack the one that is wanted, or files that do not fit.
    pub fn judge(&self, which: Which) -> Result<HeadJudge<'_>> {
        let model = self.gallery().model()?.name;
        let folder = self.heads_folder.as_deref();
        match which == Which::Itm && matches_itself(&self.encoder, &model, folder) {
            true => Ok(HeadJudge::own(&self.encoder)),
            false => HeadJudge::of(&self.encoder, self.heads()?, which),
        }
    }

    /// The decoder that says what pictures show.
    ///
    /// # Errors
    /// The model has none.
    pub fn describer(&self) -> Result<Arc<Describer>> {
        if self.describer.get().is_none() {
            let model = self.gallery().model()?.name;
            let _ = self.describer.set(Arc::new(Describer::open(&self.encoder, &model, None)?));
        }
        Ok(Arc::clone(self.describer.get().expect("just set")))
    }

    /// The heads that look again.
    ///
    /// # Errors
    /// Heads of another model, or files that do not fit.
    pub fn heads(&self) -> Result<Arc<Heads<'static>>> {
        if self.heads.get().is_none() {
            let model = self.gallery().model()?.name;
            let found = heads_of(&self.encoder, &model, self.heads_folder.as_deref())?;
            let _ = self.heads.set(Arc::new(found));
        }
        Ok(Arc::clone(self.heads.get().expect("just set")))
    }

    /// The tokens that the gallery keeps for them.
    fn tokens(&self) -> Result<Arc<TokenStore>> {
        if self.tokens.get().is_none() {
            let heads = self.heads()?;
            let len = heads.config().bytes();
            let found = TokenStore::open(&self.folder, heads.fingerprint(), len)?;
            let _ = self.tokens.set(Arc::new(found));
        }
        Ok(Arc::clone(self.tokens.get().expect("just set")))
    }
}
