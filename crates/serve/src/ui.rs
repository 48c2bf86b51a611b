//! The page for people: the files of `ui/`, inside the program.

use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::extract::Part;
use crate::problem::{Problem, ProblemType};

/// A file's name and bytes.
type File = (&'static str, &'static [u8]);

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_bytes!(concat!("../ui/", $name)))),*]
    };
}

/// Every file of `ui/`; a test compares.
const FILES: &[File] = &files![
    "adding.js",
    "answers.js",
    "api.js",
    "app.js",
    "box.js",
    "column.js",
    "detail.js",
    "docs.css",
    "docs.html",
    "docs.js",
    "dom.js",
    "duplicates.js",
    "explain.js",
    "export.js",
    "filters.js",
    "grid.js",
    "i18n.js",
    "index.html",
    "pair.js",
    "picture.js",
    "query.js",
    "selection.js",
    "state.js",
    "strip.js",
    "style.css",
    "theme.js",
    "widgets.js",
    "zoom.js",
];

/// The files as they are sent.
static SENT: LazyLock<Vec<(&'static str, Vec<u8>)>> =
    LazyLock::new(|| FILES.iter().map(|&(name, bytes)| (name, sent(name, bytes))).collect());

/// A file without its comments, its empty lines and the tabs before its lines, which are for who reads the source. No
/// text of the page goes over several lines in a way that this would change; a test looks.
fn sent(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut sent = Vec::with_capacity(bytes.len());
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        let line = &line[line.iter().take_while(|&&byte| byte == b'\t').count()..];
        let is_comment = match name.rsplit('.').next() {
            Some("js") => line.starts_with(b"//"),
            Some("css") => line.starts_with(b"/*") && line.trim_ascii_end().ends_with(b"*/"),
            _ => false,
        };
        if !is_comment && !line.trim_ascii().is_empty() {
            match name.rsplit('.').next() {
                Some("css") => sent.extend(tight(line)),
                Some("js") => sent.extend(closer(line)),
                _ => sent.extend_from_slice(line),
            }
        }
    }
    sent
}

/// Operators of which the spaces around say nothing; no text of the page has one with spaces, as a test looks.
const OPERATORS: [&str; 9] = ["=>", "===", "!==", "&&", "||", "??", "=", "?", ":"];

/// A line of a program without the spaces around some operators and before the brace that ends it.
fn closer(line: &[u8]) -> Vec<u8> {
    let mut out = String::from_utf8_lossy(line).into_owned();
    for operator in OPERATORS {
        out = out.replace(&format!(" {operator} "), operator);
    }
    match out.strip_suffix(" {\n") {
        Some(begin) => format!("{begin}{{\n").into_bytes(),
        None => out.into_bytes(),
    }
}

/// A line of a style sheet without the spaces that say nothing: those around braces and behind semicolons and commas,
/// outside of texts. One behind a colon stays, which may stand in a selector.
fn tight(line: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(line.len());
    let mut inside = None;
    for &byte in line {
        match inside {
            Some(quote) if byte == quote => inside = None,
            Some(_) => {}
            None if matches!(byte, b'"' | b'\'') => inside = Some(byte),
            None if byte == b' ' && matches!(out.last(), Some(b'{' | b'}' | b';' | b',')) => {
                continue;
            }
            None if matches!(byte, b'{' | b'}') && out.last() == Some(&b' ') => drop(out.pop()),
            None => {}
        }
        out.push(byte);
    }
    out
}

/// `GET /`
pub(crate) async fn index(headers: HeaderMap) -> Result<Response, Problem> {
    file("index.html", &headers)
}

/// `GET /ui/NAME`
pub(crate) async fn asset(Part(name): Part, headers: HeaderMap) -> Result<Response, Problem> {
    file(&name, &headers)
}

pub(crate) fn file(name: &str, headers: &HeaderMap) -> Result<Response, Problem> {
    let Some((_, bytes)) = SENT.iter().find(|(known, _)| *known == name) else {
        let detail = format!("the page has no file {name:?}: open it at `/`");
        return Err(Problem::new(ProblemType::NotFound, detail));
    };
    Ok(kept(headers, media_of(name), bytes))
}

