//! The small charts of a page: x from 0 to 1, y from 0 up.

use tuwen_markup::{Chart, ChartType, Layout, Series};

/// A chart with labels at places of the x axis, 0 to 1.
pub fn svg(
    title: &str,
    chart_type: ChartType,
    series: &[Series],
    labels: &[(f64, String)],
) -> String {
    let highest = series.iter().flat_map(|s| &s.points).map(|p| p.1).fold(1e-9, f64::max);
    let shown = if highest >= 10.0 { format!("{highest:.0}") } else { format!("{highest:.2}") };
    Chart {
        title,
        chart_type,
        layout: Layout::Small,
        series,
        x: 0.0..1.0,
        y: 0.0..highest,
        x_labels: labels.to_vec(),
        y_labels: vec![(0.0, "0".into()), (highest, shown)],
    }
    .to_svg()
}
