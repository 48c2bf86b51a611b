//! An explanation as SVG: the picture under its map, a legend, and the words underlined by what they add.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tuwen_explain::render::{Map, colour, range, zero};
use tuwen_image::{RgbImage, encode_jpeg, shrink};
use tuwen_markup::{SVG_MARK, escape};

use super::Shown;

/// A picture that is wider or higher is made smaller in SVG and pages.
const LONGEST: u32 = 1024;
/// How much of the map's colour is seen.
pub const OPAQUE: f32 = 0.62;
/// Of words that speak for the score, and against it: told apart by people with any kind of colour blindness.
pub const FOR: &str = "#1f6fb4";
pub const AGAINST: &str = "#d95f02";
/// Pixels.
const FONT: f32 = 18.0;
const LINE: f32 = 34.0;
const MARGIN: f32 = 12.0;

/// The picture with its map, as JPEG in a data URI, and its size.
pub fn overlay(shown: &Shown<'_>, opaque: f32) -> (String, [u32; 2]) {
    let found = shown.explanation;
    let map = Map { across: found.across, values: &found.map, window: shown.window };
    let whole = map.over(shown.picture, opaque);
    inside(&whole)
}

/// A picture as a data URI, not larger than is of use.
pub fn inside(picture: &RgbImage) -> (String, [u32; 2]) {
    let small = shrink(picture, LONGEST);
    let (width, height) = small.dimensions();
    let jpeg = encode_jpeg(&small, 90);
    (format!("data:image/jpeg;base64,{}", STANDARD.encode(jpeg)), [width, height])
}

/// A word where it stands in lines, (left, baseline), and how wide it is.
pub struct Placed {
    pub at: [f32; 2],
    pub width: f32,
}

/// Words one behind the other in lines of `width`; `measure` says how wide one is. Also how high all lines are.
pub fn flow(
    words: &[tuwen_explain::Word],
    width: f32,
    line: f32,
    mut measure: impl FnMut(&str) -> f32,
) -> (Vec<Placed>, f32) {
    let (mut x, mut y, mut end) = (0.0, 0.0, 0);
    let mut placed = Vec::with_capacity(words.len());
    for word in words {
        let wide = measure(&word.text);
        // Words that stood apart do so here.
        x += if word.start > end && x > 0.0 { measure("n") } else { 2.0 };
        if x + wide > width && x > 2.0 {
            (x, y) = (0.0, y + line);
        }
        placed.push(Placed { at: [x, y], width: wide });
        (x, end) = (x + wide, word.end);
    }
    (placed, y + line)
}

/// The most that a word weighs.
pub fn heaviest(words: &[tuwen_explain::Word]) -> f32 {
    words.iter().map(|word| word.weight.abs()).fold(1e-9, f32::max)
}

/// About as wide as a browser's usual font has it; `textLength` makes it true.
fn estimated(text: &str) -> f32 {
    text.chars().map(|c| if c < '\u{2e80}' { 0.54 } else { 1.0 }).sum::<f32>() * FONT
}

/// The file.
pub fn whole(shown: &Shown<'_>) -> String {
    let found = shown.explanation;
    let (picture, [width, height]) = overlay(shown, OPAQUE);
    let (width, height) = (width as f32, height as f32);
    let wide = width.max(320.0);
    let (placed, lines) = flow(&found.words, wide, LINE, estimated);
    let top = height + 92.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"system-ui,'Noto Sans CJK \
         SC',sans-serif\">{SVG_MARK}\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n<image x=\"{MARGIN}\" \
         y=\"{MARGIN}\" width=\"{width}\" height=\"{height}\" href=\"{picture}\"/>\n",
        wide + 2.0 * MARGIN,
        top + lines + 2.0 * MARGIN
    );
    let _ = writeln!(
        out,
        "<text x=\"{MARGIN}\" y=\"{:.1}\" font-size=\"13\" fill=\"#222\">{}</text>",
        height + 2.0 * MARGIN + 6.0,
        escape(&shown.title())
    );
    legend(&mut out, range(&found.map), [MARGIN, height + 2.0 * MARGIN + 20.0], wide);
    let most = heaviest(&found.words);
    for (word, place) in found.words.iter().zip(&placed) {
        let (x, y) = (MARGIN + place.at[0], top + FONT + place.at[1]);
        let colour = if word.weight < 0.0 { AGAINST } else { FOR };
        let thick = 7.0 * word.weight.abs() / most;
        let _ = writeln!(
            out,
            "<g><title>{:+.4}</title><text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{FONT}\" textLength=\"{:.1}\" \
             lengthAdjust=\"spacingAndGlyphs\" fill=\"#222\">{}</text><rect x=\"{x:.1}\" y=\"{:.1}\" width=\"{:.1}\" \
             height=\"{thick:.1}\" fill=\"{colour}\"/></g>",
            word.weight,
            place.width,
            escape(&word.text),
            y + 4.0,
            place.width
        );
    }
    out.push_str("</svg>\n");
    out
}

/// A bar of the map's colours with its ends in numbers.
fn legend(out: &mut String, [low, high]: [f32; 2], [left, top]: [f32; 2], wide: f32) {
    out.push_str("<defs><linearGradient id=\"scale\">");
    for step in 0..=16 {
        let share = step as f32 / 16.0;
        let [r, g, b] = colour(share);
        let _ = write!(out, "<stop offset=\"{share}\" stop-color=\"rgb({r},{g},{b})\"/>");
    }
    let _ = writeln!(
        out,
        "</linearGradient></defs>\n<rect x=\"{left}\" y=\"{top}\" width=\"{wide}\" height=\"12\" fill=\"url(#scale)\"/>\n\
         <text x=\"{left}\" y=\"{0}\" font-size=\"13\" fill=\"#555\">{low:.4}</text>\n<text x=\"{1}\" y=\"{0}\" \
         font-size=\"13\" text-anchor=\"end\" fill=\"#555\">{high:.4}</text>",
        top + 28.0,
        left + wide
    );
    // Where what speaks against ends and what speaks for begins.
    if let Some(share) = zero([low, high]) {
        let at = left + share * wide;
        // Beside the ends' numbers there is no room for one more.
        let sign = if (0.15..0.85).contains(&share) { "0" } else { "" };
        let _ = writeln!(
            out,
            "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{:.1}\" y2=\"{:.1}\" stroke=\"#222\" stroke-width=\"2\"/>\n<text \
             x=\"{at:.1}\" y=\"{:.1}\" font-size=\"13\" text-anchor=\"middle\" fill=\"#222\">{sign}</text>",
            top - 3.0,
            top + 15.0,
            top + 28.0
        );
    }
}
