//! Maps beside PyTorch's, and perturbing methods beside a model whose exact map is known.

mod common;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use common::{additive, patches};
use tuwen_encode::{Checkpoint, CpuEncoder, Encoder};
use tuwen_explain::faithful::rank_correlation;
use tuwen_explain::{Explanation, Fill, Method, Settings, explain};
use tuwen_image::RgbImage;

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../encode/tests/golden")
}

/// As `scripts/golden/explain.py` has it.
fn picture() -> RgbImage {
    let byte = |i: usize| ((i * 37 + i / 96 * 11) % 256) as u8;
    RgbImage::from_raw(32, 32, (0..32 * 32 * 3).map(byte).collect()).expect("32 x 32")
}

fn toward(dim: usize) -> Vec<f32> {
    let values: Vec<f64> = (0..dim).map(|at| (at as f64 * 0.7).cos()).collect();
    let length = values.iter().map(|v| v * v).sum::<f64>().sqrt();
    values.iter().map(|v| (v / length) as f32).collect()
}

mod golden {
    use super::*;
    use tuwen_encode::towers::Wanted;
    use tuwen_explain::attention::{self, Pooled};
    use tuwen_explain::gradient;

    fn close(name: &str, found: &[f32], wanted: &[f32]) {
        assert_eq!(found.len(), wanted.len(), "{name}");
        let large = wanted.iter().map(|v| v.abs()).fold(0.0, f32::max);
        for (at, (a, b)) in found.iter().zip(wanted).enumerate() {
            assert!((a - b).abs() <= 2e-4 * large + 1e-7, "{name}, patch {at}: {a}, not {b}");
        }
    }

    /// Of towers alone: the tiny models' vocabularies are not those of their tokenizers.
    fn model(path: &Path) -> CpuEncoder {
        let (config, checkpoint) = Checkpoint::open(path).expect("a model");
        let weights = checkpoint.to_arrays(&config).expect("all weights");
        CpuEncoder::new(config, weights, b"tiny").expect("all weights")
    }

    type Maps = HashMap<String, HashMap<String, serde_json::Value>>;

    #[test]
    fn maps_are_those_of_pytorch() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/maps.json");
        let all: Maps =
            serde_json::from_slice(&std::fs::read(path).expect("goldens")).expect("JSON");
        for (name, wanted) in &all {
            let encoder = model(&models().join(name));
            let toward = toward(encoder.dim());
            let config = encoder.config();
            let (layers, width) = (config.image.layers, config.image.width);
            let side = config.preprocess.size as usize;
            let trace = |wanted: &Wanted| {
                encoder.trace_image(&picture(), &toward, wanted).expect("a trace")
            };
            let map = |key: &str| -> Vec<f32> {
                serde_json::from_value(wanted[key].clone()).expect("a map")
            };
            let pixels = trace(&Wanted { input_gradient: true, ..Wanted::default() });
            close(
                name,
                &[pixels.score],
                &[serde_json::from_value(wanted["score"].clone()).expect("a score")],
            );
            let mut input = Vec::new();
            config.preprocess.normalise_into(&picture(), &mut input);
            let across = side / config.patch;
            let found = gradient::on_patches(&input, &pixels.gradient, side, across);
            close("gradient", &found, &map("gradient"));
            let (last, classes) = if name == "siglip" { (layers, 0) } else { (layers - 1, 1) };
            let rows = trace(&Wanted { from: Some(last), ..Wanted::default() });
            let skip = classes * width;
            let found = gradient::grad_cam(&rows.rows[skip..], &rows.gradient[skip..], width);
            close("gradcam", &found, &map("gradcam"));
            if name == "siglip" {
                continue;
            }
            let attended = |from, readouts| {
                let wanted =
                    Wanted { from: Some(from), attention: true, readouts, ..Wanted::default() };
                trace(&wanted).attended
            };
            let (all, first) = (attended(0, false), Pooled::First);
            assert_eq!(all.len(), layers);
            close("rollout", &attention::rollout(&all, first)[1..], &map("rollout"));
            close("chefer-all", &attention::chefer(&all, first)[1..], &map("chefer-all"));
            let one = attended(layers - 1, false);
            assert_eq!(one.len(), 1);
            close("chefer", &attention::chefer(&one, first)[1..], &map("chefer"));
            close("grad-eclip", &attention::grad_eclip(&one[0], first)[1..], &map("grad-eclip"));
            close("legrad", &attention::legrad(&attended(0, true), false)[1..], &map("legrad"));
        }
        assert_eq!(all.len(), 2);
    }
}

/// The exact map of a mean-pooled encoder: what each patch adds to the score beside what it would add hidden, at the
/// length of the whole picture's vector. From the tokens alone, by the definition.
fn exact(encoder: &CpuEncoder, square: &RgbImage, text: &str, fill: Fill) -> Vec<f32> {
    let toward = encoder.encode_texts(&[text]).expect("a vector");
    let [way, _] = encoder.token_projections().expect("a matrix");
    let grid = tuwen_explain::Regions::grid(square.width() as usize, 7);
    let projected = |picture: &RgbImage| -> Vec<Vec<f32>> {
        let found = encoder.image_tokens(std::slice::from_ref(picture)).expect("tokens");
        let rows = found.tokens.values[found.width..].chunks_exact(found.width);
        let project = |row: &[f32]| {
            let weights = way.weight.chunks_exact(way.width).zip(&way.bias);
            weights.map(|(w, b)| w.iter().zip(row).map(|(a, b)| a * b).sum::<f32>() + b).collect()
        };
        rows.map(project).collect()
    };
    let (shown, hidden) = (projected(square), projected(&fill.hidden(square, &grid)));
    let mut sum = vec![0.0f32; toward.len()];
    shown
        .iter()
        .for_each(|v| sum.iter_mut().zip(v).for_each(|(sum, v)| *sum += v / shown.len() as f32));
    let length = sum.iter().map(|v| v * v).sum::<f32>().sqrt();
    // To first order in a patch: the part along the whole vector changes the length, not the cosine.
    let cosine: f32 = sum.iter().zip(&toward).map(|(a, b)| a * b).sum::<f32>() / length;
    let slope: Vec<f32> =
        toward.iter().zip(&sum).map(|(t, v)| (t - cosine * v / length) / length).collect();
    let worth = |(a, b): (&Vec<f32>, &Vec<f32>)| {
        let change = a.iter().zip(b).zip(&slope).map(|((a, b), s)| (a - b) * s).sum::<f32>();
        change / shown.len() as f32
    };
    shown.iter().zip(&hidden).map(worth).collect()
}