/// What is the same as long as the program is: sent where the client does not have it already. A newer program has
/// other files at the same addresses.
pub(crate) fn kept(headers: &HeaderMap, media: &'static str, bytes: &'static [u8]) -> Response {
    let etag = tag(bytes);
    let kept = [
        (header::ETAG, etag.clone()),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    if is_known(headers, &etag) {
        return (StatusCode::NOT_MODIFIED, kept).into_response();
    }
    (kept, [(header::CONTENT_TYPE, HeaderValue::from_static(media))], bytes).into_response()
}

fn media_of(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

/// A tag of what tells a content from others.
pub(crate) fn tag(content: &[u8]) -> HeaderValue {
    let hash = blake3::hash(content).to_hex();
    HeaderValue::from_str(&format!("\"{}\"", &hash[..32])).expect("hexadecimal")
}

/// Whether the client has that content already.
pub(crate) fn is_known(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let etag = etag.to_str().expect("hexadecimal");
    let known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|tags| tags.to_str().ok());
    let mut known = known.flat_map(|tags| tags.split(',')).map(str::trim);
    known.any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_in_the_program() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/ui");
        let names = std::fs::read_dir(folder).expect("the folder").map(|entry| {
            entry.expect("an entry").file_name().into_string().expect("a name in UTF-8")
        });
        let mut names: Vec<String> = names.collect();
        names.sort_unstable();
        let mut listed: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
        listed.sort_unstable();
        assert_eq!(names, listed, "FILES in src/ui.rs lists what is in ui/");
        assert!(names.iter().all(|name| media_of(name) != "application/octet-stream"));
    }

    #[test]
    fn the_page_is_smaller_than_a_photo() {
        // `/docs` is a page of its own, which nobody loads by the way.
        let (docs, page): (Vec<_>, Vec<_>) =
            SENT.iter().partition(|(name, _)| name.starts_with("docs."));
        let bytes = |files: &[&(&str, Vec<u8>)]| -> usize {
            files.iter().map(|(_, bytes)| bytes.len()).sum()
        };
        assert!(bytes(&page) < 100_000, "{} bytes: what can be simpler?", bytes(&page));
        assert!(bytes(&docs) < 12_000, "{} bytes of /docs", bytes(&docs));
    }

    #[test]
    fn what_is_left_out_stands_in_no_text_of_a_program() {
        for (name, bytes) in FILES.iter().filter(|(name, _)| name.ends_with(".js")) {
            let source = str::from_utf8(bytes).expect("UTF-8");
            let mut inside = false;
            for line in source.lines() {
                let bare = line.trim_start_matches('\t');
                let is_changed =
                    bare.len() < line.len() || bare.starts_with("//") || bare.is_empty();
                // Of a line that ends a text, what stands before its end.
                let text = line.split('`').next().unwrap_or_default();
                let is_closer = text.ends_with(" {") || closer(text.as_bytes()) != text.as_bytes();
                assert!(
                    !inside || !(is_changed || is_closer),
                    "{name}: inside of a text: {line:?}"
                );
                // Between quotation marks stand texts; one in a pattern is told from these by its line.
                let is_text = |(at, part): &(usize, &str)| {
                    let has = |operator: &&str| part.contains(&format!(" {operator} "));
                    at % 2 == 1 && OPERATORS.iter().any(has)
                };
                let has_pattern = line.contains("/[");
                let found = line.split('"').enumerate().find(is_text).filter(|_| !has_pattern);
                assert!(found.is_none(), "{name}: {found:?} is a text with an operator");
                inside ^= line.matches('`').count() % 2 == 1;
            }
            assert!(!inside, "{name}: a text does not end");
        }
        assert_eq!(sent("a.js", b"// why\n\n\tx = `//`; // y\n"), b"x=`//`; // y\n");
        assert_eq!(sent("a.js", b"const f = (a) => {\n\ta && b\n"), b"const f=(a)=>{\na&&b\n");
        assert_eq!(sent("a.js", b"x = a ? b ?? 1 : \"?\";\n"), b"x=a?b??1:\"?\";\n");
        assert_eq!(sent("a.css", b"/* a */\n\tb { c: d } /* e */\n"), b"b{c: d}/* e */\n");
        assert_eq!(
            tight(b"a b { c: \" { ; } \"; & d { e: f } }"),
            b"a b{c: \" { ; } \";& d{e: f}}"
        );
    }

    /// English stands in the code; a text without a line in `i18n.js` would stay English on a Chinese page.
    #[test]
    fn every_text_of_the_page_is_there_in_chinese() {
        let text = |name: &str| {
            let (_, bytes) = FILES.iter().find(|(known, _)| *known == name).expect("a file");
            str::from_utf8(bytes).expect("UTF-8")
        };
        let known: Vec<&str> =
            text("i18n.js").lines().filter_map(|line| Some(line.split_once('|')?.0)).collect();
        let between = |all: &'static str, before: &'static str, after: char| {
            let rest = all.split(before).skip(1);
            rest.filter_map(move |rest| Some(rest.split_once(after)?.0)).collect::<Vec<&str>>()
        };
        let mut texts = Vec::new();
        for (name, _) in FILES.iter().filter(|(name, _)| name.ends_with(".js")) {
            texts.append(&mut between(text(name), " t(\"", '"'));
            texts.append(&mut between(text(name), "(t(\"", '"'));
        }
        let page = text("index.html");
        for attribute in ["data-label=\"", "data-placeholder=\""] {
            texts.append(&mut between(page, attribute, '"'));
        }
        texts.extend(between(page, " data-t>", '<'));
        assert!(texts.len() > 80, "{}", texts.len());
        let missing: Vec<&&str> = texts.iter().filter(|text| !known.contains(text)).collect();
        assert!(missing.is_empty(), "without Chinese: {missing:?}");
    }
}
