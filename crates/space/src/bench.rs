//! All methods of a configuration by one protocol: jobs that threads take in any order, results in the order of the
//! jobs, the same bits on any number of threads.
//!
//! **standard**: networks learn from the training part without a validation share of every class, which they choose
//! their epoch on; closed forms have nothing to choose and learn from all of it. Each seed draws another share.
//! **extendable**: a split draws which classes are seen; methods learn from the seen classes' training pairs alone.
//! `seen` are the test pairs of seen classes among themselves, `unseen` those of the others, and `generalised` is the
//! harmonic mean of what queries of seen and of unseen classes find among all test pairs.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde::Serialize;
use tuwen_eval::labelled::{Convention, Labelled, average_precision, harmonic, mean, rankings};
use tuwen_image::rng::Rng;

use crate::chain::{Chain, Space, Step};
use crate::closed;
use crate::config::{Config, Method, MethodConfig};
use crate::deep::{Epoch, Given, learn};
use crate::error::{Error, Result};
use crate::set::{Features, Pairs, Set};

/// What is measured, in the order of tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// All classes are learned from.
    Standard,
    /// Seen classes among themselves.
    Seen,
    /// Classes never seen among themselves.
    Unseen,
    /// Seen and unseen among all, by the harmonic mean.
    Generalised,
}

impl Measure {
    /// All of them, with the names that tables have.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("standard", Self::Standard),
        ("seen classes", Self::Seen),
        ("unseen classes", Self::Unseen),
        ("generalised", Self::Generalised),
    ];
}

/// Images to texts, texts to images.
pub type Both = [f64; 2];

/// One run of one method.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Run {
    /// The method's name.
    pub method: String,
    /// Of everything random, and of the split.
    pub seed: u64,
    /// The names of the classes that were seen; none where all were.
    pub seen: Option<Vec<String>>,
    /// mAP by measure and convention.
    pub scores: BTreeMap<Measure, BTreeMap<Convention, Both>>,
    /// What each epoch gave.
    pub curve: Vec<Epoch>,
    /// Seconds of learning.
    #[serde(skip)]
    pub seconds: f64,
}

/// On what is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// The test part: once, when everything is chosen.
    Test,
    /// A fifth of the training part, which is not learned from: to choose settings.
    Valid,
}

/// How a bench is run.
pub struct Watch<'a> {
    /// Threads that take jobs.
    pub threads: usize,
    /// Whether to end.
    pub stop: &'a (dyn Fn() -> bool + Sync),
    /// Jobs that are done, of how many; the method that the last one was of.
    pub done: &'a (dyn Fn(usize, usize, &str) + Sync),
}

/// A method with what stands for classes.
pub struct Contender<'a> {
    /// The method.
    pub config: &'a MethodConfig,
    /// A row for each class.
    pub meanings: Features,
}

impl Contender<'_> {
    /// Learns by the method, and bits of its codes where they are asked for.
    ///
    /// # Errors
    /// The method fails or is stopped, or there are more bits than values.
    pub fn fit(&self, given: Given<'_>) -> Result<(Space, Vec<Epoch>)> {
        let (space, curve) = fit(&self.config.learn, given)?;
        let Some(wanted) = &self.config.hash else { return Ok((space, curve)) };
        let unit = |chain: &Chain, side: &Features| chain.clone().then([Step::Unit]).apply(side);
        let images = unit(&space.image, &given.train.images);
        let texts = unit(&space.text, &given.train.texts);
        let made = wanted.how.learn(&images, &texts, wanted.bits, given.seed)?;
        let signs =
            |chain: Chain, bits: Chain| chain.then([Step::Unit]).then(bits.0).then([Step::Sign]);
        Ok((
            Space { image: signs(space.image, made.image), text: signs(space.text, made.text) },
            curve,
        ))
    }
}

