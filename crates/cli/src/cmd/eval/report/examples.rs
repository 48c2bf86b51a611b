//! Queries with what they found: the best, the worst and random ones.

use std::fmt::Write as _;

use tuwen_eval::Ranked;
use tuwen_image::rng::Rng;
use tuwen_index::exact;
use tuwen_markup::escape;
use tuwen_sets::Sample;

use super::Shown;
use crate::grid::{Hit, Row};
use crate::page::picture;

/// Queries of each group, and hits of each query.
const QUERIES: usize = 5;
const HITS: usize = 6;

/// Which queries to show.
#[derive(Clone, Copy)]
pub(super) enum Pick {
    Best,
    Worst,
    Random,
}

fn chosen(ranked: &[Ranked], pick: Pick) -> Vec<&Ranked> {
    let mut all: Vec<&Ranked> = ranked.iter().collect();
    match pick {
        Pick::Best => all.sort_by_key(|r| (r.ranks[0], r.query)),
        Pick::Worst => all.sort_by_key(|r| (std::cmp::Reverse(r.ranks[0]), r.query)),
        Pick::Random => {
            let mut rng = Rng::new(&[5]);
            for at in (1..all.len()).rev() {
                all.swap(at, rng.below(at + 1));
            }
        }
    }
    all.truncate(QUERIES);
    all
}

/// Words and the pictures they found.
pub(super) fn words(pick: Pick, shown: &Shown<'_>, samples: &[Sample]) -> Vec<Row> {
    let row = |ranked: &Ranked| Row {
        query: shown.texts[ranked.query].words.to_owned(),
        picture: None,
        remark: format!("right at rank {}", ranked.ranks[0]),
        hits: ranked
            .top
            .iter()
            .take(HITS)
            .map(|&image| Hit {
                picture: Some(samples[image].image.read().unwrap_or_default()),
                text: samples[image].id.clone(),
                score: score(shown, ranked.query, image),
                right: shown.set.truth[ranked.query].contains(&image),
            })
            .collect(),
    };
    chosen(&shown.ranked[0], pick).into_iter().map(row).collect()
}

/// Pictures and the words they found.
pub(super) fn pictures(pick: Pick, shown: &Shown<'_>, samples: &[Sample]) -> Vec<Row> {
    let row = |ranked: &Ranked| Row {
        query: samples[ranked.query].id.clone(),
        picture: Some(samples[ranked.query].image.read().unwrap_or_default()),
        remark: format!("right at rank {}", ranked.ranks[0]),
        hits: ranked
            .top
            .iter()
            .take(HITS)
            .map(|&text| Hit {
                picture: None,
                text: shown.texts[text].words.to_owned(),
                score: score(shown, text, ranked.query),
                right: shown.set.truth[text].contains(&ranked.query),
            })
            .collect(),
    };
    chosen(&shown.ranked[1], pick).into_iter().map(row).collect()
}

fn score(shown: &Shown<'_>, text: usize, image: usize) -> f32 {
    let set = shown.set;
    exact::score(&set.texts[text * set.dim..][..set.dim], &set.images[image * set.dim..][..set.dim])
}

/// Appends a row to the page.
pub(super) fn html(out: &mut String, row: &Row) {
    let (query, remark) = (escape(&row.query), &row.remark);
    let right = |hit: &Hit| if hit.right { " class=\"right\"" } else { "" };
    let Some(own) = &row.picture else {
        let _ = writeln!(out, "<p>{query} <small>{remark}</small></p><div class=\"hits\">");
        for hit in &row.hits {
            let (file, text) = (picture(hit.picture.clone()), escape(&hit.text));
            let _ = writeln!(
                out,
                "<figure{}>{file}<figcaption>{text} {:.3}</figcaption></figure>",
                right(hit),
                hit.score
            );
        }
        return out.push_str("</div>\n");
    };
    let _ = writeln!(
        out,
        "<div class=\"hits\"><figure>{}<figcaption>{remark}</figcaption></figure><ol>",
        picture(Some(own.clone()))
    );
    for hit in &row.hits {
        let text = escape(&hit.text);
        let _ = writeln!(out, "<li{}>{text} <small>{:.3}</small></li>", right(hit), hit.score);
    }
    out.push_str("</ol></div>\n");
}
