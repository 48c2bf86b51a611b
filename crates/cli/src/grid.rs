//! Queries and their hits as a PNG, with words in any script that the machine has a font for.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Result, ensure};
use cosmic_text::{
    Attrs, Buffer, Color, Ellipsize, EllipsizeHeightLimit, Family, FontSystem, Metrics, Shaping,
    SwashCache, fontdb,
};
use tuwen_files::file;
use tuwen_image::{Filter, Limits, RgbImage, decode, encode_png, resize};

use crate::output::mark;
use crate::terminal::note;

/// What a query found.
pub struct Hit {
    /// Its file, when it is a picture.
    pub picture: Option<Vec<u8>>,
    /// Its words, or its name.
    pub text: String,
    /// Its score.
    pub score: f32,
    /// Whether it is a true item of the query.
    pub right: bool,
}

/// A query with its hits.
pub struct Row {
    /// Its words, or its name.
    pub query: String,
    /// Its file, when it is a picture.
    pub picture: Option<Vec<u8>>,
    /// What else to say of it.
    pub remark: String,
    /// Best first.
    pub hits: Vec<Hit>,
}

/// Pixels of a picture's side, and between things.
const SIDE: u32 = 170;
const GAP: u32 = 14;
const WIDTH: u32 = 6 * (SIDE + GAP) + GAP;
const TITLE: u32 = 50;
const LABEL: u32 = 38;
const ROW: u32 = TITLE + SIDE + LABEL + GAP;
const INK: Color = Color::rgb(0x22, 0x22, 0x22);
const GREY: Color = Color::rgb(0x66, 0x66, 0x66);
const RIGHT: Color = Color::rgb(0x1b, 0x7a, 0x2a);

/// Draws grids with the fonts of the machine.
pub struct Painter {
    fonts: FontSystem,
    cache: SwashCache,
    /// Characters that no font has.
    missing: BTreeSet<char>,
}

/// A place for text.
struct Field {
    at: [u32; 2],
    width: u32,
    lines: usize,
    size: f32,
    color: Color,
}

impl Painter {
    /// With the system's fonts, and with one more when it is given.
    ///
    /// # Errors
    /// The file is no font.
    pub fn new(font: Option<&Path>) -> Result<Self> {
        let mut fonts = fontdb::Database::new();
        fonts.load_system_fonts();
        if let Some(path) = font {
            let bytes = file::read(path, file::DOCUMENT)?;
            let before = fonts.len();
            fonts.load_font_data(bytes);
            ensure!(fonts.len() > before, "{}: it is no font", path.display());
            let family = fonts.faces().nth(before).and_then(|face| face.families.first().cloned());
            fonts.set_sans_serif_family(family.map_or_else(String::new, |(name, _)| name));
        }
        // Characters that Chinese and Japanese share are drawn as Chinese ones.
        let fonts = FontSystem::new_with_locale_and_db("zh-CN".to_owned(), fonts);
        Ok(Self { fonts, cache: SwashCache::new(), missing: BTreeSet::new() })
    }

    /// A picture of the rows, as PNG. A picture that cannot be read is left grey.
    pub fn png(&mut self, rows: &[Row]) -> Vec<u8> {
        let height = ROW * rows.len().max(1) as u32 + GAP;
        let mut canvas = RgbImage::from_pixel(WIDTH, height, [255; 3].into());
        for (row, top) in rows.iter().zip((GAP..).step_by(ROW as usize)) {
            self.row(&mut canvas, row, top);
        }
        mark::png(encode_png(&canvas))
    }

    /// How wide a text is on one line, in pixels.
    pub fn width(&mut self, text: &str, size: f32) -> f32 {
        if self.fonts.db().is_empty() {
            return text.chars().count() as f32 * size * 0.6;
        }
        let mut buffer = Buffer::new_empty(Metrics::relative(size, 1.35));
        let attributes = Attrs::new().family(Family::SansSerif);
        buffer.set_text(text, &attributes, Shaping::Advanced, None);
        buffer.shape_until_scroll(&mut self.fonts, false);
        buffer.layout_runs().map(|run| run.line_w).fold(0.0, f32::max)
    }

    /// Writes one line of text with its upper left corner at a place.
    pub fn write(
        &mut self,
        canvas: &mut RgbImage,
        at: [u32; 2],
        size: f32,
        [r, g, b]: [u8; 3],
        text: &str,
    ) {
        let (width, color) = (canvas.width().saturating_sub(at[0]), Color::rgb(r, g, b));
        self.text(canvas, &Field { at, width, lines: 1, size, color }, text);
    }

