//! An explanation as a page that opens without a network: hovering a word lights the parts that it has to do with.

use std::fmt::Write;

use tuwen_explain::render::{Map, colour, range, share, zero};
use tuwen_markup::{escape, page_start};

use super::{Shown, lines, svg};

const STYLE: &str = "body{font:16px/1.5 system-ui,'Noto Sans CJK SC',sans-serif;margin:2em auto;padding:0 1em;\
max-width:1100px;color:#222}h1{font-size:1.2em}figure{margin:0 0 1em;position:relative;display:inline-block}\
figure img{display:block;max-width:100%}figure img+img{position:absolute;inset:0;width:100%;height:100%}\
figure .word{display:none}.scale{height:12px;width:320px;max-width:100%;position:relative}.scale i{position:absolute;\
top:-3px;height:18px;border-left:2px solid #222}.scale i:after{content:'0';position:absolute;left:4px;top:-15px;\
font:12px system-ui}.ends{display:flex;justify-content:\
space-between;width:320px;max-width:100%;font-size:13px;color:#555}.words span{display:inline-block;margin:0 .3em .3em 0;\
padding-bottom:2px;border-bottom:0 solid}table{border-collapse:collapse;font-size:13px}td{width:14px;height:14px;\
padding:0}th{text-align:right;font-weight:400;padding-right:.6em}.note{color:#555;font-size:14px}";

/// Shows a word's own map while the pointer is on it.
const SCRIPT: &str = "document.querySelectorAll('.words span').forEach((word,at)=>{const own=document.getElementById(\
'w'+at);if(!own)return;word.tabIndex=0;const show=on=>{own.style.display=on?'block':'none'};\
word.onmouseenter=word.onfocus=()=>show(true);word.onmouseleave=word.onblur=()=>show(false)})";

/// The file.
pub fn whole(shown: &Shown<'_>) -> String {
    let found = shown.explanation;
    let (picture, _) = svg::overlay(shown, svg::OPAQUE);
    let mut out = page_start(&shown.title(), STYLE);
    let _ = writeln!(out, "<figure><img alt=\"\" src=\"{picture}\">");
    if let Some(pairs) = &found.pairs {
        let parts = found.across * found.across;
        for (at, values) in pairs.chunks_exact(parts.max(1)).enumerate() {
            let map = Map { across: found.across, values, window: shown.window };
            let (own, _) = svg::inside(&map.over(shown.picture, svg::OPAQUE));
            let _ = writeln!(out, "<img class=\"word\" id=\"w{at}\" alt=\"\" src=\"{own}\">");
        }
    }
    out.push_str("</figure>\n");
    let _ = writeln!(out, "<p class=\"note\">{}</p>", escape(&shown.title()));
    legend(&mut out, range(&found.map));
    words(&mut out, shown);
    if let Some(line) = lines::of_words(found) {
        let _ = writeln!(out, "<p class=\"note\">{}</p>", escape(&line));
    }
    if let Some(pairs) = &found.pairs {
        matrix(&mut out, shown, pairs);
    }
    for remark in &found.notes {
        let _ = writeln!(out, "<p class=\"note\">{}</p>", escape(remark));
    }
    let _ = writeln!(out, "<p class=\"note\">{}</p>", escape(&lines::about(shown)));
    if found.pairs.is_some() {
        let _ = writeln!(out, "<script>{SCRIPT}</script>");
    }
    out
}

fn legend(out: &mut String, [low, high]: [f32; 2]) {
    let stops = (0..=16).map(|step| {
        let [r, g, b] = colour(step as f32 / 16.0);
        format!("rgb({r},{g},{b})")
    });
    let stops: Vec<String> = stops.collect();
    let _ = writeln!(
        out,
        "<div class=\"scale\" style=\"background:linear-gradient(90deg,{})\">{}</div><div class=\"ends\"><span>{low:.4}\
         </span><span>{high:.4}</span></div>",
        stops.join(","),
        zero([low, high]).map_or_else(String::new, |at| format!(
            "<i style=\"left:{:.1}%\" title=\"0\"></i>",
            at * 100.0
        ))
    );
}

fn words(out: &mut String, shown: &Shown<'_>) {
    let words = &shown.explanation.words;
    let most = svg::heaviest(words);
    out.push_str("<p class=\"words\">");
    for word in words {
        let colour = if word.weight < 0.0 { svg::AGAINST } else { svg::FOR };
        let _ = write!(
            out,
            "<span title=\"{:+.4}\" style=\"border-color:{colour};border-bottom-width:{:.1}px\">{}</span>",
            word.weight,
            8.0 * word.weight.abs() / most,
            escape(&word.text)
        );
    }
    out.push_str("</p>\n");
}

/// A row for each word, a column for each part, line by line of the picture.
fn matrix(out: &mut String, shown: &Shown<'_>, pairs: &[f32]) {
    let found = shown.explanation;
    let parts = found.across * found.across;
    let ends = range(pairs);
    let _ = writeln!(
        out,
        "<p class=\"note\">Each word with each part, line by line, from {:.4} to {:.4}:</p><div \
         style=\"overflow-x:auto\"><table>",
        ends[0], ends[1]
    );
    for (word, values) in found.words.iter().zip(pairs.chunks_exact(parts.max(1))) {
        let _ = write!(out, "<tr><th>{}</th>", escape(&word.text));
        for value in values {
            let [r, g, b] = colour(share(*value, ends));
            let _ = write!(
                out,
                "<td style=\"background:#{r:02x}{g:02x}{b:02x}\" title=\"{value:.4}\">"
            );
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</table></div>\n");
}
