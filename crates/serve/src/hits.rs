//! Items as clients see them: what the gallery knows of each hit, on one page.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use tuwen_index::{Gallery, IdSet, Item, Modality};
use tuwen_retrieve::rerank::Moved;
use tuwen_retrieve::{FileName, Meaning, RankedItem, Verdict, made_by, path_of};

use crate::openapi::{File, ItemKind};
use crate::problem::Problem;
use crate::routes::within::Within;
use crate::shelf::Open;
use crate::why::{Asked, Said, Why, near};

/// Pictures of a page that captions of other ones are looked for: the first ones.
const NEAR: usize = 100;

/// One page of an answer, as it is kept.
pub(crate) struct Page {
    pub total: usize,
    /// Where these are only the best of a search.
    pub within: Option<Within>,
    /// How many hits come before the next page, where there is one.
    pub next: Option<usize>,
    pub remarks: Vec<String>,
    /// Whether anything matches, where scores are calibrated.
    pub verdict: Option<Verdict>,
    /// An array of hits, as JSON already.
    pub hits: Box<RawValue>,
}

/// An item that was found.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Hit")]
pub(crate) struct Hit<'a> {
    /// From 1, over all pages.
    rank: usize,
    id: i64,
    #[schemars(with = "ItemKind")]
    kind: Modality,
    /// The cosine with the query, or what the last who looked again said.
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f32>,
    /// Where it was before somebody looked again.
    #[serde(skip_serializing_if = "Option::is_none")]
    reranked: Option<Reranked<'a>>,
    /// The score in deviations above what names of other things reach in this gallery, where the query is words.
    #[serde(skip_serializing_if = "Option::is_none")]
    z: Option<f32>,
    /// How probable it is that it shows what the words say.
    #[serde(skip_serializing_if = "Option::is_none")]
    probability: Option<f32>,
    #[schemars(with = "File")]
    #[serde(flatten)]
    file: &'a FileName,
    name: String,
    width: Option<u32>,
    height: Option<u32>,
    /// Of a text what it says.
    text: Option<&'a str>,
    /// The picture of a caption.
    owner: Option<i64>,
    /// Where a small JPEG of it is.
    thumbnail: Option<String>,
    /// Of a picture's captions the one nearest to the query, the first one where there is no query.
    caption: Option<&'a str>,
    /// The decoder that made that caption, or the text, where no person did.
    #[serde(skip_serializing_if = "Option::is_none")]
    made_by: Option<String>,
    /// Why it may be what was asked for, as far as words tell.
    #[serde(skip_serializing_if = "Why::is_empty")]
    why: &'a Why,
    /// What each word of the query adds to it beyond what it adds to the other hits of the page, where `explain` asks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    explained: Vec<Weight<'a>>,
    /// Hits behind it that are nearly the same.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    duplicates: &'a [Brief],
}

/// A word of the query.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "WordWeight")]
pub(crate) struct Weight<'a> {
    text: &'a str,
    /// In cosines.
    weight: f32,
}

/// That somebody looked again at a hit.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Reranked")]
pub(crate) struct Reranked<'a> {
    /// Who: `late`, `itm` or both.
    by: &'a str,
    /// Its rank before, from 1.
    from: usize,
    /// Its score before.
    score_before: f32,
}

/// An item in few words.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "ItemBrief")]
pub(crate) struct Brief {
    pub id: i64,
    pub name: String,
    pub thumbnail: Option<String>,
}

/// The item of that number; nothing where another program has removed it meanwhile.
pub(crate) fn brief(gallery: &Gallery, id: i64, part: &str) -> Result<Option<Brief>, Problem> {
    let Some(item) = gallery.item(id)? else { return Ok(None) };
    let owner = item.owner.map(|owner| gallery.item(owner)).transpose()?.flatten();
    let name = FileName::from(path_of(&item.origin).as_path()).last();
    let thumbnail = pictured(&item, owner.as_ref()).map(|item| thumbnail_of(item, part));
    Ok(Some(Brief { id, name, thumbnail }))
}

/// A cosine as it is shown: sums of rounded products may be a little beyond 1.
pub(crate) fn cosine(score: f32) -> f32 {
    score.clamp(-1.0, 1.0)
}

fn rounded(value: f32) -> f32 {
    (value * 1000.0).round() / 1000.0
}

/// What an item looks like: itself, or the picture of a caption.
fn pictured<'a>(item: &'a Item, owner: Option<&'a Item>) -> Option<&'a Item> {
    if item.modality == Modality::Image { Some(item) } else { owner }
}

/// Width and height in an item's metadata.
pub(crate) fn size_of(item: &Item) -> (Option<u32>, Option<u32>) {
    let json: serde_json::Value = serde_json::from_str(&item.metadata).unwrap_or_default();
    let side = |name: &str| json[name].as_u64()?.try_into().ok();
    (side("width"), side("height"))
}

/// Where a picture's thumbnail is; the hash makes it another address when the picture is another one.
pub(crate) fn thumbnail_of(item: &Item, gallery: &str) -> String {
    format!(
        "/v1/items/{}/thumbnail?v={}{gallery}",
        item.id,
        hex(&item.hash[..item.hash.len().min(8)])
    )
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Hits of a page.
pub(crate) struct Listing<'a> {
    pub ranked: &'a [RankedItem],
    /// What is nearly the same as a hit.
    pub folded: &'a HashMap<i64, Vec<i64>>,
    /// Where hits were before somebody looked again.
    pub moved: &'a HashMap<i64, Moved>,
    /// Hits before them.
    pub offset: usize,
    /// The query's vector, (D).
    pub vector: Option<&'a [f32]>,
    /// What scores mean, where that is known.
    pub calibration: Option<Meaning<'a>>,
    /// The query's words.
    pub asked: &'a Asked,
    /// What the query's words add to each of them, where that is wanted.
    pub apart: &'a HashMap<i64, Vec<tuwen_explain::Word>>,
}

