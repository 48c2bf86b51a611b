//! Features of a drawn picture beside OpenCV's and scikit-image's (`scripts/golden/features.py`), and pictures that show
//! nothing.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tuwen_features::image::{
    Encoding, Grid, ImageFeature, ImageModel, Keypoint, Plane, Settings, Space, gist, histogram,
    hog, lbp, orb, sift,
};
use tuwen_image::{Limits, RgbImage, decode_file};

fn golden_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn golden() -> Value {
    let text = fs::read_to_string(golden_file("pictures.json")).expect("a golden file");
    serde_json::from_str(&text).expect("JSON")
}

fn drawn() -> RgbImage {
    decode_file(&golden_file("drawn.png"), Limits::default()).expect("a picture").into_rgb()
}

fn numbers<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).expect("numbers")
}

/// The sum of what differs.
fn apart(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum()
}

#[test]
fn brightness_is_opencvs() {
    let (grey, wanted) = (Plane::grey(&drawn()), numbers::<Vec<f64>>(&golden()["grey"]));
    assert_eq!(grey.values.iter().map(|&v| f64::from(v)).sum::<f64>(), wanted[0]);
    let row: Vec<f64> = grey.row(75)[..8].iter().map(|&v| f64::from(v)).collect();
    assert_eq!(row, wanted[1..]);
}

#[test]
fn histograms_and_patterns_are_scikit_images() {
    let (golden, picture) = (golden(), drawn());
    for (key, found, within) in [
        ("hsv", histogram(&picture, Space::Hsv), 1e-3),
        ("lab", histogram(&picture, Space::Lab), 1e-3),
        ("lbp", lbp(&Plane::grey(&picture)), 1e-3),
    ] {
        let off = apart(&found, &numbers::<Vec<f32>>(&golden[key]));
        println!("{key}: {off}");
        assert!(off < within, "{key}: {off}");
    }
    let wanted: Vec<f32> = numbers(&golden["hog"]);
    let found = hog(&Plane::grey(&picture), 16);
    let worst = found.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    println!("hog: {worst}");
    assert!(found.len() == wanted.len() && worst < 2e-3, "{worst}");
}

#[test]
fn gist_is_its_definition() {
    let grey = Plane::grey(&drawn());
    let part: Vec<f32> = (0..128).flat_map(|y| grey.row(y)[..128].to_vec()).collect();
    let found = gist(&Plane { width: 128, height: 128, values: part });
    let wanted: Vec<f32> = numbers(&golden()["gist"]);
    let worst = found.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let most = wanted.iter().copied().fold(0.0, f32::max);
    println!("gist: {worst} of {most}");
    assert!(worst < 1e-4 * most, "{worst} of {most}");
}

/// Which of the wanted keypoints is within a pixel, of nearly the same size and angle.
fn matched(found: &[Keypoint], wanted: &[[f32; 5]], size: f32) -> Vec<Option<usize>> {
    let is_it = |one: &Keypoint, [x, y, wide, angle, _]: &[f32; 5]| {
        let turned = (one.angle - angle).abs();
        (one.x - x).hypot(one.y - y) < 1.0
            && (one.size / wide - 1.0).abs() < size
            && turned.min(360.0 - turned) < 5.0
    };
    wanted.iter().map(|wanted| found.iter().position(|one| is_it(one, wanted))).collect()
}

#[test]
fn sift_is_opencvs() {
    let golden = &golden()["sift"];
    let (found, descriptors) = sift::sift(&Plane::grey(&drawn()), sift::Settings::default());
    let wanted: Vec<[f32; 5]> = numbers(&golden["keypoints"]);
    let octaves: Vec<i32> = numbers(&golden["octaves"]);
    let rows: Vec<f32> = numbers(&golden["descriptors"]);
    let pairs = matched(&found, &wanted, 0.05);
    let share = pairs.iter().flatten().count() as f32 / wanted.len() as f32;
    let (mut far, mut count) = (0.0, 0);
    for (at, other) in pairs.iter().enumerate() {
        let Some(other) = other else { continue };
        if octaves[at] != found[*other].octave {
            continue;
        }
        let (a, b) = (&descriptors[other * 128..][..128], &rows[at * 128..][..128]);
        far += a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt();
        count += 1;
    }
    let far = far / count as f32;
    println!(
        "{} for {}; {share:.3} matched, descriptors {far:.2} of 512 apart",
        found.len(),
        wanted.len()
    );
    assert!(share > 0.97, "{share}");
    assert!((found.len() as f32 / wanted.len() as f32 - 1.0).abs() < 0.03, "{}", found.len());
    assert!(far < 10.0, "{far}");
}

#[test]
fn dense_sift_is_opencvs() {
    let golden = &golden()["dense"];
    let places: Vec<[f32; 2]> = numbers(&golden["places"]);
    let rows: Vec<f32> = numbers(&golden["descriptors"]);
    let keypoints: Vec<Keypoint> = places
        .iter()
        .map(|&[x, y]| Keypoint { x, y, size: 4.0, angle: 0.0, response: 0.0, octave: 0 })
        .collect();
    let found = sift::describe_at(&Plane::grey(&drawn()), &keypoints);
    let off = apart(&found, &rows) / places.len() as f32;
    println!("dense: {off} a descriptor");
    assert!(off < 10.0, "{off}");
}

