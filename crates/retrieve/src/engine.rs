//! A gallery with its model: queries in, hits out. The program, a server and the demo all search here, so that
//! they cannot disagree.

mod again;
mod search;
mod sides;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tuwen_encode::CpuEncoder;
use tuwen_index::filter::Items;
use tuwen_index::fulltext::Match;
use tuwen_index::{Gallery, Hit as Scored, IdSet, Modality, Plan, TokenStore, Vectors};
use tuwen_matching::{Fuser, Heads, Role};
use tuwen_text::for_phrase;

use crate::describe::Describer;
use crate::fuser::fuser_for;
use crate::gap::Gap;
use crate::model::{as_made, model_id, open_model};
use crate::query::{Embedded, Query, Remark};
use crate::rerank::{Again, Moved, Send};
use crate::words::{Wanted, Words};
use crate::{Error, Result};

pub use search::{Found, Hit, Options, Ranked, RankedItem, Search};

/// Fusing looks at so many times the hits that are wanted, and at least at so many.
const FUSED_OVER: usize = 4;
const FUSED_LEAST: usize = 100;

/// A gallery as it was when it was opened, with its model.
pub struct Engine {
    folder: PathBuf,
    gallery: Mutex<Gallery>,
    encoder: Arc<CpuEncoder>,
    images: OnceLock<Vectors>,
    texts: OnceLock<Vectors>,
    fused: OnceLock<Vectors>,
    gap: OnceLock<Option<Gap>>,
    combiner: Option<Fuser<'static>>,
    /// The folder of the heads, where one was named.
    heads_folder: Option<PathBuf>,
    heads: OnceLock<Arc<Heads<'static>>>,
    tokens: OnceLock<Arc<TokenStore>>,
    describer: OnceLock<Arc<Describer>>,
    send: Option<Arc<Send>>,
}

impl Engine {
    /// Opens a gallery with its model, or with the one that is named, which must be the same.
    ///
    /// # Errors
    /// No gallery, another model's, a damaged one, or a model that cannot be opened.
    pub fn open(folder: &Path, options: &Options) -> Result<Self> {
        let gallery = Gallery::open(folder)?;
        let made = gallery.model()?;
        let name = options.model.as_ref().unwrap_or(&made.name);
        let device = options.device.clone();
        let encoder = open_model(name, options.long_text, options.products, device)?;
        let encoder = as_made(folder, &made, encoder)?;
        gallery.check_model(&model_id(name, &encoder)?)?;
        Self::of(gallery, encoder)?.with(options)
    }

    /// The same with the networks beside the model that options name.
    ///
    /// # Errors
    /// A combiner that cannot be read, or of another model.
    pub fn with(self, options: &Options) -> Result<Self> {
        let made = self.gallery().model()?;
        let combiner = options.combiner.as_deref();
        let combiner = combiner.map(|file| fuser_for(file, &made.fingerprint, Role::Queries));
        let (combiner, heads_folder) = (combiner.transpose()?, options.heads.clone());
        Ok(Self { heads_folder, combiner, ..self })
    }

    /// A gallery whose model is at hand, possibly that of other galleries as well. It stays as it is now, whatever
    /// others commit.
    ///
    /// # Errors
    /// The gallery cannot be read.
    pub fn of(gallery: Gallery, encoder: impl Into<Arc<CpuEncoder>>) -> Result<Self> {
        gallery.hold()?;
        let [images, texts, fused] = Default::default();
        let folder = gallery.folder().to_path_buf();
        let (heads, tokens, encoder) = (OnceLock::new(), OnceLock::new(), encoder.into());
        let gallery = Mutex::new(gallery);
        Ok(Self {
            folder,
            gallery,
            encoder,
            images,
            texts,
            fused,
            gap: OnceLock::new(),
            combiner: None,
            heads_folder: None,
            heads,
            tokens,
            describer: OnceLock::new(),
            send: None,
        })
    }

    /// The same with a way to send requests to rerankers at addresses.
    #[must_use]
    pub fn sending(self, send: Arc<Send>) -> Self {
        Self { send: Some(send), ..self }
    }

    /// Where the gallery is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The model.
    pub fn encoder(&self) -> &CpuEncoder {
        &self.encoder
    }

    /// The model, to be shared with another gallery's engine or with this one's when it is opened again.
    pub fn shared_encoder(&self) -> &Arc<CpuEncoder> {
        &self.encoder
    }

    /// The gallery's items; one at a time, for SQLite's connections are of one thread.
    pub fn gallery(&self) -> MutexGuard<'_, Gallery> {
        self.gallery.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many items of a modality can be found.
    ///
    /// # Errors
    /// The gallery cannot be read.
    pub fn len(&self, modality: Modality) -> Result<usize> {
        Ok(self.vectors(modality)?.len())
    }

