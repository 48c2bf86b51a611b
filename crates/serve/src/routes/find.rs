//! What a search does: parts of a query to a vector, the vector to items in their order, items to a page.

use std::collections::HashMap;
use std::sync::Arc;

use tuwen_explain::words_apart;
use tuwen_index::Modality;
use tuwen_index::filter::Filter;
use tuwen_retrieve::language::Line;
use tuwen_retrieve::rerank::Moved;
use tuwen_retrieve::{Fusion, Ranked, RankedItem, Search, Verdict, Words};

use crate::State;
use crate::alike::vectors_of;
use crate::extract::{check_text, window};
use crate::hits::{Listing, Page, page};
use crate::problem::Problem;
use crate::routes::again::{Looked, look_again, stages};
use crate::routes::doubts::{filter_remarks, unmet};
use crate::routes::fold::fold;
use crate::routes::parts::vector;
use crate::routes::search::{K, Sort, Wanted, WordsMode};
use crate::routes::within::Making;
use crate::scans::Scan;
use crate::settings::Limits;
use crate::shelf::{Open, Shelf};
use crate::why::Asked;

/// How far a fused list goes: it depends on its own length, so that one of a page's length would be another one
/// on the next page.
pub(crate) const FUSED: usize = 1_000;
/// Items that one line may name.
const LIKES: usize = 16;
/// Words that are weighed: one text through the model for each.
const EXPLAINED: usize = 64;

/// Parts to a vector, the vector to items, items to a page.
pub(crate) async fn find(
    state: &State,
    shelf: &Shelf,
    open: &Arc<Open>,
    mut wanted: Wanted,
) -> Result<Page, Problem> {
    let limits = &state.settings.limits;
    let mut remarks = Vec::new();
    wanted.offset = begin(&wanted, opened(state, open), &mut remarks)?;
    let (offset, k) = (wanted.offset, window(limits, wanted.k, K, wanted.offset)?);
    let filter = wanted.filter.as_deref().filter(|filter| !filter.trim().is_empty());
    let filter = filter.map(Filter::parse).transpose()?;
    let line = read_line(&state.settings.limits, &mut wanted)?;
    remarks.extend(line.remarks());
    let asked = asked(&line);
    let filter = both(filter, line.filter);
    if let Some(filter) = &filter {
        remarks.append(&mut filter_remarks(state, open, filter).await?);
    }
    let vector = {
        let _coming = state.scans.coming();
        vector(state, open, &wanted, &line.weighted, &mut remarks).await?
    };
    let narrowing = filter.clone();
    let modality = wanted.kind.unwrap_or(Modality::Image);
    // Scores of words alone are what is calibrated, not fused ones nor those of pictures with each other;
    // what has the exact words matches by these.
    let of_words = modality != Modality::Fused
        && wanted.words == WordsMode::Off
        && line.phrases.is_empty()
        && wanted.image.is_none()
        && wanted.like.is_none()
        && wanted.likes.is_empty()
        && wanted.not.is_empty();
    let least = wanted.fold.least()?;
    if wanted.threshold.is_some_and(|threshold| !(-1.0..=1.0).contains(&threshold)) {
        return Err(Problem::value("threshold: it is beyond what a score can be, -1 to 1"));
    }
    let rerank = stages(&wanted, modality, &mut remarks)?;
    let looked = rerank.iter().map(|stage| stage.first).max().unwrap_or(0);
    let asked_words = wanted.query.clone();
    let explained = explained_words(&wanted, modality)?;
    let weighted = line.weighted.iter().map(|(words, _)| words.as_str());
    let said = asked_words.as_deref().into_iter().chain(weighted).collect::<Vec<_>>().join(" ");
    let calibration = open.calibration(modality).filter(|_| of_words);
    let by_date = wanted.sort == Sort::Date;
    let is_written =
        by_date && calibration.is_some() && are_written(state, open, &asked, modality).await?;
    let making = Making {
        by_date,
        is_folded: least.is_some(),
        is_fused: wanted.words == WordsMode::Fuse,
        is_exact: wanted.words == WordsMode::Exact || !line.phrases.is_empty(),
        threshold: wanted.threshold,
        is_written,
        calibration: calibration.map(|known| known.of_text(&said)),
    };
    let narrowed = making.ends() || making.threshold.is_some();
    let reach = offset + k + wanted.without.len();
    let reach = if narrowed { reach.max(FUSED) } else { reach }.max(looked);
    let mut ranked = match vector.clone() {
        Some(vector)
            if filter.is_none() && line.phrases.is_empty() && wanted.words == WordsMode::Off =>
        {
            state.scans.ask(Scan { open: Arc::clone(open), modality, vector, k: reach }).await?
        }
        vector => {
            let (words, query) = (wanted.words, wanted.query);
            let (words, reach) = match words {
                WordsMode::Off => (Words::Ignored, reach),
                WordsMode::Exact => (Words::Exact, reach),
                WordsMode::Fuse => (Words::Fused(Fusion::Ranks), FUSED),
            };
            let phrases = line.phrases;
            let all = Search::all(modality, reach);
            let search = Search { filter, words, phrases, ..all };
            rank(state, open, vector, query, search, wanted.sort).await?
        }
    };
    if let (0, Some(filter)) = (ranked.total, narrowing) {
        remarks.append(&mut unmet(state, open, filter).await?);
    }
    let within = vector.as_ref().and_then(|_| making.cut(&mut ranked));
    remarks.extend(within.map(|within| making.remark(within)));
    let mut moved = HashMap::new();
    if let Some(vector) = vector.clone().filter(|_| !rerank.is_empty()) {
        let again = Looked { vector, words: asked_words, rerank, modality };
        (ranked, moved) = look_again(state, open, ranked, again, &mut remarks).await?;
    }
    if making.by_date && vector.is_some() {
        ranked = newest(state, open, ranked).await?;
    }
    if !wanted.without.is_empty() {
        let before = ranked.items.len();
        ranked.items.retain(|item| !wanted.without.contains(&item.id));
        ranked.total -= before - ranked.items.len();
    }
    let mut folded = HashMap::new();
    if let Some(least) = least {
        (ranked, folded) = fold(state, open, ranked, least).await?;
    }
    let may_learn = of_words && modality == Modality::Image && vector.is_some();
    if may_learn && open.calibration_is_pending() {
        remarks.push(
            "how probable hits are is still being learned in the background: ask again in a while"
                .into(),
        );
    }
    let total = ranked.total;
    let (gallery, open) = (state.gallery_part(shelf), Arc::clone(open));
    let read = move || {
        let calibration = open.calibration(modality).filter(|_| of_words && vector.is_some());
        let calibration = calibration.map(|known| known.of_text(&said));
        // What is calibrated are scores before anybody looked again.
        let before = |&RankedItem { id, score }: &RankedItem| {
            moved.get(&id).map_or(score, |moved: &Moved| Some(moved.score_before))
        };
        let best = ranked.items.iter().filter_map(before).max_by(f32::total_cmp);
        let mut verdict = calibration.and_then(|known| known.verdict(best));
        if verdict == Some(Verdict::None)
            && best.is_some()
            && asked.are_written(&open.engine, modality)?
        {
            verdict = Some(Verdict::Unsure);
        }
        let items = ranked.items.get(offset..).unwrap_or_default();
        let (ranked, vector) = (&items[..items.len().min(k)], vector.as_deref());
        let apart = match &explained {
            Some(words) => apart(&open, words, ranked)?,
            None => HashMap::new(),
        };
        let listing = Listing {
            ranked,
            folded: &folded,
            moved: &moved,
            offset,
            vector,
            calibration,
            asked: &asked,
            apart: &apart,
        };
        Ok((page(&open, &gallery, &listing)?, verdict))
    };
    let (hits, verdict) = state.reads.run(read).await?;
    let next = Some(offset + k).filter(|&next| next < total && next <= limits.offset);
    Ok(Page { total, within, next, remarks, verdict, hits })
}

