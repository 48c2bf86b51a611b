//! Charts as SVG: lines or filled areas over one x axis, small ones for pages and wide ones for long curves.

use std::fmt::Write;
use std::ops::Range;

use crate::{SVG_MARK, escape};

const COLOURS: [&str; 6] = ["#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf"];

/// One series of a chart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// Shown in its colour.
    pub name: String,
    /// (x, y).
    pub points: Vec<(f64, f64)>,
}

/// How the values are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChartType {
    /// A line through the points.
    Line,
    /// A filled area down to the bottom: for distributions.
    Area,
}

/// How large a chart is, and where its parts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// 340 x 220, with the names of two series above.
    Small,
    /// 720 x 260, with grid lines, and the names of many series at the right.
    Wide,
}

/// A chart, whose axes and labels are given in the units of the points.
///
/// ```
/// use tuwen_markup::{Chart, ChartType, Layout, Series};
///
/// let series = [Series { name: "loss".into(), points: vec![(0.0, 3.5), (100.0, 2.1)] }];
/// let chart = Chart {
///     title: "loss by step",
///     chart_type: ChartType::Line,
///     layout: Layout::Small,
///     series: &series,
///     x: 0.0..100.0,
///     y: 0.0..3.5,
///     x_labels: vec![(0.0, "0".into()), (100.0, "100".into())],
///     y_labels: vec![(3.5, "3.5".into())],
/// };
/// assert!(chart.to_svg().starts_with("<svg"));
/// ```
#[derive(Clone, Debug)]
pub struct Chart<'a> {
    /// Stands above.
    pub title: &'a str,
    /// How the values are drawn.
    pub chart_type: ChartType,
    /// Its size.
    pub layout: Layout,
    /// What is drawn.
    pub series: &'a [Series],
    /// From the left end of the x axis to the right.
    pub x: Range<f64>,
    /// From the bottom to the top.
    pub y: Range<f64>,
    /// Labels below the x axis.
    pub x_labels: Vec<(f64, String)>,
    /// Labels at the left.
    pub y_labels: Vec<(f64, String)>,
}

/// Places in pixels.
struct Geometry {
    width: f64,
    height: f64,
    /// The plot's sides.
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Layout {
    fn geometry(self) -> Geometry {
        match self {
            Self::Small => Geometry {
                width: 340.0,
                height: 220.0,
                left: 38.0,
                right: 330.0,
                top: 52.0,
                bottom: 192.0,
            },
            Self::Wide => Geometry {
                width: 720.0,
                height: 260.0,
                left: 50.0,
                right: 610.0,
                top: 37.0,
                bottom: 227.0,
            },
        }
    }
}

impl Chart<'_> {
    /// A whole SVG that can stand inside a page or be a file.
    pub fn to_svg(&self) -> String {
        let Geometry { width, height, .. } = self.layout.geometry();
        let mut out = start(width, height, &format!(" width=\"{width}\""));
        out.push_str(SVG_MARK);
        self.draw(&mut out);
        out.push_str("</svg>");
        out
    }

    fn place(&self, x: f64, y: f64) -> (f64, f64) {
        let at = self.layout.geometry();
        let share = |value: f64, axis: &Range<f64>| (value - axis.start) / (axis.end - axis.start);
        (
            at.left + share(x, &self.x) * (at.right - at.left),
            at.bottom - share(y, &self.y) * (at.bottom - at.top),
        )
    }

    fn draw(&self, out: &mut String) {
        let Geometry { left, .. } = self.layout.geometry();
        let (y, font) = match self.layout {
            Layout::Small => (13, "font-weight=\"bold\""),
            Layout::Wide => (20, "font-size=\"13\""),
        };
        let _ = write!(out, "<text x=\"{left}\" y=\"{y}\" {font}>{}</text>", escape(self.title));
        self.draw_axes(out);
        for (number, series) in self.series.iter().enumerate() {
            self.draw_series(out, number, series);
        }
    }

