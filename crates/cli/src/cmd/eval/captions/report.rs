//! The page of `tuwen eval captions --report`: pictures that nobody chose, each with its caption and what people said.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use tuwen_eval::captions::{Item, cider};
use tuwen_image::rng::Rng;
use tuwen_markup::{escape, page_start};
use tuwen_sets::import::ImageIndex;

use super::clip::picture;
use super::read::Described;
use super::{By, Cut};
use crate::output::OutputFile;
use crate::page;
use crate::words::counted;

/// Pictures on the page.
const SHOWN: usize = 24;

/// Writes the page; `cut` makes the tokens by which each caption's CIDEr-D is told.
pub(super) fn write(
    output: &OutputFile,
    images: &Path,
    set: &[Described],
    cut: Cut,
    by: &[By],
) -> Result<()> {
    let index = ImageIndex::open(images)?;
    let cut_all = |all: &[String]| all.iter().map(|one| cut(one)).collect::<Vec<_>>();
    let tokens: Vec<(Vec<String>, Vec<Vec<String>>)> =
        set.iter().map(|one| (cut(&one.caption), cut_all(&one.references))).collect();
    let items = tokens.iter().map(|(candidate, references)| Item { candidate, references });
    let worth = cider(&items.collect::<Vec<_>>());
    let title = format!("captions of {}", counted(set.len(), "picture"));
    let style =
        format!("{}.right{{color:#1b7a2a}}ul{{margin:.2em 0;padding-left:1.2em}}", page::STYLE);
    let mut out = page_start(&title, &style);
    let _ = writeln!(out, "<h1>{}</h1>", escape(&title));
    for By { tokens, report } in by {
        let [low, high] = report.cider_d.interval;
        let _ = writeln!(
            out,
            "<p>by {tokens}: CIDEr-D {:.4} ({low:.4}-{high:.4}), BLEU-4 {:.4}</p>",
            report.cider_d.value, report.bleu[3].value
        );
    }
    let mut order: Vec<usize> = (0..set.len()).collect();
    // The same pictures for the captions of every program.
    Rng::new(&[30]).shuffle(&mut order);
    order.truncate(SHOWN);
    let _ = writeln!(
        out,
        "<h2>{}, drawn by a fixed seed: the caption, its CIDEr-D, and what people said</h2><div class=\"hits\">",
        counted(order.len(), "picture")
    );
    for at in order {
        let one = &set[at];
        let bytes = picture(&index, images, one)?.read().ok();
        let said: String =
            one.references.iter().map(|text| format!("<li>{}</li>", escape(text))).collect();
        let _ = writeln!(
            out,
            "<figure>{}<figcaption><b>{}</b> <small>{:.2}</small><ul>{said}</ul></figcaption></figure>",
            page::picture(bytes),
            escape(&one.caption),
            worth[at].d
        );
    }
    out.push_str("</div>\n");
    output.write(out.as_bytes())
}
