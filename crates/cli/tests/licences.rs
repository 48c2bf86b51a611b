//! Every dependency has a licence that `deny.toml` accepts.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// Evaluates an SPDX expression of `OR`, `AND` and parentheses; `/` is an old way to write `OR`.
fn accepted(expression: &str, allowed: &[String]) -> bool {
    let flat = expression.replace('/', " OR ");
    let mut text = flat.trim();
    while let Some(inner) = text.strip_prefix('(').and_then(|t| t.strip_suffix(')')) {
        if inner.matches('(').count() != inner.matches(')').count() || inner.contains(") ") {
            break;
        }
        text = inner.trim();
    }
    for (operator, all) in [(" OR ", false), (" AND ", true)] {
        let parts = split_outside(text, operator);
        if parts.len() > 1 {
            let mut parts = parts.iter();
            return if all {
                parts.all(|part| accepted(part, allowed))
            } else {
                parts.any(|part| accepted(part, allowed))
            };
        }
    }
    allowed.iter().any(|licence| licence == text.trim())
}

/// Splits at an operator outside of parentheses.
fn split_outside<'a>(text: &'a str, operator: &str) -> Vec<&'a str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ if depth == 0 && text[at..].starts_with(operator) && at >= start => {
                parts.push(&text[start..at]);
                start = at + operator.len();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

#[test]
fn every_dependency_has_an_accepted_licence() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let deny = std::fs::read_to_string(root.join("deny.toml")).expect("deny.toml");
    let deny: toml::Table = deny.parse().expect("TOML");
    let allowed: Vec<String> = deny["licenses"]["allow"].clone().try_into().expect("a list");
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--workspace", "--locked", "--offline", "--edges", "normal,build"])
        .args(["--prefix", "none", "--format", "{p}\t{l}", "--target", "x86_64-unknown-linux-gnu"])
        .current_dir(&root)
        .output()
        .expect("cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).expect("UTF-8");
    let lines = tree.lines().map(|line| line.trim_end_matches(" (*)"));
    let lines: BTreeSet<&str> = lines.filter(|line| !line.is_empty()).collect();
    assert!(lines.len() > 50);
    let licence = |line: &str| line.split('\t').nth(1).unwrap_or("").to_owned();
    let refused: Vec<&&str> =
        lines.iter().filter(|line| !accepted(&licence(line), &allowed)).collect();
    assert!(refused.is_empty(), "not accepted by deny.toml: {refused:#?}");
}

#[test]
fn expressions_are_evaluated() {
    let allowed = ["MIT".to_owned(), "Zlib".to_owned()];
    for good in ["MIT", "MIT OR GPL-3.0", "GPL-3.0/MIT", "(MIT OR GPL-3.0) AND Zlib", "(MIT)"] {
        assert!(accepted(good, &allowed), "{good}");
    }
    for bad in ["GPL-3.0", "MIT AND GPL-3.0", "(MIT OR Zlib) AND GPL-3.0", ""] {
        assert!(!accepted(bad, &allowed), "{bad}");
    }
}
