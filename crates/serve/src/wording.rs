//! What is wrong with a body or an address, in words that a client knows: the messages of serde speak of Rust's types,
//! of which nobody has heard who sends JSON.

/// What serde expects, by the first words of it. What stands behind a name of ours is left out with it.
const EXPECTED: [(&str, &str); 24] = [
    ("usize", "a whole number from 0 on"),
    ("u8", "a whole number from 0 on"),
    ("u16", "a whole number from 0 on"),
    ("u32", "a whole number from 0 on"),
    ("u64", "a whole number from 0 on"),
    ("isize", "a whole number"),
    ("i8", "a whole number"),
    ("i16", "a whole number"),
    ("i32", "a whole number"),
    ("i64", "a whole number"),
    ("f32", "a number"),
    ("f64", "a number"),
    ("struct", "an object"),
    ("internally tagged enum", "an object"),
    ("tuple struct", "a list"),
    ("enum", "a name"),
    ("variant identifier", "a name"),
    ("field identifier", "a name"),
    ("a borrowed string", "a string"),
    ("a sequence", "a list"),
    ("a tuple of size", "a list of"),
    ("a map", "an object"),
    ("a boolean", "true or false"),
    ("unit", "null"),
];

/// What is behind which the name of a type of ours stands.
const NAMED: [&str; 4] = ["struct", "internally tagged enum", "tuple struct", "enum"];

/// What serde found, and what the standard library says of numbers in an address.
const FOUND: [(&str, &str); 10] = [
    ("invalid type: sequence", "invalid type: a list"),
    ("invalid type: map", "invalid type: an object"),
    ("invalid type: unit value", "invalid type: null"),
    ("invalid type: floating point", "invalid type: number"),
    ("invalid value: floating point", "invalid value: number"),
    ("invalid digit found in string", "it is no whole number from 0 on"),
    ("number too large to fit in target type", "the number is too large"),
    ("number too small to fit in target type", "the number is too small"),
    ("cannot parse integer from empty string", "it is empty: a whole number is expected"),
    ("Failed to deserialize query string: ", ""),
];

/// The same in words without types.
pub(crate) fn plain(error: &dyn std::fmt::Display) -> String {
    let said = error.to_string();
    let mut plain = String::new();
    let mut rest = said.as_str();
    while let Some((before, behind)) = rest.split_once("expected ") {
        plain += before;
        plain += "expected ";
        let found = EXPECTED.iter().find(|(known, _)| begins(behind, known));
        rest = behind;
        if let Some((known, shown)) = found {
            plain += shown;
            rest = &behind[known.len()..];
            if NAMED.contains(known) {
                rest = without_name(rest);
            }
        }
    }
    plain += rest;
    if let Some((before, behind)) = plain.split_once(" of untagged enum ") {
        plain = format!("{before}{}", without_name(&format!(" {behind}")));
    }
    FOUND.iter().fold(plain, |plain, (found, shown)| plain.replace(found, shown))
}

/// Whether a text begins with these words, and not with longer ones.
fn begins(text: &str, words: &str) -> bool {
    let behind = text.strip_prefix(words);
    behind.is_some_and(|behind| !behind.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
}

/// Without the name at the beginning, and without how many elements it has.
fn without_name(text: &str) -> &str {
    let name = |c: char| c.is_alphanumeric() || "_:".contains(c);
    let rest = text.trim_start().trim_start_matches(name);
    let Some(behind) = rest.strip_prefix(" with ") else { return rest };
    let behind = behind.trim_start_matches(|c: char| c.is_ascii_digit());
    behind.strip_prefix(" elements").or(behind.strip_prefix(" element")).unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde::de::DeserializeOwned;

    use super::*;

    #[allow(dead_code, reason = "it is read and never looked at")]
    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Image,
        Text(u8),
    }

    #[allow(dead_code, reason = "as above")]
    #[derive(Debug, Deserialize)]
    #[serde(untagged)]
    enum Either {
        Kind(Kind),
    }

    #[allow(dead_code, reason = "as above")]
    #[derive(Debug, Deserialize)]
    struct Wanted {
        #[serde(default)]
        k: u32,
    }

    fn said<T: DeserializeOwned + std::fmt::Debug>(json: &str) -> String {
        plain(&serde_json::from_str::<T>(json).expect_err(json))
    }

    #[test]
    fn no_message_has_a_type_of_rust_in_it() {
        for (said, wanted) in [
            (said::<usize>("\"ten\""), "string \"ten\", expected a whole number from 0 on at line"),
            (said::<u8>("300"), "expected a whole number from 0 on"),
            (said::<i64>("1.5"), "number `1.5`, expected a whole number"),
            (said::<f32>("true"), "expected a number"),
            (said::<bool>("{}"), "invalid type: an object, expected true or false"),
            (said::<Vec<i64>>("{}"), "invalid type: an object, expected a list at"),
            (said::<BTreeMap<String, i64>>("[]"), "a list, expected an object"),
            (said::<(i64, i64)>("[1]"), "expected a list of 2"),
            (said::<Wanted>("3"), "invalid type: integer `3`, expected an object at line 1"),
            (said::<Wanted>("{\"k\": null}"), "null, expected a whole number from 0 on"),
            (said::<Kind>("\"video\""), "unknown variant `video`, expected `image` or `text`"),
            (said::<Either>("3"), "data did not match any variant"),
            (plain(&"k: invalid digit found in string"), "k: it is no whole number from 0 on"),
        ] {
            assert!(said.contains(wanted), "{said:?} should say {wanted:?}");
            for rust in ["usize", "u8", "i64", "f32", "struct", "enum", "Wanted", "Kind", "map,"] {
                assert!(!said.contains(rust), "{said:?} says {rust:?}");
            }
        }
    }
}
