//! Recall over the cut-off, ranks, and scores of true and false pairs.

use tuwen_eval::Ranked;
use tuwen_image::rng::Rng;
use tuwen_index::exact::score as cosine;
use tuwen_markup::{ChartType, Series, histogram};

use super::Shown;
use crate::chart::svg;

/// Appends the three charts.
pub(super) fn draw(out: &mut String, shown: &Shown<'_>) {
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
    out.push_str(&svg("recall at k, %", ChartType::Line, &series, &decades));

    let largest =
        shown.ranked.iter().flatten().map(|r| r.ranks[0]).max().unwrap_or(1).max(10) as f64;
    let ranks = |(name, ranked): (&&str, &Vec<Ranked>)| Series {
        name: (*name).to_owned(),
        points: histogram(
            ranked.iter().map(|r| (r.ranks[0] as f64).log10()),
            0.0..largest.log10(),
            16,
        ),
    };
    let series: Vec<Series> = names.iter().zip(shown.ranked).map(ranks).collect();
    let ends = [(0.0, "1".to_owned()), (1.0, format!("{largest:.0}"))];
    out.push_str(&svg("queries by rank (logarithmic), %", ChartType::Area, &series, &ends));

    let set = shown.set;
    let score = |text: usize, image: usize| {
        f64::from(cosine(
            &set.texts[text * set.dim..][..set.dim],
            &set.images[image * set.dim..][..set.dim],
        ))
    };
    let (pictures, mut rng) = (set.images.len() / set.dim, Rng::new(&[3]));
    let (mut right, mut wrong) = (Vec::new(), Vec::new());
    for (text, images) in set.truth.iter().enumerate() {
        right.extend(images.iter().map(|&image| score(text, image)));
        let drawn = images.iter().map(|_| rng.below(pictures)).collect::<Vec<_>>();
        wrong.extend(drawn.into_iter().filter(|at| !images.contains(at)).map(|at| score(text, at)));
    }
    let all = || right.iter().chain(&wrong).copied();
    let range = all().fold(f64::MAX, f64::min)..all().fold(f64::MIN, f64::max) + 1e-6;
    let series = [("true pairs", &right), ("false pairs", &wrong)].map(|(name, values)| Series {
        name: name.to_owned(),
        points: histogram(values.iter().copied(), range.clone(), 40),
    });
    let ends = [(0.0, format!("{:.2}", range.start)), (1.0, format!("{:.2}", range.end))];
    out.push_str(&svg("cosine of pairs, %", ChartType::Area, &series, &ends));
}
