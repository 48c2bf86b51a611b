//! An explanation as PNG: the picture in its own resolution under its map, a legend, the words, what they have to do with
//! each part, and how all this was made; strips one below the other.

use std::path::Path;

use anyhow::Result;
use tuwen_explain::render::{Map, colour, range, zero};
use tuwen_image::{RgbImage, encode_png};

use super::matrix::Matrix;
use super::{Shown, lines, svg};
use crate::grid::Painter;
use crate::output::mark;

/// Narrower pictures have room for words beside them.
const LEAST: u32 = 320;
const MARGIN: u32 = 12;
const BAR: u32 = 12;
const INK: [u8; 3] = [0x22; 3];
const GREY: [u8; 3] = [0x66; 3];
const FOR: [u8; 3] = [0x1f, 0x6f, 0xb4];
const AGAINST: [u8; 3] = [0xd9, 0x5f, 0x02];

/// The file.
///
/// # Errors
/// The font cannot be read.
pub fn png(shown: &Shown<'_>, font: Option<&Path>) -> Result<Vec<u8>> {
    let found = shown.explanation;
    let map = Map { across: found.across, values: &found.map, window: shown.window };
    let over = map.over(shown.picture, svg::OPAQUE);
    let wide = over.width().max(LEAST);
    // Words are read beside the picture, however large that is.
    let size = (over.width() as f32 / 26.0).clamp(16.0, 64.0);
    let mut sheet = Sheet { painter: Painter::new(font)?, wide, size };
    let mut strips = vec![over, sheet.text(&shown.title(), INK), sheet.legend(range(&found.map))];
    strips.extend((!found.words.is_empty()).then(|| sheet.words(shown)));
    strips.extend(lines::of_words(found).map(|line| sheet.text(&line, GREY)));
    strips.extend(sheet.matrix(shown));
    for remark in found.notes.iter().cloned().chain([lines::about(shown)]) {
        strips.push(sheet.text(&remark, GREY));
    }
    sheet.painter.note_missing();
    Ok(mark::png(encode_png(&stacked(&strips, wide))))
}

/// One below the other on white.
fn stacked(strips: &[RgbImage], wide: u32) -> RgbImage {
    let height = strips.iter().map(|strip| strip.height() + MARGIN).sum::<u32>() + MARGIN;
    let mut canvas = white(wide + 2 * MARGIN, height);
    let mut top = MARGIN;
    for strip in strips {
        paste(&mut canvas, strip, [MARGIN, top]);
        top += strip.height() + MARGIN;
    }
    canvas
}

fn white(width: u32, height: u32) -> RgbImage {
    RgbImage::from_pixel(width, height, [255; 3].into())
}

fn paste(canvas: &mut RgbImage, strip: &RgbImage, [left, top]: [u32; 2]) {
    for (x, y, pixel) in strip.enumerate_pixels() {
        canvas.put_pixel(left + x, top + y, *pixel);
    }
}

/// A rectangle, as far as it is inside.
fn fill(canvas: &mut RgbImage, [left, top]: [u32; 2], [width, height]: [u32; 2], of: [u8; 3]) {
    for y in top..(top + height).min(canvas.height()) {
        for x in left..(left + width).min(canvas.width()) {
            canvas.put_pixel(x, y, of.into());
        }
    }
}

/// Draws strips of one width.
struct Sheet {
    painter: Painter,
    wide: u32,
    /// Pixels of the words; all else is smaller.
    size: f32,
}

impl Sheet {
    fn small(&self) -> f32 {
        self.size * 0.75
    }

    fn text(&mut self, text: &str, ink: [u8; 3]) -> RgbImage {
        let (small, painter) = (self.small(), &mut self.painter);
        let lines = lines::wrapped(text, self.wide as f32, |line| painter.width(line, small));
        let line = (small * 1.4).ceil() as u32;
        let mut strip = white(self.wide, line * lines.len() as u32);
        for (top, text) in (0..).step_by(line as usize).zip(&lines) {
            painter.write(&mut strip, [0, top], small, ink, text);
        }
        strip
    }

    /// A bar of the map's colours with its ends in numbers, and where 0 lies.
    fn legend(&mut self, ends: [f32; 2]) -> RgbImage {
        let (small, wide) = (self.small(), self.wide);
        let top = 3;
        let mut strip = white(wide, top + BAR + 2 + (small * 1.4).ceil() as u32);
        for x in 0..wide {
            fill(&mut strip, [x, top], [1, BAR], colour(x as f32 / (wide - 1) as f32));
        }
        let below = top + BAR + 2;
        if let Some(share) = zero(ends) {
            let x = (share * (wide - 1) as f32) as u32;
            fill(&mut strip, [x.min(wide - 2), 0], [2, BAR + 6], INK);
            // Beside the ends' numbers there is no room for one more.
            if (0.2..0.8).contains(&share) {
                let left = x.saturating_sub((self.painter.width("0", small) / 2.0) as u32);
                self.painter.write(&mut strip, [left, below], small, INK, "0");
            }
        }
        let [low, high] = ends.map(|end| format!("{end:.4}"));
        self.painter.write(&mut strip, [0, below], small, INK, &low);
        let right = wide.saturating_sub(self.painter.width(&high, small).ceil() as u32);
        self.painter.write(&mut strip, [right, below], small, INK, &high);
        strip
    }

    /// The words, underlined by what they weigh.
    fn words(&mut self, shown: &Shown<'_>) -> RgbImage {
        let words = &shown.explanation.words;
        let (size, painter) = (self.size, &mut self.painter);
        let (placed, lines) =
            svg::flow(words, self.wide as f32, size * 1.9, |word| painter.width(word, size));
        let mut strip = white(self.wide, lines.ceil() as u32);
        let most = svg::heaviest(words);
        for (word, place) in words.iter().zip(&placed) {
            let [x, y] = place.at.map(|at| at as u32);
            painter.write(&mut strip, [x, y], size, INK, &word.text);
            let thick = (size * 0.35 * word.weight.abs() / most).round() as u32;
            let of = if word.weight < 0.0 { AGAINST } else { FOR };
            let under = [x, y + (size * 1.4) as u32];
            fill(&mut strip, under, [place.width as u32, thick], of);
        }
        strip
    }

    /// What each word has to do with each part, where the method says so.
    fn matrix(&mut self, shown: &Shown<'_>) -> Option<RgbImage> {
        let (small, wide) = (self.small(), self.wide);
        let words = &shown.explanation.words;
        let widths = words.iter().map(|word| self.painter.width(&word.text, small).ceil() as u32);
        let label = (widths.max().unwrap_or(0) + MARGIN / 2).min(wide / 3);
        let row = (small * 1.5).ceil() as u32;
        let matrix = Matrix::drawn(shown.explanation, wide - label, row)?;
        let legend = self.text(&matrix.legend(), GREY);
        let top = legend.height() + MARGIN / 2;
        let mut strip = white(wide, top + matrix.picture.height());
        paste(&mut strip, &legend, [0, 0]);
        for (top, word) in (top..).step_by(row as usize).zip(words) {
            self.painter.write(&mut strip, [0, top], small, INK, &word.text);
        }
        // Behind the words, of which one may be longer than its room.
        paste(&mut strip, &matrix.picture, [label, top]);
        Some(strip)
    }
}
