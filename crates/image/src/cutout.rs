//! Things cut out of the ground that they were drawn on, to be drawn on another one.
//!
//! Colours are kept multiplied by their opacity (Porter and Duff 1984, <https://doi.org/10.1145/800031.808606>), so
//! that a resize mixes no colour of transparent pixels into an edge, and drawing is `thing + ground * (1 - opacity)`.

use image::imageops::{crop_imm, flip_horizontal};
use image::{Rgb, RgbImage, RgbaImage};

use super::Picture;
use super::resize::{Filter, resize};

/// White paper is at least so bright in each channel.
const PAPER: u8 = 240;
/// Fewer visible pixels along a side, or a smaller share of the whole picture, are no thing.
const SMALLEST: u32 = 12;

/// A thing without its ground, trimmed to what is visible.
#[derive(Clone, Debug, PartialEq)]
pub struct Cutout {
    /// Multiplied by their opacity.
    colours: RgbImage,
    /// Opacity, the same in all three channels, so that one resize serves for both.
    alphas: RgbImage,
}

impl Cutout {
    /// Cuts a thing out: by its opacity where the picture has one, else by the white paper that reaches the
    /// picture's edges. None where there is neither, or hardly anything is left.
    pub fn new(picture: &Picture) -> Option<Self> {
        let mut rgba = match picture {
            Picture::Rgb(picture) => ::image::DynamicImage::from(picture.clone()).into_rgba8(),
            Picture::Rgba(picture) | Picture::Palette(picture) => picture.clone(),
        };
        if rgba.pixels().all(|pixel| pixel[3] == 255) {
            erase_paper(&mut rgba)?;
        }
        let seen = || rgba.enumerate_pixels().filter(|(_, _, pixel)| pixel[3] > 32);
        let (left, right) = (seen().map(|p| p.0).min()?, seen().map(|p| p.0).max()?);
        let (top, bottom) = (seen().map(|p| p.1).min()?, seen().map(|p| p.1).max()?);
        let (width, height) = (right - left + 1, bottom - top + 1);
        if width.min(height) < SMALLEST {
            return None;
        }
        let rgba = crop_imm(&rgba, left, top, width, height).to_image();
        let alphas = RgbImage::from_fn(width, height, |x, y| Rgb([rgba.get_pixel(x, y)[3]; 3]));
        let colours = RgbImage::from_fn(width, height, |x, y| {
            let [r, g, b, a] = rgba.get_pixel(x, y).0;
            Rgb([r, g, b].map(|c| by(c, a)))
        });
        Some(Self { colours, alphas })
    }

    /// Width and height in pixels.
    pub fn dimensions(&self) -> (u32, u32) {
        self.colours.dimensions()
    }

    /// The same thing in another size.
    ///
    /// # Panics
    /// When a side is 0.
    pub fn resized(&self, width: u32, height: u32) -> Self {
        let colours = resize(&self.colours, width, height, Filter::Bicubic);
        let alphas = resize(&self.alphas, width, height, Filter::Bicubic);
        Self { colours, alphas }
    }

    /// Seen in a mirror, left and right changed.
    pub fn mirrored(&self) -> Self {
        let (colours, alphas) = (flip_horizontal(&self.colours), flip_horizontal(&self.alphas));
        Self { colours, alphas }
    }

    /// With each channel multiplied by a factor.
    pub fn tinted(mut self, factors: [f32; 3]) -> Self {
        for (colour, alpha) in self.colours.pixels_mut().zip(self.alphas.pixels()) {
            for channel in 0..3 {
                let value = f32::from(colour[channel]) * factors[channel];
                colour[channel] = value.round().min(f32::from(alpha[channel])) as u8;
            }
        }
        self
    }

    /// Draws it with its upper left corner at a pixel of the ground; what lies outside is left out.
    pub fn draw(&self, ground: &mut RgbImage, left: i64, top: i64) {
        for (x, y, colour) in self.colours.enumerate_pixels() {
            let place = (u32::try_from(left + i64::from(x)), u32::try_from(top + i64::from(y)));
            let (Ok(to_x), Ok(to_y)) = place else { continue };
            let Some(under) = ground.get_pixel_mut_checked(to_x, to_y) else { continue };
            let rest = 255 - self.alphas.get_pixel(x, y)[0];
            for channel in 0..3 {
                under[channel] = colour[channel].saturating_add(by(under[channel], rest));
            }
        }
    }

    /// The pixels of a ground of so many pixels along a side that it hides more than half where it is drawn there.
    pub fn covered(&self, side: u32, left: i64, top: i64) -> impl Iterator<Item = [u32; 2]> + '_ {
        let solid = self.alphas.enumerate_pixels().filter(|(_, _, alpha)| alpha[0] > 127);
        solid.filter_map(move |(x, y, _)| {
            let x = u32::try_from(left + i64::from(x)).ok().filter(|&x| x < side)?;
            let y = u32::try_from(top + i64::from(y)).ok().filter(|&y| y < side)?;
            Some([x, y])
        })
    }

    /// Its visible pixels in their own colours.
    pub fn visible(&self) -> impl Iterator<Item = [u8; 3]> + '_ {
        let solid = self.colours.pixels().zip(self.alphas.pixels());
        solid.filter(|(_, alpha)| alpha[0] > 200).map(|(colour, _)| colour.0)
    }

    /// For each column, the first row from the top that is visible; the height where none is.
    pub fn tops(&self) -> Vec<u32> {
        let (width, height) = self.dimensions();
        let first = |x| (0..height).find(|&y| self.alphas.get_pixel(x, y)[0] > 128);
        (0..width).map(|x| first(x).unwrap_or(height)).collect()
    }
}