/// The JSON of a page; `gallery` is what links need. Blocks.
pub(crate) fn page(
    open: &Open,
    gallery: &str,
    listing: &Listing<'_>,
) -> Result<Box<RawValue>, Problem> {
    let mut read = read(&open.engine.gallery(), gallery, listing)?;
    if listing.vector.is_some() {
        explain(open, &mut read)?;
    }
    nearest(open, &mut read, listing.vector)?;
    let hit = |(at, read): (usize, &Read)| {
        let Read { item, score, owner, captions: own, why, duplicates } = read;
        let pictured = pictured(item, owner.as_ref());
        let (width, height) = size_of(item);
        let file = FileName::from(path_of(&item.origin).as_path());
        let nearest = why.caption.as_ref();
        let caption = nearest.and_then(|near| own.iter().find(|caption| caption.id == near.id));
        let caption = caption.or(own.first());
        let moved = listing.moved.get(&item.id);
        let reranked = moved.map(|Moved { by, from, score_before }| Reranked {
            by,
            from: *from,
            score_before: *score_before,
        });
        let before = moved.map_or(*score, |moved| Some(moved.score_before));
        let calibrated = listing.calibration.zip(before);
        let hit = Hit {
            rank: listing.offset + at + 1,
            id: item.id,
            kind: item.modality,
            // What a head adds to a cosine may be beyond 1.
            score: if moved.is_some() { *score } else { score.map(cosine) },
            reranked,
            z: calibrated.map(|(known, score)| rounded(known.z(score))),
            probability: calibrated
                .and_then(|(known, score)| known.probability(score))
                .map(rounded),
            name: file.last(),
            file: &file,
            width,
            height,
            text: item.text.as_deref(),
            owner: item.owner,
            thumbnail: pictured.map(|item| thumbnail_of(item, gallery)),
            caption: caption.and_then(|caption| caption.text.as_deref()),
            made_by: made_by(caption.unwrap_or(item)),
            why,
            explained: listing
                .apart
                .get(&item.id)
                .into_iter()
                .flatten()
                .map(|word| Weight { text: &word.text, weight: word.weight })
                .collect(),
            duplicates,
        };
        serde_json::value::to_raw_value(&hit)
    };
    let hits: Result<Vec<_>, _> = read.iter().enumerate().map(hit).collect();
    let json = hits.and_then(|hits| serde_json::value::to_raw_value(&hits));
    json.map_err(Problem::internal)
}

/// What the gallery knows of a hit.
struct Read {
    item: Item,
    score: Option<f32>,
    owner: Option<Item>,
    captions: Vec<Item>,
    why: Why,
    duplicates: Vec<Brief>,
}

fn read(gallery: &Gallery, part: &str, listing: &Listing<'_>) -> Result<Vec<Read>, Problem> {
    let mut all = Vec::with_capacity(listing.ranked.len());
    for &RankedItem { id, score } in listing.ranked {
        // Another program may have removed it meanwhile.
        let Some(item) = gallery.item(id)? else { continue };
        let owner = item.owner.map(|owner| gallery.item(owner)).transpose()?.flatten();
        let captions = match item.modality {
            Modality::Image | Modality::Fused => gallery.captions_of(id)?,
            Modality::Text => Vec::new(),
        };
        let name = FileName::from(path_of(&item.origin).as_path()).last();
        let words = listing.asked.in_item(gallery, &item, &captions, &name)?;
        let why = Why { words, ..Why::default() };
        let folded = listing.folded.get(&id).into_iter().flatten();
        let duplicates =
            folded.map(|&id| brief(gallery, id, part)).collect::<Result<Vec<_>, _>>()?;
        let duplicates = duplicates.into_iter().flatten().collect();
        all.push(Read { item, score, owner, captions, why, duplicates });
    }
    Ok(all)
}

/// Says of pictures without captions what the nearest caption of another one is.
fn explain(open: &Open, read: &mut [Read]) -> Result<(), Problem> {
    let silent =
        |read: &&mut Read| read.item.modality == Modality::Image && read.captions.is_empty();
    let mut silent: Vec<&mut Read> = read.iter_mut().filter(silent).take(NEAR).collect();
    let ids: Vec<i64> = silent.iter().map(|read| read.item.id).collect();
    for (read, mut near) in silent.iter_mut().zip(near(open, &ids, 1)?) {
        read.why.near = near.pop();
    }
    Ok(())
}

/// Says of each picture with captions which of them is nearest to the query: one search for all of the page.
fn nearest(open: &Open, read: &mut [Read], vector: Option<&[f32]>) -> Result<(), Problem> {
    let captions = read.iter().flat_map(|read| &read.captions);
    let ids: IdSet = captions.map(|caption| caption.id as u64).collect();
    let Some(vector) = vector.filter(|_| !ids.is_empty()) else { return Ok(()) };
    let found = open.engine.vectors(Modality::Text)?.search(vector, ids.len(), Some(&ids))?;
    let scores: HashMap<i64, (usize, f32)> =
        found.iter().enumerate().map(|(rank, hit)| (hit.id as i64, (rank, hit.score))).collect();
    for Read { captions, why, .. } in read {
        let scored =
            captions.iter().filter_map(|caption| Some((caption, scores.get(&caption.id)?)));
        let best = scored.min_by_key(|(_, (rank, _))| *rank);
        why.caption = best.and_then(|(caption, &(_, score))| {
            Some(Said { id: caption.id, text: caption.text.clone()?, score: cosine(score) })
        });
    }
    Ok(())
}
