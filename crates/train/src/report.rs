//! What a run leaves for people: curves, and a page with before and after.

use std::fmt::Write;

use tuwen_encode::{CpuEncoder, ModelConfig};
use tuwen_markup::{escape, page_start};

use crate::checkpoint::RunFolder;
use crate::history::History;
use crate::sets::read_measured;
use crate::stop::{Stop, go_on};
use crate::validate::recalls;
use crate::{Result, TrainConfig, plot, tensorboard};

/// The page of a complete run.
pub(crate) const PAGE: &str = "report.html";

const STYLE: &str = "body{font:15px/1.5 system-ui,'Noto Sans CJK SC',sans-serif;max-width:900px;margin:2em auto}\
td,th{padding:2px 12px;text-align:right}th:first-child{text-align:left}";

/// Writes `curves.svg` and TensorBoard's events.
pub(crate) fn curves(folder: &RunFolder) -> Result<()> {
    drawn(folder).map(|_| ())
}

/// The log, and its curves, which were written.
fn drawn(folder: &RunFolder) -> Result<(History, String)> {
    let history = History::read(&folder.file(""))?;
    let curves = plot::svg(&history.log);
    folder.put("curves.svg", curves.as_bytes())?;
    folder.put("events.out.tfevents.0.tuwen", &tensorboard::events(&history.log))?;
    Ok((history, curves))
}

/// Writes `report.html` beside the curves: the start and the best model of a complete run.
pub(crate) fn write(
    folder: &RunFolder,
    config: &TrainConfig,
    model: &ModelConfig,
    stop: &Stop<'_>,
) -> Result<()> {
    let (history, curves) = drawn(folder)?;
    let table = before_and_after(folder, config, &history, stop)?;
    folder.put(PAGE, page(config, model, &history, &curves, &table).as_bytes())
}

/// A row: the set, the source, and both directions before and after.
type Row = (String, [[[f64; 3]; 2]; 2]);

fn before_and_after(
    folder: &RunFolder,
    config: &TrainConfig,
    history: &History,
    stop: &Stop<'_>,
) -> Result<Vec<Row>> {
    let best = CpuEncoder::open(&folder.file(""))?;
    let mut rows = Vec::new();
    let sets = [
        ("valid", "the validation set", Some(&config.valid)),
        ("other", "the other set", config.other.as_ref()),
    ];
    for (key, name, set) in sets {
        let Some(set) = set else { continue };
        go_on(stop)?;
        let before = history.start(key);
        let after = recalls(&best, &read_measured(set)?, &|_| go_on(stop))?;
        for (source, after) in &after {
            let Some(before) = before.get(source) else { continue };
            let both = [before, after].map(|r| [r.text_to_image.recall, r.image_to_text.recall]);
            rows.push((format!("{name}: {source}"), both));
        }
    }
    Ok(rows)
}

fn page(
    config: &TrainConfig,
    model: &ModelConfig,
    history: &History,
    curves: &str,
    table: &[Row],
) -> String {
    let title = format!("{}, {}", model.name, config.out.display());
    let mut out = page_start(&title, STYLE);
    out.push_str(
        "<h2>Before and after</h2>\n<table>\
         <tr><th></th><th colspan=\"2\">text to image R@1/5/10</th><th colspan=\"2\">image to text R@1/5/10</th></tr>\
         <tr><th></th><th>start</th><th>best</th><th>start</th><th>best</th></tr>\n",
    );
    let three = |recall: [f64; 3]| recall.map(|value| format!("{value:.1}")).join("/");
    for (name, [before, after]) in table {
        let _ = writeln!(
            out,
            "<tr><th>{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(name),
            three(before[0]),
            three(after[0]),
            three(before[1]),
            three(after[1])
        );
    }
    let (steps, minutes) = (history.steps(), history.minutes());
    let best = history.best().map_or(0, |line| line["step"].as_u64().unwrap_or(0));
    let resolved = toml::to_string(config).unwrap_or_default();
    let _ = write!(
        out,
        "</table>\n<p>{steps} steps of {} pictures, {minutes:.1} minutes of training; the best model is that of step \
         {best}.</p>\n<h2>Curves</h2>\n{curves}\n\
         <h2>Configuration</h2>\n<pre>{}</pre></html>\n",
        config.batch,
        escape(&resolved)
    );
    out
}
