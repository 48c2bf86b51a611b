//! Whole towers on the card beside the host's: other people's families, and the built-in model.

mod common;

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{card, close, wave};
use image::Rgb;
use tuwen_encode::towers::{AnyImageTower, Record, TextTower, Wanted};
use tuwen_encode::{
    Batch, Checkpoint, CpuEncoder, Device, Encoder, ModelConfig, Output, Products, Result, Weights,
    builtin,
};
use tuwen_nn::{Executor, Patches};

/// What a vector may differ by.
const BOUND: f32 = 1e-4;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../encode/tests/golden").join(name)
}

/// A checkpoint's weights on the card.
struct There<'c> {
    checkpoint: &'c Checkpoint,
    card: Arc<dyn Executor>,
}

impl Weights<'static> for There<'_> {
    fn find(&self, name: &str) -> Result<(Vec<usize>, Cow<'static, [f32]>)> {
        self.checkpoint.find(name)
    }

    fn executor(&self) -> Option<&Arc<dyn Executor>> {
        Some(&self.card)
    }
}

/// Texts of many lengths, with the tokens that a family wants first and last.
fn texts(config: &ModelConfig, checkpoint: &Checkpoint) -> Vec<Vec<u32>> {
    let table = checkpoint.find("text.token_embed.weight").expect("a table").0[0] as u32;
    let one = |len: u32| {
        let middle = (0..len).map(|at| 1 + (at * 7 + len) % (table - 2));
        let end = config.end.unwrap_or(table - 1);
        let mut ids: Vec<u32> = middle.collect();
        ids.push(end);
        ids
    };
    let most = config.context as u32 - 1;
    [1, 2, most, 3, most / 2].into_iter().map(one).collect()
}

/// How some pictures are cut; of any shape where the tower takes such.
fn cuts(config: &ModelConfig) -> Vec<Patches> {
    let patch = config.patch;
    match config.any_shape() {
        true => {
            [(2, 3), (1, 1), (4, 1)].map(|(rows, columns)| Patches { rows, columns, patch }).into()
        }
        false => vec![Patches::square(config.preprocess.size as usize, patch); 3],
    }
}

fn same(name: &str) {
    let Some(card) = card() else { return };
    let (config, checkpoint) = Checkpoint::open(&golden(name)).expect("a checkpoint");
    let there = || There { checkpoint: &checkpoint, card: Arc::clone(&card) };
    let (cuts, wanted) = (cuts(&config), Wanted::default());
    let pixels = wave(cuts.iter().map(Patches::values).sum(), 0.4);
    let tokens = Wanted { tokens: true, hidden: vec![0, 1], ..Wanted::default() };

    let here = AnyImageTower::new(&config, &checkpoint).expect("a tower");
    let tower = AnyImageTower::new(&config, there()).expect("a tower");
    let pass = |tower: &AnyImageTower<'_>, wanted| {
        let cuts = config.any_shape().then_some(&cuts[..]);
        let pass = tower.try_forward(&pixels, cuts, Record::No, wanted).expect("a pass");
        (pass.features, pass.tokens, pass.hidden)
    };
    let (found, expected) = (pass(&tower, &wanted), pass(&here, &wanted));
    close(&format!("{name}, pictures"), &found.0, &expected.0, BOUND);
    assert_eq!(pass(&tower, &wanted).0, found.0, "{name}: the same bits each time");
    let (found, expected) = (pass(&tower, &tokens), pass(&here, &tokens));
    let (some, all) = (found.1.expect("tokens"), expected.1.expect("tokens"));
    close(&format!("{name}, tokens"), &some.values, &all.values, BOUND);
    assert_eq!((some.spans, found.2.len()), (all.spans, 2));
    for (some, all) in found.2.iter().zip(&expected.2) {
        close(&format!("{name}, hidden"), &some.values, &all.values, BOUND);
    }

    let ids = texts(&config, &checkpoint);
    let ids: Vec<&[u32]> = ids.iter().map(Vec::as_slice).collect();
    let here = TextTower::new(&config, &checkpoint).expect("a tower");
    let tower = TextTower::new(&config, there()).expect("a tower");
    let pass =
        |tower: &TextTower<'_>| tower.try_forward(&ids, Record::No).expect("a pass").features;
    close(&format!("{name}, texts"), &pass(&tower), &pass(&here), BOUND);
    // Each alone has the vector that it has beside others.
    let alone: Vec<f32> = ids
        .iter()
        .flat_map(|ids| tower.try_forward(&[ids], Record::No).expect("a pass").features)
        .collect();
    close(&format!("{name}, one by one"), &alone, &pass(&tower), 1e-6);
}

#[test]
fn clip() {
    same("clip");
}

#[test]
fn chinese_clip() {
    same("chinese-clip");
}

#[test]
fn sig_lip() {
    same("siglip");
}

#[test]
fn families_of_other_languages_and_shapes() {
    for name in ["xlm-roberta", "metaclip-2", "siglip-2-naflex", "fg-clip-2"] {
        same(name);
    }
}

#[test]
fn what_the_card_cannot_do_is_refused_by_name() {
    let Some(card) = card() else { return };
    let (config, checkpoint) = Checkpoint::open(&golden("clip")).expect("a checkpoint");
    let there = There { checkpoint: &checkpoint, card: Arc::clone(&card) };
    let tower = AnyImageTower::new(&config, there).expect("a tower");
    let size = config.preprocess.size as usize;
    let pixels = wave(3 * size * size, 0.4);
    let refusal = |record, wanted: &Wanted| {
        tower.try_forward(&pixels, None, record, wanted).err().expect("a refusal").to_string()
    };
    let maps = refusal(Record::No, &Wanted { maps: true, ..Wanted::default() });
    let back = refusal(Record::All, &Wanted::default());
    assert!(maps.contains("`attention map`") && maps.contains("--device cpu"), "{maps}");
    assert!(back.contains("the backward pass") && back.contains("--device cpu"), "{back}");
    let bytes = || builtin::open().expect("a model").with_products(Products::Int8);
    let error = bytes().on(Device::Card(Arc::clone(&card))).err().expect("bytes").to_string();
    assert!(error.contains("--precision int8") && error.contains("--device cpu"), "{error}");
    // Who left the choice gets the CPU, and is told.
    let encoder = bytes().on(Device::CardIfAble(card)).expect("the CPU");
    assert!(encoder.notes().iter().any(|note| note.contains("the CPU is taken")));
}

#[test]
fn the_built_in_model() {
    let Some(card) = card() else { return };
    let open = || builtin::open().expect("a model").with_products(Products::F32);
    let (here, there) = (open(), open().on(Device::Card(card)).expect("a card"));
    assert_eq!(here.fingerprint(), there.fingerprint());
    let texts = ["a red car on the road", "一只狗", "x", "夜里下雪的街道, and what lies behind it"];
    let embed = |encoder: &CpuEncoder| encoder.encode_texts(&texts).expect("vectors");
    close("texts", &embed(&there), &embed(&here), BOUND);
    let side = here.preprocess().size;
    let picture = |seed: u32| {
        let pixel =
            |x: u32, y: u32| Rgb([x * seed % 251, y * 3 % 256, (x + y) % 256].map(|v| v as u8));
        tuwen_image::RgbImage::from_fn(side, side, pixel)
    };
    let pictures: Vec<_> = (1..4).map(picture).collect();
    for output in [Output::Embedding, Output::Feature] {
        let run = |encoder: &CpuEncoder| {
            encoder.forward(Batch::Images(&pictures), output).expect("vectors")
        };
        close(&format!("pictures, {output:?}"), &run(&there), &run(&here), BOUND);
    }
}
