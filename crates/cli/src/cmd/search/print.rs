//! What `tuwen search` prints.

use anyhow::Result;
use serde::Serialize;
use tuwen_explain::Word;
use tuwen_index::Plan;
use tuwen_retrieve::{Hit, Query};

use super::Args;
use crate::terminal::{note, raw, say};

/// What --explain and --json print.
#[derive(Serialize)]
struct Explained<'a> {
    plan: &'a Plan,
    hits: &'a [Hit],
}

/// What --json prints for each of several queries.
#[derive(Serialize)]
struct Line<'a> {
    query: Option<&'a str>,
    hits: Vec<Weighed<'a>>,
}

/// A hit, and what the query's words add to it beyond what they add to the others.
#[derive(Serialize)]
struct Weighed<'a> {
    #[serde(flatten)]
    hit: &'a Hit,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a Vec<Word>>,
}

fn with_words<'a>(hits: &'a [Hit], apart: &'a [Vec<Word>]) -> Vec<Weighed<'a>> {
    let weighed = |(at, hit): (usize, &'a Hit)| Weighed { hit, why: apart.get(at) };
    hits.iter().enumerate().map(weighed).collect()
}

/// Words with their weights, the heaviest first.
fn weights(words: &[Word]) -> String {
    let mut words: Vec<&Word> = words.iter().collect();
    words.sort_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()));
    let one = |word: &&Word| format!("{} {:+.3}", word.text, word.weight);
    words.iter().map(one).collect::<Vec<_>>().join(", ")
}

impl Args {
    pub(super) fn print(
        &self,
        query: &Query,
        hits: &[Hit],
        plan: Option<&Plan>,
        apart: &[Vec<Word>],
    ) -> Result<()> {
        if let Some(plan) = plan {
            if self.json {
                say!("{}", serde_json::to_string(&Explained { plan, hits })?);
                return Ok(());
            }
            let exact = if plan.exact { "exact" } else { "approximate" };
            note!("search by {}, {exact}: {}", plan.way.name(), plan.why);
        }
        match (&self.queries, self.json) {
            (Some(_), true) => {
                let line = Line { query: query.wanted_words(), hits: with_words(hits, apart) };
                say!("{}", serde_json::to_string(&line)?);
            }
            (None, true) => say!("{}", serde_json::to_string(&with_words(hits, apart))?),
            _ if self.paths => {
                let end = if self.null { b"\0" } else { b"\n" };
                for hit in hits {
                    raw(&[hit.file.as_path().as_os_str().as_encoded_bytes(), end].concat());
                }
            }
            (several, _) => {
                if several.is_some() {
                    say!("{}", query.title());
                }
                for (at, hit) in hits.iter().enumerate() {
                    print(hit);
                    apart.get(at).iter().for_each(|words| say!("             {}", weights(words)));
                }
            }
        }
        Ok(())
    }
}

/// By how much whoever looked again has moved a hit, and who.
fn moved(hit: &Hit) -> String {
    let Some(moved) = &hit.reranked else { return String::new() };
    let by = &moved.by;
    match moved.from as i64 - hit.rank as i64 {
        0 => format!("  ({by}: as before)"),
        up @ 1.. => format!("  ({by}: +{up}, was {})", moved.from),
        down => format!("  ({by}: {down}, was {})", moved.from),
    }
}

/// One line for a hit.
pub fn print(hit: &Hit) {
    let name = hit.file.to_string();
    let what = hit.text.as_ref().unwrap_or(&name);
    match hit.score {
        Some(score) => say!("{:>4}  {score:.3}  {what}{}", hit.rank, moved(hit)),
        None => say!("{:>4}  {what}", hit.rank),
    }
}