    /// The query's vector, see [`Query::embed`].
    ///
    /// # Errors
    /// As there.
    pub fn embed(&self, query: &Query) -> Result<Embedded> {
        query.embed(&self.encoder, || self.between())
    }

    /// The best items for a query; without a query those that the filter is true of, in the order of their
    /// numbers.
    ///
    /// # Errors
    /// A query that makes no sense, or a gallery that cannot be read.
    pub fn search(&self, query: Option<&Query>, search: &Search) -> Result<Found> {
        let Some(query) = query else {
            let listed = self.list(search)?;
            return Ok(Found { hits: self.hits(&listed.items)?, remarks: Vec::new() });
        };
        let Embedded { vector, mut remarks } = self.embed(query)?;
        let words = query.wanted_words();
        if search.rerank.is_empty() {
            return Ok(Found { hits: self.find(&vector, words, search)?, remarks });
        }
        let ranked = self.rank_to_look(&vector, words, search)?;
        let (again, said) = self.look_again(&ranked, words, &vector, search)?;
        remarks.extend(said.into_iter().map(Remark::Rerank));
        Ok(Found { hits: self.hits_again(&again[..again.len().min(search.k)])?, remarks })
    }

    /// The best items for a query's vector (D), and its words where these count.
    ///
    /// # Errors
    /// As [`Self::search`].
    pub fn find(&self, vector: &[f32], words: Option<&str>, search: &Search) -> Result<Vec<Hit>> {
        self.hits(&self.rank(vector, words, search)?.items)
    }

    /// The same before the items are read.
    ///
    /// # Errors
    /// As [`Self::search`].
    pub fn rank(&self, vector: &[f32], words: Option<&str>, search: &Search) -> Result<Ranked> {
        let Search { modality, k, .. } = *search;
        let mut among = self.among(search)?;
        if search.words != Words::Ignored && words.is_none() {
            let what = "there are no words in the query whose exact words could be looked for";
            return Err(Error::Usage(what.into()));
        }
        let words = words.unwrap_or_default();
        let scored = match search.words {
            Words::Ignored => self.by_vector(vector, search, k, among.as_ref())?,
            Words::Exact => {
                let wanted = Wanted::exact(words);
                let all = usize::MAX;
                let having =
                    self.gallery().with_words(wanted.as_match(), modality, all, among.as_ref())?;
                among = Some(having.into_iter().map(|hit| hit.id).collect());
                self.by_vector(vector, search, k, among.as_ref())?
            }
            Words::Fused(fusion) => {
                let candidates = k.saturating_mul(FUSED_OVER).max(FUSED_LEAST);
                let near = self.by_vector(vector, search, candidates, among.as_ref())?;
                let any = Wanted::any(words);
                let named = self.gallery().with_words(
                    any.as_match(),
                    modality,
                    candidates,
                    among.as_ref(),
                )?;
                fusion.of(&near, &named, k)
            }
        };
        let total = among.map_or_else(|| self.len(modality), |items| Ok(items.len() as usize))?;
        let items = scored.into_iter().map(RankedItem::from).collect();
        Ok(Ranked { items, total })
    }

    fn by_vector(
        &self,
        vector: &[f32],
        &Search { modality, exact, .. }: &Search,
        k: usize,
        among: Option<&Items>,
    ) -> Result<Vec<Scored>> {
        let (vectors, among) = (self.vectors(modality)?, self.findable(modality, among)?);
        if exact {
            let found = vectors.search_all_exact(vector, k, among.as_ref())?;
            return Ok(found.into_iter().flatten().collect());
        }
        Ok(vectors.search(vector, k, among.as_ref())?)
    }

    fn findable(&self, modality: Modality, among: Option<&Items>) -> Result<Option<IdSet>> {
        let findable = match (among, modality) {
            // What was excluded or removed since still has its fused vector.
            (None, Modality::Fused) if self.fused_are_old()? => Some(self.gallery().ids(modality)?),
            _ => None,
        };
        Ok(among.or(findable.as_ref()).map(|items| items.iter().collect()))
    }

    /// Which way a search by a vector (D) goes, and why.
    ///
    /// # Errors
    /// As [`Self::search`].
    pub fn plan(&self, vector: &[f32], search: &Search) -> Result<Plan> {
        let among = self.findable(search.modality, self.among(search)?.as_ref())?;
        let plan = self.vectors(search.modality)?.plan(vector, search.k, among.as_ref());
        Ok(if search.exact { plan.exactly() } else { plan })
    }

    /// The items that the filter is true of and that have the phrases, where there are such conditions.
    fn among(&self, search: &Search) -> Result<Option<Items>> {
        let select = |filter| self.gallery().select(filter, search.modality);
        let mut among = search.filter.as_ref().map(select).transpose()?;
        for phrase in &search.phrases {
            let signs = for_phrase(phrase);
            let (wanted, all) = (Match::Phrase(&signs), usize::MAX);
            let having = self.gallery().with_words(wanted, search.modality, all, among.as_ref())?;
            among = Some(having.into_iter().map(|hit| hit.id).collect());
        }
        Ok(among)
    }