/// Learns by a method. `random` gives nothing: [`codes`] draws its codes.
///
/// # Errors
/// The method fails or is stopped.
fn fit(method: &Method, given: Given<'_>) -> Result<(Space, Vec<Epoch>)> {
    let train = given.train;
    let before = |root: bool| -> [Chain; 2] {
        [&train.images, &train.texts].map(|side| {
            let chain = Chain(if root { vec![Step::Root] } else { Vec::new() });
            let rooted = chain.apply(side);
            chain.then([Step::standard(&rooted)])
        })
    };
    let behind = |[image, text]: [Chain; 2], space: Space| Space {
        image: image.then(space.image.0),
        text: text.then(space.text.0),
    };
    let on = |root: bool, form: &dyn Fn(&Features, &Features) -> Result<Space>| -> Result<_> {
        let chains = before(root);
        let (images, texts) = (chains[0].apply(&train.images), chains[1].apply(&train.texts));
        Ok((behind(chains, form(&images, &texts)?), Vec::new()))
    };
    match method {
        Method::Random => Ok((Space::default(), Vec::new())),
        // As published: the features as they are.
        Method::Cca { components, ridge, weighted, root: false } => {
            let space = closed::cca(&train.images, &train.texts, *components, *ridge, *weighted)?;
            Ok((space, Vec::new()))
        }
        Method::Cca { components, ridge, weighted, root: true } => {
            on(true, &|a, b| closed::cca(a, b, *components, *ridge, *weighted))
        }
        Method::Pls { components } => on(false, &|a, b| Ok(closed::pls(a, b, *components))),
        Method::Sm { decay, root } => {
            on(*root, &|a, b| closed::semantic(a, b, &train.labels, *decay))
        }
        Method::Scm { components, ridge, decay } => on(false, &|a, b| {
            let cca = closed::cca(a, b, *components, *ridge, false)?;
            let (codes, words) = (cca.image.apply(a), cca.text.apply(b));
            let semantic = closed::semantic(&codes, &words, &train.labels, *decay)?;
            Ok(behind([cca.image, cca.text], semantic))
        }),
        Method::DeepCca(network) => learn(network, given),
        Method::Acmr(network) => learn(network, given),
        Method::Dscmr(network) => learn(network, given),
        Method::Dcmh(network) => learn(network, given),
        Method::Masln(network) => learn(network, given),
        Method::Contrast(network) => learn(network, given),
    }
}

impl Method {
    /// Whether it chooses an epoch, for which it needs a validation part.
    pub fn chooses(&self) -> bool {
        !matches!(
            self,
            Self::Random | Self::Cca { .. } | Self::Pls { .. } | Self::Sm { .. } | Self::Scm { .. }
        )
    }
}

/// Codes of both modalities.
pub fn codes(method: &Method, space: &Space, pairs: &Pairs, seed: u64) -> [Features; 2] {
    if *method != Method::Random {
        return [space.image.apply(&pairs.images), space.text.apply(&pairs.texts)];
    }
    [1, 2].map(|side| {
        let mut rng = Rng::new(&[seed, side, 0x7261_6e64]);
        Features { values: (0..pairs.len() * 32).map(|_| rng.normal()).collect(), width: 32 }
    })
}

/// mAP of queries among a gallery by each convention, both directions. Rows of `codes` are those of `labels`.
fn scores(
    codes: &[Features; 2],
    labels: &[usize],
    [queries, gallery]: [&[usize]; 2],
    conventions: &[Convention],
) -> BTreeMap<Convention, Both> {
    let pick = |side: usize, rows: &[usize]| -> (Features, Vec<usize>) {
        (codes[side].pick(rows), rows.iter().map(|&at| labels[at]).collect())
    };
    let direction = |from: usize, distances: bool| {
        let (q, ql) = pick(from, queries);
        let (g, gl) = pick(1 - from, gallery);
        let of = |f: &Features| f.values.clone();
        let (q, g) = (of(&q), of(&g));
        rankings(
            Labelled { values: &q, labels: &ql },
            Labelled { values: &g, labels: &gl },
            distances,
        )
    };
    let mut found: BTreeMap<Convention, Both> = BTreeMap::new();
    for distances in [false, true] {
        let wanted = |c: &&Convention| (**c == Convention::Acmr) == distances;
        let some: Vec<Convention> = conventions.iter().filter(wanted).copied().collect();
        for side in 0..if some.is_empty() { 0 } else { 2 } {
            let ranked = direction(side, distances);
            for &convention in &some {
                let one = |r: &Vec<bool>| average_precision(r, convention, ranked.len());
                found.entry(convention).or_default()[side] =
                    mean(&ranked.iter().map(one).collect::<Vec<_>>());
            }
        }
    }
    found
}

