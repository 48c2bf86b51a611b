//! English words that mean the same thing: singular and plural.
//!
//! Nothing is stemmed in the index. A query asks for the forms of a word beside it, so that a form that does
//! not exist finds nothing and does no harm, and "exact words" are exact. (The Snowball crate for Rust has
//! had no release since 2020, and a stemmer that makes `univers` of `university` finds `universe`.)

/// Plurals that no rule makes.
const IRREGULAR: [(&str, &str); 20] = [
    ("man", "men"),
    ("woman", "women"),
    ("child", "children"),
    ("person", "people"),
    ("mouse", "mice"),
    ("goose", "geese"),
    ("foot", "feet"),
    ("tooth", "teeth"),
    ("leaf", "leaves"),
    ("knife", "knives"),
    ("wife", "wives"),
    ("wolf", "wolves"),
    ("loaf", "loaves"),
    ("shelf", "shelves"),
    ("calf", "calves"),
    ("half", "halves"),
    ("life", "lives"),
    ("scarf", "scarves"),
    ("policeman", "policemen"),
    ("fireman", "firemen"),
];

/// The other forms of a lower-case word; some of them no word at all.
pub(crate) fn forms(word: &str) -> Vec<String> {
    if word.len() < 3 || !word.bytes().all(|b| b.is_ascii_lowercase()) {
        return Vec::new();
    }
    let irregular = IRREGULAR.iter().find_map(|&(one, many)| match word {
        _ if word == one => Some(many),
        _ if word == many => Some(one),
        _ => None,
    });
    if let Some(other) = irregular {
        return vec![other.into()];
    }
    let mut forms = Vec::new();
    if let Some(stem) = word.strip_suffix("ies").filter(|stem| stem.len() > 1) {
        forms.push(format!("{stem}y"));
    }
    if let Some(stem) = word.strip_suffix("es").filter(|stem| hisses(stem) || stem.ends_with('o')) {
        forms.push(stem.into());
    }
    let is_plural =
        word.ends_with('s') && !["ss", "us", "is"].iter().any(|end| word.ends_with(end));
    if is_plural {
        forms.push(word[..word.len() - 1].into());
        return forms;
    }
    let before = word.as_bytes()[word.len() - 2];
    forms.push(match word.strip_suffix('y') {
        Some(stem) if !b"aeiou".contains(&before) => format!("{stem}ies"),
        _ if hisses(word) => format!("{word}es"),
        _ => format!("{word}s"),
    });
    if word.ends_with('o') {
        forms.push(format!("{word}es"));
    }
    forms
}

/// Whether a plural ends in -es.
fn hisses(word: &str) -> bool {
    ["s", "x", "z", "ch", "sh"].iter().any(|end| word.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plurals_and_singulars_find_each_other() {
        for (one, many) in [
            ("dog", "dogs"),
            ("house", "houses"),
            ("box", "boxes"),
            ("bus", "buses"),
            ("glass", "glasses"),
            ("dish", "dishes"),
            ("beach", "beaches"),
            ("puppy", "puppies"),
            ("boy", "boys"),
            ("tomato", "tomatoes"),
            ("photo", "photos"),
            ("woman", "women"),
            ("leaf", "leaves"),
            ("tie", "ties"),
        ] {
            assert!(forms(one).contains(&many.into()), "{one} {:?}", forms(one));
            assert!(forms(many).contains(&one.into()), "{many} {:?}", forms(many));
        }
        for none in ["", "a", "tv", "猫", "a7", "été"] {
            assert!(forms(none).is_empty(), "{none}");
        }
        assert_eq!(forms("glass"), ["glasses"]);
    }
}
