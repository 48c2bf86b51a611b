//! Loss and recall curves of a run as one SVG.

use serde_json::Value;
use tuwen_markup::{Chart, ChartType, Layout, Series, stacked};

/// Draws the log of a run: the loss above, text-to-image R@1/5/10 below.
pub(crate) fn svg(log: &[Value]) -> String {
    let steps = log.last().and_then(|line| line["step"].as_f64()).unwrap_or(1.0).max(1.0);
    let (loss, recalls) = ([loss_curve(log)], recalls(log));
    stacked(&[
        chart("loss (smoothed)", &loss, steps),
        chart("text-to-image recall on the validation set, %", &recalls, steps),
    ])
}

fn loss_curve(log: &[Value]) -> Series {
    let mut smooth = None;
    let points = log.iter().filter_map(|line| {
        let loss = line["loss"].as_f64()?;
        let value = smooth.map_or(loss, |old: f64| 0.95 * old + 0.05 * loss);
        smooth = Some(value);
        Some((line["step"].as_f64()?, value))
    });
    Series { name: "loss".into(), points: points.collect() }
}

fn recalls(log: &[Value]) -> Vec<Series> {
    let mut curves: Vec<Series> = Vec::new();
    for line in log {
        for (source, report) in line["valid"].as_object().into_iter().flatten() {
            for (index, cutoff) in [1, 5, 10].iter().enumerate() {
                let name = format!("{source} R@{cutoff}");
                let value = report["text_to_image"]["recall"][index].as_f64();
                let Some(point) = line["step"].as_f64().zip(value) else { continue };
                match curves.iter_mut().find(|known| known.name == name) {
                    Some(known) => known.points.push(point),
                    None => curves.push(Series { name, points: vec![point] }),
                }
            }
        }
    }
    curves
}

fn chart<'a>(title: &'a str, series: &'a [Series], steps: f64) -> Chart<'a> {
    let values = || series.iter().flat_map(|series| &series.points).map(|(_, value)| *value);
    let low = values().fold(f64::INFINITY, f64::min).min(0.0);
    let high = values().fold(f64::NEG_INFINITY, f64::max).max(low + 1e-6);
    let quarters = || (0..=4).map(|part| f64::from(part) / 4.0);
    let x_label = |share: f64| (steps * share, format!("{:.0}", steps * share));
    let y_label = |share: f64| {
        let value = low + (high - low) * share;
        (value, format!("{value:.1}"))
    };
    Chart {
        title,
        chart_type: ChartType::Line,
        layout: Layout::Wide,
        series,
        x: 0.0..steps,
        y: low..high,
        x_labels: quarters().map(x_label).collect(),
        y_labels: quarters().map(y_label).collect(),
    }
}
