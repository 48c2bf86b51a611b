use super::*;

/// Pairs of three classes: a class's middle and noise in both modalities.
fn pairs(count: usize, seed: u64) -> Pairs {
    let mut rng = Rng::new(&[seed, 77]);
    let labels: Vec<usize> = (0..count).map(|at| at % 3).collect();
    let mut side = |width: usize, noise: f32| {
        let value = |(label, k): (usize, usize), rng: &mut Rng| {
            ((label * 5 + k * 3) as f32 * 1.7).sin() + noise * rng.normal()
        };
        let places = labels.iter().flat_map(|&l| (0..width).map(move |k| (l, k)));
        let values = places.map(|place| value(place, &mut rng)).collect();
        Features { values, width }
    };
    Pairs { images: side(12, 1.5), texts: side(5, 1.0), labels }
}

fn schedule() -> Schedule {
    let rates = Rates { lr: 5e-3, betas: [0.9, 0.999], decay: 1e-3, average: 0.0 };
    Schedule { epochs: 15, batch: 20, rates, cosine: true, refit: false }
}

fn objectives() -> Vec<(&'static str, Box<dyn Objective>)> {
    let masln = Masln {
        schedule: schedule(),
        hidden: 16,
        code: 8,
        corr: 0.1,
        rec: 0.1,
        adv: 0.1,
        dis: 1.0,
    };
    let acmr = Acmr {
        schedule: schedule(),
        image_hidden: vec![16, 12],
        text_hidden: vec![8],
        code: 8,
        label: 1.0,
        triplet: 1e-3,
        adv: 0.1,
        margin: 0.1,
        alpha: 5.0,
    };
    let dscmr = Dscmr { schedule: schedule(), hidden: 16, code: 8, alpha: 1e-3, beta: 0.1 };
    let dcca = DeepCca { schedule: schedule(), hidden: 16, code: 3, ridge: 1e-2, weighted: true };
    let dcmh = Dcmh { schedule: schedule(), hidden: 16, bits: 16, quantise: 0.1, balance: 0.01 };
    let contrast = Contrast {
        schedule: schedule(),
        hidden: 16,
        code: 8,
        drop_features: 0.1,
        drop_hidden: 0.1,
        temperature: 0.2,
        pairs: 0.2,
        classes: 1.0,
        within: 0.2,
        anchors: 0.5,
        root: true,
        linear: 0.3,
        ridge: 0.1,
        semantic: 0.5,
        semantic_decay: 1e-2,
        shares: 0.5,
        shares_temperature: 0.2,
    };
    vec![
        ("masln", Box::new(masln)),
        ("acmr", Box::new(acmr)),
        ("dscmr", Box::new(dscmr)),
        ("dcca", Box::new(dcca)),
        ("dcmh", Box::new(dcmh)),
        ("contrast", Box::new(contrast)),
    ]
}

fn learned(objective: &dyn Objective, seed: u64, threads: usize) -> (Space, Vec<Epoch>) {
    let (train, valid) = (pairs(240, 1), pairs(60, 2));
    let classes = Features { values: vec![1.0, 0.0, 0.0, 1.0, 0.7, 0.7], width: 2 };
    let given = Given { train: &train, valid: &valid, classes: &classes, seed, stop: &|| false };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
    pool.install(|| learn(objective, given)).expect("learns")
}

#[test]
fn every_network_learns_and_a_seed_gives_the_same_bits_on_any_number_of_threads() {
    let test = pairs(90, 3);
    for (name, objective) in objectives() {
        let (space, curve) = learned(&*objective, 5, 1);
        let again = learned(&*objective, 5, 3);
        assert!(space == again.0 && curve == again.1, "{name}");
        assert!(space != learned(&*objective, 6, 1).0, "{name}");
        assert!(curve.iter().all(|epoch| epoch.loss.is_finite()), "{name}");
        let found = mean(&both_directions(&space, &test));
        // Random ranking gives about .35.
        assert!(found > 0.55, "{name}: mAP {found}");
    }
}

#[test]
fn a_refit_learns_from_all_pairs_as_long_as_was_chosen() {
    let dcmh = |refit, epochs| Dcmh {
        schedule: Schedule { refit, epochs, ..schedule() },
        hidden: 8,
        bits: 8,
        quantise: 0.1,
        balance: 0.01,
    };
    let (train, valid) = (pairs(120, 1), pairs(30, 2));
    let (all, none) = (train.and(&valid), valid.pick(&[]));
    let classes = Features { values: vec![0.0; 3], width: 1 };
    let given = Given { train: &train, valid: &valid, classes: &classes, seed: 4, stop: &|| false };
    let (refitted, curve) = learn(&dcmh(true, 8), given).expect("learns");
    let scores: Vec<f64> = curve.iter().map(|epoch| epoch.valid).collect();
    let best =
        scores.iter().position(|s| *s == scores.iter().copied().fold(0.0, f64::max)).expect("one");
    let of_all = Given { train: &all, valid: &none, ..given };
    assert_eq!(refitted, course(&dcmh(false, 8), of_all, best + 1).expect("learns").0);
    assert_ne!(refitted, learn(&dcmh(false, 8), given).expect("learns").0);
}

#[test]
fn a_stopped_training_gives_nothing() {
    let (train, valid) = (pairs(60, 1), pairs(30, 2));
    let classes = Features { values: vec![0.0, 1.0, 2.0], width: 1 };
    let given = Given { train: &train, valid: &valid, classes: &classes, seed: 1, stop: &|| true };
    for (name, objective) in objectives() {
        assert!(matches!(learn(&*objective, given), Err(Error::Stopped)), "{name}");
    }
}

#[test]
fn classes_that_nobody_learns_from_change_nothing() {
    let (train, valid) = (pairs(120, 1), pairs(30, 2));
    let learn_with = |meanings: Vec<f32>, objective: &dyn Objective| {
        let classes = Features { values: meanings, width: 1 };
        let given =
            Given { train: &train, valid: &valid, classes: &classes, seed: 1, stop: &|| false };
        learn(objective, given).expect("learns").0
    };
    let (_, contrast) = objectives().pop().expect("ours");
    let three = learn_with(vec![0.1, -1.0, 0.5], &*contrast);
    // Not `assert_eq`, which would print all values.
    assert!(three == learn_with(vec![0.1, -1.0, 0.5, 9.0, -4.0], &*contrast));
}
