//! What the server refuses and remarks, in Chinese for who asks for that (`Accept-Language: zh`): sentences are made in
//! English where something is wrong, and said in Chinese by the table `chinese.tsv` on their way out. English stays what
//! everybody else gets, and what the table lacks.
//!
//! A line of the table is an English sentence, a tab, and the Chinese one. In the first `{}` is a value, which is kept as
//! it is, and `{*}` another sentence; in the second `{}` are these in their order, `{1}` the second of them.

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::LazyLock;

use axum::body::Body;
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use serde_json::Value;

use crate::problem::Problem;

/// The language that a client reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    Chinese,
}

impl Language {
    /// The first of the two that the client likes best; English where it names none.
    pub fn of(headers: &HeaderMap) -> Self {
        let named = headers.get_all(header::ACCEPT_LANGUAGE).iter();
        let named = named.filter_map(|value| value.to_str().ok()).flat_map(|line| line.split(','));
        let (mut best, mut liked) = (Self::English, 0.0);
        for one in named {
            let mut parts = one.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default().to_ascii_lowercase();
            let language = match name.split('-').next() {
                Some("zh") => Self::Chinese,
                Some("en") => Self::English,
                _ => continue,
            };
            let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok());
            let weight: f32 = weight.unwrap_or(1.0);
            if weight > liked {
                (best, liked) = (language, weight);
            }
        }
        best
    }

    /// A sentence of the server's in this language.
    pub fn says<'a>(self, english: &'a str) -> Cow<'a, str> {
        match self {
            Self::English => english.into(),
            Self::Chinese => chinese(english).map_or(english.into(), |(said, _)| said.into()),
        }
    }

    /// A problem whose detail is in this language.
    pub fn says_of(self, problem: &Problem) -> Problem {
        Problem { kind: problem.kind, detail: self.says(&problem.detail).into_owned() }
    }

    /// The same of every `detail` in an answer.
    pub fn says_details(self, answer: &mut Value) {
        match answer {
            Value::Array(all) => all.iter_mut().for_each(|one| self.says_details(one)),
            Value::Object(all) => {
                for (key, value) in all {
                    match value {
                        Value::String(text) if key == "detail" => {
                            *text = self.says(text).into_owned();
                        }
                        other => self.says_details(other),
                    }
                }
            }
            _ => {}
        }
    }
}

/// The client's: an argument of the questions whose answers have sentences.
impl<S: Sync> FromRequestParts<S> for Language {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

/// Says a problem in the client's language.
pub(crate) async fn said(request: Request, next: Next) -> Response {
    let language = Language::of(request.headers());
    let response = next.run(request).await;
    let kind = response.headers().get(header::CONTENT_TYPE);
    let is_problem = kind.is_some_and(|kind| kind == "application/problem+json");
    let problem = response.extensions().get::<Problem>().filter(|_| is_problem);
    let (Language::Chinese, Some(problem)) = (language, problem) else { return response };
    let json = language.says_of(problem).json_in(language);
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static("zh"));
    Response::from_parts(parts, Body::from(json.to_string()))
}

/// A line of the table.
struct Line {
    /// What stands around the holes of the English sentence: one piece more than there are holes.
    pieces: Vec<&'static str>,
    /// Of each hole whether a sentence stands there.
    sentences: Vec<bool>,
    chinese: &'static str,
}

static TABLE: LazyLock<Vec<Line>> = LazyLock::new(|| {
    let lines = include_str!("chinese.tsv").lines();
    lines.map(|line| Line::read(line).expect("a line of chinese.tsv")).collect()
});

/// A sentence in Chinese, and whether all of it is.
fn chinese(english: &str) -> Option<(String, bool)> {
    let mut partly = None;
    for line in TABLE.iter() {
        match line.says(english) {
            Some((said, true)) => return Some((said, true)),
            Some(said) => partly = partly.or(Some(said)),
            None => {}
        }
    }
    partly
}

impl Line {
    fn read(line: &'static str) -> Option<Self> {
        let (english, chinese) = line.split_once('\t')?;
        let (mut pieces, mut sentences, mut rest) = (Vec::new(), Vec::new(), english);
        while let Some(at) = rest.find("{}").into_iter().chain(rest.find("{*}")).min() {
            pieces.push(&rest[..at]);
            sentences.push(rest[at..].starts_with("{*}"));
            rest = rest[at..].split_once('}')?.1;
        }
        pieces.push(rest);
        Some(Self { pieces, sentences, chinese })
    }

    fn says(&self, english: &str) -> Option<(String, bool)> {
        let held = self.held(english)?;
        let (mut values, mut whole) = (Vec::new(), true);
        for (value, is_sentence) in held.into_iter().zip(&self.sentences) {
            match is_sentence.then(|| chinese(value)) {
                None => values.push(value.to_owned()),
                Some(Some((said, is_whole))) => {
                    values.push(said);
                    whole &= is_whole;
                }
                Some(None) => {
                    values.push(value.to_owned());
                    whole = false;
                }
            }
        }
        Some((self.filled(&values), whole))
    }

