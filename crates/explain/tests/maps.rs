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

/// What is behind the model's context comes into it where words before it are hidden, and has no weight for all that.
#[test]
fn words_beyond_the_context_weigh_nothing() {
    let encoder = additive();
    let square = patches(112, 4);
    let text = "一只狗在跑，红色的汽车停在路上。".repeat(8);
    for method in [
        Method::Lime,
        Method::Shap,
        Method::Owen,
        Method::Fixlip,
        Method::Occlusion,
        Method::Chefer,
        Method::Patches,
    ] {
        let name = method.name();
        let settings = Settings { samples: 200, cells: 4, ..Settings::new(method) };
        let found = explain(&encoder, &square, &text, &settings).expect(name);
        assert!(
            found.notes.iter().any(|note| note.contains("beyond")),
            "{name}: {:?}",
            found.notes
        );
        // The context is 52 tokens, two of them the ends.
        let (read, unread): (Vec<_>, Vec<_>) = found.words.iter().partition(|w| w.end <= 3 * 50);
        assert!(unread.len() > 20 && read.iter().any(|word| word.weight != 0.0), "{name}");
        assert!(unread.iter().all(|word| word.weight == 0.0), "{name}: {unread:?}");
        let parts = found.across * found.across;
        if let Some(pairs) = &found.pairs {
            assert_eq!(pairs.len(), found.words.len() * parts, "{name}");
        }
    }
    let vector = encoder.encode_images(std::slice::from_ref(&square)).expect("a vector");
    let apart = tuwen_explain::words_apart(&encoder, &text, &vector).expect("weights");
    assert!(apart[0].iter().filter(|word| word.end > 150).all(|word| word.weight == 0.0));
}

/// A model whose pictures keep their shape: what hides parts asks it for vectors and nothing else.
#[test]
fn pictures_of_any_shape_are_explained_by_hiding_parts() {
    let encoder = CpuEncoder::open(&models().join("siglip-2-naflex")).expect("a model");
    let colour = |x: u32, y: u32| [(x * 5) as u8, (y * 9) as u8, (x * y) as u8].into();
    let picture = tuwen_image::Picture::Rgb(RgbImage::from_fn(60, 24, colour));
    let fitted = encoder.preprocess().fit(&picture);
    assert_ne!(fitted.width(), fitted.height());
    let text = "a photo";
    for method in [Method::Occlusion, Method::Lime, Method::Shap, Method::Owen, Method::Fixlip] {
        let settings = Settings { samples: 64, cells: 3, ..Settings::new(method) };
        let found = explain(&encoder, &fitted, text, &settings);
        let found = found.unwrap_or_else(|e| panic!("{}: {e}", method.name()));
        assert_eq!(found.map.len(), found.across * found.across, "{}", method.name());
        assert!(found.map.iter().any(|value| value.abs() > 1e-6), "{}", method.name());
    }
    // By its definition: the upper left of four cells in the picture's mean colour.
    let settings = Settings { cells: 2, ..Settings::new(Method::Occlusion) };
    let found = explain(&encoder, &fitted, text, &settings).expect("a map");
    let grid = tuwen_explain::Regions::of_picture(&fitted, 2);
    let mean = *Fill::Mean.hidden(&fitted, &grid).get_pixel(0, 0);
    let mut hidden = fitted.clone();
    let (width, height) = fitted.dimensions();
    for (x, y) in (0..width / 2).flat_map(|x| (0..height / 2).map(move |y| (x, y))) {
        hidden.put_pixel(x, y, mean);
    }
    let toward = encoder.encode_texts(&[text]).expect("a vector");
    let scores = encoder.encode_images(&[fitted, hidden]).expect("vectors");
    let scores = tuwen_explain::dots(&scores, &toward);
    assert!((found.map[0] - (scores[0] - scores[1])).abs() < 1e-5, "{:?}", found.map);
}

#[test]
fn a_nearly_blank_picture_has_the_note_of_a_blank_one_and_no_fit() {
    let encoder = additive();
    let noise = |x: u32, y: u32| [128 + ((x * 7 + y * 3) % 2) as u8; 3].into();
    let nearly = RgbImage::from_fn(112, 112, noise);
    for method in [Method::Shap, Method::Lime, Method::Fixlip, Method::Chefer] {
        let found = of(&encoder, &nearly, &Settings::new(method));
        let said = found.notes.iter().any(|note| note.contains("one colour"));
        assert!(said && found.r2.is_none(), "{}: {:?}", method.name(), found.notes);
    }
}

