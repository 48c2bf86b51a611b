//! The picture of `docs/explanations.md`: eight of the demo's drawings, each as it is and under the maps of five methods.
//!
//! `cargo build --release --workspace --example sheet && target/release/examples/sheet docs/explanations.jpg`

use std::error::Error;
use std::path::Path;

use tuwen_encode::{Encoder, builtin};
use tuwen_explain::render::Map;
use tuwen_explain::{Method, Settings, explain};
use tuwen_image::{Filter, Limits, RgbImage, decode_file, encode_jpeg, resize};

/// Pictures and what is asked of them.
const ROWS: [(&str, &str); 8] = [
    ("dog_ball", "a red ball"),
    ("cat_sofa", "a grey cat"),
    ("rider", "a man"),
    ("blue_car_city", "a blue car"),
    ("dog_beach", "the sea"),
    ("bird_branch", "a bird"),
    ("sailboat", "a sailing boat"),
    ("cow", "一头奶牛"),
];
/// From left to right, behind the picture itself.
const COLUMNS: [Method; 5] =
    [Method::Chefer, Method::Legrad, Method::Lime, Method::Shap, Method::Fixlip];
/// Pictures with hidden parts that lime, shap and fixlip look at.
const SAMPLES: usize = 128;
/// Pixels of a picture's side, and between two.
const SIDE: u32 = 132;
const GAP: u32 = 6;

fn main() -> Result<(), Box<dyn Error>> {
    let out = std::env::args().nth(1).ok_or("where to write the sheet is the only argument")?;
    let encoder = builtin::open()?;
    let step = SIDE + GAP;
    let (width, height) = (6 * step + GAP, ROWS.len() as u32 * step + GAP);
    let mut sheet = RgbImage::from_pixel(width, height, [255; 3].into());
    for (row, (name, text)) in (0..).zip(ROWS) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/demo/png");
        let picture = decode_file(&path.join(format!("{name}.png")), Limits::default())?;
        let square = encoder.preprocess().fit(&picture);
        let small = resize(&picture.into_rgb(), SIDE, SIDE, Filter::Bicubic);
        let window = encoder.preprocess().window(SIDE, SIDE);
        paste(&mut sheet, &small, [GAP, GAP + row * step]);
        for (column, method) in (1..).zip(COLUMNS) {
            let settings = Settings { samples: SAMPLES, ..Settings::new(method) };
            let found = explain(&encoder, &square, text, &settings)?;
            let map = Map { across: found.across, values: &found.map, window };
            paste(&mut sheet, &map.over(&small, 0.62), [GAP + column * step, GAP + row * step]);
        }
    }
    std::fs::write(out, encode_jpeg(&sheet, 88))?;
    Ok(())
}

fn paste(sheet: &mut RgbImage, picture: &RgbImage, [left, top]: [u32; 2]) {
    for (x, y, pixel) in picture.enumerate_pixels() {
        sheet.put_pixel(left + x, top + y, *pixel);
    }
}
