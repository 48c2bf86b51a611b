//! What heads promise: the same score in any company, gradients that are slopes, refusals that name what is wrong.

use tuwen_matching::{
    Error, Heads, HeadsConfig, Itm, Late, Pair, Patches, Pooling, Spanned, first_values, spans_of,
};
use tuwen_nn::{Arrays, Tape, grads};

fn config(pooling: Pooling) -> HeadsConfig {
    HeadsConfig {
        name: "toy".into(),
        model: "toy-model".into(),
        patches: 5,
        patch_width: 6,
        word_width: 7,
        dim: 8,
        late: Some(Late { pooling, cosine: 0.5 }),
        itm: Some(Itm { width: 12, layers: 2, heads: 3, mlp: 10, words: 4, cosine: 0.1 }),
    }
}

fn numbers(count: usize, seed: f32) -> Vec<f32> {
    (0..count).map(|i| (i as f32 * seed).sin() + 0.4 * (i as f32 * seed * 3.3).cos()).collect()
}

/// Weights of which none is 0, so that every one matters.
fn weights(config: &HeadsConfig) -> Arrays {
    let mut at = 0.0f32;
    let mut weights = first_values(config, || {
        at += 1.0;
        (at * 12.9898).sin() * 1.5
    });
    for (place, (name, array)) in weights.0.iter_mut().enumerate() {
        if array.data.iter().all(|value| *value == 0.0) && !name.ends_with("mean") {
            array.data = numbers(array.data.len(), 0.9 + place as f32 * 0.01);
        }
    }
    weights
}

/// Why it is refused.
fn refused<T>(found: tuwen_matching::Result<T>) -> Error {
    match found {
        Err(error) => error,
        Ok(_) => panic!("it should be refused"),
    }
}

fn photos(heads: &Heads<'_>, count: usize) -> Vec<Patches> {
    let all: Vec<Vec<f32>> = (0..count).map(|at| numbers(5 * 6, 0.37 + at as f32 * 0.1)).collect();
    heads.store(&all.iter().map(Vec::as_slice).collect::<Vec<_>>()).expect("five patches each")
}

#[test]
fn a_pair_has_the_same_scores_in_any_company() {
    for pooling in [Pooling::Mean, Pooling::LogSum(0.1), Pooling::Shares, Pooling::BothWays] {
        let config = config(pooling);
        let heads = Heads::new(config.clone(), &weights(&config)).expect("weights that fit");
        let photos = photos(&heads, 21);
        let photos: Vec<&Patches> = photos.iter().collect();
        let question = heads.question(&numbers(3 * 7, 0.6));
        let late = heads.late(&question, &photos);
        let itm = heads.matches(&question, &photos);
        assert!(late.iter().any(|score| *score != late[0]) && itm.iter().any(|s| *s != itm[0]));
        for (at, photo) in photos.iter().enumerate() {
            assert_eq!(heads.late(&question, &[photo])[0].to_bits(), late[at].to_bits());
            assert!((heads.matches(&question, &[photo])[0] - itm[at]).abs() < 1e-5);
        }
        let nothing = heads.question(&[]);
        assert!(nothing.is_empty() && heads.late(&nothing, &photos).is_empty());
        assert!(heads.matches(&nothing, &photos).is_empty());
    }
}

/// What is used is what was trained: scores of stored patches are those of the tape but for the rounding to 8 bits.
#[test]
fn used_heads_score_as_learning_ones_do() {
    for pooling in [Pooling::Mean, Pooling::LogSum(0.1), Pooling::Shares, Pooling::BothWays] {
        let config = config(pooling);
        let weights = weights(&config);
        let used = Heads::new(config.clone(), &weights).expect("weights that fit");
        let learning = Heads::learning(config.clone(), &weights).expect("weights that fit");
        let (patches, words) = (numbers(5 * 6, 0.37), numbers(3 * 7, 0.6));
        let mut tape = Tape::forward_only();
        let x = tape.leaf(learning.standard_patches(&patches), 6, false);
        let p = learning.patch_rows(&mut tape, &x);
        let x = tape.leaf(learning.standard_words(&words), 7, false);
        let w = learning.word_rows(&mut tape, &x);
        let texts = spans_of([3]);
        let shares = learning.shares(&mut tape, &x, &texts);
        let words_there = Spanned { rows: &w, spans: &texts };
        let patches_there = Spanned { rows: &p, spans: &spans_of([5]) };
        let wanted =
            learning.late_scores(&mut tape, words_there, shares.as_ref(), patches_there)[0];
        let stored = used.store(&[&patches]).expect("five patches");
        let found = used.late(&used.question(&words), &[&stored[0]])[0];
        assert!((found - wanted).abs() < 0.02, "{pooling:?}: {found} and {wanted}");
    }
}

