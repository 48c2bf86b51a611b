//! The page: the map with small pictures, both sides, topics, what stands alone, captions that hardly fit.

use std::collections::HashMap;
use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rayon::prelude::*;
use tuwen_image::{Limits, decode, encode_jpeg, read_file, shrink};
use tuwen_index::Item;
use tuwen_markup::{Dot, Scatter, escape, page_start, scatters};

use super::{LISTED, Seen, file_of, topic_of};
use crate::page::STYLE;
use crate::terminal::safe;

/// Pixels of the map's side, and of a place on it that has room for one small picture.
const SIDE: f32 = 1040.0;
const PLACE: f32 = 40.0;
/// Pictures of a topic that are shown.
const SHOWN: usize = 8;
/// Tableau's ten colours, and again.
const COLOURS: [&str; 10] = [
    "#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f",
    "#bcbd22", "#17becf",
];
const OWN: &str = "svg.map{width:100%;height:auto;background:#fafafa;border-radius:6px}\
svg.map image{outline-offset:-2px}.topic b{display:inline-block;width:.8em;height:.8em;border-radius:50%}\
.row img{width:84px;height:84px}.row figure{width:84px}";

/// The whole page.
pub(super) fn whole(seen: &Seen) -> String {
    let mut out = page_start("A gallery as a whole · 图库全貌", &format!("{STYLE}{OWN}"));
    let pictures = seen.pictures.items.len();
    let _ = writeln!(
        out,
        "<h2>Pictures by likeness · 按相似度排列的图片 ({pictures})</h2><p>Near means alike; how far groups are apart means nothing. \
         远近只表示相似，组与组之间的距离没有意义。</p>"
    );
    map(&mut out, seen);
    topics(&mut out, seen);
    sides(&mut out, seen);
    alone(&mut out, seen);
    doubted(&mut out, seen);
    out
}

/// The places that have a small picture: of each square of the map the one nearest to its middle.
fn shown(at: &[[f32; 2]]) -> Vec<usize> {
    let mut best: HashMap<[i32; 2], (f32, usize)> = HashMap::new();
    for (picture, [x, y]) in at.iter().enumerate() {
        let square = [x, y].map(|value| (value / PLACE) as i32);
        let off = |value: &f32| (value % PLACE - PLACE / 2.0).abs();
        let far = off(x).max(off(y));
        let held = best.entry(square).or_insert((far, picture));
        if far < held.0 {
            *held = (far, picture);
        }
    }
    let mut found: Vec<usize> = best.into_values().map(|(_, picture)| picture).collect();
    found.sort_unstable();
    found
}

/// Places in pixels.
fn scaled(places: &[[f32; 2]]) -> Vec<[f32; 2]> {
    let ends = |axis: usize| {
        let values = || places.iter().map(|place| place[axis]);
        (values().fold(f32::INFINITY, f32::min), values().fold(f32::NEG_INFINITY, f32::max))
    };
    let ((left, right), (low, high)) = (ends(0), ends(1));
    let scale = (SIDE - PLACE) / (right - left).max(high - low).max(1e-6);
    let at = |value: f32, low: f32, high: f32| SIDE / 2.0 + (value - (low + high) / 2.0) * scale;
    places.iter().map(|&[x, y]| [at(x, left, right), SIDE - at(y, low, high)]).collect()
}

fn map(out: &mut String, seen: &Seen) {
    let (at, topics) = (scaled(&seen.places), topic_of(seen));
    let _ = write!(
        out,
        "<svg class=\"map\" viewBox=\"0 0 {SIDE} {SIDE}\" role=\"img\" aria-label=\"map\">"
    );
    let shown = shown(&at);
    for (picture, [x, y]) in at.iter().enumerate() {
        let name = escape(&safe(&file_of(&seen.pictures.items[picture]).last()));
        let colour = COLOURS[topics[picture] % COLOURS.len()];
        let _ = write!(
            out,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{colour}\"><title>{name}</title></circle>"
        );
    }
    let small =
        |&picture: &usize| (picture, small(&seen.pictures.items[picture], PLACE as u32 * 2));
    for (picture, data) in shown.par_iter().map(small).collect::<Vec<_>>() {
        let (Some(data), [x, y]) = (data, at[picture]) else { continue };
        let file = file_of(&seen.pictures.items[picture]);
        let half = PLACE / 2.0 - 2.0;
        let _ = write!(
            out,
            "<a href=\"{}\"><rect x=\"{:.1}\" y=\"{:.1}\" width=\"{side}\" height=\"{side}\" fill=\"{}\"/><image x=\"{:.1}\" \
             y=\"{:.1}\" width=\"{inner}\" height=\"{inner}\" preserveAspectRatio=\"xMidYMid slice\" \
             href=\"{data}\"/><title>{}</title></a>",
            escape(&file.url()),
            x - half - 2.0,
            y - half - 2.0,
            COLOURS[topics[picture] % COLOURS.len()],
            x - half,
            y - half,
            escape(&safe(&file.last())),
            side = PLACE,
            inner = 2.0 * half,
        );
    }
    out.push_str("</svg>\n");
}