    fn draw_axes(&self, out: &mut String) {
        let Geometry { left, right, top, bottom, .. } = self.layout.geometry();
        if self.layout == Layout::Small {
            let _ = write!(
                out,
                "<path d=\"M{left} {top}V{bottom}H{right}\" fill=\"none\" stroke=\"#999\"/>"
            );
        }
        for (value, label) in &self.y_labels {
            let (_, y) = self.place(self.x.start, *value);
            if self.layout == Layout::Wide {
                let _ = write!(
                    out,
                    "<path d=\"M{left} {y:.1}H{right}\" fill=\"none\" stroke=\"#ddd\"/>"
                );
            }
            let _ = write!(
                out,
                "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                left - 5.0,
                y + 4.0,
                escape(label)
            );
        }
        for (value, label) in &self.x_labels {
            let (x, _) = self.place(*value, self.y.start);
            // A small chart has no room at its right for half a label.
            let ends = self.layout == Layout::Small && *value >= self.x.end;
            let anchor = if ends { "end" } else { "middle" };
            let _ = write!(
                out,
                "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>",
                bottom + 16.0,
                escape(label)
            );
        }
    }

    fn draw_series(&self, out: &mut String, number: usize, series: &Series) {
        let Geometry { right, bottom, .. } = self.layout.geometry();
        let colour = COLOURS[number % COLOURS.len()];
        let places: Vec<(f64, f64)> =
            series.points.iter().map(|&(x, y)| self.place(x, y)).collect();
        let line: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
        let line = line.join("L");
        if let (ChartType::Area, Some((from, _)), Some((to, _))) =
            (self.chart_type, places.first(), places.last())
        {
            let _ = write!(
                out,
                "<path d=\"M{from:.1} {bottom}L{line}L{to:.1} {bottom}Z\" fill=\"{colour}\" \
                 fill-opacity=\".35\"/>"
            );
        }
        if !places.is_empty() {
            let _ = write!(
                out,
                "<path d=\"M{line}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>"
            );
        }
        let (x, y, anchor) = match self.layout {
            Layout::Small => (right, 26.0 + 13.0 * number as f64, "end"),
            Layout::Wide => (right + 8.0, 40.0 + 15.0 * number as f64, "start"),
        };
        let _ = write!(
            out,
            "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\" fill=\"{colour}\">{}</text>",
            escape(&series.name)
        );
    }
}

/// Charts of one layout, one below the other, on a white ground.
pub fn stacked(charts: &[Chart<'_>]) -> String {
    let Some(first) = charts.first() else { return start(0.0, 0.0, "") + "</svg>\n" };
    let Geometry { width, height, .. } = first.layout.geometry();
    let mut out = start(width, height * charts.len() as f64, "");
    out.push_str("<rect width=\"100%\" height=\"100%\" fill=\"white\"/>");
    for (number, chart) in charts.iter().enumerate() {
        let _ = write!(out, "<g transform=\"translate(0 {})\">", number as f64 * height);
        chart.draw(&mut out);
        out.push_str("</g>");
    }
    out.push_str("</svg>\n");
    out
}

fn start(width: f64, height: f64, attributes: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\"{attributes} \
         font-family=\"sans-serif\" font-size=\"11\">"
    )
}

/// Shares of values in equal bins of a range, in percent, as points of a [`Series`] whose x axis is from 0 to 1.
/// Values outside count in the bins at its ends.
///
/// ```
/// let found = tuwen_markup::histogram([0.1, 0.2, 0.9, 7.0].into_iter(), 0.0..1.0, 2);
/// assert_eq!(found, [(0.25, 50.0), (0.75, 50.0)]);
/// ```
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
    fn a_chart_holds_its_names_and_its_points_at_their_places() {
        let series = [Series { name: "<b>&".into(), points: vec![(0.0, 1.0), (1.0, 2.0)] }];
        let chart = |layout| Chart {
            title: "title",
            chart_type: ChartType::Area,
            layout,
            series: &series,
            x: 0.0..1.0,
            y: 0.0..2.0,
            x_labels: vec![(0.0, "0".into())],
            y_labels: Vec::new(),
        };
        let svg = chart(Layout::Small).to_svg();
        assert!(svg.contains("title") && svg.contains("&lt;b&gt;&amp;") && svg.ends_with("</svg>"));
        assert!(
            svg.contains("M38.0 122.0L330.0 52.0\""),
            "half way up, then the upper right: {svg}"
        );
        let two = stacked(&[chart(Layout::Wide), chart(Layout::Wide)]);
        assert!(two.contains("0 0 720 520") && two.contains("translate(0 260)"), "{two}");
    }
}
