//! What a topic is called: by the words of its pictures' captions where there are enough, else by names of things.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use tuwen_encode::Encoder;
use tuwen_features::map::{Topic, named};
use tuwen_sets::names;
use tuwen_text::caption;

use super::Side;

/// Names of a topic.
const NAMES: usize = 3;
/// Where this share of the pictures have captions, their words name topics.
const CAPTIONED: f64 = 0.5;

/// Names of each topic, the best first; `owners` has the picture of each text.
pub(super) fn of(
    topics: &[Topic],
    encoder: &dyn Encoder,
    pictures: usize,
    texts: &Side,
    owners: &[usize],
) -> Result<Vec<Vec<String>>> {
    let mut words: Vec<BTreeSet<String>> = vec![BTreeSet::new(); pictures];
    for (item, &owner) in texts.items.iter().zip(owners) {
        if let (Some(words), Some(text)) = (words.get_mut(owner), &item.text) {
            let is_han = text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
            words.extend(if is_han { caption::words(text) } else { caption::english(text) });
        }
    }
    let captioned = words.iter().filter(|words| !words.is_empty()).count();
    match captioned as f64 >= CAPTIONED * pictures as f64 {
        true => Ok(topics.iter().map(|topic| telling(topic, &words)).collect()),
        false => things(topics, encoder),
    }
}

/// Words that stand in captions of anything.
const USUAL: &str = " a an the of on in at to by for from with and or is are be as it its this that there his her their \
    while into up down near over through who which another other some two one \
    的 了 着 在 和 与 及 是 有 被 把 上 里 中 这 那 一 个 只 张 名 位 正在 ";

/// The words that a topic's pictures have more often than others: the share of them that does, times the logarithm of
/// how much more that is.
fn telling(topic: &Topic, words: &[BTreeSet<String>]) -> Vec<String> {
    let mut counts: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    for word in words.iter().flatten() {
        counts.entry(word).or_default()[1] += 1;
    }
    for word in topic.members.iter().flat_map(|&member| &words[member]) {
        counts.entry(word).or_default()[0] += 1;
    }
    let (inside, all) = (topic.members.len() as f64, words.len() as f64);
    let score = |[own, everywhere]: [usize; 2]| {
        let share = own as f64 / inside;
        share * (share / (everywhere as f64 / all)).ln()
    };
    let tells =
        |word: &str| word.chars().any(char::is_alphabetic) && !USUAL.contains(&format!(" {word} "));
    let mut found: Vec<(&str, f64)> = counts
        .into_iter()
        .filter(|(word, [own, _])| *own > 0 && tells(word))
        .map(|(word, counts)| (word, score(counts)))
        .collect();
    found.sort_by(|a, b| b.1.total_cmp(&a.1));
    found.into_iter().take(NAMES).map(|(word, _)| word.to_owned()).collect()
}

/// The names of things, in both languages, that say best how topics differ.
fn things(topics: &[Topic], encoder: &dyn Encoder) -> Result<Vec<Vec<String>>> {
    let known = names::of_set("imagenet").unwrap_or_default();
    let english: Vec<&str> = known.iter().map(|names| names.english[0]).collect();
    let vectors = encoder.encode_texts(&english)?;
    let shown = |places: Vec<usize>| {
        let name = |at: usize| format!("{} {}", known[at].english[0], known[at].chinese[0]);
        places.into_iter().map(name).collect()
    };
    Ok(named(topics, &vectors, encoder.dim(), NAMES).into_iter().map(shown).collect())
}