#[test]
fn orb_is_opencvs() {
    let golden = &golden()["orb"];
    let (found, descriptors) = orb::orb(&Plane::grey(&drawn()), 500);
    let wanted: Vec<[f32; 5]> = numbers(&golden["keypoints"]);
    let rows: Vec<u8> = numbers(&golden["descriptors"]);
    let pairs = matched(&found, &wanted, 1e-3);
    let share = pairs.iter().flatten().count() as f32 / wanted.len() as f32;
    let bits = pairs.iter().enumerate().filter_map(|(at, other)| {
        let pairs = descriptors[(*other)? * 32..][..32].iter().zip(&rows[at * 32..]);
        Some(pairs.map(|(a, b)| (a ^ b).count_ones()).sum::<u32>())
    });
    let bits: Vec<u32> = bits.collect();
    let mean = bits.iter().sum::<u32>() as f32 / bits.len() as f32;
    println!(
        "{} for {}; {share:.3} matched, {mean:.2} of 256 bits apart",
        found.len(),
        wanted.len()
    );
    assert!(share > 0.97, "{share}");
    assert!(mean < 3.0, "{mean}");
}

#[test]
fn a_blank_picture_has_its_colour_and_nothing_else() {
    for side in [1, 2, 3, 17, 200] {
        let blank = RgbImage::from_pixel(side, side, [90, 120, 30].into());
        let grey = Plane::grey(&blank);
        for space in [Space::Hsv, Space::Lab] {
            let boxes = histogram(&blank, space);
            assert_eq!(boxes.iter().filter(|share| **share > 0.0).count(), 1);
        }
        let patterns = lbp(&grey);
        assert!((patterns.iter().sum::<f32>() - 3.0).abs() < 1e-5);
        assert!(hog(&grey, 16).iter().all(|value| *value == 0.0));
        assert!(sift::sift(&grey, Default::default()).0.is_empty());
        assert!(orb::orb(&grey, 500).0.is_empty());
        assert!(ImageModel::descriptors(&blank, &Grid::default()).is_empty());
        for kind in [
            ImageFeature::Colour(Space::Hsv),
            ImageFeature::Lbp,
            ImageFeature::Hog,
            ImageFeature::Gist,
        ] {
            let model = ImageModel::new(kind).expect("a model");
            let row = model.row(&blank);
            assert!(row.len() == model.width() && row.iter().all(|value| value.is_finite()));
        }
    }
    let thin = RgbImage::from_fn(3, 3000, |x, y| [(x * 90) as u8, (y % 256) as u8, 7].into());
    let grey = Plane::grey(&thin);
    let _ =
        (sift::sift(&grey, Default::default()), orb::orb(&grey, 500), lbp(&grey), hog(&grey, 16));
    assert!(
        ImageModel::new(ImageFeature::Gist)
            .expect("a model")
            .row(&thin)
            .iter()
            .all(|v| v.is_finite())
    );
}

#[test]
fn codebooks_are_stored_and_know_a_picture_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("m");
    let (picture, grid) = (drawn(), Grid::default());
    let found = vec![ImageModel::descriptors(&picture, &grid)];
    let other =
        RgbImage::from_fn(120, 90, |x, y| [(x * y) as u8, (x * 2) as u8, (y * 3) as u8].into());
    let settings = Settings { words: 8, sample: 2000, seed: 1 };
    for (encoding, width) in
        [(Encoding::Words, 8), (Encoding::Vlad, 1024), (Encoding::Fisher, 1024)]
    {
        let learn = |words, stop: bool| {
            let settings = Settings { words, ..settings };
            ImageModel::learn(encoding, grid.clone(), &found, settings, &move || stop)
        };
        let model = learn(8, false).expect("a model");
        let rows = [&picture, &other].map(|picture| model.row(picture));
        assert_eq!(rows[0].len(), width);
        assert!(rows.iter().flatten().all(|value| value.is_finite()) && rows[0] != rows[1]);
        assert_eq!(learn(8, false).expect("again").row(&picture), rows[0], "one seed, one result");
        let blank = RgbImage::new(60, 60);
        assert!(model.row(&blank).iter().all(|value| *value == 0.0));
        let bytes = model.to_bytes().expect("bytes");
        fs::write(&path, &bytes).expect("written");
        assert_eq!(ImageModel::load(&path).expect("a model").row(&other), rows[1]);
        for end in (0..bytes.len()).step_by(211) {
            fs::write(&path, &bytes[..end]).expect("written");
            assert!(ImageModel::load(&path).is_err(), "cut at {end}");
        }
        let why = learn(100_000, false).err().expect("too many").to_string();
        assert!(why.contains("100000 words of"), "{why}");
        assert!(matches!(learn(8, true), Err(tuwen_features::Error::Stopped)));
    }
}