    /// The items that the filter is true of and that have the phrases; all of the modality without such conditions.
    ///
    /// # Errors
    /// The gallery cannot be read.
    pub fn items(&self, search: &Search) -> Result<Items> {
        match self.among(search)? {
            Some(items) => Ok(items),
            None => Ok(self.gallery().ids(search.modality)?),
        }
    }

    /// Whether an item of that modality, or a caption of it, has all of these words.
    ///
    /// # Errors
    /// The gallery cannot be read.
    pub fn has_words(&self, words: &str, modality: Modality) -> Result<bool> {
        let wanted = Wanted::exact(words);
        match self.gallery().with_words(wanted.as_match(), modality, 1, None) {
            Ok(having) => Ok(!having.is_empty()),
            // A gallery of an older program knows no words.
            Err(tuwen_index::Error::Undescribed(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The items that the filter is true of, all without one, the newest first.
    ///
    /// # Errors
    /// The gallery cannot be read.
    pub fn list_newest(&self, search: &Search) -> Result<Ranked> {
        let items = self.items(search)?;
        let ids = self.gallery().newest(&items, search.k)?;
        let total = items.len() as usize;
        Ok(Ranked {
            items: ids.into_iter().map(|id| RankedItem { id, score: None }).collect(),
            total,
        })
    }

    /// The items that the filter is true of, all without one, in the order of their numbers.
    ///
    /// # Errors
    /// The gallery cannot be read.
    pub fn list(&self, search: &Search) -> Result<Ranked> {
        let items = self.items(search)?;
        let total = items.len() as usize;
        let items = items.into_iter().take(search.k);
        let items = items.map(|id| RankedItem { id: id as i64, score: None }).collect();
        Ok(Ranked { items, total })
    }

    fn hits(&self, ranked: &[RankedItem]) -> Result<Vec<Hit>> {
        self.hits_of(ranked.iter().map(|&RankedItem { id, score }| (id, score, None)))
    }

    fn hits_again(&self, items: &[Again]) -> Result<Vec<Hit>> {
        self.hits_of(items.iter().map(|again| (again.id, Some(again.score), again.moved.clone())))
    }

    fn hits_of(
        &self,
        items: impl Iterator<Item = (i64, Option<f32>, Option<Moved>)>,
    ) -> Result<Vec<Hit>> {
        let (gallery, mut hits) = (self.gallery(), Vec::new());
        for (id, score, reranked) in items {
            // Another program may have removed it meanwhile.
            let Some(item) = gallery.item(id)? else { continue };
            // Sums of rounded products may be a little beyond 1; what a reranker says may be anything.
            let score = match reranked {
                Some(_) => score,
                None => score.map(|score| score.clamp(-1.0, 1.0)),
            };
            hits.push(Hit { reranked, ..Hit::of(item, hits.len() + 1, score) });
        }
        Ok(hits)
    }

    /// Files of codes in which a search met something that was not as it was written; it went by the vectors.
    pub fn damaged_codes(&self) -> Vec<PathBuf> {
        let opened = [&self.images, &self.texts, &self.fused].into_iter().filter_map(OnceLock::get);
        opened.flat_map(Vectors::damaged_codes).collect()
    }

    /// Files of cells that are not as they were written, and what is wrong: searches went without them.
    pub fn damaged_cells(&self) -> Vec<(PathBuf, String)> {
        let opened = [&self.images, &self.texts, &self.fused].into_iter().filter_map(OnceLock::get);
        let damaged = opened.filter_map(Vectors::damaged_cells);
        damaged.map(|(path, what)| (path.to_path_buf(), what.to_owned())).collect()
    }

    /// Whether items have changed since vectors were fused.
    fn fused_are_old(&self) -> Result<bool> {
        Ok(self.gallery().fused()?.is_some_and(|fused| fused.is_old))
    }

    /// The vectors of a modality, opened when they are first asked for.
    ///
    /// # Errors
    /// The gallery cannot be read, or has no fused vectors where these are asked for.
    pub fn vectors(&self, modality: Modality) -> Result<&Vectors> {
        let kept = match modality {
            Modality::Image => &self.images,
            Modality::Text => &self.texts,
            Modality::Fused => &self.fused,
        };
        if modality == Modality::Fused && self.gallery().fused()?.is_none() {
            let cure = "`tuwen index --fuse weighted:0.5` makes them";
            let what = format!("the gallery has no vectors of pictures with their texts: {cure}");
            return Err(Error::Usage(what));
        }
        if kept.get().is_none() {
            let _ = kept.set(self.gallery().vectors(modality)?);
        }
        Ok(kept.get().expect("just set"))
    }
}
