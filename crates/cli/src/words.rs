//! How counts and errors are said.

/// `1 picture`, `2 pictures`, `3 queries`.
pub fn counted(count: usize, one: &str) -> String {
    match (count, one.strip_suffix('y')) {
        (1, _) => format!("1 {one}"),
        (_, Some(stem)) => format!("{count} {stem}ies"),
        _ => format!("{count} {one}s"),
    }
}

/// An error with its causes. A cause that the words before it already end with is not repeated, and neither is
/// a path that the cause begins with itself.
pub fn of_error(error: &anyhow::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in error.chain().map(ToString::to_string) {
        match parts.last_mut() {
            Some(last) if last.ends_with(&cause) => {}
            Some(last) if cause.starts_with(&*last) => *last = cause,
            _ => parts.push(cause),
        }
    }
    parts.join(": ")
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn one_is_not_many() {
        let said =
            [(0, "text"), (1, "text"), (2, "query"), (1, "query")].map(|(n, w)| counted(n, w));
        assert_eq!(said, ["0 texts", "1 text", "2 queries", "1 query"]);
    }

    #[test]
    fn a_path_is_said_once() {
        let twice = anyhow!("a.txt: no such file").context("a.txt").context("captions");
        assert_eq!(of_error(&twice), "captions: a.txt: no such file");
        let inside = anyhow!("no such file").context("a.txt: no such file");
        assert_eq!(of_error(&inside), "a.txt: no such file");
    }
}
