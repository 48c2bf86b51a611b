//! What things are called, in English and Chinese: one table of the 1,000 classes of ImageNet-1k and of the
//! labels of the concept sets that the built-in model learned from. Training makes captions of it
//! ([`crate::import::CaptionFile::names`]), `classify` its labels.
//!
//! `names.tsv` has a line for each label: set, the label as the set writes it, English names, Chinese names,
//! and everyday words for the larger kind of thing in both; several in a cell are parted by `|`, the most
//! usual first.

use std::collections::BTreeMap;
use std::sync::OnceLock;

const TABLE: &str = include_str!("names.tsv");

/// What one label is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The label as its set writes it.
    pub label: &'static str,
    /// English names.
    pub english: Vec<&'static str>,
    /// Chinese names.
    pub chinese: Vec<&'static str>,
    /// English words for the larger kind of thing.
    pub english_kinds: Vec<&'static str>,
    /// Chinese words for it.
    pub chinese_kinds: Vec<&'static str>,
}

impl Names {
    fn parse(line: &'static str) -> Option<(&'static str, Self)> {
        let cells: Vec<&str> = line.split('\t').collect();
        let &[set, label, english, chinese, english_kinds, chinese_kinds] = &cells[..] else {
            return None;
        };
        let words = |cell: &'static str| cell.split('|').filter(|word| !word.is_empty()).collect();
        let names = Self {
            label,
            english: words(english),
            chinese: words(chinese),
            english_kinds: words(english_kinds),
            chinese_kinds: words(chinese_kinds),
        };
        Some((set, names))
    }

    /// All words, each with the end of the source of captions that it becomes part of.
    pub fn words(&self) -> impl Iterator<Item = (&'static str, &'static str)> + '_ {
        let columns = [
            ("en", &self.english),
            ("zh", &self.chinese),
            ("en-kind", &self.english_kinds),
            ("zh-kind", &self.chinese_kinds),
        ];
        columns.into_iter().flat_map(|(end, words)| words.iter().map(move |word| (end, *word)))
    }
}

/// The labels of a set in the table's order, which for `imagenet` is that of the classes; none for an
/// unknown set.
pub fn of_set(set: &str) -> Option<&'static [Names]> {
    table().get(set).map(Vec::as_slice)
}

/// The sets of the table.
pub fn sets() -> impl Iterator<Item = &'static str> {
    table().keys().copied()
}

/// The names of a set's label.
///
/// ```
/// let names = tuwen_sets::names::find("caltech101", "accordion").expect("a label of the set");
/// assert!(names.english.contains(&"accordion") && names.chinese.contains(&"手风琴"));
/// ```
pub fn find(set: &str, label: &str) -> Option<&'static Names> {
    of_set(set)?.iter().find(|names| names.label == label)
}

fn table() -> &'static BTreeMap<&'static str, Vec<Names>> {
    static PARSED: OnceLock<BTreeMap<&'static str, Vec<Names>>> = OnceLock::new();
    PARSED.get_or_init(|| {
        let mut table = BTreeMap::<_, Vec<Names>>::new();
        for (set, names) in TABLE.lines().filter_map(Names::parse) {
            table.entry(set).or_default().push(names);
        }
        table
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_line_has_six_cells_and_names_in_both_languages() {
        let lines = TABLE.lines().count();
        assert_eq!(table().values().map(Vec::len).sum::<usize>(), lines);
        let is_chinese = |word: &str| word.chars().any(|c| ('\u{3400}'..='\u{9fff}').contains(&c));
        for (set, all) in table() {
            let labels: HashSet<&str> = all.iter().map(|names| names.label).collect();
            assert_eq!(labels.len(), all.len(), "{set}: a label is there twice");
            for names in all {
                assert!(!names.english.is_empty() && !names.chinese.is_empty(), "{names:?}");
                let words: Vec<_> = names.words().collect();
                let different: HashSet<_> = words.iter().collect();
                assert_eq!(different.len(), words.len(), "{names:?}");
                assert!(words.iter().all(|(_, word)| word.trim() == *word), "{names:?}");
                assert!(!names.english.iter().any(|word| is_chinese(word)), "{names:?}");
            }
        }
    }

    #[test]
    fn imagenet_has_its_classes_in_order() {
        let all = of_set("imagenet").expect("a set");
        assert_eq!((all.len(), all[0].label, all[999].label), (1000, "n01440764", "n15075141"));
        assert_eq!(find("imagenet", "n02099601").expect("a class").english[0], "golden retriever");
        assert!(all[937].chinese.contains(&"西兰花"));
        assert!(of_set("nothing").is_none());
    }
}
