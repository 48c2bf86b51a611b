//! What fusers promise: what the papers' formulas give in PyTorch, with their gradients (`scripts/golden/fuser.py`); the
//! same in any company; a side that is missing; refusals that name what is wrong.

use serde_json::Value as Json;
use tuwen_matching::{Error, Fuser, FuserConfig, Network, Role, Side, is_measured};
use tuwen_nn::{Array, Arrays, Tape, grads};

fn golden() -> Json {
    serde_json::from_str(include_str!("golden/fuser.json")).expect("JSON")
}

fn floats(value: &Json) -> Vec<f32> {
    serde_json::from_value(value.clone()).expect("a list of numbers")
}

fn config(network: Network) -> FuserConfig {
    let (name, model) = ("toy".into(), "toy-model".into());
    FuserConfig { name, model, dim: 6, role: Role::Items, network }
}

fn weights(all: &Json, case: &Json) -> Arrays {
    let mut arrays = Arrays::default();
    for (name, array) in case["weights"].as_object().expect("weights") {
        let shape = serde_json::from_value(array["shape"].clone()).expect("a shape");
        arrays.0.insert(name.clone(), Array { shape, data: floats(&array["values"]) });
    }
    for side in ["image", "text"] {
        for part in ["mean", "spread"] {
            let data = floats(&all["sides"][side][part]);
            arrays.0.insert(format!("{side}.{part}"), Array { shape: vec![data.len()], data });
        }
    }
    arrays
}

fn close(what: &str, found: &[f32], wanted: &[f32]) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    let worst = found.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 1e-5, "{what}: differs by {worst}");
}

/// Each kind of network with its case.
fn cases(all: &Json) -> Vec<(FuserConfig, Json)> {
    let cases = all["cases"].as_object().expect("cases");
    let one = |case: &Json| {
        (config(serde_json::from_value(case["network"].clone()).expect("a network")), case.clone())
    };
    cases.values().map(one).collect()
}

#[test]
fn fusers_and_their_gradients_equal_pytorchs() {
    let all = golden();
    let (image, text, seed) = (floats(&all["image"]), floats(&all["text"]), floats(&all["seed"]));
    let share = all["share"].as_f64().expect("a number") as f32;
    for (config, case) in cases(&all) {
        let arrays = weights(&all, &case);
        let fuser = Fuser::learning(config.clone(), &arrays).expect("weights that fit");
        let mut tape = Tape::recording();
        let a = tape.leaf(fuser.standard(false, &image), 6, false);
        let b = tape.leaf(fuser.standard(true, &text), 6, false);
        let y = fuser.join(&mut tape, &a, &b, share);
        close(&format!("{:?}", config.network), &y, &floats(&case["joined"]));
        let (slopes, _) = grads::collect(vec![tape], |tape, grads| {
            tape.backward(vec![(&y, seed.clone())], grads);
        });
        for (name, array) in case["weights"].as_object().expect("weights") {
            let what = format!("{:?}, {name}", config.network);
            close(&what, &slopes.0[name].data, &floats(&array["grad"]));
        }
        let used = Fuser::new(config.clone(), &arrays).expect("weights that fit");
        close("used", &used.vectors(&image, &text, share), &floats(&case["joined"]));
    }
}

#[test]
fn an_item_has_the_same_vector_in_any_company_and_the_ends_are_one_side_alone() {
    let all = golden();
    let (image, text) = (floats(&all["image"]), floats(&all["text"]));
    for (config, case) in cases(&all) {
        let fuser = Fuser::new(config, &weights(&all, &case)).expect("weights that fit");
        let together = fuser.vectors(&image, &text, 0.5);
        for (at, wanted) in together.chunks_exact(6).enumerate() {
            let own = at * 6..(at + 1) * 6;
            close("alone", &fuser.vectors(&image[own.clone()], &text[own], 0.5), wanted);
        }
        // The first row has both sides.
        for (share, is_text, rows) in [(1.0, false, &image), (0.0, true, &text)] {
            let side = fuser.standard(is_text, &rows[..6]);
            let length = side.iter().map(|v| v * v).sum::<f32>().sqrt();
            let wanted: Vec<f32> = side.iter().map(|v| v / length).collect();
            close("an end", &fuser.vectors(&image[..6], &text[..6], share), &wanted);
        }
    }
}

