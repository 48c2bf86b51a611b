//! The sizes that pictures of any shape are stretched to, beside those of FG-CLIP 2's own code
//! (`scripts/golden/fg_clip_2.py`).

use tuwen_image::{Budget, Grid, Picture, Preprocess, RgbImage};

#[test]
fn sizes_are_those_of_fg_clip_2() {
    let cases: Vec<[u32; 5]> =
        serde_json::from_str(include_str!("golden/grids.json")).expect("sizes");
    assert!(cases.len() > 100);
    let grid = Grid { patch: 16, budget: Budget::Stepped };
    for [width, height, most, wide, tall] in cases {
        assert_eq!(grid.most(width, height), most, "{width}x{height}");
        assert_eq!(grid.pixels(width, height), (wide, tall), "{width}x{height}");
    }
}

#[test]
fn a_picture_is_stretched_to_its_grid_and_seen_whole() {
    let geometry = tuwen_image::Geometry::Grid(Grid { patch: 4, budget: Budget::Fixed(12) });
    let preprocess = Preprocess { geometry, ..Preprocess::squash(16) };
    let fitted = preprocess.fit(&Picture::Rgb(RgbImage::new(90, 30)));
    assert_eq!(fitted.dimensions(), (24, 8));
    let mut values = Vec::new();
    preprocess.normalise_into(&fitted, &mut values);
    assert_eq!(values.len(), 3 * 24 * 8);
    let window = preprocess.window(90, 30);
    assert_eq!((window.left, window.top, window.width, window.height), (0.0, 0.0, 90.0, 30.0));
    let json = serde_json::to_string(&preprocess).expect("JSON");
    assert!(json.contains(r#""geometry":{"grid":{"patch":4,"budget":{"fixed":12}}}"#), "{json}");
    assert_eq!(serde_json::from_str::<Preprocess>(&json).expect("the same"), preprocess);
}
