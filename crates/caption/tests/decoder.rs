//! A decoder says the same a word at a time as all at once, one beam is the most probable word each time, and what it may
//! say is what it was allowed to.

use tuwen_caption::{
    BEGIN, Control, Decoder, DecoderConfig, Drop, Language, Seen, Text, UNKNOWN, Way, first_values,
    greedy,
};
use tuwen_nn::{Arrays, Tape};

fn numbers(seed: u64) -> impl FnMut() -> f32 {
    let mut state = seed;
    move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f32 / (1u64 << 31) as f32 * 2.0 - 1.0
    }
}

fn config() -> DecoderConfig {
    let language = |name: &str, count: usize, spaces| Language {
        name: name.into(),
        spaces,
        words: (0..count).map(|at| format!("{name}{at}")).collect(),
    };
    DecoderConfig {
        name: "tiny".into(),
        model: "model-1".into(),
        rows: 5,
        row_width: 12,
        width: 16,
        layers: 2,
        heads: 4,
        mlp: 24,
        longest: 9,
        languages: vec![language("en", 30, true), language("zh", 21, false)],
    }
}

fn weights() -> Arrays {
    let mut next = numbers(3);
    let mut all = first_values(&config(), || 2.0 * next());
    for array in all.0.values_mut().filter(|array| array.shape.len() == 1) {
        array.data.iter_mut().for_each(|value| *value += 0.2 * next());
    }
    all
}

fn picture(seed: u64) -> Vec<f32> {
    let mut next = numbers(seed);
    (0..60).map(|_| next()).collect()
}

#[test]
fn a_word_at_a_time_gives_the_logits_of_all_at_once() {
    let decoder = Decoder::new(config(), &weights()).expect("weights that fit");
    let pictures = [picture(1), picture(2)];
    let places: Vec<usize> = (0..5).collect();
    let rows = [0, 1].map(|at| Seen { rows: &pictures[at], places: &places });
    let text =
        |language, picture, tokens: &[usize]| Text { language, picture, tokens: tokens.to_vec() };
    let texts = [
        text(0, 0, &[2, 9, 4]),
        text(0, 0, &[7]),
        text(0, 1, &[30, 5, 5, 6]),
        text(1, 0, &[3, 2]),
        text(1, 1, &[22, 20, 21]),
    ];
    let mut tape = Tape::forward_only();
    let all = decoder.logits(&mut tape, &rows, &texts, Drop::default());
    let looked = decoder.look(&[&pictures[0], &pictures[1]]);
    let mut starts = [0, 0];
    for text in &texts {
        let mut saying = decoder.begin(text.language, vec![text.picture]);
        let said: Vec<usize> = [BEGIN].into_iter().chain(text.tokens.iter().copied()).collect();
        for (at, &token) in said.iter().enumerate() {
            let found = decoder.say(&looked, &mut saying, &[token]);
            let wanted =
                &all[text.language][(starts[text.language] + at) * found.len()..][..found.len()];
            let worst = found.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-4, "{text:?}, word {at}: differs by {worst}");
        }
        starts[text.language] += said.len();
    }
}

#[test]
fn one_beam_is_the_most_probable_word_each_time_and_more_beams_find_no_less() {
    let decoder = Decoder::new(config(), &weights()).expect("weights that fit");
    let control = Control { most: 8, length: 0.0, ..Control::default() };
    for seed in 1..9 {
        let picture = picture(seed);
        let looked = decoder.look(&[&picture]);
        for language in [0, 1] {
            let mut never = || unreachable!("beams draw nothing");
            let one = decoder.describe(&looked, language, Way::Beams(1), &control, &mut never);
            let one = one.expect("allowed");
            let plain =
                decoder.together(&looked, language, vec![0], &control, &mut |row| greedy(row));
            assert_eq!(one, plain);
            let many = decoder.describe(&looked, language, Way::Beams(6), &control, &mut never);
            let many = many.expect("allowed");
            assert!(many.len() >= 2, "several captions");
            assert!(many.is_sorted_by(|a, b| a.log_prob >= b.log_prob));
            for said in many.iter().chain(&plain) {
                assert!(
                    (said.log_prob - again(&decoder, &picture, language, &said.tokens)).abs()
                        < 1e-3
                );
            }
        }
    }
}

