//! The findings for people, for programs, as a page, and the cleaned manifest.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use serde_json::json;
use tuwen_markup::{escape, page_start};
use tuwen_sets::Sample;
use tuwen_sets::doctor::{Doctor, Finding, Severity};

use super::Examined;
use crate::output::OutputFile;
use crate::page::{STYLE, picture};
use crate::terminal::{note, say};
use crate::words::counted;

/// Examples that are printed of each finding.
const SHOWN: usize = 3;

fn name(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "note",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

fn words(finding: &Finding, at: usize) -> String {
    let example = &finding.examples[at];
    let ids = example.ids.join(", ");
    match (ids.is_empty(), example.text.is_empty()) {
        (true, _) => example.text.clone(),
        (_, true) => ids,
        _ => format!("{ids}: {}", example.text),
    }
}

pub(super) fn print(examined: &Examined) {
    for finding in &examined.findings {
        say!("{:7} {:6}  {}", name(finding.severity), finding.count, finding.what);
        for at in 0..finding.examples.len().min(SHOWN) {
            say!("                  {}", words(finding, at));
        }
    }
    if let Some(pairing) = &examined.pairing {
        say!("pairing         {pairing}");
    }
    let errors = examined.findings.iter().filter(|f| f.severity == Severity::Error).count();
    say!(
        "{}, {} of findings, {errors} of them errors",
        counted(examined.records, "record"),
        counted(examined.findings.len(), "kind")
    );
}

pub(super) fn json(examined: &Examined) -> Result<String> {
    let all = json!({
        "records": examined.records, "findings": examined.findings, "pairing": examined.pairing,
    });
    Ok(serde_json::to_string(&all)?)
}

/// A page that opens without a network.
pub(super) fn html(input: &Path, examined: &Examined) -> String {
    let title = format!("{}: {}", input.display(), counted(examined.records, "record"));
    let style = format!("{STYLE}.error{{color:#b00020}}.warning{{color:#a65f00}}");
    let mut out = page_start(&title, &style);
    if let Some(pairing) = &examined.pairing {
        let _ = writeln!(out, "<p>{}</p>", escape(&pairing.to_string()));
    }
    if examined.findings.is_empty() {
        out.push_str("<p>Nothing was found.</p>");
    }
    for finding in &examined.findings {
        let severity = name(finding.severity);
        let _ = writeln!(
            out,
            "<h2><span class=\"{severity}\">{severity}</span> {} &times; {}</h2><div class=\"hits\">",
            finding.count,
            escape(&finding.what)
        );
        for (at, example) in finding.examples.iter().enumerate() {
            let pictures: String = example
                .ids
                .iter()
                .filter_map(|id| examined.pictures.get(id))
                .map(|source| picture(source.read().ok()))
                .collect();
            let words = escape(&words(finding, at));
            let _ = writeln!(out, "<figure>{pictures}<figcaption>{words}</figcaption></figure>");
        }
        out.push_str("</div>\n");
    }
    out
}

/// Records and captions that are worth learning from, as JSON lines.
pub(super) fn fix(file: &OutputFile, samples: &[Sample], doctor: &Doctor) -> Result<()> {
    let mut out = String::new();
    let mut kept = 0;
    for (_, sample) in samples.iter().enumerate().filter(|(at, _)| doctor.keeps(*at)) {
        let captions = sample.captions.iter().map(|caption| caption.text.trim());
        let captions: Vec<&str> =
            captions.filter(|text| Doctor::keeps_caption(text, &sample.id)).collect();
        // An id names its picture wherever the original's captions did.
        let mut line = json!({ "id": sample.id, "image": sample.id, "captions": captions });
        if let Some(split) = &sample.split {
            line["split"] = json!(split);
        }
        let _ = writeln!(out, "{line}");
        kept += 1;
    }
    file.write(out.as_bytes())?;
    note!("{}: {kept} of {}", file.path().display(), counted(samples.len(), "record"));
    Ok(())
}
