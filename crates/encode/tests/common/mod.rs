//! What the tests against goldens share.
#![allow(dead_code, reason = "each test file uses its part")]

use std::path::{Path, PathBuf};

use serde_json::Value;
use tuwen_encode::towers::{AnyImageTower, FusionTower, Heads, Match, Record, TextTower, Wanted};
use tuwen_encode::{Checkpoint, Fusion, Weights};
use tuwen_nn::Tape;

pub fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

pub fn json(name: &str) -> Value {
    let text = std::fs::read_to_string(golden(name)).expect("goldens are committed");
    serde_json::from_str(&text).expect("JSON")
}

/// The same pictures as the scripts'.
pub fn pixels(count: u32) -> Vec<f32> {
    (0..count).map(|i| ((f64::from(i) * 0.37).sin() * 0.8) as f32).collect()
}

/// Unit vectors of pictures and texts, and the logits between them.
pub struct Outputs {
    pub image: Vec<Vec<f32>>,
    pub text: Vec<Vec<f32>>,
    pub logits: Vec<Vec<f32>>,
}

/// What the checkpoint at `path` gives for `pictures` pictures and the texts.
pub fn outputs(path: &Path, pictures: u32, ids: &[Vec<u32>], record: Record) -> Outputs {
    let (config, checkpoint) = Checkpoint::open(path).expect("a checkpoint");
    let find = |name: &str| (&checkpoint).find(name).expect("a weight").1.into_owned();
    let size = config.preprocess.size;
    let tower = AnyImageTower::new(&config, &checkpoint).expect("the image tower");
    let features = tower.forward(&pixels(pictures * 3 * size * size), None, Record::No).features;
    let heads = Heads::new(&config, &checkpoint).expect("both heads");
    let image = rows(features, config.image_feature(), |tape, x| heads.images(tape, x));
    let ids: Vec<&[u32]> = ids.iter().map(Vec::as_slice).collect();
    let tower = TextTower::new(&config, &checkpoint).expect("the text tower");
    let features = tower.forward(&ids, record).features;
    let text = rows(features, config.text_feature(), |tape, x| heads.texts(tape, x));
    let (scale, bias) = (find("heads.logit_scale")[0].exp(), find("heads.logit_bias")[0]);
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let logits = image
        .iter()
        .map(|image| text.iter().map(|text| scale * dot(image, text) + bias).collect())
        .collect();
    Outputs { image, text, logits }
}

/// The rows that a head makes of features.
pub fn rows<'w>(
    features: Vec<f32>,
    width: usize,
    head: impl FnOnce(&mut Tape<'w>, &tuwen_nn::Value) -> tuwen_nn::Value,
) -> Vec<Vec<f32>> {
    let mut tape = Tape::forward_only();
    let features = tape.leaf(features, width, false);
    let found = head(&mut tape, &features);
    found.chunks_exact(found.width()).map(<[f32]>::to_vec).collect()
}

pub fn close(what: &str, found: &[Vec<f32>], wanted: &Value, bound: f32) {
    let wanted: Vec<Vec<f32>> = serde_json::from_value(wanted.clone()).expect("rows");
    assert_eq!(found.len(), wanted.len(), "{what}");
    for (found, wanted) in found.iter().zip(&wanted) {
        assert_eq!(found.len(), wanted.len(), "{what}");
        let worst = found.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < bound, "{what}: differs by {worst}");
    }
}

/// The logits of all pairs behind the texts: for each of two pictures a row for each text.
pub fn matches(
    folder: &Path,
    change: impl Fn(&mut Fusion),
    ids: &[Vec<u32>],
) -> Vec<Vec<Vec<f32>>> {
    let rows = |pairs: Vec<Match>| pairs.iter().map(|pair| pair.text.to_vec()).collect();
    all_matches(folder, change, ids).into_iter().map(rows).collect()
}

/// What the matching head says of all pairs, for each of two pictures.
pub fn all_matches(
    folder: &Path,
    change: impl Fn(&mut Fusion),
    ids: &[Vec<u32>],
) -> Vec<Vec<Match>> {
    let (mut config, checkpoint) = Checkpoint::open(folder).expect("a checkpoint");
    change(config.fusion.as_mut().expect("a matching head"));
    let size = config.preprocess.size;
    let image = AnyImageTower::new(&config, &checkpoint).expect("the image tower");
    let wanted = Wanted { tokens: true, ..Wanted::default() };
    let pass = image.forward_with(&pixels(2 * 3 * size * size), None, Record::No, &wanted);
    let rows = pass.tokens.expect("they were wanted").values;
    let pictures: Vec<&[f32]> = rows.chunks_exact(rows.len() / 2).collect();
    let text = TextTower::new(&config, &checkpoint).expect("the text tower");
    let fusion = FusionTower::find(&config, &checkpoint).expect("weights").expect("a head");
    let ids: Vec<&[u32]> = ids.iter().map(Vec::as_slice).collect();
    let pairs: Vec<(usize, usize)> =
        (0..2).flat_map(|picture| (0..ids.len()).map(move |text| (text, picture))).collect();
    let found = fusion.try_matches(&text, &ids, &pictures, &pairs).expect("logits");
    found.chunks_exact(ids.len()).map(<[Match]>::to_vec).collect()
}

/// A copy of a golden folder that may be changed.
pub fn copied(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for entry in std::fs::read_dir(golden(name)).expect("a golden folder") {
        let path: PathBuf = entry.expect("an entry").path();
        std::fs::copy(&path, folder.path().join(path.file_name().expect("a name")))
            .expect("a copy");
    }
    folder
}

/// What opening the folder says once `from` is `to` in one of its files.
pub fn refused(folder: &Path, file: &str, from: &str, to: &str) -> String {
    let path = folder.join(file);
    let text = std::fs::read_to_string(&path).expect("a file");
    assert!(text.contains(from), "{from}");
    std::fs::write(&path, text.replace(from, to)).expect("a file");
    let error = Checkpoint::open(folder).expect_err("it does not fit").to_string();
    std::fs::write(&path, text).expect("a file");
    error
}

/// The ids of a golden entry.
pub fn ids(value: &Value) -> Vec<Vec<u32>> {
    serde_json::from_value(value["ids"].clone()).expect("ids")
}

/// Says that a test did not run, past the test runner, which hides what passing tests print.
pub fn not_run(why: &str) {
    use std::io::Write;
    let _ = std::io::stderr().write_all(format!("not run: {why}\n").as_bytes());
}
