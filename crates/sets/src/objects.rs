//! Which objects a caption names: labels of pictures, found in words by the table of [`crate::names`].
//!
//! Only what somebody looked for in the pictures can be missed there, so that the objects are the labels that are
//! given and nothing else. A label is named by itself and by
//!
//! - the other names of each line of the table that has it among its names or as its label, in the caption's
//!   language;
//! - those names of each line that has it among its larger kinds that mean nothing else, which are the first and
//!   the long ones: a standard poodle is a dog.
//!
//! English plurals are the same as singulars. Names that the table knows and no label has hide what is in them: a
//! hot dog is no dog. Of overlapping names the longest counts.

use std::collections::HashMap;

use tuwen_text::caption::{english, forms, words};

use crate::names::{self, Names};

/// The objects that are looked for.
pub struct Objects {
    chinese: bool,
    labels: Vec<String>,
    /// For the tokens of each name, joined, the labels that it may mean; none of names that only hide others.
    meanings: HashMap<String, Vec<usize>>,
    /// Tokens of the longest name.
    longest: usize,
}

/// A label as it is compared.
fn plain(label: &str) -> String {
    label.trim().replace('_', " ").to_lowercase()
}

impl Objects {
    /// The objects of some labels, to be found in captions of one language.
    pub fn new<'l>(labels: impl IntoIterator<Item = &'l str>, chinese: bool) -> Self {
        let mut all: Vec<String> = labels.into_iter().map(plain).collect();
        all.sort_unstable();
        all.dedup();
        let (labels, meanings) = (all, HashMap::new());
        let mut objects = Self { chinese, labels, meanings, longest: 0 };
        for label in 0..objects.labels.len() {
            objects.add(&objects.labels[label].clone(), Some(label));
        }
        let rows = || names::sets().flat_map(|set| names::of_set(set).unwrap_or_default());
        let named: Vec<(&Names, Vec<usize>)> =
            rows().map(|row| (row, objects.named(row))).collect();
        for (row, labels) in &named {
            objects.add_row(row, labels);
        }
        // Last, when it is known what is an object: the larger kinds of what is in a picture are there, too.
        for (row, labels) in &named {
            for kind in objects.of_language(&row.english_kinds, &row.chinese_kinds) {
                for key in objects.keys(kind) {
                    if let Some(meant) =
                        objects.meanings.get_mut(&key).filter(|all| !all.is_empty())
                    {
                        meant.extend(labels);
                    }
                }
            }
        }
        objects
    }

    fn of_language<'n>(&self, english: &'n [&'n str], chinese: &'n [&'n str]) -> &'n [&'n str] {
        if self.chinese { chinese } else { english }
    }

    /// The labels that are names of a line of the table.
    fn named(&self, row: &Names) -> Vec<usize> {
        let own = row.english.iter().chain(&row.chinese).chain([&row.label]);
        let mut found: Vec<usize> = own.filter_map(|name| self.label(name)).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    fn add_row(&mut self, row: &Names, labels: &[usize]) {
        for name in self.of_language(&row.english, &row.chinese).to_vec() {
            self.add(name, None);
            labels.iter().for_each(|&label| self.add(name, Some(label)));
        }
        let kinds = row.english_kinds.iter().chain(&row.chinese_kinds);
        let kinds: Vec<usize> = kinds.filter_map(|kind| self.label(kind)).collect();
        let own = self.of_language(&row.english, &row.chinese).to_vec();
        for (at, name) in own.into_iter().enumerate() {
            if at == 0 || self.is_long(name) {
                kinds.iter().for_each(|&label| self.add(name, Some(label)));
            }
        }
    }

    fn add(&mut self, name: &str, label: Option<usize>) {
        for key in self.keys(name) {
            let meant = self.meanings.entry(key).or_default();
            meant.extend(label.filter(|label| !meant.contains(label)));
        }
        self.longest = self.longest.max(self.tokens(name).len());
    }

    /// Whether a name is so long that it hardly means two things.
    fn is_long(&self, name: &str) -> bool {
        if self.chinese { name.chars().count() > 2 } else { name.contains(' ') }
    }

    fn tokens(&self, name: &str) -> Vec<String> {
        if self.chinese { words(name) } else { english(name) }
    }

    /// A name's tokens as one text, in all its forms.
    fn keys(&self, name: &str) -> Vec<String> {
        let tokens = self.tokens(name);
        match tokens.split_last() {
            None => Vec::new(),
            Some(_) if self.chinese => vec![tokens.concat()],
            Some((last, before)) => {
                let key = |form: String| [before, &[form]].concat().join(" ");
                forms(last).into_iter().map(key).collect()
            }
        }
    }

    /// The number of a label.
    pub fn label(&self, label: &str) -> Option<usize> {
        self.labels.binary_search(&plain(label)).ok()
    }

    /// The objects that a caption names, in its order: for each the labels that it may mean.
    ///
    /// `tokens` are those of `tuwen_text::caption::english`, or of `words` for Chinese.
    pub fn mentions(&self, tokens: &[String]) -> Vec<&[usize]> {
        let (mut found, mut at) = (Vec::new(), 0);
        while at < tokens.len() {
            let longest = self.longest.min(tokens.len() - at);
            let meaning = (1..=longest).rev().find_map(|count| {
                let part = &tokens[at..at + count];
                let key = if self.chinese { part.concat() } else { part.join(" ") };
                Some((count, self.meanings.get(&key)?))
            });
            match meaning {
                Some((count, labels)) => {
                    found.extend((!labels.is_empty()).then_some(labels.as_slice()));
                    at += count;
                }
                None => at += 1,
            }
        }
        found
    }
}
