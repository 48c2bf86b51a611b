//! What `tuwen eval --out` writes, for each source of captions.

use std::fmt::Write as _;

use anyhow::Result;
use serde_json::{Value, json};
use tuwen_data::Sample;
use tuwen_eval::{Captioned, Ranked, Ranking, Report, Ties, conventions};

use crate::output::OutputFolder;

/// First items of each query that are written: as many as Chinese-CLIP's programs demand.
pub(super) const TOP: usize = 10;

/// All files of one source.
pub(super) fn all(
    folder: &mut OutputFolder,
    source: &str,
    set: Captioned<'_>,
    ranked: &[Vec<Ranked>; 2],
    report: &Report,
    samples: &[Sample],
) -> Result<()> {
    let mut file =
        |end: &str, text: String| folder.write(&format!("{source}{end}"), text.as_bytes());
    let line = |json: Value| json.to_string() + "\n";
    file(".chinese-clip.json", line(conventions::chinese_clip(report.text_to_image.recall)))?;
    file(".chinese-clip-tr.json", line(conventions::chinese_clip(report.image_to_text.recall)))?;
    file(".clip-benchmark.json", line(conventions::clip_benchmark(report)))?;
    file(".taidi.json", line(conventions::taidi(report)))?;
    let later = Ranking { top: 0, ties: Ties::HigherFirst };
    let later = [set.text_to_image(later), set.image_to_text(later)];
    let later = Report::new(set, [&later[0], &later[1]], &[]);
    file(".lavis.json", line(conventions::lavis(&later)))?;
    file(".open-clip.json", line(conventions::open_clip(&one_caption_each(set))))?;
    file(".text-to-image.jsonl", queries(&ranked[0], |text| samples[set.owner[text]].id.clone()))?;
    file(".image-to-text.jsonl", queries(&ranked[1], |image| samples[image].id.clone()))?;
    file(
        "_texts.jsonl",
        lines(
            set.owner.iter().enumerate(),
            |(text, &image)| json!({ "text_id": text, "text": "", "image_ids": [image] }),
        ),
    )?;
    file(
        "_predictions.jsonl",
        lines(ranked[0].iter(), |r| json!({ "text_id": r.query, "image_ids": r.top })),
    )?;
    file(
        "_tr_predictions.jsonl",
        lines(ranked[1].iter(), |r| json!({ "image_id": r.query, "text_ids": r.top })),
    )
}

/// open_clip's evaluation knows one caption a picture: the first of each.
fn one_caption_each(set: Captioned<'_>) -> Report {
    let captions = set.captions();
    let firsts: Vec<(usize, usize)> = captions
        .iter()
        .enumerate()
        .filter_map(|(image, all)| Some((image, *all.first()?)))
        .collect();
    let row = |values: &[f32], at: usize| values[at * set.dim..][..set.dim].to_vec();
    let images: Vec<f32> = firsts.iter().flat_map(|&(image, _)| row(set.images, image)).collect();
    let texts: Vec<f32> = firsts.iter().flat_map(|&(_, text)| row(set.texts, text)).collect();
    let owner: Vec<usize> = (0..firsts.len()).collect();
    tuwen_eval::evaluate(&images, &texts, set.dim, &owner)
}

/// A line for each query, in the order of the queries: what `tuwen score --compare` reads.
fn queries(ranked: &[Ranked], picture: impl Fn(usize) -> String) -> String {
    lines(ranked.iter(), |ranked| {
        json!({
            "query": ranked.query, "picture": picture(ranked.query), "rank": ranked.ranks[0],
            "ranks": ranked.ranks, "tied": ranked.tied, "top": ranked.top,
        })
    })
}

fn lines<T>(items: impl Iterator<Item = T>, json: impl Fn(T) -> Value) -> String {
    items.fold(String::new(), |mut text, item| {
        writeln!(text, "{}", json(item)).expect("into memory");
        text
    })
}
