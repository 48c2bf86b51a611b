//! What can be in a scene, and how it is spoken of in both languages: one table, `things.tsv`.
//!
//! A line for each thing: kind, Chinese classifier, English noun, its plural (`-` where the noun is not counted
//! here: `grapes`, `rice`), other names that sets give the same thing (parted by `|`), Chinese noun.

use std::collections::HashMap;
use std::sync::OnceLock;

const TABLE: &str = include_str!("things.tsv");

/// What a thing is, which decides where it can be and how large.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ThingKind {
    /// On the ground.
    Animal,
    /// Birds that are drawn standing.
    Bird,
    /// Birds and insects that are drawn flying.
    Flyer,
    /// Birds that swim.
    Swimmer,
    /// In the water.
    Fish,
    /// People, and what walks as they do.
    Person,
    /// On roads.
    Vehicle,
    /// On the water.
    Boat,
    /// In the air, made by people.
    Aircraft,
    /// In the sky by day.
    Sky,
    /// In the sky at night.
    Moon,
    /// Buildings, and what is as large.
    Building,
    /// Trees and bushes.
    Plant,
    /// Small plants.
    Flower,
    /// On tables.
    Food,
    /// In rooms.
    Furniture,
    /// Small things of a house.
    Object,
    /// Toys and balls.
    Toy,
    /// Clothes.
    Wear,
}

impl ThingKind {
    const NAMES: [(&'static str, Self); 19] = [
        ("animal", Self::Animal),
        ("bird", Self::Bird),
        ("flyer", Self::Flyer),
        ("swimmer", Self::Swimmer),
        ("fish", Self::Fish),
        ("person", Self::Person),
        ("vehicle", Self::Vehicle),
        ("boat", Self::Boat),
        ("aircraft", Self::Aircraft),
        ("sky", Self::Sky),
        ("moon", Self::Moon),
        ("building", Self::Building),
        ("plant", Self::Plant),
        ("flower", Self::Flower),
        ("food", Self::Food),
        ("furniture", Self::Furniture),
        ("object", Self::Object),
        ("toy", Self::Toy),
        ("wear", Self::Wear),
    ];

    fn parse(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }

    /// Longest side as a share of the scene's, smallest and largest, where there is room.
    pub fn size(self) -> [f32; 2] {
        match self {
            Self::Building | Self::Plant => [0.45, 0.68],
            Self::Vehicle | Self::Boat | Self::Furniture => [0.38, 0.58],
            Self::Animal | Self::Person | Self::Fish | Self::Aircraft => [0.32, 0.52],
            Self::Bird | Self::Swimmer | Self::Wear => [0.3, 0.46],
            Self::Flyer | Self::Sky | Self::Moon | Self::Flower => [0.26, 0.38],
            Self::Food | Self::Object | Self::Toy => [0.28, 0.44],
        }
    }
}

/// One thing's names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thing {
    /// What it is.
    pub kind: ThingKind,
    /// The Chinese classifier, as in 一只狗.
    pub classifier: &'static str,
    /// English noun without an article.
    pub english: &'static str,
    /// English plural; none where the noun is not counted.
    pub plural: Option<&'static str>,
    /// Other names of the same thing.
    pub labels: Vec<&'static str>,
    /// Chinese noun.
    pub chinese: &'static str,
}

impl Thing {
    fn parse(line: &'static str) -> Option<Self> {
        let cells: Vec<&str> = line.split('\t').collect();
        let &[kind, classifier, english, plural, labels, chinese] = &cells[..] else { return None };
        Some(Self {
            kind: ThingKind::parse(kind)?,
            classifier,
            english,
            plural: (plural != "-").then_some(plural),
            labels: labels.split('|').filter(|label| !label.is_empty()).collect(),
            chinese,
        })
    }
}

/// All things.
pub fn all() -> &'static [Thing] {
    static PARSED: OnceLock<Vec<Thing>> = OnceLock::new();
    PARSED.get_or_init(|| TABLE.lines().filter_map(Thing::parse).collect())
}

/// The thing of an English name, as a set writes it; small and capital letters are one. None for what belongs
/// into no scene, such as flags and signs.
///
/// ```
/// let dog = tuwen_sets::scenes::things::find("Dog").expect("a thing");
/// assert_eq!((dog.classifier, dog.chinese, dog.plural), ("只", "狗", Some("dogs")));
/// assert_eq!(tuwen_sets::scenes::things::find("up arrow"), None);
/// ```
pub fn find(name: &str) -> Option<&'static Thing> {
    static NAMES: OnceLock<HashMap<String, usize>> = OnceLock::new();
    let names = NAMES.get_or_init(|| {
        let each = all().iter().enumerate();
        let named = each.flat_map(|(at, thing)| {
            let words = [thing.english].into_iter().chain(thing.labels.iter().copied());
            words.map(move |word| (word.to_lowercase(), at))
        });
        named.collect()
    });
    names.get(&name.trim().to_lowercase()).map(|&at| &all()[at])
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_line_is_a_thing_with_names_of_its_own() {
        assert_eq!(all().len(), TABLE.lines().count(), "a line does not parse");
        let is_chinese = |c: char| ('\u{3400}'..='\u{9fff}').contains(&c);
        let (mut words, mut kinds) = (HashSet::new(), HashSet::new());
        for thing in all() {
            kinds.insert(thing.kind);
            assert!(thing.chinese.chars().any(is_chinese), "{thing:?}");
            assert!(thing.classifier.chars().all(is_chinese), "{thing:?}");
            assert_eq!(thing.classifier.chars().count(), 1, "{thing:?}");
            for word in thing.labels.iter().chain([&thing.english]) {
                assert!(!word.is_empty() && !word.chars().any(is_chinese), "{thing:?}");
                assert!(words.insert(word.to_lowercase()), "{word} is there twice");
            }
            let [small, large] = thing.kind.size();
            assert!(0.24 < small && small < large && large < 0.8, "{thing:?}");
        }
        assert_eq!(kinds.len(), ThingKind::NAMES.len(), "a kind without a thing");
    }
}
