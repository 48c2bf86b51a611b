//! What is asked of a collection: its points in the order of their numbers, the nearest ones, those that a filter is true
//! of. What comes back is looked at before it is believed.

use std::collections::HashMap;

use qdrant_client::qdrant::{
    CountPointsBuilder, GetPointsBuilder, PayloadIncludeSelector, QuantizationSearchParamsBuilder,
    Query, QueryPointsBuilder, RetrievedPoint, ScrollPointsBuilder, SearchParamsBuilder,
    VectorInput,
};
use tuwen_index::filter::Filter;
use tuwen_index::store::{Ask, Digest, Record};
use tuwen_index::{Hit, Item, Modality, Result};

use super::Collection;
use super::payload::{self, DIGEST, number_of, point_id, vector_name};

/// Points of one answer with all that they say, and with their checksums alone.
const POINTS: usize = 256;
const DIGESTS: usize = 2048;
/// Hits of one answer.
const MOST: usize = 1_000_000;
/// Candidates of the graph, and of codes so many times the hits, that are scored from f32.
const CANDIDATES: usize = 128;
const OVERSAMPLING: f64 = 3.0;

/// What is read of a point beside its number.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Nothing,
    Digest,
    All,
}

impl Collection {
    pub(super) fn count(&self) -> Result<u64> {
        let count = CountPointsBuilder::new(&self.name).exact(true);
        let count = &count;
        let answer = self
            .caller
            .ask("count its items", |client| async move { client.count(count.clone()).await })?;
        let result = answer.result.map(|result| result.count);
        result.ok_or_else(|| self.caller.error("it does not say how many items it has"))
    }

    pub(super) fn records(&self, from: i64, most: usize) -> Result<Vec<Record>> {
        let mut records = Vec::new();
        let mut next = from;
        while records.len() < most {
            let wanted = POINTS.min(most - records.len());
            let points = self.points(next, wanted, None, Part::All)?;
            let is_last = points.len() < wanted;
            for point in points {
                records.push(payload::record(point).map_err(|what| self.caller.error(what))?);
            }
            let last = records.last().map_or(i64::MAX, |record: &Record| record.item.id);
            if is_last || last == i64::MAX {
                break;
            }
            next = last + 1;
        }
        Ok(records)
    }

    pub(super) fn stored_digests(&self, first: i64, last: i64) -> Result<Vec<(i64, Digest)>> {
        let (mut digests, mut next) = (Vec::new(), first);
        loop {
            let points = self.points(next, DIGESTS, None, Part::Digest)?;
            let is_last = points.len() < DIGESTS;
            for point in points {
                let id = self.number(&point)?;
                if id > last {
                    return Ok(digests);
                }
                // A point without a digest is like none that is sent.
                digests.push((id, payload::digest(&point.payload).unwrap_or_default()));
                next = id.saturating_add(1);
            }
            if is_last {
                return Ok(digests);
            }
        }
    }

    fn number(&self, point: &RetrievedPoint) -> Result<i64> {
        number_of(point.id.as_ref()).map_err(|what| self.caller.error(what))
    }

    /// At most `most` points from a number on, in the order of their numbers.
    fn points(
        &self,
        from: i64,
        most: usize,
        filter: Option<&qdrant_client::qdrant::Filter>,
        part: Part,
    ) -> Result<Vec<RetrievedPoint>> {
        let mut scroll = ScrollPointsBuilder::new(&self.name)
            .offset(point_id(from))
            .limit(most as u32)
            .with_vectors(part == Part::All);
        scroll = match part {
            Part::Nothing => scroll.with_payload(false),
            Part::Digest => {
                let fields = vec![DIGEST.to_owned()];
                scroll.with_payload(PayloadIncludeSelector { fields })
            }
            Part::All => scroll.with_payload(true),
        };
        if let Some(filter) = filter {
            scroll = scroll.filter(filter.clone());
        }
        let scroll = &scroll;
        let answer = self
            .caller
            .ask("read items", |client| async move { client.scroll(scroll.clone()).await })?;
        let (mut before, points) = (from.max(0) - 1, answer.result);
        for point in &points {
            let id = self.number(point)?;
            if id <= before {
                return Err(self.caller.error(format!(
                    "it answers nonsense: asked for items from {from} on, it gives item {id} after {before}"
                )));
            }
            before = id;
        }
        Ok(points)
    }

    pub(super) fn nearest(&self, ask: &Ask<'_>) -> Result<Vec<Hit>> {
        if ask.modality == Modality::Fused {
            let what = "it has no vectors of pictures with their texts (--kind fused), which galleries in folders have";
            return Err(self.caller.error(what));
        }
        if ask.k == 0 || ask.k > MOST {
            let what = format!("{} hits were asked for; it gives 1 to {MOST}", ask.k);
            return Err(self.caller.error(what));
        }
        let codes =
            QuantizationSearchParamsBuilder::default().rescore(true).oversampling(OVERSAMPLING);
        let params = SearchParamsBuilder::default()
            .exact(ask.exact)
            .hnsw_ef(CANDIDATES.max(ask.k) as u64)
            .quantization(codes);
        let mut query = QueryPointsBuilder::new(&self.name)
            .query(Query::new_nearest(VectorInput::new_dense(ask.vector.to_vec())))
            .using(vector_name(ask.modality))
            .limit(ask.k as u64)
            .params(params)
            .with_payload(false);
        if let Some(filter) = ask.filter {
            query = query.filter(self.translate(filter, ask.modality)?);
        }
        let query = &query;
        let answer =
            self.caller.ask("search", |client| async move { client.query(query.clone()).await })?;
        let mut hits = Vec::with_capacity(answer.result.len().min(ask.k));
        for point in answer.result.iter().take(ask.k) {
            let id = number_of(point.id.as_ref()).map_err(|what| self.caller.error(what))?;
            if !point.score.is_finite() {
                return Err(self
                    .caller
                    .error(format!("it answers nonsense: item {id} has no score")));
            }
            hits.push(Hit { id: id as u64, score: point.score });
        }
        // Equal ones in the one order of hits.
        hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.id.cmp(&b.id)));
        Ok(hits)
    }

    pub(super) fn first(
        &self,
        modality: Modality,
        filter: Option<&Filter>,
        k: usize,
    ) -> Result<Vec<i64>> {
        let all = Filter::And(Vec::new());
        let filter = self.translate(filter.unwrap_or(&all), modality)?;
        let (mut ids, mut next) = (Vec::new(), 0i64);
        while ids.len() < k {
            let wanted = DIGESTS.min(k - ids.len());
            let points = self.points(next, wanted, Some(&filter), Part::Nothing)?;
            for point in &points {
                ids.push(self.number(point)?);
            }
            if points.len() < wanted {
                break;
            }
            next = ids.last().map_or(i64::MAX, |id| id.saturating_add(1));
        }
        ids.truncate(k);
        Ok(ids)
    }

    pub(super) fn items_of(&self, ids: &[i64]) -> Result<Vec<Item>> {
        let mut found = HashMap::new();
        for some in ids.chunks(POINTS) {
            let points: Vec<_> = some.iter().map(|&id| point_id(id)).collect();
            let get = GetPointsBuilder::new(&self.name, points).with_payload(true);
            let get = &get;
            let answer = self
                .caller
                .ask("read items", |client| async move { client.get_points(get.clone()).await })?;
            for point in answer.result {
                let id = self.number(&point)?;
                let item = payload::item(id, &point.payload);
                found.insert(id, item.map_err(|what| self.caller.error(what))?);
            }
        }
        Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
    }
}
