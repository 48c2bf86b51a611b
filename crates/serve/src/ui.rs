//! The page for people: the files of `ui/`, inside the program.

mod tight;

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

/// A file without what is there for who reads the source.
fn sent(name: &str, bytes: &'static [u8]) -> Vec<u8> {
    let text = str::from_utf8(bytes).expect("the page is UTF-8");
    match name.rsplit('.').next() {
        Some("js") => tight::program(text).into_bytes(),
        Some("css") => tight::style(text).into_bytes(),
        _ => {
            let lines = text.lines().map(|line| line.trim_start_matches('\t'));
            let lines = lines.filter(|line| !line.trim().is_empty());
            lines.flat_map(|line| [line, "\n"]).collect::<String>().into_bytes()
        }
    }
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
            let (_, sent) = SENT.iter().find(|(known, _)| known == name).expect("it is sent");
            let sent = str::from_utf8(sent).expect("UTF-8");
            let mut inside = false;
            for line in source.lines() {
                // Of a line that ends a text, what stands before its end.
                let text = line.split('`').next().unwrap_or_default();
                assert!(!inside || sent.contains(text), "{name}: inside of a text: {line:?}");
                // Between quotation marks stand texts; one in a pattern is told from these by its line.
                let is_comment = line.trim_start().starts_with("//") || line.contains(" // ");
                let has_pattern = line.contains("/[") || line.contains("[^");
                let mut texts =
                    line.split('"').skip(1).step_by(2).filter(|_| !has_pattern && !is_comment);
                let missing = texts.find(|text| !sent.contains(&format!("\"{text}\"")));
                assert!(missing.is_none(), "{name}: {missing:?} is not sent as it is");
                inside ^= line.matches('`').count() % 2 == 1;
            }
            assert!(!inside, "{name}: a text does not end");
        }
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