/// A value times an opacity, rounded.
fn by(value: u8, alpha: u8) -> u8 {
    ((u32::from(value) * u32::from(alpha) + 127) / 255) as u8
}

/// Makes the white that reaches the edges transparent. None where the corners are not white: such a picture
/// has a ground of its own.
fn erase_paper(picture: &mut RgbaImage) -> Option<()> {
    let (width, height) = picture.dimensions();
    let is_paper = |picture: &RgbaImage, x, y| {
        let pixel = picture.get_pixel(x, y);
        pixel[3] == 255 && pixel.0[..3].iter().all(|&channel| channel >= PAPER)
    };
    let corners = [(0, 0), (width - 1, 0), (0, height - 1), (width - 1, height - 1)];
    if !corners.iter().all(|&(x, y)| is_paper(picture, x, y)) {
        return None;
    }
    let edges = (0..width).flat_map(|x| [(x, 0), (x, height - 1)]);
    let mut next: Vec<_> =
        edges.chain((0..height).flat_map(|y| [(0, y), (width - 1, y)])).collect();
    while let Some((x, y)) = next.pop() {
        if is_paper(picture, x, y) {
            picture.get_pixel_mut(x, y)[3] = 0;
            let steps = [(-1, 0), (1, 0), (0, -1), (0, 1)];
            let beside = steps.map(|(dx, dy)| (x.checked_add_signed(dx), y.checked_add_signed(dy)));
            let inside = beside.into_iter().filter_map(|(x, y)| Some((x?, y?)));
            next.extend(inside.filter(|&(x, y)| x < width && y < height));
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use image::Rgba;

    use super::*;

    /// A red square of 20 x 20 at (10, 5) in 40 x 30, with a green one of 4 x 4 inside.
    fn square(ground: Rgba<u8>, alpha: u8) -> RgbaImage {
        RgbaImage::from_fn(40, 30, |x, y| match ((10..30).contains(&x), (5..25).contains(&y)) {
            (true, true) if (18..22).contains(&x) && (13..17).contains(&y) => Rgba([255; 4]),
            (true, true) => Rgba([200, 0, 0, alpha]),
            _ => ground,
        })
    }

    #[test]
    fn opacity_or_white_paper_gives_the_same_thing() {
        let clear = Cutout::new(&Picture::Rgba(square(Rgba([0; 4]), 255))).expect("a thing");
        let paper = ::image::DynamicImage::from(square(Rgba([255; 4]), 255)).into_rgb8();
        let paper = Cutout::new(&Picture::Rgb(paper)).expect("a thing");
        assert_eq!((clear.dimensions(), clear.visible().count()), ((20, 20), 400));
        assert_eq!(clear, paper, "white inside the thing is the thing's");
        let own_ground = square(Rgba([0, 0, 255, 255]), 255);
        assert_eq!(Cutout::new(&Picture::Rgba(own_ground)), None);
        assert_eq!(Cutout::new(&Picture::Rgba(RgbaImage::new(40, 30))), None);
    }

    #[test]
    fn drawing_mixes_by_opacity_and_stays_inside() {
        let thing = Cutout::new(&Picture::Rgba(square(Rgba([0; 4]), 128))).expect("a thing");
        let mut ground = RgbImage::from_pixel(30, 30, Rgb([0, 0, 255]));
        thing.draw(&mut ground, 20, -10);
        // 200 * 128/255 = 100, 255 * 127/255 = 127.
        assert_eq!(ground.get_pixel(20, 0).0, [100, 0, 127]);
        assert_eq!(ground.get_pixel(29, 9).0, [100, 0, 127]);
        assert_eq!(ground.get_pixel(19, 0).0, [0, 0, 255]);
        assert_eq!(ground.get_pixel(20, 10).0, [0, 0, 255]);
    }

    #[test]
    fn a_resize_keeps_transparent_colours_out_of_edges() {
        // Bright green under the transparent part must not be seen.
        let thing = Cutout::new(&Picture::Rgba(square(Rgba([0, 255, 0, 0]), 255)));
        let thing = thing.expect("a thing").resized(9, 9).mirrored().tinted([1.0; 3]);
        let mut ground = RgbImage::new(9, 9);
        thing.draw(&mut ground, 0, 0);
        let corner = ground.get_pixel(0, 0).0;
        assert!(corner[0] > 190 && corner[1] < 5, "{corner:?}");
        assert_eq!(thing.tops(), [0; 9]);
    }
}
