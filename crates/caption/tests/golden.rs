//! The decoder beside the same network in PyTorch (`scripts/golden/caption.py`): logits, loss, and the gradient of every
//! weight.

use serde_json::Value as Json;
use tuwen_caption::{BEGIN, Decoder, DecoderConfig, Drop, Seen, Text, UNKNOWN};
use tuwen_nn::{Answers, Array, Arrays, Tape, grads};

fn floats(value: &Json) -> Vec<f32> {
    serde_json::from_value(value.clone()).expect("a list of numbers")
}

fn ids(value: &Json) -> Vec<usize> {
    serde_json::from_value(value.clone()).expect("a list of numbers")
}

fn close(what: &str, found: &[f32], wanted: &[f32]) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    let worst = found.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 2e-5, "{what}: differs by {worst}");
}

#[test]
fn logits_loss_and_gradients_equal_pytorchs() {
    let all: Json = serde_json::from_str(include_str!("golden/caption.json")).expect("JSON");
    let config = DecoderConfig::parse(&all["config"].to_string()).expect("a configuration");
    let weights = all["weights"].as_object().expect("weights by name").iter();
    let array = |(name, value): (&String, &Json)| {
        (name.clone(), Array { shape: ids(&value["shape"]), data: floats(&value["values"]) })
    };
    let weights = Arrays(weights.map(array).collect());
    let decoder = Decoder::learning(config.clone(), &weights).expect("weights that fit");

    let places: Vec<Vec<usize>> = serde_json::from_value(all["places"].clone()).expect("places");
    let rows = all["pictures"].as_array().expect("pictures").iter().zip(&places);
    let rows: Vec<Vec<f32>> = rows
        .map(|(rows, places)| {
            let rows = floats(rows);
            places.iter().flat_map(|&at| rows[at * 6..(at + 1) * 6].to_vec()).collect()
        })
        .collect();
    let pictures: Vec<_> =
        rows.iter().zip(&places).map(|(rows, places)| Seen { rows, places }).collect();
    let texts = all["texts"].as_array().expect("texts").iter();
    let text = |text: &Json| Text {
        language: config.language(text[0].as_str().expect("a name")).expect("a language"),
        picture: text[1].as_u64().expect("a number") as usize,
        tokens: ids(&text[2]),
    };
    let texts: Vec<Text> = texts.map(text).collect();

    let mut tape = Tape::recording();
    let logits = decoder.logits(&mut tape, &pictures, &texts, Drop::default());
    let of_texts = all["logits"].as_array().expect("logits");
    let count = texts.iter().flat_map(|text| &text.tokens).filter(|&&t| t != UNKNOWN).count();
    let share = 1.0 / (count + texts.len()) as f32;
    let mut losses = Vec::new();
    for (language, logits) in logits.into_iter().enumerate() {
        let own = || texts.iter().enumerate().filter(|(_, text)| text.language == language);
        let wanted: Vec<f32> = own().flat_map(|(at, _)| floats(&of_texts[at])).collect();
        close("logits", &logits, &wanted);
        let right: Vec<usize> =
            own().flat_map(|(_, text)| text.tokens.iter().copied().chain([BEGIN])).collect();
        let weights: Vec<f32> =
            right.iter().map(|&token| if token == UNKNOWN { 0.0 } else { share }).collect();
        let smoothing = all["smoothing"].as_f64().expect("a number") as f32;
        let answers = Answers { right: &right, weights: &weights, smoothing };
        losses.push((tape.answer_loss(logits, answers), 1.0));
    }
    let loss = tape.total(&losses);
    close("loss", &loss, &[all["loss"].as_f64().expect("a number") as f32]);
    let (found, _) = grads::collect(vec![tape], |tape, grads| {
        tape.backward(vec![(&loss, vec![1.0])], grads);
    });
    let wanted = all["gradients"].as_object().expect("gradients by name");
    for (name, wanted) in wanted {
        close(name, &found.0[name].data, &floats(wanted));
    }
    assert_eq!(found.0.len(), wanted.len(), "a gradient for each weight that learns");
}
