//! Losses beside PyTorch's autograd, closed forms beside NumPy's and scikit-learn's (`scripts/golden/space.py`).

use serde_json::Value;
use tuwen_space::deep::losses::{Loss, bits, correlation, distance, likelihood, squared, triplets};
use tuwen_space::{Chain, Features, Step, closed};

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/space.json")).expect("JSON")
}

fn floats(value: &Value) -> Vec<f32> {
    serde_json::from_value(value.clone()).expect("numbers")
}

fn close(what: &str, found: &[f32], wanted: &[f32], within: f32) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    let most = wanted.iter().map(|w| w.abs()).fold(1.0, f32::max);
    let worst = found.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst <= within * most, "{what}: differs by {worst}");
}

#[test]
fn losses_and_slopes_are_pytorchs() {
    let golden = golden();
    let (a, b) = (floats(&golden["a"]), floats(&golden["b"]));
    let numbers =
        |key: &str| -> Vec<usize> { serde_json::from_value(golden[key].clone()).expect("numbers") };
    let (labels, negatives) = (numbers("labels"), numbers("negatives"));
    let triple = |alpha| triplets(&a, &b, 4, &negatives, [0.1, alpha]);
    let found: [(&str, Loss); 7] = [
        ("bits", bits(&a, &b, &labels, [0.7, 0.3])),
        ("squared", squared(&a, &b, 4)),
        ("distance", distance(&a, &b, 4)),
        ("likelihood", likelihood(&a, &b, [&labels, &labels])),
        ("triplets", triple(5.0)),
        ("triplets_at_rest", triple(0.2)),
        ("correlation", correlation(&a, &b, 4, 0.1).expect("regular")),
    ];
    for (name, loss) in found {
        let wanted = &golden["losses"][name];
        let value = wanted["loss"].as_f64().expect("a number") as f32;
        close(name, &[loss.value], &[value], 1e-5);
        close(&format!("{name}, first"), &loss.first, &floats(&wanted["a"]), 1e-5);
        close(&format!("{name}, second"), &loss.second, &floats(&wanted["b"]), 1e-5);
    }
}

/// Columns may differ in their sign.
fn close_up_to_signs(what: &str, found: &Features, wanted: &[f32]) {
    for column in 0..found.width {
        let of = |values: &[f32]| {
            values.iter().skip(column).step_by(found.width).copied().collect::<Vec<_>>()
        };
        let (mine, other) = (of(&found.values), of(wanted));
        let turned: Vec<f32> = mine.iter().map(|v| -v).collect();
        let dot: f32 = mine.iter().zip(&other).map(|(a, b)| a * b).sum();
        close(what, if dot < 0.0 { &turned } else { &mine }, &other, 1e-4);
    }
}

#[test]
fn closed_forms_are_numpys_and_scikit_learns() {
    let golden = golden();
    let closed_ones = &golden["closed"];
    let images = Features { values: floats(&closed_ones["x"]), width: 5 };
    let texts = Features { values: floats(&closed_ones["y"]), width: 4 };
    let labels: Vec<usize> = serde_json::from_value(closed_ones["labels"].clone()).expect("labels");
    let cca = closed::cca(&images, &texts, 3, 0.01, false).expect("regular");
    close_up_to_signs("images", &cca.image.apply(&images), &floats(&closed_ones["image_codes"]));
    close_up_to_signs("texts", &cca.text.apply(&texts), &floats(&closed_ones["text_codes"]));
    let pls = closed::pls(&images, &texts, 3);
    close_up_to_signs("PLS", &pls.image.apply(&images), &floats(&closed_ones["pls_image_codes"]));
    let layer = closed::logistic(&images, &labels, 3, 0.01).expect("settles");
    let shares = Chain(vec![layer, Step::Softmax]).apply(&images);
    close("probabilities", &shares.values, &floats(&closed_ones["probabilities"]), 1e-4);
}
