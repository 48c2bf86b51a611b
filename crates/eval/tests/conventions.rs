//! The field's own evaluation code on the same vectors (`scripts/golden/evaluation.py`).

use std::path::Path;

use serde_json::Value;
use tuwen_eval::{Captioned, Ranking, Report, Ties, conventions};

fn golden() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/evaluation.json");
    let text = std::fs::read_to_string(path).expect("goldens are committed");
    serde_json::from_str(&text).expect("JSON")
}

fn rows(value: &Value) -> Vec<Vec<f32>> {
    serde_json::from_value(value.clone()).expect("rows")
}

/// Numbers within 1e-5 of each other (CLIP_benchmark averages in f32), everything else equal.
fn same(found: &Value, wanted: &Value, what: &str) {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => {
            let keys = |map: &serde_json::Map<String, Value>| -> Vec<String> {
                map.keys().cloned().collect()
            };
            assert_eq!(keys(found), keys(wanted), "{what}");
            found
                .iter()
                .for_each(|(key, value)| same(value, &wanted[key], &format!("{what}.{key}")));
        }
        (Value::Number(found), Value::Number(wanted)) => {
            let (found, wanted) =
                (found.as_f64().expect("a number"), wanted.as_f64().expect("a number"));
            assert!((found - wanted).abs() < 1e-5, "{what}: {found} is not {wanted}");
        }
        _ => assert_eq!(found, wanted, "{what}"),
    }
}

struct Set {
    images: Vec<f32>,
    texts: Vec<f32>,
    truth: Vec<Vec<usize>>,
    dim: usize,
}

impl Set {
    fn of(images: &Value, texts: &[Vec<f32>], owner: Vec<usize>) -> Self {
        let (images, truth) = (rows(images), owner.into_iter().map(|image| vec![image]).collect());
        Self { dim: images[0].len(), images: images.concat(), texts: texts.concat(), truth }
    }

    fn ranked(&self, ties: Ties) -> (Report, [Vec<Vec<usize>>; 2]) {
        let (images, texts, truth) = (&self.images, &self.texts, &self.truth);
        let set = Captioned { images, texts, dim: self.dim, truth };
        let ranking = Ranking { top: 10, ties };
        let (to_image, to_text) = (set.text_to_image(ranking), set.image_to_text(ranking));
        let report = Report::new(set, &to_image, &to_text, &[]);
        let tops = [to_image, to_text].map(|ranked| ranked.into_iter().map(|r| r.top).collect());
        (report, tops)
    }
}

fn owner(golden: &Value) -> Vec<usize> {
    serde_json::from_value(golden["owner"].clone()).expect("positions")
}

#[test]
fn every_convention_gives_its_own_programs_numbers() {
    let golden = golden();
    let set = Set::of(&golden["images"], &rows(&golden["texts"]), owner(&golden));
    let (report, _) = set.ranked(Ties::LowerFirst);
    let clip = &golden["chinese_clip"];
    same(&conventions::chinese_clip(report.text_to_image.recall), &clip["text_to_image"], "t2i");
    same(&conventions::chinese_clip(report.image_to_text.recall), &clip["image_to_text"], "i2t");
    same(&conventions::clip_benchmark(&report), &golden["clip_benchmark"], "CLIP_benchmark");
    let (later, _) = set.ranked(Ties::HigherFirst);
    same(&conventions::lavis(&later), &golden["lavis"], "LAVIS");

    let first: Vec<usize> = serde_json::from_value(golden["first"].clone()).expect("positions");
    let texts = rows(&golden["texts"]);
    let texts: Vec<Vec<f32>> = first.iter().map(|&at| texts[at].clone()).collect();
    let one = Set::of(&golden["images"], &texts, (0..first.len()).collect());
    same(
        &conventions::open_clip(&one.ranked(Ties::LowerFirst).0),
        &golden["open_clip"],
        "open_clip",
    );
}

#[test]
fn ties_and_predictions_are_chinese_clips() {
    let golden = golden();
    let tied = &golden["tied"];
    let set = Set::of(&tied["images"], &rows(&tied["texts"]), owner(&golden));
    let (report, [to_image, to_text]) = set.ranked(Ties::LowerFirst);
    assert!(report.text_to_image.ties > 50, "whole numbers tie: {}", report.text_to_image.ties);
    let wanted = &tied["chinese_clip"];
    same(&conventions::chinese_clip(report.text_to_image.recall), &wanted["text_to_image"], "t2i");
    same(&conventions::chinese_clip(report.image_to_text.recall), &wanted["image_to_text"], "i2t");
    let lists = |value: &Value| -> Vec<Vec<usize>> {
        serde_json::from_value(value.clone()).expect("lists")
    };
    assert_eq!(to_image, lists(&wanted["predictions"]));
    assert_eq!(to_text, lists(&wanted["tr_predictions"]));
}
