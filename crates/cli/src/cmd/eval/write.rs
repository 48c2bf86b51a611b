//! What `tuwen eval --out` writes, for each source of captions.

use std::collections::HashSet;
use std::fmt::Write as _;

use anyhow::Result;
use serde_json::{Value, json};
use tuwen_eval::{Captioned, Ranked, Ranking, Report, Ties, conventions};
use tuwen_sets::Sample;
use tuwen_sets::relation::Text;

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
    texts: &[Text<'_>],
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
    let later = Report::new(set, &set.text_to_image(later), &set.image_to_text(later), &[]);
    file(".lavis.json", line(conventions::lavis(&later)))?;
    file(".open-clip.json", line(conventions::open_clip(&one_caption_each(set))))?;
    let of_text = |text: usize| set.truth[text].iter().map(|&image| &*samples[image].id).collect();
    file(".text-to-image.jsonl", queries(&ranked[0], of_text))?;
    file(".image-to-text.jsonl", queries(&ranked[1], |image| vec![&*samples[image].id]))?;
    let ids = Ids::of(texts, samples);
    file(
        "_texts.jsonl",
        lines(
            texts.iter().enumerate(),
            |(at, text)| json!({ "text_id": ids.text(at), "text": text.words, "image_ids": ids.images(&text.images) }),
        ),
    )?;
    file(
        "_predictions.jsonl",
        lines(
            ranked[0].iter(),
            |r| json!({ "text_id": ids.text(r.query), "image_ids": ids.images(&r.top) }),
        ),
    )?;
    file(
        "_tr_predictions.jsonl",
        lines(
            ranked[1].iter(),
            |r| json!({ "image_id": ids.image(r.query), "text_ids": ids.texts(&r.top) }),
        ),
    )
}

/// Chinese-CLIP's programs demand whole numbers: the set's own where all are such, as a submission
/// needs them, or else positions.
struct Ids {
    images: Vec<u64>,
    texts: Vec<u64>,
}

impl Ids {
    fn of(texts: &[Text<'_>], samples: &[Sample]) -> Self {
        let own = || {
            let images = samples.iter().map(|sample| sample.id.parse().ok());
            let texts = texts.iter().map(|text| text.id?.parse().ok());
            let found = [images.collect::<Option<Vec<u64>>>()?, texts.collect::<Option<_>>()?];
            let distinct = |ids: &Vec<u64>| ids.iter().collect::<HashSet<_>>().len() == ids.len();
            found.iter().all(distinct).then_some(found)
        };
        let positions = || [samples.len(), texts.len()].map(|count| (0..count as u64).collect());
        let [images, texts] = own().unwrap_or_else(positions);
        Self { images, texts }
    }

    fn image(&self, at: usize) -> u64 {
        self.images[at]
    }

    fn text(&self, at: usize) -> u64 {
        self.texts[at]
    }

    fn images(&self, places: &[usize]) -> Vec<u64> {
        places.iter().map(|&at| self.images[at]).collect()
    }

    fn texts(&self, places: &[usize]) -> Vec<u64> {
        places.iter().map(|&at| self.texts[at]).collect()
    }
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
    let truth: Vec<Vec<usize>> = (0..firsts.len()).map(|at| vec![at]).collect();
    tuwen_eval::evaluate(&images, &texts, set.dim, &truth)
}

/// A line for each query, in the order of the queries: what `tuwen score --compare` reads.
fn queries<'s>(ranked: &[Ranked], pictures: impl Fn(usize) -> Vec<&'s str>) -> String {
    lines(ranked.iter(), |ranked| {
        json!({
            "query": ranked.query, "pictures": pictures(ranked.query), "rank": ranked.ranks[0],
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
