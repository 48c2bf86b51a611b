//! Which language captions are in.

use anyhow::{Result, bail};
use tuwen_eval::captions::Language;

use super::Args;
use super::read::Described;

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// Whatever the captions are in.
    Auto,
    This(Language),
}

/// The names that users type.
pub(super) const NAMES: [(&str, Asked); 3] = [
    ("auto", Asked::Auto),
    ("en", Asked::This(Language::English)),
    ("zh", Asked::This(Language::Chinese)),
];

/// The name of a language.
pub(super) fn name(language: Language) -> &'static str {
    let known = NAMES.iter().find(|(_, known)| *known == Asked::This(language));
    known.expect("every language has a name").0
}

/// The language that is asked for, if captions and references have it, or else the one that both have.
pub(super) fn of(args: &Args, set: &[Described]) -> Result<Language> {
    let captions = guess(set.iter().map(|one| &*one.caption));
    let references = guess(set.iter().flat_map(|one| &one.references).map(String::as_str));
    let sides = [(&args.predictions, captions), (&args.references, references)];
    for (path, found) in sides {
        let path = path.display();
        match (args.lang, found) {
            (Asked::Auto, None) => bail!(
                "{path}: its captions are neither English nor Chinese, which are the languages that are measured: give \
                 captions of one of them"
            ),
            (Asked::This(asked), found) if found != Some(asked) => {
                let is = found.map_or("neither en nor zh", name);
                bail!(
                    "{path}: its captions are not of the language `{}` but look like {is}: give captions of that \
                     language, or another --lang",
                    name(asked)
                )
            }
            _ => {}
        }
    }
    match (captions, references) {
        (Some(one), Some(other)) if one != other => bail!(
            "{} looks like {}, {} like {}: give captions and references of one language",
            args.predictions.display(),
            name(one),
            args.references.display(),
            name(other)
        ),
        (found, _) => Ok(found.expect("checked above")),
    }
}

/// The language of most of what is written: a Chinese character weighs as much as a word of letters.
fn guess<'t>(texts: impl Iterator<Item = &'t str>) -> Option<Language> {
    let (mut chinese, mut english) = (0usize, 0usize);
    for text in texts {
        let is_han = |c: &char| matches!(c, '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{323af}');
        chinese += text.chars().filter(is_han).count();
        let words = text.split(|c: char| !c.is_ascii_alphabetic());
        english += words.filter(|word| !word.is_empty()).count();
    }
    match chinese > english {
        true => Some(Language::Chinese),
        false => (english > 0).then_some(Language::English),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_that_of_most_words() {
        for (texts, wanted) in [
            (&["a dog runs", "一"][..], Some(Language::English)),
            (&["穿T恤的人在看TV"], Some(Language::Chinese)),
            (&["собака", "犬が走る"], Some(Language::Chinese)),
            (&["собака", "123 ..."], None),
            (&[], None),
        ] {
            assert_eq!(guess(texts.iter().copied()), wanted, "{texts:?}");
        }
    }
}
