//! Losses and their gradients beside PyTorch's (`scripts/golden/losses.py`).

use serde_json::Value as Json;
use tuwen_nn::{Pairs, Tape, grads};

fn floats(value: &Json) -> Vec<f32> {
    serde_json::from_value(value.clone()).expect("a list of numbers")
}

fn close(what: &str, found: &[f32], wanted: &[f32]) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    let worst = found.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 1e-5, "{what}: differs by {worst}");
}

#[test]
fn losses_and_gradients_equal_pytorchs() {
    let case: Json = serde_json::from_str(include_str!("golden/losses.json")).expect("JSON");
    let dim = case["dim"].as_u64().expect("a number") as usize;
    let ids: Vec<(u64, u64)> = serde_json::from_value(case["pairs"].clone()).expect("pairs");
    let related = |a: &(u64, u64), b: &(u64, u64)| Some(a.0 == b.0 || a.1 == b.1);
    let truth = ids.iter().flat_map(|a| ids.iter().map(move |b| related(a, b))).collect();
    let pairs = Pairs { truth, columns: ids.len() };
    let number = |key: &str| vec![case[key].as_f64().expect("a number") as f32];
    for name in ["contrastive", "smoothed", "sigmoid"] {
        let mut tape = Tape::recording();
        let leaves = [
            ("a", tape.leaf(floats(&case["a"]), dim, true)),
            ("b", tape.leaf(floats(&case["b"]), dim, true)),
            ("scale", tape.leaf(number("log_scale"), 1, true)),
            ("bias", tape.leaf(number("bias"), 1, true)),
        ];
        let cosines = tape.products(&leaves[0].1, &leaves[1].1);
        let logits = tape.scale(&cosines, &leaves[2].1);
        let loss = match name {
            "contrastive" => tape.contrastive(&logits, &pairs, 0.0),
            "smoothed" => tape.contrastive(&logits, &pairs, 0.1),
            _ => {
                let logits = tape.shift(logits, &leaves[3].1);
                tape.sigmoid(&logits, &pairs)
            }
        };
        let wanted = &case[name];
        close(name, &loss, &[wanted["loss"].as_f64().expect("a number") as f32]);
        grads::collect(vec![tape], |tape, grads| {
            let mut found = tape.backward(vec![(&loss, vec![1.0])], grads);
            for (leaf, value) in &leaves {
                match found.take(value) {
                    Some(grad) => close(&format!("{name}: {leaf}"), &grad, &floats(&wanted[*leaf])),
                    None => assert!(name != "sigmoid" && *leaf == "bias", "{name}: {leaf}"),
                }
            }
        });
    }
}

/// Rows 0 and 1 belong to columns 0 and 1; whether row 0 belongs to column 2, nobody knows.
#[test]
fn a_pair_that_does_not_count_changes_nothing() {
    let (yes, no) = (Some(true), Some(false));
    let pairs = Pairs { truth: vec![yes, no, None, no, yes, no, no, no, yes], columns: 3 };
    let losses = |unsure: f32| {
        let tape = &mut Tape::forward_only();
        let logits = tape.leaf(vec![2.0, 0.5, unsure, 0.1, 3.0, 0.2, 0.3, 0.4, 1.5], 3, false);
        let all = [
            tape.contrastive(&logits, &pairs, 0.1),
            tape.sigmoid(&logits, &pairs),
            tape.triplet(&logits, &pairs, 0.5),
        ];
        all.map(|loss| loss[0])
    };
    assert_eq!(losses(-5.0), losses(5.0));
    assert!(losses(0.0).iter().all(|loss| loss.is_finite() && *loss >= 0.0));
}

#[test]
fn each_loss_has_the_slope_of_its_logits() {
    let (yes, no) = (Some(true), Some(false));
    let truth = vec![yes, no, None, yes, no, yes, no, no, no, no, yes, no, yes, no, no, yes];
    let pairs = Pairs { truth, columns: 4 };
    let logits: Vec<f32> = (0..16).map(|at| ((at * 7 + 3) as f32 * 0.9).sin()).collect();
    type Loss<'l> = &'l dyn Fn(&mut Tape<'_>, &tuwen_nn::Value) -> tuwen_nn::Value;
    let losses: [(&str, Loss<'_>); 3] = [
        ("contrastive", &|tape, logits| tape.contrastive(logits, &pairs, 0.1)),
        ("sigmoid", &|tape, logits| tape.sigmoid(logits, &pairs)),
        ("triplet", &|tape, logits| tape.triplet(logits, &pairs, 0.4)),
    ];
    for (name, loss) in losses {
        let value = |at: usize, by: f32| {
            let mut moved = logits.clone();
            moved[at] += by;
            let mut tape = Tape::forward_only();
            let moved = tape.leaf(moved, 4, false);
            loss(&mut tape, &moved)[0]
        };
        let mut tape = Tape::recording();
        let leaf = tape.leaf(logits.clone(), 4, true);
        let found = loss(&mut tape, &leaf);
        let (_, grads) = grads::collect(vec![tape], |tape, grads| {
            tape.backward(vec![(&found, vec![1.0])], grads).take(&leaf).expect("a gradient")
        });
        for (at, grad) in grads[0].iter().enumerate() {
            let slope = (value(at, 2e-3) - value(at, -2e-3)) / 4e-3;
            assert!((slope - grad).abs() < 1e-3, "{name}, {at}: {slope} is not {grad}");
        }
    }
}