/// One job: a method, a seed, and whether a split of the classes is drawn.
struct Job {
    method: usize,
    seed: u64,
    splits: bool,
}

/// How many runs there will be.
pub fn jobs(config: &Config, contenders: &[Contender<'_>]) -> usize {
    planned(config, contenders).len()
}

fn planned(config: &Config, contenders: &[Contender<'_>]) -> Vec<Job> {
    let (protocol, mut jobs) = (&config.protocol, Vec::new());
    for (method, contender) in contenders.iter().enumerate() {
        let standard = (0..protocol.seeds).map(|seed| (seed, false));
        let splits = if contender.config.standard_only { 0 } else { protocol.splits };
        let all = standard.chain((0..splits).map(|seed| (seed, true)));
        jobs.extend(all.map(|(seed, splits)| Job { method, seed: seed + 1, splits }));
    }
    jobs
}

/// Runs everything. Runs of one seed and protocol have identical splits.
///
/// # Errors
/// A method fails, or somebody asks for the end.
pub fn bench(
    config: &Config,
    set: &Set,
    contenders: &[Contender<'_>],
    on: On,
    watch: &Watch<'_>,
) -> Result<Vec<Run>> {
    let jobs = planned(config, contenders);
    let results: Vec<Mutex<Option<Result<Run>>>> = jobs.iter().map(|_| Mutex::new(None)).collect();
    let (next, finished) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let failed = std::sync::atomic::AtomicBool::new(false);
    let work = || {
        // A pool of one: what is inside a job does not wait for the threads of others.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            if failed.load(Ordering::Relaxed) {
                break;
            }
            let contender = &contenders[job.method];
            let run = pool.install(|| one(config, set, contender, job, on, watch.stop));
            failed.fetch_or(run.is_err(), Ordering::Relaxed);
            let at = jobs.iter().position(|other| std::ptr::eq(other, job)).expect("one of them");
            *results[at].lock().expect("no panic while storing") = Some(run);
            let done = finished.fetch_add(1, Ordering::Relaxed) + 1;
            (watch.done)(done, jobs.len(), &contender.config.name);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..watch.threads.clamp(1, jobs.len().max(1)) {
            scope.spawn(work);
        }
    });
    let mut runs = Vec::new();
    for result in results {
        match result.into_inner().expect("no panic while storing") {
            Some(run) => runs.push(run?),
            // Somebody failed before this one began: the error comes.
            None => continue,
        }
    }
    if runs.len() < jobs.len() { Err(Error::Stopped) } else { Ok(runs) }
}

fn one(
    config: &Config,
    set: &Set,
    contender: &Contender<'_>,
    job: &Job,
    on: On,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Run> {
    let (protocol, method) = (&config.protocol, &contender.config.learn);
    let named = |error: Error| match error {
        Error::Input(what) => Error::Input(format!("{}: {what}", contender.config.name)),
        other => other,
    };
    // The part that stands for the test is the same for all seeds.
    let held_out = match on {
        On::Test => None,
        On::Valid => Some(set.train.parted(0.2, 0)),
    };
    let (all, test) =
        held_out.as_ref().map_or((&set.train, &set.test), |(rest, part)| (rest, part));
    let seen = job.splits.then(|| seen_classes(set.classes.len(), protocol.seen, job.seed));
    let learned_from = seen.as_ref().map_or_else(|| all.clone(), |seen| all.of_classes(seen));
    let (train, valid) = match method.chooses() {
        true => learned_from.parted(protocol.valid, job.seed),
        false => (learned_from.clone(), learned_from.pick(&[])),
    };
    let began = Instant::now();
    let given =
        Given { train: &train, valid: &valid, classes: &contender.meanings, seed: job.seed, stop };
    let (space, curve) = contender.fit(given).map_err(named)?;
    let seconds = began.elapsed().as_secs_f64();
    let codes = codes(method, &space, test, job.seed);
    let scores = measured(&codes, &test.labels, seen.as_deref(), &protocol.map);
    let seen = seen.map(|seen| seen.iter().map(|&class| set.classes[class].clone()).collect());
    Ok(Run { method: contender.config.name.clone(), seed: job.seed, seen, scores, curve, seconds })
}

/// The classes of a split, in their order.
fn seen_classes(classes: usize, share: f64, seed: u64) -> Vec<usize> {
    let mut all: Vec<usize> = (0..classes).collect();
    Rng::new(&[seed, 0x7370_6c69]).shuffle(&mut all);
    // Two at least on either side, where there are as many: of one class everything is true.
    let most = classes.saturating_sub(2).max(1);
    let count = ((classes as f64 * share).round() as usize).clamp(2.min(most), most);
    all.truncate(count);
    all.sort_unstable();
    all
}

fn measured(
    codes: &[Features; 2],
    labels: &[usize],
    seen: Option<&[usize]>,
    conventions: &[Convention],
) -> BTreeMap<Measure, BTreeMap<Convention, Both>> {
    let all: Vec<usize> = (0..labels.len()).collect();
    let Some(seen) = seen else {
        return [(Measure::Standard, scores(codes, labels, [&all, &all], conventions))].into();
    };
    let (known, new): (Vec<usize>, Vec<usize>) =
        all.iter().partition(|&&at| seen.contains(&labels[at]));
    let of = |queries: &[usize], gallery: &[usize]| {
        scores(codes, labels, [queries, gallery], conventions)
    };
    let (mut both, of_new) = (of(&known, &all), of(&new, &all));
    for (convention, found) in &mut both {
        let other = of_new[convention];
        *found = [harmonic(found[0], other[0]), harmonic(found[1], other[1])];
    }
    [
        (Measure::Seen, of(&known, &known)),
        (Measure::Unseen, of(&new, &new)),
        (Measure::Generalised, both),
    ]
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_have_two_classes_on_either_side_and_follow_the_seed() {
        for (classes, share, wanted) in
            [(10, 0.5, 5), (10, 0.99, 8), (10, 0.0, 2), (4, 0.5, 2), (3, 0.5, 1)]
        {
            let seen = seen_classes(classes, share, 7);
            assert_eq!(seen.len(), wanted, "{classes} {share}");
            assert_eq!(seen, seen_classes(classes, share, 7));
        }
        assert!((1..9).any(|seed| seen_classes(10, 0.5, seed) != seen_classes(10, 0.5, 9)));
    }

    #[test]
    fn measures_by_eye() {
        // Two items of each of four classes; codes are the classes' numbers on a circle, texts of class 3 those of 2.
        let labels = [0, 0, 1, 1, 2, 2, 3, 3];
        let place = |class: usize| [(class as f32).cos(), (class as f32).sin()];
        let of = |of: &dyn Fn(usize) -> usize| Features {
            values: labels.iter().flat_map(|&class| place(of(class))).collect(),
            width: 2,
        };
        let codes = [of(&|class| class), of(&|class| class.min(2))];
        let found = measured(&codes, &labels, Some(&[0, 1]), &[Convention::All]);
        assert_eq!(found[&Measure::Seen][&Convention::All], [1.0, 1.0]);
        let unseen = found[&Measure::Unseen][&Convention::All];
        // Images of 2 and 3 find texts of 2 first, as both lie at the same place.
        let third = (1.0 / 3.0 + 2.0 / 4.0) / 2.0;
        assert!((unseen[0] - (1.0 + third) / 2.0).abs() < 1e-12, "{unseen:?}");
        assert_eq!(unseen[1], (1.0 + third) / 2.0);
        let both = found[&Measure::Generalised][&Convention::All];
        assert!(both[0] > unseen[0] && both[0] < 1.0);
    }
}
