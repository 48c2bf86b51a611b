//! The README in both languages, and what is shipped to deploy with: one cannot drift from the other or from the
//! program.
//!
//! Section by section the two READMEs have the same
//! - lines of commands. Free are comments, which stand behind two spaces or more and a `#`, and a string in double
//!   quotes with a space or a Chinese character in it, which is the words of a query or a caption; a comment
//!   must be there on both sides;
//! - code within the text, with the same freedom for strings (and for `tuwen search WORDS --kind`, whose words
//!   may stand without quotes);
//! - numbers in digits, in tables row by row;
//! - files and addresses that are linked to, those of the READMEs to each other apart.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use common::succeed;

const WORDS: &str = "\"…\"";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn both() -> [String; 2] {
    ["README.md", "README.zh-CN.md"].map(|name| {
        let text = fs::read_to_string(root().join(name)).expect(name);
        text.replace("[English](README.md)", "").replace("[简体中文](README.zh-CN.md)", "")
    })
}

/// What stands between headings.
fn sections(text: &str) -> Vec<&str> {
    text.split("\n## ").collect()
}

fn is_chinese(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9fff}' | '\u{ff00}'..='\u{ffef}' | '\u{3000}'..='\u{303f}')
}

/// The same with strings that are words of a query as [`WORDS`].
fn without_words(code: &str) -> String {
    let part = |(at, part): (usize, &str)| match at % 2 {
        1 if part.chars().any(|c| c == ' ' || is_chinese(c)) => WORDS.to_owned(),
        1 => format!("\"{part}\""),
        _ => part.to_owned(),
    };
    code.split('"').enumerate().map(part).collect()
}

/// Lines of commands, each with whether something is said of it.
fn commands(section: &str) -> Vec<(String, bool)> {
    let block = section.lines().filter_map(|line| line.strip_prefix("    "));
    let command = |line: &str| {
        let (code, comment) = match line.split_once(" #") {
            Some((code, comment)) => (code, !comment.trim().is_empty()),
            None => (line, false),
        };
        (without_words(code.trim_end()), comment)
    };
    block.map(command).collect()
}

/// Lines that are no commands.
fn prose(section: &str) -> impl Iterator<Item = &str> {
    section.lines().filter(|line| !line.starts_with("    "))
}

/// Code within the text.
fn spans(section: &str) -> BTreeSet<String> {
    let text: String = prose(section).flat_map(|line| [line, "\n"]).collect();
    let code = text.split('`').skip(1).step_by(2);
    let span = |code: &str| match code.strip_prefix("tuwen search ") {
        Some(rest) => match rest.split_once(" --kind") {
            Some((_, rest)) => format!("tuwen search {WORDS} --kind{rest}"),
            None => without_words(code),
        },
        None => without_words(code),
    };
    code.map(span).collect()
}

/// Numbers in digits, in the order of their size as text: a sentence may turn round what it says.
fn numbers(text: &str) -> Vec<String> {
    let is_part = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | '/');
    let runs = text.split(|c| !is_part(c)).map(|run| run.trim_matches(['.', ',', '/']));
    let mut found: Vec<String> = runs.filter(|run| !run.is_empty()).map(str::to_owned).collect();
    found.sort();
    found
}

fn rows(section: &str) -> Vec<Vec<String>> {
    prose(section).filter(|line| line.starts_with('|')).map(numbers).collect()
}

fn links(section: &str) -> BTreeSet<&str> {
    let after = section.split("](").skip(1);
    after.filter_map(|rest| rest.split_once(')').map(|(link, _)| link)).collect()
}