    /// Says on the error stream which characters could not be drawn.
    pub fn note_missing(&self) {
        let some: String = self.missing.iter().take(20).collect();
        if !some.is_empty() {
            note!(
                "note: no font of this machine has {} of the characters, such as {some}: the PNGs show \
                 boxes in their place; install one (fonts-noto-cjk) or give --font FILE",
                self.missing.len()
            );
        }
    }

    fn row(&mut self, canvas: &mut RgbImage, row: &Row, top: u32) {
        let title = format!("{} ({})", row.query, row.remark);
        let width = WIDTH - 2 * GAP;
        let field = Field { at: [GAP, top], width, lines: 2, size: 17.0, color: INK };
        self.text(canvas, &field, &title);
        let (top, mut left) = (top + TITLE, GAP);
        if let Some(picture) = &row.picture {
            paste(canvas, picture, [left, top]);
            left += SIDE + GAP;
        }
        for (at, hit) in row.hits.iter().enumerate() {
            let color = if hit.right { RIGHT } else { GREY };
            let label = format!("{}. {:.3} {}", at + 1, hit.score, hit.text);
            match &hit.picture {
                Some(picture) => {
                    if hit.right {
                        fill(canvas, [left - 4, top - 4], [SIDE + 8, SIDE + 8], RIGHT);
                    }
                    paste(canvas, picture, [left, top]);
                    let at = [left, top + SIDE + 6];
                    let field = Field { at, width: SIDE, lines: 2, size: 12.0, color };
                    self.text(canvas, &field, &label);
                    left += SIDE + GAP;
                }
                None => {
                    let at = [left, top + at as u32 * 34];
                    let color = if hit.right { RIGHT } else { INK };
                    let field =
                        Field { at, width: WIDTH - left - GAP, lines: 1, size: 16.0, color };
                    self.text(canvas, &field, &label);
                }
            }
        }
    }

    fn text(&mut self, canvas: &mut RgbImage, field: &Field, text: &str) {
        if self.fonts.db().is_empty() {
            self.missing.extend(text.chars().filter(|c| !c.is_whitespace()));
            return;
        }
        let mut buffer = Buffer::new_empty(Metrics::relative(field.size, 1.35));
        buffer.set_size(Some(field.width as f32), None);
        buffer.set_ellipsize(Ellipsize::End(EllipsizeHeightLimit::Lines(field.lines)));
        let one_line = text.replace(['\n', '\r', '\t'], " ");
        let attributes = Attrs::new().family(Family::SansSerif);
        buffer.set_text(&one_line, &attributes, Shaping::Advanced, None);
        buffer.shape_until_scroll(&mut self.fonts, false);
        for run in buffer.layout_runs() {
            let blank = run.glyphs.iter().filter(|glyph| glyph.glyph_id == 0);
            self.missing.extend(blank.filter_map(|glyph| run.text[glyph.start..].chars().next()));
        }
        buffer.draw(&mut self.fonts, &mut self.cache, field.color, |x, y, width, height, color| {
            let place = |start: u32, offset: i32| u32::try_from(start as i32 + offset).ok();
            if let (Some(x), Some(y)) = (place(field.at[0], x), place(field.at[1], y)) {
                fill(canvas, [x, y], [width, height], color);
            }
        });
    }
}

/// Draws a rectangle, as far as it is inside, as opaque as its colour.
fn fill(canvas: &mut RgbImage, [left, top]: [u32; 2], [width, height]: [u32; 2], color: Color) {
    let alpha = u32::from(color.a());
    for y in top..(top + height).min(canvas.height()) {
        for x in left..(left + width).min(canvas.width()) {
            let pixel = canvas.get_pixel_mut(x, y);
            for (old, new) in pixel.0.iter_mut().zip([color.r(), color.g(), color.b()]) {
                *old = ((u32::from(*old) * (255 - alpha) + u32::from(new) * alpha) / 255) as u8;
            }
        }
    }
}

/// Draws a picture into the middle of its square.
fn paste(canvas: &mut RgbImage, bytes: &[u8], [left, top]: [u32; 2]) {
    fill(canvas, [left, top], [SIDE, SIDE], Color::rgb(0xf0, 0xf0, 0xf0));
    let Ok(picture) = decode(bytes, Limits::default()) else { return };
    let picture = picture.into_rgb();
    let longest = picture.width().max(picture.height());
    let scaled = |side: u32| (u64::from(side) * u64::from(SIDE) / u64::from(longest)).max(1) as u32;
    let (width, height) = (scaled(picture.width()), scaled(picture.height()));
    let small = resize(&picture, width, height, Filter::Bicubic);
    let (left, top) = (left + (SIDE - width) / 2, top + (SIDE - height) / 2);
    for (x, y, pixel) in small.enumerate_pixels() {
        canvas.put_pixel(left + x, top + y, *pixel);
    }
}
