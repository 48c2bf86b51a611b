//! The one colour of a thing, measured on its pixels, so that the word is true: outlines, tyres and panes, which have
//! none, do not count against it.

use tuwen_image::Cutout;

use super::words::ColourWord;

/// So much of a thing is of the colour at least.
const OF_ALL: f32 = 0.45;
/// So much of what is coloured at all is of the colour.
const OF_COLOURED: f32 = 0.85;

const WORDS: [ColourWord; 8] = [
    ColourWord { english: "red", chinese: "红色的" },
    ColourWord { english: "orange", chinese: "橙色的" },
    ColourWord { english: "yellow", chinese: "黄色的" },
    ColourWord { english: "green", chinese: "绿色的" },
    ColourWord { english: "blue", chinese: "蓝色的" },
    ColourWord { english: "purple", chinese: "紫色的" },
    ColourWord { english: "pink", chinese: "粉色的" },
    ColourWord { english: "white", chinese: "白色的" },
];

/// The one colour of a thing; none where there are several, or one between two words.
pub fn colour(thing: &Cutout) -> Option<ColourWord> {
    let (mut counts, mut all, mut coloured) = ([0usize; WORDS.len()], 0, 0);
    for pixel in thing.visible() {
        all += 1;
        coloured += usize::from(is_coloured(pixel));
        if let Some(at) = word(pixel) {
            counts[at] += 1;
        }
    }
    let most = (0..WORDS.len()).max_by_key(|&at| counts[at])?;
    let white = WORDS[most].english == "white";
    let (found, all) = (counts[most] as f32, all as f32);
    // White has no hue that other colours could be measured against.
    let is_one =
        if white { found >= OF_COLOURED * all } else { found >= OF_COLOURED * coloured as f32 };
    (is_one && found > OF_ALL * all).then(|| WORDS[most])
}

/// Whether a pixel has a hue that is seen.
fn is_coloured(pixel: [u8; 3]) -> bool {
    let [r, g, b] = pixel;
    r.max(g).max(b) - r.min(g).min(b) >= 70
}

/// Which word is true of a pixel, by hue where it has one.
fn word(pixel: [u8; 3]) -> Option<usize> {
    let [r, g, b] = pixel.map(f32::from);
    let (most, least) = (r.max(g).max(b), r.min(g).min(b));
    let range = most - least;
    if least > 215.0 && range < 25.0 {
        return Some(7);
    }
    if range < 70.0 || most < 90.0 {
        return None;
    }
    let sixth = match () {
        () if most == r => (g - b) / range,
        () if most == g => 2.0 + (b - r) / range,
        () => 4.0 + (r - g) / range,
    };
    let hue = (sixth * 60.0).rem_euclid(360.0);
    let pale = least > 120.0;
    Some(match hue {
        h if !(12.0..335.0).contains(&h) && !pale => 0,
        h if (24.0..38.0).contains(&h) && most > 200.0 && least < 110.0 => 1,
        h if (44.0..62.0).contains(&h) && most > 190.0 => 2,
        h if (80.0..165.0).contains(&h) => 3,
        h if (190.0..245.0).contains(&h) => 4,
        h if (260.0..300.0).contains(&h) => 5,
        h if (310.0..350.0).contains(&h) && least > 70.0 => 6,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use tuwen_image::{Picture, RgbImage};

    use super::*;

    /// Of a square on white paper, whose left part of ten is `left` and whose rest is grey.
    fn of(left: [u8; 3], tenths: u32) -> Option<&'static str> {
        let square = RgbImage::from_fn(40, 40, |x, y| match (x, y) {
            (5..35, 5..35) if (x - 5) * 10 < tenths * 30 => left.into(),
            (5..35, 5..35) => [90; 3].into(),
            _ => [255; 3].into(),
        });
        let thing = Cutout::new(&Picture::Rgb(square)).expect("a thing");
        colour(&thing).map(|word| word.english)
    }

    #[test]
    fn a_colour_counts_where_there_is_no_other() {
        assert_eq!(of([220, 30, 30], 9), Some("red"));
        assert_eq!(of([30, 90, 220], 8), Some("blue"));
        assert_eq!(of([250, 220, 40], 10), Some("yellow"));
        assert_eq!(of([40, 170, 60], 10), Some("green"));
        assert_eq!(of([220, 30, 30], 6), Some("red"), "grey does not count");
        assert_eq!(of([220, 30, 30], 3), None, "too little of it");
        assert_eq!(of([150, 110, 60], 10), None, "brown is none of the words");
        assert_eq!(of([90, 90, 90], 10), None);
    }
}
