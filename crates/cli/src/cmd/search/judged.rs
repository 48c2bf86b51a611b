//! What is said of hits beside their scores: that nothing matches, and which words brought them.

use anyhow::{Result, bail};
use tuwen_explain::{Word, words_apart};
use tuwen_index::Modality;
use tuwen_retrieve::{Calibration, Engine, Hit, Query, Search, Verdict, Words};

use crate::cmd::explain::usage;
use crate::query::Usage;

/// Whether what the gallery remembers of scores says that no picture shows what the words say, and they stand nowhere.
pub fn matches_nothing(
    engine: &Engine,
    query: &Query,
    search: &Search,
    hits: &[Hit],
) -> Result<bool> {
    let of_words = search.modality == Modality::Image
        && search.words == Words::Ignored
        && search.phrases.is_empty()
        && search.rerank.is_empty();
    let words = query.words_alone().filter(|_| of_words);
    let (Some(words), Some(best)) = (words, hits.first().and_then(|hit| hit.score)) else {
        return Ok(false);
    };
    let known = Calibration::remembered(&engine.gallery())?;
    let verdict = known.and_then(|known| known.of_text(words).verdict(Some(best)));
    Ok(verdict == Some(Verdict::None) && !engine.has_words(words, search.modality)?)
}

/// For each hit what the words of the query add to it beyond what they add to the other hits.
pub fn why(
    engine: &Engine,
    query: &Query,
    hits: &[Hit],
    modality: Modality,
) -> Result<Vec<Vec<Word>>> {
    let Some(words) = query.wanted_words() else {
        bail!(Usage("--why weighs the words of a query, and this one has none: give some".into()));
    };
    if modality == Modality::Fused {
        bail!(Usage(
            "--why: a fused vector is no picture's and no text's alone: search --kind image or --kind text"
                .into()
        ));
    }
    let mut vectors = Vec::new();
    for hit in hits {
        vectors.extend(engine.gallery().vector(hit.id)?);
    }
    words_apart(engine.encoder(), words, &vectors).map_err(usage)
}
