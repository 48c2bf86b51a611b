//! The page for people: the files of `ui/`, inside the program.

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
    "answers.js",
    "api.js",
    "app.js",
    "box.js",
    "detail.js",
    "docs.css",
    "docs.html",
    "docs.js",
    "dom.js",
    "filters.js",
    "grid.js",
    "i18n.js",
    "index.html",
    "picture.js",
    "query.js",
    "state.js",
    "strip.js",
    "style.css",
    "theme.js",
    "zoom.js",
];

/// `GET /`
pub(crate) async fn index(headers: HeaderMap) -> Result<Response, Problem> {
    file("index.html", &headers)
}

/// `GET /ui/NAME`
pub(crate) async fn asset(Part(name): Part, headers: HeaderMap) -> Result<Response, Problem> {
    file(&name, &headers)
}

pub(crate) fn file(name: &str, headers: &HeaderMap) -> Result<Response, Problem> {
    let found = FILES.iter().find(|(known, _)| *known == name);
    let Some(&(_, bytes)) = found else {
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
}
