//! Points of a plane as SVG, coloured by their group: several panels beside each other with one list of the groups.

use std::fmt::Write;

use crate::{SVG_MARK, escape};

/// As many as a person tells apart (Tableau's ten).
const COLOURS: [&str; 10] = [
    "#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f",
    "#bcbd22", "#17becf",
];
/// Sides of a panel in pixels, and what stands around its points.
const SIDE: f64 = 260.0;
const ABOVE: f64 = 30.0;
const EDGE: f64 = 10.0;
/// Width of the list of groups.
const LIST: f64 = 130.0;

/// One point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dot {
    /// Where it lies; the panel fits all of its points.
    pub at: (f64, f64),
    /// A place in the list of groups.
    pub group: usize,
    /// A ring instead of a disc, for the other of two kinds.
    pub ring: bool,
}

/// A panel.
#[derive(Clone, Debug, PartialEq)]
pub struct Scatter {
    /// Stands above.
    pub title: String,
    /// What is drawn.
    pub dots: Vec<Dot>,
}

/// Panels beside each other, as a file of their own; `note` stands below the list of groups, a line each.
///
/// ```
/// use tuwen_markup::{Dot, Scatter, scatters};
///
/// let dots = vec![Dot { at: (1.0, 2.0), group: 0, ring: false }];
/// let svg = scatters(&[Scatter { title: "before".into(), dots }], &["cats".into()], &["disc: image"]);
/// assert!(svg.contains("before") && svg.contains("cats") && svg.contains("<circle"));
/// ```
pub fn scatters(panels: &[Scatter], groups: &[String], note: &[&str]) -> String {
    let width = panels.len() as f64 * (SIDE + EDGE) + EDGE + LIST;
    let height = SIDE + ABOVE + EDGE;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         font-family=\"sans-serif\" font-size=\"11\">{SVG_MARK}\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>"
    );
    for (number, panel) in panels.iter().enumerate() {
        let left = EDGE + number as f64 * (SIDE + EDGE);
        draw(&mut out, panel, left);
    }
    let left = EDGE + panels.len() as f64 * (SIDE + EDGE);
    let line = |at: usize| ABOVE + 12.0 + 16.0 * at as f64;
    for (number, name) in groups.iter().enumerate() {
        let (y, colour) = (line(number), colour(number));
        let _ = write!(
            out,
            "<circle cx=\"{:.0}\" cy=\"{:.0}\" r=\"4\" fill=\"{colour}\"/><text x=\"{:.0}\" y=\"{y:.0}\">{}</text>",
            left + 5.0,
            y - 4.0,
            left + 14.0,
            escape(name)
        );
    }
    for (number, text) in note.iter().enumerate() {
        let y = line(groups.len() + 1 + number);
        let _ =
            write!(out, "<text x=\"{left:.0}\" y=\"{y:.0}\" fill=\"#555\">{}</text>", escape(text));
    }
    out.push_str("</svg>\n");
    out
}

fn colour(group: usize) -> &'static str {
    COLOURS[group % COLOURS.len()]
}

fn draw(out: &mut String, panel: &Scatter, left: f64) {
    let _ = write!(
        out,
        "<text x=\"{left:.0}\" y=\"20\" font-weight=\"bold\">{}</text><rect x=\"{left:.0}\" y=\"{ABOVE}\" \
         width=\"{SIDE}\" height=\"{SIDE}\" fill=\"none\" stroke=\"#bbb\"/>",
        escape(&panel.title)
    );
    let range = |of: &dyn Fn(&Dot) -> f64| {
        let values = || panel.dots.iter().map(of).filter(|v| v.is_finite());
        let (low, high) = (values().fold(f64::MAX, f64::min), values().fold(f64::MIN, f64::max));
        (low, if high > low { high - low } else { 1.0 })
    };
    let ((x0, dx), (y0, dy)) = (range(&|dot| dot.at.0), range(&|dot| dot.at.1));
    let inside = SIDE - 2.0 * EDGE;
    for dot in panel.dots.iter().filter(|dot| dot.at.0.is_finite() && dot.at.1.is_finite()) {
        let x = left + EDGE + (dot.at.0 - x0) / dx * inside;
        let y = ABOVE + SIDE - EDGE - (dot.at.1 - y0) / dy * inside;
        let paint = match dot.ring {
            true => format!("fill=\"none\" stroke=\"{}\"", colour(dot.group)),
            false => format!("fill=\"{}\" fill-opacity=\".6\"", colour(dot.group)),
        };
        let _ = write!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2\" {paint}/>");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_lie_where_they_belong_and_one_point_alone_is_no_division_by_zero() {
        let dot = |x: f64, y: f64, ring| Dot { at: (x, y), group: 1, ring };
        let two =
            Scatter { title: "<a>".into(), dots: vec![dot(-1.0, 0.0, false), dot(1.0, 5.0, true)] };
        let svg = scatters(&[two], &["x".into(), "y&z".into()], &[]);
        assert!(svg.contains("&lt;a&gt;") && svg.contains("y&amp;z"));
        assert!(
            svg.contains("cx=\"20.0\" cy=\"280.0\"") && svg.contains("cx=\"260.0\" cy=\"40.0\""),
            "{svg}"
        );
        let one = Scatter {
            title: String::new(),
            dots: vec![dot(3.0, 3.0, false), dot(f64::NAN, 0.0, false)],
        };
        assert!(!scatters(&[one], &[], &[]).contains("NaN"));
    }
}
