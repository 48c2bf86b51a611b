//! An explanation as PNG: the picture in its own resolution under its map, a legend, and the words.

use std::path::Path;

use anyhow::Result;
use tuwen_explain::render::{Map, colour, range, zero};
use tuwen_image::{RgbImage, encode_png};

use super::{Shown, svg};
use crate::grid::Painter;
use crate::output::mark;

/// Narrower pictures have room for words beside them.
const LEAST: u32 = 320;
const MARGIN: u32 = 12;
const BAR: u32 = 12;
const INK: [u8; 3] = [0x22; 3];
const FOR: [u8; 3] = [0x1f, 0x6f, 0xb4];
const AGAINST: [u8; 3] = [0xd9, 0x5f, 0x02];

/// The file.
///
/// # Errors
/// The font cannot be read.
pub fn png(shown: &Shown<'_>, font: Option<&Path>) -> Result<Vec<u8>> {
    let found = shown.explanation;
    let mut painter = Painter::new(font)?;
    let map = Map { across: found.across, values: &found.map, window: shown.window };
    let over = map.over(shown.picture, svg::OPAQUE);
    let wide = over.width().max(LEAST);
    // Words are read beside the picture, however large that is.
    let size = (over.width() as f32 / 26.0).clamp(16.0, 64.0);
    let line = size * 1.9;
    let (placed, lines) =
        svg::flow(&found.words, wide as f32, line, |word| painter.width(word, size));
    let small = size * 0.75;
    // What is explained stands over the legend, the other text of a difference with it.
    let title = shown.title();
    let (heading, heading_lines) =
        lines_of(&title, wide as f32, small * 1.5, |word| painter.width(word, small));
    let head = heading_lines.ceil() as u32;
    let words_top = over.height() + 3 * MARGIN + head + BAR + (size * 1.2) as u32;
    let height = words_top + lines.ceil() as u32 + MARGIN;
    let mut canvas = RgbImage::from_pixel(wide + 2 * MARGIN, height, [255; 3].into());
    for (x, y, pixel) in over.enumerate_pixels() {
        canvas.put_pixel(x + MARGIN, y + MARGIN, *pixel);
    }
    for (word, [x, y]) in heading {
        let at = [MARGIN + x as u32, over.height() + MARGIN + MARGIN / 2 + y as u32];
        painter.write(&mut canvas, at, small, INK, word);
    }
    let top = over.height() + 2 * MARGIN + head;
    for x in 0..wide {
        let of = colour(x as f32 / (wide - 1) as f32);
        (0..BAR).for_each(|y| canvas.put_pixel(x + MARGIN, top + y, of.into()));
    }
    let ends = range(&found.map);
    if let Some(share) = zero(ends) {
        let x = MARGIN + (share * (wide - 1) as f32) as u32;
        for (dx, y) in (0..2).flat_map(|dx| (top - 3..top + BAR + 3).map(move |y| (dx, y))) {
            canvas.put_pixel((x + dx).min(wide + MARGIN - 1), y, INK.into());
        }
        // Beside the ends' numbers there is no room for one more.
        if (0.2..0.8).contains(&share) {
            let left = x.saturating_sub((painter.width("0", small) / 2.0) as u32);
            painter.write(&mut canvas, [left, top + BAR + 2], small, INK, "0");
        }
    }
    let [low, high] = ends.map(|end| format!("{end:.4}"));
    let at = top + BAR + 2;
    painter.write(&mut canvas, [MARGIN, at], small, INK, &low);
    let right = (wide + MARGIN).saturating_sub(painter.width(&high, small).ceil() as u32);
    painter.write(&mut canvas, [right, at], small, INK, &high);
    let most = svg::heaviest(&found.words);
    for (word, place) in found.words.iter().zip(&placed) {
        let (x, y) = (MARGIN + place.at[0] as u32, words_top + place.at[1] as u32);
        painter.write(&mut canvas, [x, y], size, INK, &word.text);
        let thick = (size * 0.35 * word.weight.abs() / most).round() as u32;
        let of = if word.weight < 0.0 { AGAINST } else { FOR };
        for dy in 0..thick {
            for dx in 0..place.width as u32 {
                let (x, y) = (x + dx, y + (size * 1.4) as u32 + dy);
                if x < canvas.width() && y < canvas.height() {
                    canvas.put_pixel(x, y, of.into());
                }
            }
        }
    }
    painter.note_missing();
    Ok(mark::png(encode_png(&canvas)))
}

/// Words of a line of text where they stand in lines of `width`, and how high all lines are.
fn lines_of(
    text: &str,
    width: f32,
    line: f32,
    mut measure: impl FnMut(&str) -> f32,
) -> (Vec<(&str, [f32; 2])>, f32) {
    let (mut x, mut y) = (0.0, 0.0);
    let mut placed = Vec::new();
    for word in text.split_whitespace() {
        let wide = measure(word);
        if x + wide > width && x > 0.0 {
            (x, y) = (0.0, y + line);
        }
        placed.push((word, [x, y]));
        x += wide + measure("n");
    }
    (placed, y + line)
}