fn of(encoder: &CpuEncoder, square: &RgbImage, settings: &Settings) -> Explanation {
    explain(encoder, square, "一只狗", settings).expect("an explanation")
}

#[test]
fn on_a_mean_pooled_encoder_every_way_of_hiding_finds_the_exact_map() {
    let encoder = additive();
    let square = patches(112, 1);
    let wanted = exact(&encoder, &square, "一只狗", Fill::Grey);
    let spread = wanted.iter().map(|v| v.abs()).fold(0.0, f32::max);
    assert!(spread > 1e-4, "a map with something in it: {spread}");
    // Owen's values are shared among neighbours where the budget ends, which costs some of their order.
    let ways = [
        (Method::Occlusion, 0.9),
        (Method::Shap, 0.9),
        (Method::Fixlip, 0.9),
        (Method::Owen, 0.85),
    ];
    for (method, least) in ways {
        let settings =
            Settings { samples: 1000, fill: Fill::Grey, cells: 7, ..Settings::new(method) };
        let found = of(&encoder, &square, &settings);
        let rank = rank_correlation(&found.map, &wanted);
        assert!(rank > least, "{}: {rank}", method.name());
    }
    // Superpixels of a picture of squares are these squares.
    let settings = Settings { samples: 1000, fill: Fill::Grey, ..Settings::new(Method::Lime) };
    let found = of(&encoder, &square, &settings);
    let map = tuwen_explain::faithful::resized(&found.map, found.across, 7);
    let rank = rank_correlation(&map, &wanted);
    assert!(rank > 0.9, "lime: {rank}");
    assert!(found.r2.expect("a share") > 0.5, "{:?}", found.r2);
}

#[test]
fn shapley_values_add_up_to_the_score_beside_nothing() {
    let encoder = additive();
    let square = patches(112, 2);
    let empty = Fill::Mean.hidden(&square, &tuwen_explain::Regions::grid(112, 1));
    let toward = encoder.encode_texts(&["一只狗"]).expect("a vector");
    let score = |picture: &RgbImage| {
        let vector = encoder.encode_images(std::slice::from_ref(picture)).expect("a vector");
        tuwen_explain::dots(&vector, &toward)[0]
    };
    let total = score(&square) - score(&empty);
    for method in [Method::Shap, Method::Owen] {
        let found = of(&encoder, &square, &Settings::new(method));
        let sum: f32 = found.map.iter().sum();
        assert!((sum - total).abs() < 1e-4, "{}: {sum}, not {total}", method.name());
        assert!((found.score - score(&square)).abs() < 1e-5);
    }
}

#[test]
fn hidden_parts_are_counted_and_seeds_give_the_same() {
    let encoder = additive();
    let square = patches(112, 3);
    let settings = Settings { samples: 200, ..Settings::new(Method::Fixlip) };
    let found = of(&encoder, &square, &settings);
    assert_eq!(found.calls[0], 200);
    assert_eq!(found, of(&encoder, &square, &settings));
    let pairs = found.pairs.expect("pairs");
    assert_eq!(pairs.len(), found.words.len() * 49);
}

#[test]
fn what_makes_no_sense_is_said() {
    let encoder = additive();
    let square = patches(112, 1);
    let said = |text: &str, settings: &Settings| {
        explain(&encoder, &square, text, settings).expect_err("it makes no sense").to_string()
    };
    let usual = Settings::new(Method::Fixlip);
    assert!(said("  ", &usual).contains("no word"));
    let few = Settings { samples: 20, ..usual.clone() };
    assert!(said("狗", &few).contains("51"), "{}", said("狗", &few));
    let many = Settings { samples: 1_000_000, ..usual.clone() };
    assert!(said("狗", &many).contains("100000"), "{}", said("狗", &many));
    let cells = Settings { cells: 0, ..usual.clone() };
    assert!(said("狗", &cells).contains("0 parts"));
    let nan = Settings { shown: f32::NAN, ..usual.clone() };
    assert!(said("狗", &nan).contains("NaN"));
    assert!(said(&"狗 ".repeat(300), &usual).contains("300 words"));
}

#[test]
fn a_blank_picture_and_one_word_are_explained_with_a_note() {
    let encoder = additive();
    let blank = RgbImage::from_pixel(112, 112, [128; 3].into());
    for (name, method) in Method::NAMES {
        let found = explain(&encoder, &blank, "狗", &Settings::new(method)).expect(name);
        assert!(
            found.notes.iter().any(|note| note.contains("one colour")),
            "{name}: {:?}",
            found.notes
        );
        assert!(found.notes.iter().any(|note| note.contains("one word")), "{name}");
        assert!(found.map.iter().all(|value| value.is_finite()), "{name}");
        assert_eq!(found.words.len(), 1, "{name}");
    }
}