/// The words that are weighed hit by hit, where that is wanted.
fn explained_words(wanted: &Wanted, modality: Modality) -> Result<Option<String>, Problem> {
    if !wanted.explain {
        return Ok(None);
    }
    let refuse = |what: &str| Err(Problem::value(format!("explain: {what}")));
    let words = wanted.query.clone().filter(|words| !words.trim().is_empty());
    match words {
        None => refuse("it weighs the words of a query, and there are none: give `query`"),
        Some(_) if modality == Modality::Fused => refuse(
            "a fused vector is no picture's and no text's alone: ask for `kind` image or text",
        ),
        Some(words) => match tuwen_explain::Words::new(&words).len() {
            0 => refuse("the query has no word"),
            1..=EXPLAINED => Ok(Some(words)),
            count => refuse(&format!("the query has {count} words, {EXPLAINED} are the limit")),
        },
    }
}

/// For each hit what the words add to it beyond what they add to the others. Blocks.
fn apart(
    open: &Open,
    words: &str,
    ranked: &[RankedItem],
) -> Result<HashMap<i64, Vec<tuwen_explain::Word>>, Problem> {
    let ids: Vec<i64> = ranked.iter().map(|item| item.id).collect();
    let found = words_apart(open.engine.encoder(), words, &vectors_of(open, &ids)?);
    let found = found.map_err(|error| match error {
        tuwen_explain::Error::Refused(what) => Problem::value(format!("explain: {what}")),
        other => Problem::internal(other),
    })?;
    Ok(ids.into_iter().zip(found).collect())
}

