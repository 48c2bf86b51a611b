//! What a user asks for: `late:128`, `late:100,itm:32`, `https://host/rerank:50`.

use crate::{Error, Result};

/// Items that are looked at where nobody says how many.
const FIRST: usize = 128;
/// The most that one may ask for.
const MOST: usize = 10_000;

/// Who looks again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// Late interaction: the query's words look at the patches of photos.
    Late,
    /// The matching head.
    Itm,
    /// Late interaction and the matching head together, each one's scores brought to one scale.
    Both,
    /// Whoever answers there in the JSON of Cohere and Jina.
    Endpoint(String),
}

/// Who looks at how many first items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Who looks.
    pub by: By,
    /// How many first items.
    pub first: usize,
}

/// Reads stages, the first of which comes first.
///
/// ```
/// use tuwen_retrieve::rerank::{By, Stage, parse_stages};
/// assert_eq!(parse_stages("late:64,itm")?[0], Stage { by: By::Late, first: 64 });
/// assert_eq!(parse_stages("late:64,itm")?[1], Stage { by: By::Itm, first: 128 });
/// assert!(parse_stages("best:10").is_err());
/// # Ok::<(), tuwen_retrieve::Error>(())
/// ```
///
/// # Errors
/// A name that is none, or a number that makes no sense.
pub fn parse_stages(text: &str) -> Result<Vec<Stage>> {
    text.split(',').map(|part| one(part.trim())).collect()
}

fn one(part: &str) -> Result<Stage> {
    let address = part.starts_with("http://") || part.starts_with("https://");
    // An address has colons of its own: the last one counts where only digits follow, and a port does so right behind
    // the host.
    let (name, number) = match part.rsplit_once(':') {
        Some((name, number)) if !address => (name, Some(number)),
        Some((name, number))
            if !number.is_empty()
                && number.bytes().all(|b| b.is_ascii_digit())
                && name.split_once("//").is_some_and(|(_, rest)| rest.contains(['/', ':'])) =>
        {
            (name, Some(number))
        }
        _ => (part, None),
    };
    let first = number.map_or(Ok(FIRST), str::parse);
    let first = first.ok().filter(|first| (1..=MOST).contains(first)).ok_or_else(|| {
        let number = number.unwrap_or_default();
        Error::Usage(format!(
            "rerank {part:?}: {number:?} is no number of items: give 1 to {MOST}, as `late:{FIRST}`"
        ))
    })?;
    let by = match name {
        "late" => By::Late,
        "itm" => By::Itm,
        "both" => By::Both,
        _ if address => By::Endpoint(name.to_owned()),
        _ => {
            return Err(Error::Usage(format!(
                "rerank {part:?}: there is no `{name}`: give late, itm or both, each as `late:{FIRST}`, or an address \
                 that answers rerank requests"
            )));
        }
    };
    Ok(Stage { by, first })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_keep_their_ports() {
        let stage = |text: &str| one(text).expect("a stage");
        let endpoint = |url: &str, first| Stage { by: By::Endpoint(url.into()), first };
        assert_eq!(stage("http://h:8080"), endpoint("http://h:8080", FIRST));
        assert_eq!(stage("http://h:8080/rerank:20"), endpoint("http://h:8080/rerank", 20));
        assert_eq!(stage("http://h:8080:20"), endpoint("http://h:8080", 20));
        assert_eq!(stage("https://h/v1/rerank"), endpoint("https://h/v1/rerank", FIRST));
    }

    #[test]
    fn what_is_no_stage_is_named() {
        for text in ["", "late:0", "late:x", "late:99999", "itm:-3", "late,,itm", "clip:9"] {
            let error = parse_stages(text).expect_err(text).to_string();
            assert!(error.contains("rerank"), "{error}");
        }
    }
}