#[test]
fn the_matching_heads_gradients_are_slopes() {
    let config = config(Pooling::Mean);
    let weights = weights(&config);
    let words = numbers(6 * 7, 0.6);
    let stored = {
        let heads = Heads::new(config.clone(), &weights).expect("weights that fit");
        photos(&heads, 2).iter().flat_map(Patches::rows).collect::<Vec<f32>>()
    };
    // The second text is longer than the head looks: its fifth word counts for nothing.
    let pairs = [
        Pair { words: 0..1, patches: 5..10 },
        Pair { words: 1..6, patches: 0..5 },
        Pair { words: 1..6, patches: 5..10 },
    ];
    let run = |weights: &Arrays| {
        let heads = Heads::learning(config.clone(), weights).expect("weights that fit");
        let mut tape = Tape::recording();
        let (text, patches) =
            (tape.leaf(words.clone(), 7, false), tape.leaf(stored.clone(), 8, false));
        let matcher = heads.matcher().expect("a matching head");
        let logits = matcher.logits(&mut tape, &text, &patches, &pairs);
        let weights = vec![1.0, -0.7, 0.4];
        let number: f32 = logits.iter().zip(&weights).map(|(a, b)| a * b).sum();
        let (found, _) = grads::collect(vec![tape], |tape, grads| {
            tape.backward(vec![(&logits, weights.clone())], grads);
        });
        (f64::from(number), found)
    };
    let (_, slopes) = run(&weights);
    let mut checked = 0;
    for (name, _) in config.weight_shapes().into_iter().filter(|(name, _)| name.starts_with("itm."))
    {
        let slope = &slopes.0.get(&name).unwrap_or_else(|| panic!("{name} has a gradient")).data;
        for at in (0..slope.len()).step_by(slope.len() / 4 + 1) {
            let moved = |by: f32| {
                let mut weights = weights.clone();
                weights.0.get_mut(&name).expect("a weight").data[at] += by;
                run(&weights).0
            };
            let wanted = (moved(4e-3) - moved(-4e-3)) / 8e-3;
            let close = (f64::from(slope[at]) - wanted).abs() < 0.02 + 0.02 * wanted.abs();
            assert!(close, "{name}, value {at}: {} and {wanted}", slope[at]);
            checked += usize::from(wanted.abs() > 0.05);
        }
    }
    assert!(checked > 30, "slopes that are no zeros: {checked}");
}

#[test]
fn what_does_not_fit_is_named() {
    let config = config(Pooling::Mean);
    let good = weights(&config);
    let mut missing = good.clone();
    missing.0.remove("itm.match.bias");
    let error = refused(Heads::new(config.clone(), &missing)).to_string();
    assert!(error.contains("itm.match.bias"), "{error}");
    let mut other = good.clone();
    other.0.get_mut("patch.proj.weight").expect("a weight").shape = vec![4, 12];
    let error = refused(Heads::new(config.clone(), &other)).to_string();
    assert!(error.contains("[4, 12]") && error.contains("[8, 6]"), "{error}");
    let mut broken = good.clone();
    broken.0.get_mut("late.scale").expect("a weight").data[0] = f32::NAN;
    assert!(Heads::new(config.clone(), &broken).is_err());

    let heads = Heads::new(config.clone(), &good).expect("weights that fit");
    let error = refused(heads.store(&[&[0.0; 24]])).to_string();
    assert!(error.contains("4 patches") && error.contains('5'), "{error}");
    assert!(heads.check_model("toy-model").is_ok());
    let error = refused(heads.check_model("another"));
    assert!(matches!(&error, Error::OtherModel { found, .. } if found == "another"));

    for (key, value) in [("dim", "6"), ("dim", "0"), ("patches", "0"), ("colour", "1")] {
        let mut json = serde_json::to_value(&config).expect("JSON");
        json[key] = serde_json::from_str(value).expect("a number");
        let error = refused(HeadsConfig::parse(&json.to_string())).to_string();
        assert!(error.contains(key), "{error}");
    }
    let json = serde_json::to_string(&config).expect("JSON");
    assert_eq!(HeadsConfig::parse(&json).expect("the same"), config);
}

/// A matching head that is trained again reads the patches that are stored; another way to store them does not.
#[test]
fn the_fingerprint_is_that_of_stored_patches() {
    let config = config(Pooling::Mean);
    let good = weights(&config);
    let of = |weights: &Arrays| {
        Heads::new(config.clone(), weights).expect("weights that fit").fingerprint().to_owned()
    };
    let changed = |name: &str| {
        let mut weights = good.clone();
        weights.0.get_mut(name).expect("a weight").data[0] += 0.1;
        of(&weights)
    };
    assert_eq!(changed("itm.embed.weight"), of(&good));
    assert_ne!(changed("patch.proj.weight"), of(&good));
    assert_ne!(changed("patch.mean"), of(&good));
}