/// Which state of a gallery an answer is of: generations begin anew with each server.
pub(crate) fn opened(state: &State, open: &Open) -> u64 {
    state.began * 1_000_000 + open.generation % 1_000_000
}

/// How many hits come before the page: what the cursor of the page before it says, or `offset`.
fn begin(wanted: &Wanted, opened: u64, remarks: &mut Vec<String>) -> Result<usize, Problem> {
    let Some(cursor) = &wanted.cursor else { return Ok(wanted.offset) };
    if wanted.offset != 0 {
        let detail = "`cursor` and `offset` both say where the page begins: give one of them";
        return Err(Problem::value(detail));
    }
    let parts =
        cursor.split_once('-').and_then(|(of, at)| Some((of.parse().ok()?, at.parse().ok()?)));
    let Some((of, at)): Option<(u64, usize)> = parts else {
        let detail =
            format!("cursor: {cursor:?} is none: send the `cursor` of an answer, or `offset`");
        return Err(Problem::value(detail));
    };
    if of != opened {
        remarks.push("the gallery has changed since the page before this one".into());
    }
    Ok(at)
}

/// With a filter or words, or without a query: each by itself.
async fn rank(
    state: &State,
    open: &Arc<Open>,
    vector: Option<Arc<[f32]>>,
    words: Option<String>,
    search: Search,
    sort: Sort,
) -> Result<Ranked, Problem> {
    let open = Arc::clone(open);
    let work = move || {
        let Some(vector) = vector else {
            return Ok(match sort {
                Sort::Relevance => open.engine.list(&search)?,
                Sort::Date => open.engine.list_newest(&search)?,
            });
        };
        Ok(open.engine.rank(&vector, words.as_deref(), &search)?)
    };
    state.reads.run(work).await
}

/// The same hits, the newest first.
async fn newest(state: &State, open: &Arc<Open>, ranked: Ranked) -> Result<Ranked, Problem> {
    let open = Arc::clone(open);
    let work = move || {
        let scores: HashMap<i64, Option<f32>> =
            ranked.items.iter().map(|item| (item.id, item.score)).collect();
        let among = scores.keys().map(|&id| id as u64).collect();
        let ids = open.aside().newest(&among, scores.len())?;
        let items: Vec<_> =
            ids.into_iter().map(|id| RankedItem { id, score: scores[&id] }).collect();
        Ok(Ranked { total: items.len(), items })
    };
    state.reads.run(work).await
}

/// The filter that was given and that of a query's line as one.
pub(crate) fn both(given: Option<Filter>, typed: Option<Filter>) -> Option<Filter> {
    match (given, typed) {
        (Some(given), Some(typed)) => Some(Filter::And(vec![given, typed])),
        (given, typed) => given.or(typed),
    }
}

/// Reads the words as the language of queries; what of it has a place in the request goes there.
pub(crate) fn read_line(limits: &Limits, wanted: &mut Wanted) -> Result<Line, Problem> {
    let Some(query) = wanted.query.take() else { return Ok(Line::default()) };
    check_text(limits, "query", &query)?;
    let line = Line::parse(&query).map_err(|error| Problem::value(format!("query: {error}")))?;
    wanted.query = Some(line.words.clone()).filter(|words| !words.is_empty());
    wanted.not.extend(line.not.iter().cloned());
    wanted.kind = line.modality.or(wanted.kind);
    if line.like.len() > LIKES {
        let given = line.like.len();
        let detail = format!("query: there are {given} items, {LIKES} are the limit");
        return Err(Problem::value(detail));
    }
    // What is like a picture is another one.
    wanted.without.extend(&line.like);
    wanted.likes.extend(&line.like);
    if let Some(file) = line.images.first() {
        let cure = "give an item's number, or the picture itself as `image`";
        return Err(Problem::value(format!("query: image:{file} is no item's number: {cure}")));
    }
    Ok(line)
}

/// The words of a query that a hit may have, but for those that are to be kept away from.
fn asked(line: &Line) -> Asked {
    let weighted = line.weighted.iter().filter(|(_, weight)| *weight > 0.0);
    let words = std::iter::once(&line.words).chain(weighted.map(|(words, _)| words));
    Asked::of(&words.chain(&line.phrases).map(String::as_str).collect::<Vec<_>>().join("\n"))
}

/// Whether an item has the words that were asked for.
async fn are_written(
    state: &State,
    open: &Arc<Open>,
    asked: &Asked,
    modality: Modality,
) -> Result<bool, Problem> {
    let (open, asked) = (Arc::clone(open), asked.clone());
    state.reads.run(move || asked.are_written(&open.engine, modality)).await
}
