//! The page of `tuwen eval --report`: numbers, curves, and queries with what they found. It opens
//! without a network.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use tuwen_data::Sample;
use tuwen_data::rng::Rng;
use tuwen_eval::{Captioned, Direction, Ranked, Report};
use tuwen_index::dot;

use crate::chart::{Kind, Series, histogram, svg};
use crate::page::{STYLE, escape, picture};

/// Queries of each group, and hits of each query.
const QUERIES: usize = 5;
const HITS: usize = 6;

/// What a page shows of one source of captions.
pub(super) struct Shown<'a> {
    pub(super) source: &'a str,
    pub(super) set: Captioned<'a>,
    pub(super) ranked: &'a [Vec<Ranked>; 2],
    pub(super) report: &'a Report,
}

/// Writes `index.html` into `folder`.
pub(super) fn write(
    folder: &Path,
    model: &str,
    samples: &[Sample],
    all: &[Shown<'_>],
) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let title = format!("{}: {} pictures", escape(model), samples.len());
    let mut out = format!(
        "<!doctype html><html lang=\"zh\"><meta charset=\"utf-8\"><title>{title}</title><style>{STYLE}\
         .right img{{outline:4px solid #2a9d3a}}.right{{color:#1b7a2a}}table{{border-collapse:collapse}}\
         td,th{{padding:2px 10px;text-align:right}}ol{{margin:.2em 0}}</style><h1>{title}</h1>\n"
    );
    for shown in all {
        let _ = writeln!(out, "<h1>{}</h1>", escape(shown.source));
        table(&mut out, shown.report);
        charts(&mut out, shown);
        let captions = captions(samples, shown);
        for (name, pick) in [("best", Pick::Best), ("worst", Pick::Worst), ("random", Pick::Random)]
        {
            words(&mut out, name, pick, shown, samples, &captions);
            pictures(&mut out, name, pick, shown, samples, &captions);
        }
    }
    let path = folder.join("index.html");
    std::fs::write(&path, out).with_context(|| path.display().to_string())
}

fn table(out: &mut String, report: &Report) {
    out.push_str(
        "<table><tr><th></th><th>R@1</th><th>R@5</th><th>R@10</th><th>chance</th><th>mean rank</th>\
         <th>median</th><th>MRR</th><th>mAP</th><th>nDCG@10</th><th>ties</th></tr>\n",
    );
    for (name, d) in
        [("text to image", &report.text_to_image), ("image to text", &report.image_to_text)]
    {
        let Direction { recall, interval, chance, .. } = d;
        let cells: String = recall
            .iter()
            .zip(interval)
            .map(|(r, [low, high])| format!("<td>{r:.1} <small>({low:.1}-{high:.1})</small></td>"))
            .collect();
        let _ = writeln!(
            out,
            "<tr><th>{name}</th>{cells}<td>{:.1}/{:.1}/{:.1}</td><td>{:.1}</td><td>{}</td><td>{:.3}</td>\
             <td>{:.3}</td><td>{:.3}</td><td>{}</td></tr>",
            chance[0],
            chance[1],
            chance[2],
            d.mean_rank,
            d.median_rank,
            d.mrr,
            d.map,
            d.ndcg,
            d.ties
        );
    }
    out.push_str(
        "</table><p><small>Percent; in brackets 95% bootstrap intervals, the captions of a \
                  picture drawn together. Equal scores go to the lower position.</small></p>\n",
    );
}

