//! Tokens, hidden states, attention maps and gradients of inputs beside transformers
//! (`scripts/golden/gradients.py`).

mod common;

use common::{golden, json, pixels};
use serde_json::Value;
use tuwen_encode::params::Part;
use tuwen_encode::towers::{AnyImageTower, Pass, PassGradients, Record, TextTower, Wanted};
use tuwen_encode::{Checkpoint, Vision};

fn floats(value: &Value) -> Vec<f32> {
    serde_json::from_value(value.clone()).expect("a list of numbers")
}

/// Within 1e-5 of the largest value, where that is above 1.
fn close(what: &str, found: &[f32], wanted: &Value) {
    let wanted = floats(wanted);
    assert_eq!(found.len(), wanted.len(), "{what}");
    let largest = wanted.iter().fold(1.0f32, |most, value| most.max(value.abs()));
    let worst = found.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 1e-5 * largest, "{what}: differs by {worst}, of {largest}");
}

fn wanted() -> Wanted {
    Wanted { tokens: true, hidden: vec![1], maps: true, input_gradient: true, ..Wanted::default() }
}

/// The script's loss: what its gradients are.
fn slopes(pass: &Pass<'_>) -> [Vec<f32>; 3] {
    let wave = |len: usize, start: usize| {
        (0..len).map(|at| (((at + start) as f64) * 0.11).sin() as f32).collect::<Vec<_>>()
    };
    let tokens = pass.tokens.as_ref().expect("they were wanted");
    [
        wave(pass.features.len(), 0),
        wave(tokens.values.len(), 1000),
        wave(pass.hidden[0].values.len(), 2000),
    ]
}

fn same_results(what: &str, pass: &Pass<'_>, wanted: &Value) {
    close(&format!("{what}, features"), &pass.features, &wanted["features"]);
    let tokens = pass.tokens.as_ref().expect("they were wanted");
    close(&format!("{what}, tokens"), &tokens.values, &wanted["tokens"]);
    close(&format!("{what}, hidden"), &pass.hidden[0].values, &wanted["hidden"]);
    close(&format!("{what}, map"), &pass.maps[1].concat(), &wanted["map"]);
}

#[test]
fn towers_give_tokens_hidden_states_maps_and_gradients_of_their_inputs() {
    let all = json("gradients.json");
    for family in ["clip", "chinese-clip", "siglip"] {
        let (config, checkpoint) = Checkpoint::open(&golden(family)).expect("a checkpoint");
        // In memory, as a training has them: what is read from files for inference has no backward pass.
        let arrays = checkpoint.to_arrays(&config).expect("all weights");
        let tower = AnyImageTower::new(&config, &arrays).expect("the image tower");
        let size = config.preprocess.size;
        for record in [Record::All, Record::Inputs] {
            let what = format!("{family}, image, {record:?}");
            let pass = tower.forward_with(&pixels(2 * 3 * size * size), None, record, &wanted());
            same_results(&what, &pass, &all[family]["image"]);
            let [features, tokens, hidden] = slopes(&pass);
            let of = PassGradients {
                features: &features,
                tokens: &tokens,
                hidden: &[hidden],
                ..Default::default()
            };
            let (_, gradient) = tower.backward_from(pass, of);
            let gradient = gradient.expect("it was wanted");
            close(&format!("{what}, pixels"), &gradient, &all[family]["image"]["gradient"]);
        }
        let tower = TextTower::new(&config, &arrays).expect("the text tower");
        for text in all[family]["texts"].as_array().expect("texts") {
            let ids: Vec<u32> = serde_json::from_value(text["ids"].clone()).expect("ids");
            let what = format!("{family}, {ids:?}");
            let pass = tower.deep_with(&[&ids], Record::All, &wanted());
            same_results(&what, &pass, text);
            let [features, tokens, hidden] = slopes(&pass);
            let of = PassGradients {
                features: &features,
                tokens: &tokens,
                hidden: &[hidden],
                ..Default::default()
            };
            let (_, gradient) = tower.backward_from(pass, &[&ids], of);
            close(&format!("{what}, embeddings"), &gradient.expect("wanted"), &text["gradient"]);
        }
    }
}

