//! Plain shapes on a square: what backgrounds of drawn scenes are made of. Everything is drawn at twice the size
//! and halved by a box filter, so that edges are smooth without a rasteriser that knows coverage. Lengths and
//! places are shares of the side, from the upper left corner.

use image::{Rgb, RgbImage};

use super::resize::{Filter, resize};

/// A colour: red, green, blue.
pub type Colour = [u8; 3];

/// How much larger than the result is drawn, along each side.
const FINER: u32 = 2;

/// A place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spot {
    /// From the left, 1 is the right edge.
    pub x: f32,
    /// From the top, 1 is the lower edge.
    pub y: f32,
}

/// A square to draw on.
pub struct Canvas {
    picture: RgbImage,
    side: u32,
}

impl Canvas {
    /// A square of one colour that becomes `side` pixels wide.
    ///
    /// # Panics
    /// When `side` is 0.
    pub fn new(side: u32, colour: Colour) -> Self {
        assert!(side > 0, "a canvas without pixels");
        let picture = RgbImage::from_pixel(side * FINER, side * FINER, Rgb(colour));
        Self { picture, side }
    }

    /// The square that was drawn, `side` x `side`.
    pub fn finish(self) -> RgbImage {
        resize(&self.picture, self.side, self.side, Filter::Box)
    }

    /// Fills the rows from `top` to `bottom`, one colour passing into the other.
    pub fn band(&mut self, top: f32, bottom: f32, from: Colour, to: Colour) {
        let (first, last) = (self.pixel(top), self.pixel(bottom));
        for y in first..last {
            let share = (y - first) as f32 / (last - first).max(1) as f32;
            let colour = Rgb(mixed(from, to, share));
            (0..self.picture.width()).for_each(|x| self.picture.put_pixel(x, y, colour));
        }
    }

    /// Fills everything below a line, whose height is a function of the place from the left.
    pub fn below(&mut self, line: impl Fn(f32) -> f32, colour: Colour) {
        let wide = self.picture.width();
        for x in 0..wide {
            let top = self.pixel(line(x as f32 / wide as f32));
            (top..wide).for_each(|y| self.picture.put_pixel(x, y, Rgb(colour)));
        }
    }

    /// A filled ellipse around `centre` with half its width and half its height.
    pub fn ellipse(&mut self, centre: Spot, across: f32, down: f32, colour: Colour) {
        let wide = self.picture.width() as f32;
        for y in self.pixel(centre.y - down)..self.pixel(centre.y + down) {
            let dy = ((y as f32 + 0.5) / wide - centre.y) / down;
            let half = across * (1.0 - dy * dy).max(0.0).sqrt();
            self.row(y, centre.x - half, centre.x + half, colour);
        }
    }

    /// A filled polygon, by the even-odd rule.
    pub fn polygon(&mut self, corners: &[Spot], colour: Colour) {
        let wide = self.picture.width() as f32;
        let (low, high) = corners
            .iter()
            .fold((1f32, 0f32), |(low, high), corner| (low.min(corner.y), high.max(corner.y)));
        for y in self.pixel(low)..self.pixel(high) {
            let at = (y as f32 + 0.5) / wide;
            let edges = corners.iter().zip(corners.iter().cycle().skip(1));
            let mut met: Vec<f32> = edges
                .filter(|(a, b)| (a.y <= at) != (b.y <= at))
                .map(|(a, b)| a.x + (at - a.y) / (b.y - a.y) * (b.x - a.x))
                .collect();
            met.sort_by(f32::total_cmp);
            met.chunks_exact(2).for_each(|pair| self.row(y, pair[0], pair[1], colour));
        }
    }

    /// A filled rectangle between two corners.
    pub fn rectangle(&mut self, upper_left: Spot, lower_right: Spot, colour: Colour) {
        for y in self.pixel(upper_left.y)..self.pixel(lower_right.y) {
            self.row(y, upper_left.x, lower_right.x, colour);
        }
    }

    fn row(&mut self, y: u32, from: f32, to: f32, colour: Colour) {
        for x in self.pixel(from)..self.pixel(to) {
            self.picture.put_pixel(x, y, Rgb(colour));
        }
    }

    /// The nearest border between pixels, inside the square.
    fn pixel(&self, place: f32) -> u32 {
        let wide = self.picture.width() as f32;
        (place * wide).round().clamp(0.0, wide) as u32
    }
}

/// A colour between two, `share` of the way.
pub fn mixed(from: Colour, to: Colour, share: f32) -> Colour {
    let between = |at: usize| {
        let (a, b) = (f32::from(from[at]), f32::from(to[at]));
        (a + (b - a) * share.clamp(0.0, 1.0)).round() as u8
    };
    [between(0), between(1), between(2)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHITE: Colour = [255; 3];
    const BLACK: Colour = [0; 3];

    /// How much of the square is black.
    fn black(draw: impl FnOnce(&mut Canvas)) -> f32 {
        let mut canvas = Canvas::new(64, WHITE);
        draw(&mut canvas);
        let picture = canvas.finish();
        assert_eq!(picture.dimensions(), (64, 64));
        picture.pixels().map(|p| 255.0 - f32::from(p[0])).sum::<f32>() / (255.0 * 64.0 * 64.0)
    }

    #[test]
    fn shapes_have_their_areas() {
        let spot = |x, y| Spot { x, y };
        let ellipse = black(|c| c.ellipse(spot(0.5, 0.5), 0.4, 0.2, BLACK));
        assert!((ellipse - std::f32::consts::PI * 0.08).abs() < 0.01, "{ellipse}");
        let corners = [spot(0.0, 1.0), spot(1.0, 1.0), spot(0.5, 0.0)];
        let triangle = black(|c| c.polygon(&corners, BLACK));
        assert!((triangle - 0.5).abs() < 0.01, "{triangle}");
        let below = black(|c| c.below(|x| x, BLACK));
        assert!((below - 0.5).abs() < 0.02, "{below}");
        let outside = black(|c| c.rectangle(spot(-1.0, 0.25), spot(2.0, 0.5), BLACK));
        assert!((outside - 0.25).abs() < 1e-3, "{outside}");
        let band = black(|c| c.band(0.0, 1.0, WHITE, BLACK));
        assert!((band - 0.5).abs() < 0.01, "{band}");
    }
}
