//! How a scene is said, in English and Chinese: how many of what in which colour, and how things lie to each other.

use super::things::Thing;

/// A colour that is true of nearly all of a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColourWord {
    /// Such as `red`.
    pub english: &'static str,
    /// Such as 红色的.
    pub chinese: &'static str,
}

/// A size beside another one of the same kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SizeWord {
    /// Big.
    Big,
    /// Small.
    Small,
}

/// Some of one thing, as it is spoken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phrase {
    /// Which thing.
    pub thing: &'static Thing,
    /// How many; 1 where the noun is not counted.
    pub count: usize,
    /// Of all of them.
    pub colour: Option<ColourWord>,
    /// Of all of them.
    pub size: Option<SizeWord>,
}

const ENGLISH_NUMBERS: [&str; 7] = ["no", "a", "two", "three", "four", "five", "six"];
const CHINESE_NUMBERS: [&str; 7] = ["零", "一", "两", "三", "四", "五", "六"];
/// The most that are counted.
pub const MOST: usize = ENGLISH_NUMBERS.len() - 1;

impl Phrase {
    /// One thing and no more words.
    pub fn one(thing: &'static Thing) -> Self {
        Self { thing, count: 1, colour: None, size: None }
    }

    /// With its article or number: `a dog`, `two red apples`.
    pub fn english(&self) -> String {
        let plural = if self.count > 1 { self.thing.plural } else { None };
        let size = self.size.map(|size| if size == SizeWord::Big { "big" } else { "small" });
        let words =
            [size, self.colour.map(|c| c.english), Some(plural.unwrap_or(self.thing.english))];
        let words: Vec<&str> = words.into_iter().flatten().collect();
        let words = words.join(" ");
        match (self.thing.plural, self.count) {
            (None, _) => words,
            (_, 1) if begins_with_vowel(&words) => format!("an {words}"),
            (_, count) => format!("{} {words}", ENGLISH_NUMBERS[count]),
        }
    }

    /// With number and classifier: 一只狗, 两个红色的苹果.
    pub fn chinese(&self) -> String {
        let number = CHINESE_NUMBERS[self.count];
        format!("{number}{}{}", self.thing.classifier, self.bare_chinese())
    }

    /// Without them: 狗, 红色的苹果.
    pub fn bare_chinese(&self) -> String {
        let size = match self.size {
            Some(SizeWord::Big) => "大",
            Some(SizeWord::Small) => "小",
            None => "",
        };
        format!("{size}{}{}", self.colour.map_or("", |c| c.chinese), self.thing.chinese)
    }
}

/// Whether `an` stands before it: by sound, which differs for a few words.
fn begins_with_vowel(words: &str) -> bool {
    let starts = |with: &[&str]| with.iter().any(|start| words.starts_with(start));
    match () {
        () if starts(&["SUV", "hour"]) => true,
        () if starts(&["uni", "ewe", "one", "use"]) => false,
        () => words.starts_with(['a', 'e', 'i', 'o', 'u', 'A', 'E', 'I', 'O', 'U']),
    }
}

/// `a dog, a cat and two apples`.
pub fn english_list(phrases: &[Phrase]) -> String {
    let words: Vec<String> = phrases.iter().map(Phrase::english).collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

/// 一只狗、一只猫和两个苹果, or without numbers 狗、猫和苹果.
pub fn chinese_list(phrases: &[Phrase], word: impl Fn(&Phrase) -> String) -> String {
    let words: Vec<String> = phrases.iter().map(word).collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{}和{last}", rest.join("、")),
        _ => words.concat(),
    }
}

/// How the first thing lies to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relation {
    /// Side by side on the same ground.
    NextTo,
    /// Nearer, and hiding a part of it.
    InFrontOf,
    /// Below something that hangs or flies.
    Under,
    /// Higher, with air between.
    Above,
    /// Standing on its top.
    On,
}

impl Relation {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::NextTo, Self::InFrontOf, Self::Under, Self::Above, Self::On];

    /// Between two nouns.
    pub fn english(self) -> &'static str {
        match self {
            Self::NextTo => "next to",
            Self::InFrontOf => "in front of",
            Self::Under => "under",
            Self::Above => "above",
            Self::On => "on",
        }
    }

    /// Behind the second noun.
    pub fn chinese(self) -> &'static str {
        match self {
            Self::NextTo => "旁边",
            Self::InFrontOf => "前面",
            Self::Under => "下面",
            Self::Above => "上方",
            Self::On => "上面",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenes::things::find;

    fn phrase(name: &str, count: usize) -> Phrase {
        Phrase { count, ..Phrase::one(find(name).expect("a thing")) }
    }

    #[test]
    fn numbers_articles_and_classifiers() {
        let red = ColourWord { english: "red", chinese: "红色的" };
        let said = |phrase: Phrase| (phrase.english(), phrase.chinese());
        let pair = |english: &str, chinese: &str| (english.to_owned(), chinese.to_owned());
        assert_eq!(said(phrase("dog", 1)), pair("a dog", "一只狗"));
        assert_eq!(said(phrase("car", 2)), pair("two cars", "两辆汽车"));
        assert_eq!(said(phrase("umbrella", 1)), pair("an umbrella", "一把雨伞"));
        assert_eq!(said(phrase("unicorn", 1)), pair("a unicorn", "一匹独角兽"));
        assert_eq!(said(phrase("mouse", 3)), pair("three mice", "三只老鼠"));
        assert_eq!(said(phrase("grapes", 1)), pair("grapes", "一串葡萄"));
        let colour = Phrase { colour: Some(red), ..phrase("umbrella", 1) };
        assert_eq!(said(colour), pair("a red umbrella", "一把红色的雨伞"));
        let big = Phrase { size: Some(SizeWord::Big), ..phrase("apple", 1) };
        assert_eq!(said(big), pair("a big apple", "一个大苹果"));
        let all = [phrase("dog", 1), phrase("cat", 1), phrase("apple", 2)];
        assert_eq!(english_list(&all), "a dog, a cat and two apples");
        assert_eq!(chinese_list(&all, Phrase::bare_chinese), "狗、猫和苹果");
    }
}
