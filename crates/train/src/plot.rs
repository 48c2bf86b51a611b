//! Loss and recall curves of a run as one SVG.

use std::fmt::Write;

use serde_json::Value;

use crate::markup::escaped;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 260.0;
const MARGIN: f64 = 50.0;
const COLOURS: [&str; 6] = ["#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf"];

/// A named curve of (step, value).
type Curve = (String, Vec<(f64, f64)>);

/// Draws the log of a run: the loss above, text-to-image R@1/5/10 below.
pub(crate) fn svg(log: &[Value]) -> String {
    let steps = log.last().and_then(|line| line["step"].as_f64()).unwrap_or(1.0).max(1.0);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {}\" \
         font-family=\"sans-serif\" font-size=\"11\"><rect width=\"100%\" height=\"100%\" \
         fill=\"white\"/>",
        2.0 * HEIGHT
    );
    panel(&mut out, 0.0, "loss (smoothed)", &[loss_curve(log)], steps);
    panel(&mut out, HEIGHT, "text-to-image recall on the validation set, %", &recalls(log), steps);
    out.push_str("</svg>\n");
    out
}

fn loss_curve(log: &[Value]) -> Curve {
    let mut smooth = None;
    let points = log.iter().filter_map(|line| {
        let loss = line["loss"].as_f64()?;
        let value = smooth.map_or(loss, |old: f64| 0.95 * old + 0.05 * loss);
        smooth = Some(value);
        Some((line["step"].as_f64()?, value))
    });
    ("loss".into(), points.collect())
}

fn recalls(log: &[Value]) -> Vec<Curve> {
    let mut curves: Vec<Curve> = Vec::new();
    for line in log {
        for (source, report) in line["valid"].as_object().into_iter().flatten() {
            for (index, cutoff) in [1, 5, 10].iter().enumerate() {
                let name = format!("{source} R@{cutoff}");
                let value = report["text_to_image"]["recall"][index].as_f64();
                let Some(point) = line["step"].as_f64().zip(value) else { continue };
                match curves.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, points)) => points.push(point),
                    None => curves.push((name, vec![point])),
                }
            }
        }
    }
    curves
}

fn panel(out: &mut String, top: f64, title: &str, curves: &[Curve], steps: f64) {
    let values = || curves.iter().flat_map(|(_, points)| points).map(|(_, value)| *value);
    let low = values().fold(f64::INFINITY, f64::min).min(0.0);
    let high = values().fold(f64::NEG_INFINITY, f64::max).max(low + 1e-6);
    let x = |step: f64| MARGIN + (WIDTH - 3.2 * MARGIN) * step / steps;
    let y = |value: f64| {
        top + HEIGHT - MARGIN / 1.5 - (HEIGHT - 1.4 * MARGIN) * (value - low) / (high - low)
    };
    let _ =
        write!(out, "<text x=\"{MARGIN}\" y=\"{}\" font-size=\"13\">{title}</text>", top + 20.0);
    for part in 0..=4 {
        let share = f64::from(part) / 4.0;
        let value = low + (high - low) * share;
        let _ = write!(
            out,
            "<line x1=\"{MARGIN}\" x2=\"{:.1}\" y1=\"{1:.1}\" y2=\"{1:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{2:.1}\" y=\"{3:.1}\" text-anchor=\"end\">{value:.1}</text>\
             <text x=\"{4:.1}\" y=\"{5:.1}\" text-anchor=\"middle\">{6:.0}</text>",
            x(steps),
            y(value),
            MARGIN - 6.0,
            y(value) + 4.0,
            x(steps * share),
            top + HEIGHT - 12.0,
            steps * share,
        );
    }
    for (index, (name, points)) in curves.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let path: Vec<String> =
            points.iter().map(|&(step, value)| format!("{:.1},{:.1}", x(step), y(value))).collect();
        let _ = write!(
            out,
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\" points=\"{}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" fill=\"{colour}\">{}</text>",
            path.join(" "),
            x(steps) + 8.0,
            top + 40.0 + 15.0 * index as f64,
            escaped(name),
        );
    }
}
