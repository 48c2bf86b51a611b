//! Small charts as SVG, to stand inside a page.

use std::fmt::Write;
use std::ops::Range;

use crate::output::mark::SVG;
use crate::page::escape;

const WIDTH: f64 = 340.0;
const HEIGHT: f64 = 220.0;
/// Where the plot begins, below title and legend.
const TOP: f64 = 48.0;
const LEFT: f64 = 38.0;
const BOTTOM: f64 = 28.0;
const COLOURS: [&str; 2] = ["#1f77b4", "#d62728"];

/// One series of a chart: its name, and its values by their places on the x axis, 0 to 1.
pub struct Series {
    /// Shown in its colour.
    pub name: String,
    /// (x from 0 to 1, y).
    pub points: Vec<(f64, f64)>,
}

/// How the values are drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum ChartType {
    /// A line through the points.
    Line,
    /// A filled area down to zero: for distributions.
    Area,
}

/// A chart with labels at the ends of the x axis.
pub fn svg(title: &str, chart: ChartType, series: &[Series], labels: &[(f64, String)]) -> String {
    let highest = series.iter().flat_map(|s| &s.points).map(|p| p.1).fold(1e-9, f64::max);
    let place = |(x, y): (f64, f64)| {
        let across = LEFT + x * (WIDTH - LEFT - 10.0);
        (across, HEIGHT - BOTTOM - y / highest * (HEIGHT - BOTTOM - TOP - 4.0))
    };
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" \
         font-family=\"sans-serif\" font-size=\"11\">{SVG}<text x=\"{LEFT}\" y=\"13\" font-weight=\"bold\">{}</text>",
        escape(title)
    );
    let (base, right) = (HEIGHT - BOTTOM, WIDTH - 10.0);
    let _ = write!(
        out,
        "<path d=\"M{LEFT} {TOP}V{base}H{right}\" fill=\"none\" stroke=\"#999\"/>\
         <text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text><text x=\"{}\" y=\"{base}\" text-anchor=\"end\">0</text>",
        LEFT - 4.0,
        TOP + 8.0,
        shown(highest),
        LEFT - 4.0
    );
    for (x, label) in labels {
        let (across, _) = place((*x, 0.0));
        let anchor = if *x < 1.0 { "middle" } else { "end" };
        let _ = write!(
            out,
            "<text x=\"{across:.1}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>",
            base + 15.0,
            escape(label)
        );
    }
    for (number, one) in series.iter().enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        let line: Vec<String> = one
            .points
            .iter()
            .map(|&point| place(point))
            .map(|(x, y)| format!("{x:.1} {y:.1}"))
            .collect();
        if let (ChartType::Area, Some(first), Some(last)) =
            (chart, one.points.first(), one.points.last())
        {
            let (from, to) = (place((first.0, 0.0)).0, place((last.0, 0.0)).0);
            let _ = write!(
                out,
                "<path d=\"M{from:.1} {base}L{}L{to:.1} {base}Z\" fill=\"{colour}\" fill-opacity=\".35\"/>",
                line.join("L")
            );
        }
        let _ = write!(
            out,
            "<path d=\"M{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>\
             <text x=\"{}\" y=\"{}\" text-anchor=\"end\" fill=\"{colour}\">{}</text>",
            line.join("L"),
            right,
            26.0 + 13.0 * number as f64,
            escape(&one.name)
        );
    }
    out.push_str("</svg>");
    out
}

fn shown(value: f64) -> String {
    if value >= 10.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

/// Shares of values in equal bins of a range, in percent, as points of a [`Series`]. Values outside count in
/// the bins at its ends.
pub fn histogram(
    values: impl Iterator<Item = f64>,
    range: Range<f64>,
    bins: usize,
) -> Vec<(f64, f64)> {
    let mut counts = vec![0usize; bins];
    for value in values {
        let at = (value - range.start) / (range.end - range.start) * bins as f64;
        counts[(at.max(0.0) as usize).min(bins - 1)] += 1;
    }
    let total = counts.iter().sum::<usize>().max(1) as f64;
    let place = |at: usize| (at as f64 + 0.5) / bins as f64;
    counts
        .iter()
        .enumerate()
        .map(|(at, &count)| (place(at), 100.0 * count as f64 / total))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_and_keeps_what_lies_outside() {
        let found = histogram([-1.0, 0.1, 0.2, 0.9, 7.0].into_iter(), 0.0..1.0, 2);
        assert_eq!(found, [(0.25, 60.0), (0.75, 40.0)]);
    }

    #[test]
    fn a_chart_holds_its_names() {
        let series = [Series { name: "<b>&".into(), points: vec![(0.0, 1.0), (1.0, 2.0)] }];
        let svg = svg("title", ChartType::Area, &series, &[(0.0, "0".into())]);
        assert!(svg.contains("title") && svg.contains("&lt;b&gt;&amp;") && svg.ends_with("</svg>"));
    }
}
