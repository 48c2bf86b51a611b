//! The words of captions: how each language is cut, which words have a token, and captions as tokens.

use std::collections::BTreeMap;

use tuwen_caption::{Language, UNKNOWN};
use tuwen_eval::captions;
use tuwen_sets::Sample;
use tuwen_text::caption;

use super::CaptionsTrainConfig;

/// How captions become words.
type Cut = fn(&str) -> Vec<String>;

/// The languages that captions can be in, and how they are cut.
pub(super) const SPOKEN: [(&str, Cut); 2] = [("en", caption::english), ("zh", caption::words)];

/// The words of a caption.
///
/// # Panics
/// When the language is none of `SPOKEN`, which configurations are checked for.
pub fn cut(language: &str, text: &str) -> Vec<String> {
    let (_, cut) = SPOKEN.iter().find(|(known, _)| *known == language).expect("a spoken language");
    cut(text)
}

/// Ways to cut captions into what is measured, by name.
pub fn measured_by(language: &str) -> Vec<(&'static str, Cut)> {
    match language {
        "zh" => vec![("characters", caption::characters as Cut), ("words", caption::words)],
        _ => vec![("words", caption::english as Cut)],
    }
}

/// What METEOR needs to know.
pub fn language_of(language: &str) -> captions::Language {
    match language {
        "zh" => captions::Language::Chinese,
        _ => captions::Language::English,
    }
}

/// A caption as tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// Which source, by its place in the configuration.
    pub source: usize,
    /// The words' tokens, no more than the longest caption has.
    pub tokens: Vec<usize>,
}

/// The words that are there often enough, the most frequent first. Chinese has its characters as well, so that a rare
/// word can be read in parts.
pub fn vocabulary(config: &CaptionsTrainConfig, samples: &[Sample]) -> Vec<Language> {
    let one = |name: &str| {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        let spaces = name != "zh";
        for text in samples.iter().flat_map(|sample| texts(config, sample, name)) {
            for word in cut(name, text) {
                if !spaces && word.chars().count() > 1 {
                    word.chars().for_each(|c| *counts.entry(c.to_string()).or_default() += 1);
                }
                *counts.entry(word).or_default() += 1;
            }
        }
        let mut all: Vec<(String, usize)> =
            counts.into_iter().filter(|(_, count)| *count >= config.decoder.rare.max(1)).collect();
        // Names are in order already, so that equal counts are.
        all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let words = all.into_iter().map(|(word, _)| word).collect();
        Language { name: name.to_owned(), spaces, words }
    };
    config.languages().into_iter().map(one).collect()
}

fn texts<'s>(
    config: &'s CaptionsTrainConfig,
    sample: &'s Sample,
    language: &'s str,
) -> impl Iterator<Item = &'s str> {
    let of = move |source: &str| {
        config.sources.iter().any(|own| own.name == source && own.language == language)
    };
    sample.captions.iter().filter(move |one| of(&one.source)).map(|one| &*one.text)
}

/// For each language the captions of each picture.
pub fn tokens(
    config: &CaptionsTrainConfig,
    languages: &[Language],
    samples: &[Sample],
) -> Vec<Vec<Vec<Tokens>>> {
    let one = |language: &Language| {
        let ids = language.ids();
        let of_word = |word: String| -> Vec<usize> {
            match ids.get(&*word) {
                Some(&id) => vec![id],
                None if language.spaces => vec![UNKNOWN],
                None => {
                    let of_char = |c: char| ids.get(&*c.to_string()).copied().unwrap_or(UNKNOWN);
                    word.chars().map(of_char).collect()
                }
            }
        };
        let of_caption = |caption: &tuwen_sets::Caption| {
            let own = |source: &super::config::Source| {
                source.name == caption.source && source.language == language.name
            };
            let source = config.sources.iter().position(own)?;
            let words = cut(&language.name, &caption.text);
            let mut tokens: Vec<usize> = words.into_iter().flat_map(of_word).collect();
            tokens.truncate(config.decoder.longest);
            (!tokens.is_empty()).then_some(Tokens { source, tokens })
        };
        let of_picture =
            |sample: &Sample| sample.captions.iter().filter_map(of_caption).collect::<Vec<_>>();
        samples.iter().map(of_picture).collect()
    };
    languages.iter().map(one).collect()
}

/// What captions of a language are measured against, for each picture as it was written.
pub fn references(
    config: &CaptionsTrainConfig,
    language: &str,
    samples: &[Sample],
) -> Vec<Vec<String>> {
    let counts = |source: &str| {
        config
            .sources
            .iter()
            .any(|own| own.measured && own.name == source && own.language == language)
    };
    let one = |sample: &Sample| {
        let own = sample.captions.iter().filter(|caption| counts(&caption.source));
        own.map(|caption| caption.text.clone()).collect()
    };
    samples.iter().map(one).collect()
}