/// Recall over the cut-off, ranks, and scores of true and false pairs.
fn charts(out: &mut String, shown: &Shown<'_>) {
    let names = ["text to image", "image to text"];
    let cutoffs: Vec<usize> =
        (0..=20).map(|at| 10f64.powf(f64::from(at) / 10.0).round() as usize).collect();
    let recall = |ranked: &[Ranked], k: usize| {
        100.0 * ranked.iter().filter(|r| r.ranks[0] <= k).count() as f64
            / ranked.len().max(1) as f64
    };
    let curve = |(name, ranked): (&&str, &Vec<Ranked>)| Series {
        name: (*name).to_owned(),
        points: cutoffs.iter().map(|&k| ((k as f64).log10() / 2.0, recall(ranked, k))).collect(),
    };
    let series: Vec<Series> = names.iter().zip(shown.ranked).map(curve).collect();
    let decades = [(0.0, "1"), (0.5, "10"), (1.0, "100")].map(|(x, label)| (x, label.to_owned()));
    out.push_str(&svg("recall at k, %", Kind::Line, &series, &decades));

    let largest =
        shown.ranked.iter().flatten().map(|r| r.ranks[0]).max().unwrap_or(1).max(10) as f64;
    let ranks = |(name, ranked): (&&str, &Vec<Ranked>)| Series {
        name: (*name).to_owned(),
        points: histogram(
            ranked.iter().map(|r| (r.ranks[0] as f64).log10()),
            (0.0, largest.log10()),
            16,
        ),
    };
    let series: Vec<Series> = names.iter().zip(shown.ranked).map(ranks).collect();
    let ends = [(0.0, "1".to_owned()), (1.0, format!("{largest:.0}"))];
    out.push_str(&svg("queries by rank (logarithmic), %", Kind::Area, &series, &ends));

    let set = shown.set;
    let score = |text: usize, image: usize| {
        f64::from(dot(
            &set.texts[text * set.dim..][..set.dim],
            &set.images[image * set.dim..][..set.dim],
        ))
    };
    let (pictures, mut rng) = (set.images.len() / set.dim, Rng::new(&[3]));
    let right: Vec<f64> =
        set.owner.iter().enumerate().map(|(text, &image)| score(text, image)).collect();
    let other = |(text, &image): (usize, &usize)| {
        score(text, (image + 1 + rng.below(pictures.max(2) - 1)) % pictures)
    };
    let wrong: Vec<f64> = set.owner.iter().enumerate().map(other).collect();
    let all = || right.iter().chain(&wrong).copied();
    let range = (all().fold(f64::MAX, f64::min), all().fold(f64::MIN, f64::max) + 1e-6);
    let series = [("true pairs", &right), ("false pairs", &wrong)].map(|(name, values)| Series {
        name: name.to_owned(),
        points: histogram(values.iter().copied(), range, 40),
    });
    let ends = [(0.0, format!("{:.2}", range.0)), (1.0, format!("{:.2}", range.1))];
    out.push_str(&svg("cosine of pairs, %", Kind::Area, &series, &ends));
}

#[derive(Clone, Copy)]
enum Pick {
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

/// The captions of a source, in the order of the texts.
fn captions<'s>(samples: &'s [Sample], shown: &Shown<'_>) -> Vec<&'s str> {
    let of_source = |sample: &'s Sample| {
        let captions = sample.captions.iter().filter(|caption| caption.source == shown.source);
        captions.map(|caption| caption.text.as_str())
    };
    samples.iter().flat_map(of_source).collect()
}

/// Words and the pictures they found.
fn words(
    out: &mut String,
    name: &str,
    pick: Pick,
    shown: &Shown<'_>,
    samples: &[Sample],
    captions: &[&str],
) {
    let _ = writeln!(out, "<h2>text to image: {name} queries</h2>");
    for ranked in chosen(&shown.ranked[0], pick) {
        let own = shown.set.owner[ranked.query];
        let _ = writeln!(
            out,
            "<p>{} <small>right at rank {}</small></p><div class=\"hits\">",
            escape(captions[ranked.query]),
            ranked.ranks[0]
        );
        for &image in ranked.top.iter().take(HITS) {
            let class = if image == own { " class=\"right\"" } else { "" };
            let file = picture(samples[image].image.read().ok());
            let score = score(shown, ranked.query, image);
            let id = escape(&samples[image].id);
            let _ = writeln!(
                out,
                "<figure{class}>{file}<figcaption>{id} {score:.3}</figcaption></figure>"
            );
        }
        out.push_str("</div>\n");
    }
}

/// Pictures and the words they found.
fn pictures(
    out: &mut String,
    name: &str,
    pick: Pick,
    shown: &Shown<'_>,
    samples: &[Sample],
    captions: &[&str],
) {
    let _ = writeln!(out, "<h2>image to text: {name} queries</h2>");
    for ranked in chosen(&shown.ranked[1], pick) {
        let file = picture(samples[ranked.query].image.read().ok());
        let _ = writeln!(
            out,
            "<div class=\"hits\"><figure>{file}<figcaption>right at rank {}</figcaption></figure><ol>",
            ranked.ranks[0]
        );
        for &text in ranked.top.iter().take(HITS) {
            let class = if shown.set.owner[text] == ranked.query { " class=\"right\"" } else { "" };
            let score = score(shown, text, ranked.query);
            let _ = writeln!(
                out,
                "<li{class}>{} <small>{score:.3}</small></li>",
                escape(captions[text])
            );
        }
        out.push_str("</ol></div>\n");
    }
}

fn score(shown: &Shown<'_>, text: usize, image: usize) -> f32 {
    let set = shown.set;
    dot(&set.texts[text * set.dim..][..set.dim], &set.images[image * set.dim..][..set.dim])
}
