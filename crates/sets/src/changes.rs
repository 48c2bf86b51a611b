//! Questions for composed queries, made of captions: a picture, and words for what is to be another thing in it.
//!
//! Two captions of different pictures that are the same but for one phrase make one: "a **black** dog splashes in the
//! water" and "a **brown** dog splashes in the water" ask the first picture together with the word "brown" for the
//! second. The rule: what stays is at least [`Rule::stays`] tokens and three fifths of both captions, what changes is
//! between 1 and [`Rule::changes`] tokens on each side, and the phrases share neither their first nor their last token.
//! Captions of more than `CROWD` pictures that stay the same say too little, and are left out.

use std::collections::{BTreeSet, HashMap};

use rayon::prelude::*;
use tuwen_text::caption;

/// Captions with the same rest beyond which the rest says nothing of a picture.
const CROWD: usize = 50;

/// How much may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Fewest tokens that stay.
    pub stays: usize,
    /// Most tokens of a phrase.
    pub changes: usize,
}

/// How captions are cut, and what may change in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// By words.
    English,
    /// By words as jieba finds them, of which a caption has fewer.
    Chinese,
}

impl Language {
    /// Chinese where more than half of the texts have Chinese characters.
    pub fn of<'t>(texts: impl Iterator<Item = &'t str>) -> Self {
        let is_han = |text: &str| text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
        let (mut all, mut han) = (0, 0);
        for text in texts {
            all += 1;
            han += usize::from(is_han(text));
        }
        if 2 * han > all { Self::Chinese } else { Self::English }
    }

    /// How much may change.
    pub fn rule(self) -> Rule {
        match self {
            Self::English => Rule { stays: 4, changes: 3 },
            Self::Chinese => Rule { stays: 3, changes: 2 },
        }
    }

    /// The tokens of each caption with the number of its picture; `captions` are those of each picture.
    pub fn cut(self, captions: &[Vec<&str>]) -> Vec<(usize, Vec<String>)> {
        let cut = match self {
            Self::English => caption::english,
            Self::Chinese => caption::words,
        };
        let tokens = |(picture, own): (usize, &Vec<&str>)| {
            own.iter().map(|text| (picture, cut(text))).collect::<Vec<_>>()
        };
        captions.par_iter().enumerate().flat_map_iter(tokens).collect()
    }

    /// A phrase as people write it.
    pub fn joined(self, phrase: &[String]) -> String {
        phrase.join(if self == Self::Chinese { "" } else { " " })
    }
}

/// A question: the picture `to`, which is like `from` but for what `phrase` says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// The picture that is asked with.
    pub from: usize,
    /// The picture that is looked for.
    pub to: usize,
    /// The tokens that it has instead.
    pub phrase: Vec<String>,
}

/// What stays of a caption: the tokens before the phrase and those behind it.
type Rest<'c> = (&'c [String], &'c [String]);

/// All questions, in the order of their pictures.
///
/// ```
/// use tuwen_sets::changes::{Change, Rule, changes};
/// let caption = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
/// let captions = [(0, caption("a black dog in the water")), (1, caption("a brown dog in the water"))];
/// let found = changes(&captions, Rule { stays: 4, changes: 3 });
/// assert_eq!(found[0], Change { from: 0, to: 1, phrase: vec!["brown".into()] });
/// assert_eq!(found.len(), 2);
/// ```
pub fn changes(captions: &[(usize, Vec<String>)], rule: Rule) -> Vec<Change> {
    let mut same: HashMap<Rest<'_>, BTreeSet<(usize, &[String])>> = HashMap::new();
    for (picture, tokens) in captions {
        let all = tokens.len();
        for start in 0..all {
            for end in start + 1..=(start + rule.changes).min(all) {
                let stays = all - (end - start);
                if stays >= rule.stays && 5 * stays >= 3 * all {
                    let rest = (&tokens[..start], &tokens[end..]);
                    same.entry(rest).or_default().insert((*picture, &tokens[start..end]));
                }
            }
        }
    }
    let mut found = BTreeSet::new();
    for phrases in same.into_values().filter(|phrases| (2..=CROWD).contains(&phrases.len())) {
        for (from, old) in &phrases {
            for (to, new) in &phrases {
                if from != to && old.first() != new.first() && old.last() != new.last() {
                    found.insert(Change { from: *from, to: *to, phrase: new.to_vec() });
                }
            }
        }
    }
    found.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captions(texts: &[&str]) -> Vec<(usize, Vec<String>)> {
        let tokens = |text: &&str| text.split(' ').map(str::to_owned).collect();
        texts.iter().map(tokens).enumerate().collect()
    }

    #[test]
    fn only_one_phrase_changes_and_the_rest_is_most_of_the_caption() {
        let rule = Rule { stays: 4, changes: 3 };
        let all = captions(&[
            "a black dog splashes in the water",
            "a brown dog splashes in the water",
            "a brown dog runs in the snow",
            "two men",
            "two women",
        ]);
        let found = changes(&all, rule);
        let shown: Vec<_> = found.iter().map(|c| (c.from, c.to, c.phrase.join(" "))).collect();
        assert_eq!(shown, [(0, 1, "brown".into()), (1, 0, "black".into())]);
    }

    #[test]
    fn a_picture_is_not_asked_for_itself_and_crowds_are_left_out() {
        let rule = Rule { stays: 2, changes: 1 };
        let own = [
            (3, vec!["a".into(), "red".into(), "car".into()]),
            (3, vec!["a".into(), "blue".into(), "car".into()]),
        ];
        assert_eq!(changes(&own, rule), []);
        let many: Vec<String> = (0..CROWD + 1).map(|i| format!("a c{i} car")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(changes(&captions(&many), rule), []);
        assert_eq!(changes(&captions(&many[1..]), rule).len(), CROWD * (CROWD - 1));
    }
}