/// What was fitted to little more than as many scores as parts predicts these well and others badly; of all sets of parts
/// there are no others.
#[test]
fn left_out_pictures_are_predicted_worse_and_by_more_samples_better() {
    let encoder = additive();
    let square = patches(112, 4);
    for method in [Method::Lime, Method::Shap, Method::Fixlip] {
        let found = |samples, cells| {
            of(
                &encoder,
                &square,
                &Settings { samples, cells, fill: Fill::Grey, ..Settings::new(method) },
            )
        };
        let name = method.name();
        let [few, many] = [130, 1000].map(|samples| {
            let found = found(samples, 7);
            [found.r2, found.r2_left_out].map(|r2| r2.expect("a share"))
        });
        assert!(few[1] < few[0] && few[0] <= 1.0, "{name}: {few:?}");
        // Shapley's first sets, which weigh most, are in every fit, so that the two shares are not of the same sets.
        let near = method == Method::Shap || (many[1] - many[0]).abs() < 0.02 && many[1] > few[1];
        assert!(near, "{name}: {many:?}, {few:?}");
        assert_eq!(found(1000, 2).r2_left_out, None, "{name}");
    }
    let shap = Settings { samples: 98, ..Settings::new(Method::Shap) };
    assert_eq!(of(&encoder, &square, &shap).r2_left_out, None, "no set was drawn");
}

#[test]
fn few_samples_are_said() {
    let encoder = additive();
    let square = patches(112, 4);
    for (method, samples, few) in [
        (Method::Shap, 98, true),
        (Method::Shap, 196, false),
        (Method::Fixlip, 51, true),
        (Method::Lime, 60, true),
        (Method::Owen, 98, false),
    ] {
        let found = of(&encoder, &square, &Settings { samples, ..Settings::new(method) });
        let said = found.notes.iter().any(|note| note.contains("are few"));
        assert_eq!(said, few, "{} {samples}: {:?}", method.name(), found.notes);
    }
    let long = "狗 ".repeat(40);
    let found =
        explain(&encoder, &square, &long, &Settings { samples: 98, ..Settings::new(Method::Shap) });
    let most =
        found.expect("values").words.iter().map(|word| word.weight.abs()).fold(0.0, f32::max);
    assert!(most < 0.5, "no word of many weighs {most}");
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

/// Of one word there is a difference, which every method but fixlip gives; a note says which.
#[test]
fn one_word_weighs_the_difference_it_makes() {
    let encoder = additive();
    let square = patches(112, 5);
    let vectors = encoder.encode_texts(&["狗", ""]).expect("vectors");
    let own = encoder.encode_images(std::slice::from_ref(&square)).expect("a vector");
    let scores = tuwen_explain::dots(&vectors, &own);
    for method in [
        Method::Occlusion,
        Method::Lime,
        Method::Shap,
        Method::Owen,
        Method::Fixlip,
        Method::Chefer,
    ] {
        let settings = Settings { samples: 200, ..Settings::new(method) };
        let found = explain(&encoder, &square, "狗", &settings).expect("an explanation");
        let name = method.name();
        let noted = found.notes.iter().any(|note| note.contains("beside that of no text"));
        assert_eq!(noted, method != Method::Fixlip, "{name}: {:?}", found.notes);
        let (weight, wanted) = (found.words[0].weight, scores[0] - scores[1]);
        assert!(!noted || (weight - wanted).abs() < 1e-5, "{name}: {weight}, not {wanted}");
    }
    let settings = Settings { cells: 1, ..Settings::new(Method::Lime) };
    let found = of(&encoder, &square, &settings);
    assert!(found.map.iter().any(|value| *value != 0.0), "one part is all of the picture");
}

/// Pictures of a few pixels' width have as many parts along a side as that, where nobody named a number.
#[test]
fn a_narrow_picture_has_fewer_parts() {
    let narrow = RgbImage::new(4, 600);
    assert_eq!(Settings::new(Method::Occlusion).within(&narrow).cells, 4);
    assert_eq!(Settings::new(Method::Occlusion).within(&RgbImage::new(99, 99)).cells, 7);
}