    /// What stands in the holes, if it is this sentence.
    fn held<'a>(&self, english: &'a str) -> Option<Vec<&'a str>> {
        let [first, between @ ..] = &self.pieces[..] else { return None };
        let mut rest = english.strip_prefix(first)?;
        let [between @ .., last] = between else { return rest.is_empty().then(Vec::new) };
        let mut held = Vec::with_capacity(self.sentences.len());
        for piece in between {
            let (value, behind) = rest.split_once(piece)?;
            held.push(value);
            rest = behind;
        }
        held.push(rest.strip_suffix(last)?);
        Some(held)
    }

    fn filled(&self, values: &[String]) -> String {
        let (mut said, mut rest, mut next) = (String::new(), self.chinese, 0);
        while let Some((before, behind)) = rest.split_once('{') {
            let Some((number, behind)) = behind.split_once('}') else { break };
            said += before;
            said += &values[number.parse().unwrap_or(next)];
            next += 1;
            rest = behind;
        }
        said + rest
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::problem::ProblemType;

    fn says(english: &str) -> String {
        Language::Chinese.says(english).into_owned()
    }

    #[test]
    fn the_client_says_which_language_it_reads() {
        for (named, language) in [
            ("zh-CN,zh;q=0.9,en;q=0.8", Language::Chinese),
            ("en-US,en;q=0.9,zh;q=0.8", Language::English),
            ("fr, zh-TW;q=0.5, en;q=0.4", Language::Chinese),
            ("en;q=0.1, ZH;q=0.2", Language::Chinese),
            ("*", Language::English),
            ("zhx", Language::English),
            ("zh;q=0", Language::English),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_static(named));
            assert_eq!(Language::of(&headers), language, "{named}");
        }
        assert_eq!(Language::of(&HeaderMap::new()), Language::English);
    }

    #[test]
    fn values_are_kept_and_sentences_in_sentences_said() {
        assert_eq!(
            says("k: 0 is not between 1 and 1000; page through with `offset`"),
            "k：0 不在 1 到 1000 之间；请用 `offset` 翻页"
        );
        assert_eq!(
            says("where: filter, column 9: found the end, expected AND, OR or the end (year >= ▶)"),
            "筛选：筛选条件第 9 列：这里是 结尾，应为 AND、OR 或结尾（year >= ▶）"
        );
        assert_eq!(says("path: a value is not a folder"), "路径：a value 不是文件夹");
        assert_eq!(says("image: something new"), "图片：something new", "as far as it is known");
        assert_eq!(says("something new"), "something new");
        assert_eq!(Language::English.says("Not found"), "Not found");
        let mut answer =
            serde_json::json!({ "items": [{ "detail": "Not found", "name": "Not found" }] });
        Language::Chinese.says_details(&mut answer);
        assert_eq!(
            answer["items"][0],
            serde_json::json!({ "detail": "没有找到", "name": "Not found" })
        );
    }

    #[test]
    fn every_title_has_a_line_and_no_line_is_there_twice() {
        for kind in ProblemType::ALL {
            let (_, _, title) = kind.described();
            assert_ne!(says(title), title);
        }
        let mut lines: Vec<&str> = include_str!("chinese.tsv")
            .lines()
            .filter_map(|l| Some(l.split_once('\t')?.0))
            .collect();
        let all = lines.len();
        lines.sort_unstable();
        lines.dedup();
        assert_eq!(lines.len(), all);
        for line in TABLE.iter() {
            // A number of a hole that there is not would panic here.
            line.filled(&vec!["x".to_owned(); line.sentences.len()]);
            assert!(line.chinese.matches('{').count() <= line.sentences.len(), "{}", line.chinese);
        }
    }

    /// What nobody says any more would stay in the table forever.
    #[test]
    fn every_line_is_said_somewhere() {
        let mut sources = String::new();
        for part in ["serve", "index", "retrieve", "files", "explain", "caption"] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(part).join("src");
            read(&folder, &mut sources);
        }
        // A string over several lines, and signs that are written otherwise in a string.
        let spaces = sources.replace("\\\n", "\n").replace("\\\"", "\"");
        let said = spaces.split_whitespace().collect::<Vec<_>>().join(" ");
        let io = |piece: &str| piece.contains("(os error");
        for line in TABLE.iter().filter(|line| !line.pieces.iter().any(|piece| io(piece))) {
            for piece in &line.pieces {
                let piece = piece.trim_matches([' ', '`', ':', ';', ',', '(', ')', '.', 'x']);
                assert!(said.contains(piece), "nobody says {piece:?} of {:?}", line.pieces);
            }
        }
    }

    fn read(folder: &Path, sources: &mut String) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.extension() {
                None => read(&path, sources),
                Some(end) if end == "rs" => {
                    *sources += &std::fs::read_to_string(&path).expect("a source");
                }
                Some(_) => {}
            }
        }
    }
}