/// The log-probability of a caption, computed anew from all its logits at once.
fn again(decoder: &Decoder<'_>, picture: &[f32], language: usize, tokens: &[usize]) -> f64 {
    let mut tape = Tape::forward_only();
    let text = Text { language, picture: 0, tokens: tokens.to_vec() };
    let all = decoder.logits(
        &mut tape,
        &[Seen { rows: picture, places: &[0, 1, 2, 3, 4] }],
        &[text],
        Drop::default(),
    );
    let logits = &all[language];
    let right = tokens.iter().chain([&BEGIN]);
    let rows = logits.chunks_exact(logits.width()).zip(right);
    rows.map(|(row, &right)| {
        let sum: f64 = row.iter().map(|value| f64::from(*value).exp()).sum();
        f64::from(row[right]) - sum.ln()
    })
    .sum()
}

#[test]
fn captions_keep_to_what_is_allowed() {
    let decoder = Decoder::new(config(), &weights()).expect("weights that fit");
    let picture = picture(5);
    let looked = decoder.look(&[&picture]);
    let mut next = numbers(11);
    let mut uniform = || (next() + 1.0) / 2.001;
    for no_repeat in [1, 2, 3] {
        let control = Control { least: 5, most: 7, no_repeat, length: 0.7 };
        let ways = [Way::Beams(5), Way::Nucleus { count: 8, temperature: 1.5, share: 0.9 }];
        for said in ways.into_iter().flat_map(|way| {
            decoder.describe(&looked, 0, way, &control, &mut uniform).expect("allowed")
        }) {
            assert!((5..=7).contains(&said.tokens.len()), "{said:?}");
            assert!(!said.tokens.contains(&BEGIN) && !said.tokens.contains(&UNKNOWN));
            let runs: Vec<&[usize]> = said.tokens.windows(no_repeat).collect();
            let different: std::collections::HashSet<_> = runs.iter().collect();
            assert_eq!(runs.len(), different.len(), "{said:?} says a run of {no_repeat} twice");
        }
    }
}

#[test]
fn a_nucleus_is_the_same_for_a_seed_and_a_narrow_one_is_the_most_probable_word() {
    let decoder = Decoder::new(config(), &weights()).expect("weights that fit");
    let picture = picture(6);
    let looked = decoder.look(&[&picture]);
    let control = Control { most: 8, ..Control::default() };
    let draw = |seed: u64, share: f32, count: usize| {
        let mut next = numbers(seed);
        let mut uniform = || (next() + 1.0) / 2.001;
        let way = Way::Nucleus { count, temperature: 1.0, share };
        decoder.describe(&looked, 0, way, &control, &mut uniform).expect("allowed")
    };
    assert_eq!(draw(4, 0.9, 6), draw(4, 0.9, 6));
    assert_ne!(draw(4, 0.9, 6), draw(5, 0.9, 6));
    let plain = decoder.together(&looked, 0, vec![0], &control, &mut |row| greedy(row));
    assert_eq!(draw(4, 1e-6, 3), plain);
}

#[test]
fn what_cannot_be_is_said() {
    let decoder = Decoder::new(config(), &weights()).expect("weights that fit");
    let picture = picture(1);
    let looked = decoder.look(&[&picture]);
    let ask = |way, control| {
        let said = decoder.describe(&looked, 0, way, &control, &mut || 0.5);
        said.expect_err("cannot be").to_string()
    };
    let short = Control { most: 8, ..Control::default() };
    assert!(ask(Way::Beams(1_000_000), short).contains("1 to 64"));
    assert!(ask(Way::Beams(0), short).contains("1 to 64"));
    assert!(ask(Way::Beams(2), Control { most: 10, ..short }).contains("says 1 to 9"));
    assert!(ask(Way::Beams(2), Control { least: 9, ..short }).contains("the fewest first"));
    assert!(ask(Way::Beams(2), Control { length: f32::NAN, ..short }).contains("from 0"));
    let nucleus = |temperature, share| Way::Nucleus { count: 2, temperature, share };
    assert!(ask(nucleus(0.0, 0.9), short).contains("temperature"));
    assert!(ask(nucleus(1.0, f32::NAN), short).contains("share"));
    let language = decoder.config().language("fr").expect_err("no French").to_string();
    assert!(language.contains("`fr`") && language.contains("en, zh"), "{language}");
    let other = decoder.check_model("model-2").expect_err("another model").to_string();
    assert!(
        other.contains("model-1") && other.contains("model-2") && other.contains("captions train")
    );
    let mut broken = weights();
    broken.0.get_mut("norm.weight").expect("there").data[3] = f32::NAN;
    assert!(Decoder::new(config(), &broken).is_err());
    broken.0.remove("norm.weight");
    assert!(Decoder::new(config(), &broken).is_err());
}
