//! `tuwen search dog -people`: words with a minus before them are words, and no options.

use std::ffi::OsString;

use clap::{Arg, Command};

/// Stands for the minus of such a word, until clap has read the options. No keyboard has it.
const MINUS: char = '\u{e000}';

/// The arguments of the program, in which words to be kept away from look like words. A minus before a digit stays, and so do
/// an option's letter alone or with a number (`-k5`), an option's value, and everything behind `--`. `cli` is built, so that it
/// has its help.
pub fn with_unwanted_words(cli: &Command, given: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut given: Vec<OsString> = given.collect();
    let search =
        cli.find_subcommand("search").filter(|_| given.get(1).is_some_and(|name| name == "search"));
    let Some(search) = search else { return given };
    let mut is_value = false;
    for one in given.iter_mut().skip(2) {
        let Some(text) = one.to_str() else {
            is_value = false;
            continue;
        };
        if text == "--" {
            break;
        }
        let was_value = std::mem::replace(&mut is_value, awaits_value(search, text));
        if !was_value && is_word(search, text) {
            *one = format!("{MINUS}{}", &text[1..]).into();
        }
    }
    given
}

/// The same words as they were typed.
pub fn as_typed(words: &str) -> String {
    words.replace(MINUS, "-")
}

fn is_word(search: &Command, text: &str) -> bool {
    let Some(word) = text.strip_prefix('-') else { return false };
    let Some(first) = word.chars().next() else { return false };
    if first == '-' || first.is_ascii_digit() {
        return false;
    }
    let rest = &word[first.len_utf8()..];
    // A letter alone is meant as an option, also where there is none.
    let is_option = by_letter(search, first).is_some() || (first.is_ascii() && rest.is_empty());
    !(is_option && (rest.is_empty() || rest.starts_with(|c: char| c == '=' || c.is_ascii_digit())))
}

/// Whether what follows is this option's value.
fn awaits_value(search: &Command, text: &str) -> bool {
    let option = match (text.strip_prefix("--"), text.strip_prefix('-')) {
        (Some(name), _) => search.get_arguments().find(|arg| arg.get_long() == Some(name)),
        (None, Some(letter)) if letter.chars().count() == 1 => {
            letter.chars().next().and_then(|letter| by_letter(search, letter))
        }
        _ => None,
    };
    option.is_some_and(|arg| arg.get_action().takes_values())
}

fn by_letter(search: &Command, letter: char) -> Option<&Arg> {
    search.get_arguments().find(|arg| arg.get_short() == Some(letter))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn marked(line: &str) -> String {
        let given = line.split_whitespace().map(OsString::from);
        let mut cli = crate::Cli::command();
        cli.build();
        let all = with_unwanted_words(&cli, given);
        let all = all.iter().map(|one| one.to_str().expect("a text").replace(MINUS, "~"));
        all.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn words_with_a_minus_are_no_options() {
        for (line, wanted) in [
            ("tuwen search dog -people", "tuwen search dog ~people"),
            ("tuwen search -人群 狗", "tuwen search ~人群 狗"),
            ("tuwen search dog -kids -k 5 -k5", "tuwen search dog ~kids -k 5 -k5"),
            ("tuwen search dog -n 3", "tuwen search dog -n 3"),
            ("tuwen search dog -hat -h", "tuwen search dog ~hat -h"),
            ("tuwen search dog --json -people", "tuwen search dog --json ~people"),
            ("tuwen search dog --not -people", "tuwen search dog --not -people"),
            ("tuwen search dog -tag:旧 --paths -0", "tuwen search dog ~tag:旧 --paths -0"),
            ("tuwen search a - b -2020", "tuwen search a - b -2020"),
            ("tuwen search -- -people", "tuwen search -- -people"),
            ("tuwen fields -people", "tuwen fields -people"),
        ] {
            assert_eq!(marked(line), wanted);
        }
    }
}