/// Where two READMEs differ.
fn differences(english: &str, chinese: &str) -> Vec<String> {
    let (ours, theirs) = (sections(english), sections(chinese));
    if ours.len() != theirs.len() {
        return vec![format!("{} sections and {}", ours.len(), theirs.len())];
    }
    let mut found = Vec::new();
    for (ours, theirs) in ours.iter().zip(&theirs) {
        let name = ours.lines().next().unwrap_or_default();
        let mut note = |what: &str, ours: String, theirs: String| {
            if ours != theirs {
                found.push(format!("{name}: {what}:\n  {ours}\n  {theirs}"));
            }
        };
        let (a, b) = (commands(ours), commands(theirs));
        note("lines of commands", a.len().to_string(), b.len().to_string());
        a.iter().zip(&b).for_each(|(a, b)| note("a command", format!("{a:?}"), format!("{b:?}")));
        let (a, b) = (rows(ours), rows(theirs));
        note("rows of tables", a.len().to_string(), b.len().to_string());
        a.iter().zip(&b).for_each(|(a, b)| note("a row", format!("{a:?}"), format!("{b:?}")));
        let all = |section: &str| prose(section).flat_map(numbers).collect::<Vec<_>>();
        let (mut a, mut b) = (all(ours), all(theirs));
        a.sort();
        b.sort();
        note("numbers", format!("{a:?}"), format!("{b:?}"));
        note("links", format!("{:?}", links(ours)), format!("{:?}", links(theirs)));
        let (a, b) = (spans(ours), spans(theirs));
        let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| {
            a.difference(b).cloned().collect::<Vec<_>>().join("` `")
        };
        note("code that the other has not", only(&a, &b), only(&b, &a));
    }
    found
}

#[test]
fn the_readme_says_the_same_in_both_languages() {
    let [english, chinese] = both();
    let found = differences(&english, &chinese);
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert!(commands(&english).len() > 30, "the commands were not found");
}

#[test]
fn a_difference_between_the_readmes_is_seen() {
    let [english, chinese] = both();
    for (from, to) in [
        ("tuwen taidi prepare .", "tuwen taidi prepare"),
        ("\"k\": 3", "\"k\": 4"),
        ("30.8/61.8/74.5", "30.8/61.8/74.6"),
        ("55.69", "55.7"),
        ("(docs/search.md)", "(docs/serve.md)"),
        ("`--out DIR`", "`--out FILE`"),
        ("    tuwen mcp ", "    "),
        ("\n## ", "\n"),
    ] {
        assert!(chinese.contains(from), "{from}");
        let changed = chinese.replacen(from, to, 1);
        assert!(!differences(&english, &changed).is_empty(), "{from} -> {to}");
    }
    let other_query = chinese.replace("\"雨中打伞的女孩\"", "\"a bus\"");
    assert_ne!(other_query, chinese);
    assert!(differences(&english, &other_query).is_empty(), "the words of a query are free");
}

#[test]
fn each_readme_links_to_the_other_and_to_files_that_are_there() {
    for (name, other) in [("README.md", "README.zh-CN.md"), ("README.zh-CN.md", "README.md")] {
        let text = fs::read_to_string(root().join(name)).expect(name);
        let top: Vec<&str> = text.lines().take(4).collect();
        assert!(top.iter().any(|line| line.contains(&format!("]({other})"))), "{name}: {top:?}");
        for link in links(&text).into_iter().filter(|link| !link.starts_with("http")) {
            assert!(root().join(link).exists(), "{name}: {link}");
        }
    }
}

#[test]
fn the_configuration_to_deploy_with_is_read_and_what_is_printed_can_be_read_again() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("keys"), "write:0123456789abcdef0123").expect("keys");
    let file = root().join("deploy/serve.toml");
    let print = |file: &Path| {
        let file = file.to_str().expect("UTF-8");
        // The file names keys that are not on this machine.
        let keys = ["--key-file", "keys", "--print-config"];
        succeed(folder.path(), &[&["serve", "--config", file][..], &keys].concat())
    };
    let printed = print(&file);
    for line in ["host = [\"photos.example.org\"]", "read-only = true", "max-body = 20000000"] {
        assert!(printed.lines().any(|printed| printed == line), "{line}: {printed}");
    }
    let again = folder.path().join("again.toml");
    fs::write(&again, &printed).expect("a file");
    assert_eq!(print(&again), printed);
}
