//! An explanation as SVG: the picture under its map, a legend, the words underlined by what they add, what they have to do
//! with each part, and how all this was made.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tuwen_explain::render::{Map, colour, range, zero};
use tuwen_image::{RgbImage, encode_jpeg, encode_png, shrink};
use tuwen_markup::{SVG_MARK, escape};

use super::matrix::Matrix;
use super::{Shown, lines};

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
const SMALL: f32 = 13.0;
/// Of a word's row in the matrix.
const ROW: u32 = 18;
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
    let wide = (width as f32).max(320.0);
    let mut drawing = Drawing { out: String::new(), wide, y: MARGIN };
    drawing.image(&picture, MARGIN, [width, height]);
    drawing.text(&shown.title(), "#222");
    legend(&mut drawing.out, range(&found.map), [MARGIN, drawing.y], wide);
    drawing.y += 32.0 + MARGIN;
    if !found.words.is_empty() {
        drawing.words(shown);
    }
    if let Some(line) = lines::of_words(found) {
        drawing.text(&line, "#666");
    }
    drawing.matrix(shown);
    for remark in found.notes.iter().cloned().chain([lines::about(shown)]) {
        drawing.text(&remark, "#666");
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {:.1}\" font-family=\"system-ui,'Noto Sans CJK \
         SC',sans-serif\">{SVG_MARK}\n<title>{}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{}</svg>\n",
        wide + 2.0 * MARGIN,
        drawing.y,
        escape(&shown.title()),
        drawing.out
    )
}

/// What is drawn so far, and where the next thing begins.
struct Drawing {
    out: String,
    wide: f32,
    y: f32,
}

impl Drawing {
    fn image(&mut self, source: &str, left: f32, [width, height]: [u32; 2]) {
        let _ = writeln!(
            self.out,
            "<image x=\"{left:.1}\" y=\"{:.1}\" width=\"{width}\" height=\"{height}\" href=\"{source}\"/>",
            self.y
        );
        self.y += height as f32 + MARGIN;
    }

    /// Lines of small text.
    fn text(&mut self, text: &str, ink: &str) {
        for line in lines::wrapped(text, self.wide, |line| estimated(line) * SMALL / FONT) {
            let _ = writeln!(
                self.out,
                "<text x=\"{MARGIN}\" y=\"{:.1}\" font-size=\"{SMALL}\" fill=\"{ink}\">{}</text>",
                self.y + SMALL,
                escape(&line)
            );
            self.y += SMALL * 1.4;
        }
        self.y += MARGIN / 2.0;
    }

    /// The words, underlined by what they weigh.
    fn words(&mut self, shown: &Shown<'_>) {
        let words = &shown.explanation.words;
        let (placed, lines) = flow(words, self.wide, LINE, estimated);
        let most = heaviest(words);
        for (word, place) in words.iter().zip(&placed) {
            let (x, y) = (MARGIN + place.at[0], self.y + FONT + place.at[1]);
            let colour = if word.weight < 0.0 { AGAINST } else { FOR };
            let thick = 7.0 * word.weight.abs() / most;
            let _ = writeln!(
                self.out,
                "<g><title>{:+.4}</title><text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{FONT}\" textLength=\"{:.1}\" \
                 lengthAdjust=\"spacingAndGlyphs\" fill=\"#222\">{}</text><rect x=\"{x:.1}\" y=\"{:.1}\" \
                 width=\"{:.1}\" height=\"{thick:.1}\" fill=\"{colour}\"/></g>",
                word.weight,
                place.width,
                escape(&word.text),
                y + 4.0,
                place.width
            );
        }
        self.y += lines + MARGIN / 2.0;
    }

    /// What each word has to do with each part, where the method says so.
    fn matrix(&mut self, shown: &Shown<'_>) {
        let words = &shown.explanation.words;
        let widths = words.iter().map(|word| estimated(&word.text) * SMALL / FONT);
        let label = (widths.fold(0.0, f32::max) + MARGIN).min(self.wide / 3.0);
        let width = (self.wide - label) as u32;
        let Some(matrix) = Matrix::drawn(shown.explanation, width, ROW) else { return };
        self.text(&matrix.legend(), "#666");
        for (word, row) in words.iter().zip(0u16..) {
            let room = self.wide / 3.0 - MARGIN;
            let fits = if estimated(&word.text) * SMALL / FONT > room {
                format!(" textLength=\"{room:.1}\" lengthAdjust=\"spacingAndGlyphs\"")
            } else {
                String::new()
            };
            let _ = writeln!(
                self.out,
                "<text x=\"{MARGIN}\" y=\"{:.1}\" font-size=\"{SMALL}\"{fits} fill=\"#222\">{}</text>",
                self.y + f32::from(row) * ROW as f32 + SMALL,
                escape(&word.text)
            );
        }
        let png = STANDARD.encode(encode_png(&matrix.picture));
        let (width, height) = matrix.picture.dimensions();
        self.image(&format!("data:image/png;base64,{png}"), MARGIN + label, [width, height]);
    }
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
