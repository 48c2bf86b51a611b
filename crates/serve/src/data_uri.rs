//! Pictures as clients send them: `data:image/png;base64,…`. What they are is told by their content.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::problem::{Problem, ProblemType};

/// Whether a text of a list that may hold pictures is meant as one.
pub(crate) fn is_data_uri(text: &str) -> bool {
    text.get(..5).is_some_and(|head| head.eq_ignore_ascii_case("data:"))
}

/// The bytes of a picture; `name` is the key they were sent under.
pub(crate) fn bytes_of(name: &str, uri: &str) -> Result<Vec<u8>, Problem> {
    let wrong = |what: &str| {
        let detail = format!("{name}: {what}: send `data:image/png;base64,…`");
        Err(Problem::new(ProblemType::InvalidPicture, detail))
    };
    if !is_data_uri(uri) {
        return match uri.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("http")) {
            true => wrong(
                "addresses are not fetched here (--fetch-images); the picture itself is needed",
            ),
            false => wrong("this is no data URI"),
        };
    }
    let Some((head, data)) = uri[5..].split_once(',') else {
        return wrong("the data URI has no comma before its data");
    };
    let head = head.to_ascii_lowercase();
    let Some(media) = head.strip_suffix(";base64") else {
        return wrong("the data URI is not in base64");
    };
    if !media.is_empty() && !media.starts_with("image/") && media != "application/octet-stream" {
        return wrong("the data URI is of another type than a picture");
    }
    match STANDARD.decode(data.trim()) {
        Ok(bytes) => Ok(bytes),
        Err(error) => wrong(&format!("the base64 is broken ({error})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_in_base64_is_read_and_all_else_is_named() {
        assert_eq!(bytes_of("image", "data:image/png;base64,AAEC").expect("bytes"), [0, 1, 2]);
        assert_eq!(bytes_of("image", "DATA:;BASE64,/w==").expect("bytes"), [255]);
        for (uri, what) in [
            ("http://127.0.0.1/x.png", "addresses are not fetched"),
            ("/etc/passwd", "no data URI"),
            ("狗狗狗", "no data URI"),
            ("data:image/png;base64", "no comma"),
            ("data:image/png,abc", "not in base64"),
            ("data:text/html;base64,AAEC", "another type"),
            ("data:image/png;base64,A*", "base64 is broken"),
        ] {
            let problem = bytes_of("image", uri).expect_err(uri);
            assert!(problem.detail.contains(what), "{uri}: {}", problem.detail);
        }
    }
}