/// A small copy of a picture as an address; nothing where its file cannot be read.
fn small(item: &Item, side: u32) -> Option<String> {
    let bytes = read_file(file_of(item).as_path(), Limits::default()).ok()?;
    let picture = decode(&bytes, Limits::default()).ok()?;
    let jpeg = encode_jpeg(&shrink(&picture.over_white(), side), 80);
    Some(format!("data:image/jpeg;base64,{}", STANDARD.encode(jpeg)))
}

/// A picture with words below it.
fn figure(out: &mut String, item: &Item, words: &str) {
    let picture = small(item, 170).map_or_else(
        || "<img alt=\"not readable\">".to_owned(),
        |data| format!("<img alt=\"\" loading=\"lazy\" src=\"{data}\">"),
    );
    let _ = writeln!(
        out,
        "<figure><a href=\"{}\">{picture}</a><figcaption>{}</figcaption></figure>",
        escape(&file_of(item).url()),
        escape(&safe(words))
    );
}

fn topics(out: &mut String, seen: &Seen) {
    out.push_str("<h2>Topics · 主题</h2>\n");
    for (at, (topic, names)) in seen.topics.iter().zip(&seen.names).enumerate() {
        let _ = writeln!(
            out,
            "<p class=\"topic\"><b style=\"background:{}\"></b> {} <small>{}</small></p><div class=\"hits row\">",
            COLOURS[at % COLOURS.len()],
            escape(&names.join(", ")),
            topic.members.len()
        );
        for &member in topic.members.iter().take(SHOWN) {
            figure(out, &seen.pictures.items[member], "");
        }
        out.push_str("</div>\n");
    }
}

/// Pictures and texts along the two directions in which they differ most.
fn sides(out: &mut String, seen: &Seen) {
    let Some(gap) = seen.gap else { return };
    let pictures = seen.pictures.items.len();
    let dot = |(at, &[x, y]): (usize, &[f32; 2])| {
        let is_text = at >= pictures;
        Dot { at: (f64::from(x), f64::from(y)), group: usize::from(is_text), ring: is_text }
    };
    let dots = seen.sides.iter().enumerate().map(dot).collect();
    let groups = ["pictures · 图片".to_owned(), "texts · 文字".to_owned()];
    let panel = Scatter { title: "principal components".into(), dots };
    let _ = writeln!(
        out,
        "<h2>Pictures and texts · 图片和文字</h2><p>Their means are {gap:.2} apart (both have length 1). 两者的均值相距 {gap:.2}。</p>{}",
        scatters(&[panel], &groups, &["disc: picture", "ring: text"])
    );
}

fn alone(out: &mut String, seen: &Seen) {
    out.push_str(
        "<h2>Stand alone · 与众不同</h2><p>Pictures whose five nearest are least like them. 与最近五张图片最不相似的图片。</p><div class=\"hits row\">\n",
    );
    for &(at, near) in seen.lonely.iter().take(LISTED) {
        figure(out, &seen.pictures.items[at], &format!("{near:.3}"));
    }
    out.push_str("</div>\n");
}

fn doubted(out: &mut String, seen: &Seen) {
    if seen.texts.items.is_empty() {
        return;
    }
    let found = seen.doubts.len();
    let _ = writeln!(
        out,
        "<h2>Captions in doubt · 可疑的描述 ({found})</h2><p>Their picture fits them no better than pictures do by chance. 与自己的图片并不比随机图片更相配。</p><div class=\"hits\">"
    );
    for doubt in seen.doubts.iter().take(LISTED) {
        let text = seen.texts.items[doubt.text].text.as_deref().unwrap_or_default();
        let words = format!("{text} (z {:.1}, {} fit better)", doubt.z, doubt.better);
        figure(out, &seen.pictures.items[seen.owners[doubt.text]], &words);
    }
    out.push_str("</div>\n");
}