#[test]
fn what_is_wanted_of_several_items_is_that_of_each() {
    let (config, checkpoint) = Checkpoint::open(&golden("clip")).expect("a checkpoint");
    let arrays = checkpoint.to_arrays(&config).expect("all weights");
    let tower = TextTower::new(&config, &arrays).expect("the text tower");
    let texts: Vec<Vec<u32>> =
        (1..90).map(|at| (0..2 + at % 7).map(|id| 1 + id % 50).collect()).collect();
    let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
    let all = tower.deep_with(&texts, Record::No, &wanted());
    let tokens = all.tokens.expect("they were wanted");
    let width = config.text.width;
    assert_eq!((tokens.spans.len(), all.maps[0].len()), (texts.len(), texts.len()));
    for (at, text) in texts.iter().enumerate() {
        let one = tower.deep_with(&[text], Record::No, &wanted());
        let span = &tokens.spans[at];
        let found = &tokens.values[span.start * width..span.end * width];
        assert_eq!(found, one.tokens.expect("they were wanted").values, "text {at}");
        assert_eq!(all.maps[1][at], one.maps[1][0], "text {at}");
    }
}

#[test]
fn what_a_tower_does_not_have_is_named_with_what_it_has() {
    let (clip, _) = Checkpoint::open(&golden("clip")).expect("a checkpoint");
    let hidden = |block| Wanted { hidden: vec![block], ..Wanted::default() };
    hidden(2).check(&clip, Part::Image).expect("two blocks");
    let error = hidden(3).check(&clip, Part::Text).expect_err("two blocks").to_string();
    assert!(error.contains("block 3") && error.contains("it has 2"), "{error}");
    let (resnet, _) = Checkpoint::open(&golden("cn_clip-resnet.pt")).expect("a checkpoint");
    let error = hidden(5).check(&resnet, Part::Image).expect_err("five stages").to_string();
    assert!(error.contains("convolutions") && error.contains("tokens"), "{error}");
    assert!(error.contains("stage 5") && error.contains("0 to 4"), "{error}");
    for more in [Wanted { tokens: true, ..hidden(1) }, Wanted { maps: true, ..hidden(1) }] {
        more.check(&resnet, Part::Image).expect_err("stages alone");
    }
    Wanted { tokens: true, ..Wanted::default() }.check(&resnet, Part::Image).expect("its grid");
}

/// A ResNet of CLIP gives its stages, each by its own width; behind the last one lies the mean that its pooling begins with.
#[test]
fn a_resnet_gives_its_stages() {
    let (config, checkpoint) = Checkpoint::open(&golden("open_clip-resnet")).expect("a checkpoint");
    let Vision::ResNet(net) = config.vision else { panic!("a ResNet") };
    let tower = AnyImageTower::new(&config, &checkpoint).expect("a tower");
    let size = config.preprocess.size;
    let two = pixels(2 * 3 * size * size);
    let give = |wanted: Wanted, pixels: &[f32]| {
        let pass = tower.forward_with(pixels, None, Record::No, &wanted);
        (pass.tokens.map(|tokens| tokens.values), pass.hidden)
    };
    let stages = Wanted { hidden: vec![0, 1, 2, 3, 4], ..Wanted::default() };
    let (_, hidden) = give(stages.clone(), &two);
    let widths: Vec<usize> = hidden.iter().map(|stage| stage.values.len() / 2).collect();
    assert_eq!(widths, [1, 4, 8, 16, 32].map(|times| times * net.stem));
    let (tokens, _) = give(Wanted { tokens: true, ..Wanted::default() }, &two);
    let (tokens, width) = (tokens.expect("they were wanted"), widths[4]);
    // Without the place's vector, which is the same for both.
    let second = &tokens[tokens.len() / 2..];
    let last = &hidden[4].values;
    for at in 0..width {
        let (found, wanted) = (last[at] - last[width + at], tokens[at] - second[at]);
        assert!((found - wanted).abs() < 1e-5, "{at}: {found}, not {wanted}");
    }
    // A picture's rows are its own.
    let (_, alone) = give(stages, &two[two.len() / 2..]);
    for (alone, both) in alone.iter().zip(&hidden) {
        assert_eq!(alone.values, both.values[both.values.len() / 2..]);
    }
}
