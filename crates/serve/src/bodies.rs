//! What a body is refused for before a gallery is asked: for `fuzz/targets/bodies.rs`, which knows no types of ours.

use crate::data_uri::bytes_of;
use crate::extract::parse;
use crate::mcp_wire;
use crate::problem::Problem;
use crate::routes::inputs::Input;
use crate::routes::{changes, embeddings, find, search, similarity, uploads};
use crate::settings::Limits;

/// Reads a body as one of the questions does (by the rest of `kind`) and says why it is refused, if it is.
#[doc(hidden)]
pub fn refusal_of(kind: u8, body: &[u8]) -> Option<String> {
    let limits = Limits::default();
    let read = match kind % 6 {
        0 => parse::<search::Wanted>(body).and_then(|mut wanted| {
            let uri = wanted.image.take();
            find::read_line(&limits, &mut wanted)?;
            uri.map_or(Ok(()), |uri| bytes_of("image", &uri).map(drop))
        }),
        1 => parse::<uploads::NewPictures>(body).and_then(|pictures| {
            pictures.check_count()?;
            pictures.check_each(&limits)
        }),
        2 => parse::<changes::Tags>(body).and_then(|tags| tags.check()),
        3 => parse::<embeddings::Wanted>(body).and_then(|wanted| {
            Input::texts(&limits, "input", wanted.input.0)
                .and_then(|inputs| inputs.iter().try_for_each(Input::check))
        }),
        4 => parse::<similarity::Wanted>(body).and_then(|wanted| {
            let (inputs, _) = similarity::inputs(&limits, wanted)?;
            inputs.iter().try_for_each(Input::check)
        }),
        _ => return mcp_wire::read(body).err().map(|(_, _, said)| said),
    };
    read.err().map(|Problem { detail, .. }| detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHT: [&[u8]; 6] = [
        br#"{"query": "a dog -people", "like": 3, "fold": 0.95, "k": 5}"#,
        br#"{"items": [{"name": "a.png", "image": "data:image/png;base64,AAAA"}]}"#,
        br#"{"ids": [1], "add": ["a"]}"#,
        br#"{"input": ["a dog", "data:image/png;base64,AAAA"]}"#,
        br#"{"pairs": [["a", 1], [2, "b"]]}"#,
        br#"{"jsonrpc": "2.0", "id": 1, "method": "ping"}"#,
    ];

    /// What a fuzzer does for hours, for a moment: signs that mean something put in the place of others.
    #[test]
    fn damaged_bodies_are_refused_without_names_of_types() {
        const SIGNS: &[u8] = b"{}[]\":,0123456789.-+eEtfn \\u\xff\xe7\x00aZ";
        let (mut state, mut refused) = (1_u64, 0);
        let mut next = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as usize % below
        };
        for _ in 0..60_000 {
            let kind = next(RIGHT.len());
            let mut body = RIGHT[kind].to_vec();
            for _ in 0..=next(4) {
                let (at, sign) = (next(body.len()), SIGNS[next(SIGNS.len())]);
                match next(3) {
                    0 => body[at] = sign,
                    1 => body.insert(at, sign),
                    _ => drop(body.remove(at)),
                }
            }
            let Some(said) = refusal_of(kind as u8, &body) else { continue };
            refused += 1;
            for name in ["usize", "struct ", " enum ", "f32", "i64", "Wanted", "NewPicture"] {
                assert!(!said.contains(name), "{}: {said}", String::from_utf8_lossy(&body));
            }
        }
        assert!(refused > 10_000, "{refused}");
    }

    #[test]
    fn what_is_right_is_read_and_what_is_wrong_is_said() {
        for (kind, body) in (0..).zip(RIGHT) {
            assert_eq!(refusal_of(kind, body), None);
            let cut = refusal_of(kind, &body[..body.len() - 1]).expect("it is no JSON");
            assert!(cut.contains("line 1 column"), "{cut}");
        }
        for (kind, body, says) in [
            (0, r#"{"query": 3}"#, "expected a string"),
            (0, r#"{"query": "image:x"}"#, "no item's number"),
            (0, r#"{"image": "data:image/png;base64,%%%"}"#, "image"),
            (1, r#"{"items": [{"name": "a", "image": "", "tags": ["\u202e"]}]}"#, "U+202E"),
            (2, r#"{"ids": [], "add": ["a"]}"#, "empty"),
            (3, r#"{"input": [3]}"#, "input[0]"),
            (4, r#"{"rows": []}"#, "between 1 and 256"),
            (5, "[]", "one message"),
        ] {
            let said = refusal_of(kind, body.as_bytes()).expect(body);
            assert!(said.contains(says), "{body}: {said}");
        }
    }
}
