//! Tests of every `--help`: each example is understood by the arguments themselves, and no option is named that
//! does not exist.

use std::collections::BTreeSet;
use std::ffi::OsString;

use clap::{Command, CommandFactory};

use super::Cli;
use super::cmd::search::with_unwanted_words;

/// Everything that a command's `--help` says; continued lines are one.
fn help(command: &Command) -> String {
    let help = command.clone().render_long_help().to_string();
    help.split("\\\n").enumerate().fold(String::new(), |joined, (number, part)| {
        joined + if number > 0 { part.trim_start() } else { part }
    })
}

/// The command and all below it, with the words that call each.
fn all(command: &Command, path: &[String], found: &mut Vec<(Vec<String>, Command)>) {
    found.push((path.to_vec(), command.clone()));
    for inner in command.get_subcommands() {
        all(inner, &[path, &[inner.get_name().to_owned()]].concat(), found);
    }
}

fn commands() -> Vec<(Vec<String>, Command)> {
    let mut found = Vec::new();
    let mut whole = Cli::command();
    whole.build();
    all(&whole, &[], &mut found);
    found.retain(|(path, _)| path.last().is_none_or(|name| name != "help"));
    found
}

/// The words of a line as a shell takes them apart, up to a redirection or a wide gap.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted, mut gap) = (Vec::new(), String::new(), None, 0);
    for c in line.chars() {
        gap = if c == ' ' && quoted.is_none() { gap + 1 } else { 0 };
        match c {
            c if quoted == Some(c) => quoted = None,
            '"' | '\'' if quoted.is_none() => quoted = Some(c),
            '>' if quoted.is_none() => break,
            ' ' if quoted.is_none() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                } else if gap == 2 && words.len() > 1 {
                    break;
                }
            }
            c => word.push(c),
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

/// Words in capitals stand for something of the reader's own.
fn is_pattern(words: &[String]) -> bool {
    let capital =
        |word: &String| word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase() || c == '/');
    words.iter().any(capital)
}

#[test]
fn every_example_is_understood() {
    let mut count = 0;
    for (path, command) in commands() {
        for line in help(&command).lines() {
            let Some(line) = line.strip_prefix("  ").filter(|line| line.starts_with("tuwen "))
            else {
                continue;
            };
            let words = words(line);
            count += 1;
            let mut cli = Cli::command();
            cli.build();
            let given = with_unwanted_words(&cli, words.iter().map(OsString::from));
            if let Err(error) = cli.try_get_matches_from(given) {
                panic!("the help of `tuwen {}` says `{line}`: {error}", path.join(" "));
            }
        }
    }
    assert!(count > 30, "{count} examples");
}

#[test]
fn every_option_that_is_named_exists() {
    let commands = commands();
    let longs = |command: &Command| -> BTreeSet<String> {
        command.get_arguments().filter_map(|arg| arg.get_long()).map(str::to_owned).collect()
    };
    let everywhere: BTreeSet<String> = commands.iter().flat_map(|(_, c)| longs(c)).collect();
    for (path, command) in &commands {
        let help = help(command);
        for snippet in help.split('`').skip(1).step_by(2).filter(|s| s.starts_with("tuwen ")) {
            let words: Vec<String> =
                words(&snippet.split_whitespace().collect::<Vec<_>>().join(" "));
            let called = commands
                .iter()
                .filter(|(path, _)| words[1..].starts_with(path))
                .max_by_key(|(path, _)| path.len());
            let (called, target) = called.expect("the program itself is a prefix of all");
            let is_command = words.len() < 2 || !called.is_empty() || is_pattern(&words);
            assert!(is_command, "`tuwen {}`: `{snippet}` is no command", path.join(" "));
            for option in words.iter().filter_map(|word| word.strip_prefix("--")) {
                let known = longs(target).contains(option);
                assert!(known, "`tuwen {}`: `{snippet}` has no --{option}", path.join(" "));
            }
        }
        let option = |c: char| c.is_ascii_lowercase() || c == '-';
        for part in help.split("--").skip(1) {
            let name: String = part.chars().take_while(|&c| option(c)).collect();
            let name = name.trim_end_matches('-');
            // The last is cargo's.
            let others = ["help", "version", "features"];
            let known = name.is_empty() || everywhere.contains(name) || others.contains(&name);
            assert!(known, "the help of `tuwen {}` names --{name}", path.join(" "));
        }
    }
}