#[test]
fn a_fuser_begins_as_the_sum() {
    let networks = [
        Network::Tucker { width: 3 },
        Network::Mutan { width: 3, rank: 2 },
        Network::LowRank { rank: 2 },
        Network::Gated { hidden: 4 },
    ];
    let (image, text) = ([0.6, 0.8, 0.0, 0.0, 0.0, 0.0], [0.0, 0.6, 0.0, 0.8, 0.0, 0.0]);
    let mut at = 0.0f32;
    for network in networks {
        let normal = || {
            at += 1.0;
            (at * 12.9898).sin() * 1.5
        };
        let config = config(network);
        let first = config.first_values(None, normal);
        let fuser = Fuser::new(config.clone(), &first).expect("first values");
        let sum: Vec<f32> = image.iter().zip(&text).map(|(a, b)| a + b).collect();
        let length = sum.iter().map(|v| v * v).sum::<f32>().sqrt();
        let wanted: Vec<f32> = sum.iter().map(|v| v / length).collect();
        close(&format!("{network:?}"), &fuser.vectors(&image, &text, 0.5), &wanted);
        // Every weight but those that are measured can learn from there, but for what stands behind zeros.
        let learning = Fuser::learning(config, &first).expect("first values");
        let mut tape = Tape::recording();
        let a = tape.leaf(learning.standard(false, &image), 6, false);
        let b = tape.leaf(learning.standard(true, &text), 6, false);
        let y = learning.join(&mut tape, &a, &b, 0.5);
        let (slopes, _) = grads::collect(vec![tape], |tape, grads| {
            tape.backward(vec![(&y, vec![0.3, -0.2, 0.5, 0.1, -0.4, 0.2])], grads);
        });
        let moves = |(name, slope): (&String, &Array)| {
            assert!(!is_measured(name), "{name}");
            slope.data.iter().any(|value| value.abs() > 1e-6)
        };
        assert!(slopes.0.iter().any(moves), "{network:?}");
    }
}

#[test]
fn sides_of_queries_are_measured() {
    let vectors = [0.6, 0.8, 0.0, 0.8, 0.6, 0.0, 0.0, 0.6, 0.8];
    let [image, text] = [&vectors[..], &vectors[3..]].map(|own| Side::of(own, &vectors, 3));
    let config =
        FuserConfig { dim: 3, role: Role::Queries, ..config(Network::LowRank { rank: 1 }) };
    let first = config.first_values(Some([&image, &text]), || 0.5);
    assert_eq!(
        (&first.0["image.mean"].data, &first.0["text.mean"].data),
        (&image.mean, &text.mean)
    );
    let fuser = Fuser::new(config, &first).expect("first values");
    assert_eq!(fuser.standard(true, &vectors[..3]), text.centred(&vectors[..3]));
    assert_eq!(fuser.standard(false, &[0.0; 3]), [0.0; 3]);
}

#[test]
fn what_does_not_fit_is_named() {
    let all = golden();
    let (config, case) = cases(&all).remove(0);
    let good = weights(&all, &case);
    let refused = |arrays: &Arrays| match Fuser::new(config.clone(), arrays) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("it should be refused"),
    };
    let mut other = good.clone();
    other.0.remove("image.mean");
    assert!(refused(&other).contains("image.mean"));
    let mut other = good.clone();
    other.0.get_mut("text.spread").expect("a weight").data[0] = f32::NAN;
    assert!(refused(&other).contains("text.spread"));
    let fuser = Fuser::new(config.clone(), &good).expect("weights that fit");
    assert!(fuser.check("toy-model", Role::Items).is_ok());
    let error = fuser.check("another", Role::Items).expect_err("another model");
    assert!(matches!(&error, Error::FuserOfOther { found, .. } if found == "another"), "{error}");
    let error = fuser.check("toy-model", Role::Queries).expect_err("another role").to_string();
    assert!(error.contains("`toy`") && error.contains("--combiner"), "{error}");
    for (key, value) in [("dim", "0"), ("network", r#"{"kind":"mutan","width":3}"#), ("hue", "1")] {
        let mut json = serde_json::to_value(&config).expect("JSON");
        json[key] = serde_json::from_str(value).expect("JSON");
        assert!(FuserConfig::parse(&json.to_string()).is_err(), "{key}");
    }
    let mut changed = good.clone();
    changed.0.values_mut().last().expect("a weight").data[0] += 0.1;
    let changed = Fuser::new(config, &changed).expect("weights that fit");
    assert_ne!(fuser.fingerprint(), changed.fingerprint());
}
