//! The page of `tuwen eval --report`: numbers, curves, and queries with what they found, these also as
//! PNG. It opens without a network.

mod charts;
mod examples;

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use tuwen_eval::{Captioned, Direction, Ranked, Report};
use tuwen_markup::{escape, page_start};
use tuwen_sets::Sample;
use tuwen_sets::relation::Text;

use self::examples::Pick;
use crate::grid::Painter;
use crate::output::OutputFolder;
use crate::page::STYLE;
use crate::words::counted;

/// What a page shows of one source of captions.
pub(super) struct Shown<'a> {
    pub(super) source: &'a str,
    pub(super) set: Captioned<'a>,
    pub(super) texts: &'a [Text<'a>],
    pub(super) ranked: &'a [Vec<Ranked>; 2],
    pub(super) report: &'a Report,
}

/// The page's name and the files' for each direction.
const DIRECTIONS: [(&str, &str); 2] =
    [("text to image", "text-to-image"), ("image to text", "image-to-text")];

/// Writes `index.html` into `folder`, and the examples as PNG.
pub(super) fn write(
    folder: &mut OutputFolder,
    model: &str,
    samples: &[Sample],
    all: &[Shown<'_>],
    font: Option<&Path>,
) -> Result<()> {
    let mut painter = Painter::new(font)?;
    let title = format!("{model}: {}", counted(samples.len(), "picture"));
    let style = format!(
        "{STYLE}.right img{{outline:4px solid #2a9d3a}}.right{{color:#1b7a2a}}\
         table{{border-collapse:collapse}}td,th{{padding:2px 10px;text-align:right}}ol{{margin:.2em 0}}"
    );
    let mut out = page_start(&title, &style);
    for shown in all {
        let _ = writeln!(out, "<h1>{}</h1>", escape(shown.source));
        table(&mut out, shown.report);
        charts::draw(&mut out, shown);
        for (name, pick) in [("best", Pick::Best), ("worst", Pick::Worst), ("random", Pick::Random)]
        {
            let rows =
                [examples::words(pick, shown, samples), examples::pictures(pick, shown, samples)];
            for (rows, (direction, file)) in rows.iter().zip(DIRECTIONS) {
                let _ = writeln!(out, "<h2>{direction}: {name} queries</h2>");
                rows.iter().for_each(|row| examples::html(&mut out, row));
                let source = shown.source.replace(['/', '\\'], "_");
                let png = painter.png(rows);
                folder.write(&format!("{source}-{file}-{name}.png"), &png)?;
            }
        }
    }
    painter.note_missing();
    folder.write("index.html", out.as_bytes())
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
