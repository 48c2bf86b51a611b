//! What a run leaves for people: curves, and a page with before and after.

use std::fmt::Write;

use serde_json::Value;
use tuwen_data::import;
use tuwen_encode::{CpuEncoder, ModelConfig};

use crate::checkpoint::RunFolder;
use crate::validate::{Reports, recalls};
use crate::{Error, Result, TrainConfig, plot, tensorboard};

/// Writes `curves.svg` and TensorBoard's events; of a complete run `report.html`, too, with the start and
/// the best model beside each other.
pub(crate) fn write(
    folder: &RunFolder,
    config: &TrainConfig,
    model: &ModelConfig,
    complete: bool,
) -> Result<()> {
    let log = folder.read_log()?;
    let curves = plot::svg(&log);
    put(folder, "curves.svg", curves.as_bytes())?;
    put(folder, "events.out.tfevents.0.tuwen", &tensorboard::events(&log))?;
    if complete {
        let table = before_and_after(folder, config, &log)?;
        put(folder, "report.html", page(config, model, &log, &curves, &table).as_bytes())?;
    }
    Ok(())
}

fn put(folder: &RunFolder, name: &str, bytes: &[u8]) -> Result<()> {
    let path = folder.file(name);
    std::fs::write(&path, bytes).map_err(|e| Error::io(&path, e))
}

/// A row: the set, the source, and both directions before and after.
type Row = (String, [[[f64; 3]; 2]; 2]);

fn before_and_after(folder: &RunFolder, config: &TrainConfig, log: &[Value]) -> Result<Vec<Row>> {
    let before = |set: &str| -> Reports {
        let first = log.iter().find(|line| line["step"] == 0);
        let found = first.and_then(|line| serde_json::from_value(line[set].clone()).ok());
        found.unwrap_or_default()
    };
    let best = CpuEncoder::open(&folder.file(""))?;
    let mut rows = Vec::new();
    let sets = [
        ("valid", "the validation set", Some(&config.valid)),
        ("other", "the other set", config.other.as_ref()),
    ];
    for (key, name, set) in sets {
        let Some(set) = set else { continue };
        let (before, after) = (before(key), recalls(&best, &import::read(set)?)?);
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
    log: &[Value],
    curves: &str,
    table: &[Row],
) -> String {
    let title = format!("{}, {}", model.name, config.out.display());
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;");
    let mut out = format!(
        "<!doctype html><html lang=\"zh\"><meta charset=\"utf-8\"><title>{0}</title><style>body{{font:15px/1.5 \
         system-ui,'Noto Sans CJK SC',sans-serif;max-width:900px;margin:2em auto}}td,th{{padding:2px 12px;\
         text-align:right}}th:first-child{{text-align:left}}</style><h1>{0}</h1>\n<h2>Before and after</h2>\n<table>\
         <tr><th></th><th colspan=\"2\">text to image R@1/5/10</th><th colspan=\"2\">image to text R@1/5/10</th></tr>\
         <tr><th></th><th>start</th><th>best</th><th>start</th><th>best</th></tr>\n",
        escape(&title)
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
    let seconds: f64 = log
        .iter()
        .filter_map(|line| line["images_per_s"].as_f64())
        .map(|speed| config.batch as f64 / speed)
        .sum();
    let steps = log.last().map_or(0, |line| line["step"].as_u64().unwrap_or(0));
    let resolved = toml::to_string(config).unwrap_or_default();
    let _ = write!(
        out,
        "</table>\n<p>{steps} steps of {} pictures, {:.1} minutes of training.</p>\n<h2>Curves</h2>\n{curves}\n\
         <h2>Configuration</h2>\n<pre>{}</pre></html>\n",
        config.batch,
        seconds / 60.0,
        escape(&resolved)
    );
    out
}
