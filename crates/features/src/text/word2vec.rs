//! Word vectors that are learned here: skip-gram with negative sampling (Mikolov et al. 2013,
//! <https://arxiv.org/abs/1310.4546>), with the settings of `word2vec.c` and gensim. All words around one share its negative
//! samples (Ji et al. 2016, <https://arxiv.org/abs/1604.04661>), so that a window is two small products.
//!
//! With one thread the same seed gives the same vectors. Several threads write to the same numbers without waiting for
//! each other (Recht et al. 2011): each number is an atomic, so that a lost update is the worst that happens.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use serde::{Deserialize, Serialize};
use tuwen_image::rng::Rng;

use super::vocabulary::Vocabulary;
use super::window::{Window, learn};
use crate::error::{Error, Result, input};

/// How vectors are learned.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Values of a vector.
    pub width: usize,
    /// Words to either side, at most; how many is drawn for each word.
    pub window: usize,
    /// Words that are not there, drawn for each that is.
    pub negatives: usize,
    /// Times that all texts are looked at.
    pub epochs: usize,
    /// Share of all words above which a word is left out now and then; 0 leaves none out.
    pub sample: f64,
    /// The first rate; it falls to a two-hundred-fiftieth.
    pub rate: f32,
    /// Of everything random.
    pub seed: u64,
    /// Threads that learn; the result is only that of the seed with one.
    pub threads: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            width: 100,
            window: 5,
            negatives: 5,
            epochs: 5,
            sample: 1e-3,
            rate: 0.025,
            seed: 1,
            threads: 1,
        }
    }
}

/// Bounds of what can be asked for.
const WIDTH: usize = 4096;
const WINDOW: usize = 100;
const NEGATIVES: usize = 100;
/// The power of a word's frequency with which it is drawn.
const POWER: f64 = 0.75;
/// The last rate as a share of the first.
const LAST: f32 = 0.004;
/// Texts between two looks at what is done.
const PORTION: usize = 64;

/// The vectors of a vocabulary's words, row by row.
///
/// # Errors
/// Settings that make no sense, a vocabulary of one word, or somebody asked for the end.
pub fn train(
    texts: &[Vec<String>],
    words: &Vocabulary,
    settings: Settings,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Vec<f32>> {
    look(words, settings)?;
    let places = |text: &Vec<String>| -> Vec<u32> {
        text.iter().filter_map(|word| words.place(word)).map(|place| place as u32).collect()
    };
    let texts: Vec<Vec<u32>> = texts.iter().map(places).collect();
    let run = Run::new(&texts, words, settings);
    let share = texts.len().div_ceil(settings.threads).max(1);
    std::thread::scope(|scope| {
        for (thread, part) in texts.chunks(share).enumerate() {
            let run = &run;
            scope.spawn(move || run.learn(part, thread as u64, stop));
        }
    });
    if stop() {
        return Err(Error::Stopped);
    }
    Ok(run.inputs.iter().map(|value| f32::from_bits(value.load(Relaxed))).collect())
}

fn look(words: &Vocabulary, settings: Settings) -> Result<()> {
    if words.len() < 2 {
        return input(format!(
            "word vectors are learned from words beside each other, and there is 1 word alone ({}): give more texts, or a \
             smaller --min-texts",
            words.words()[0]
        ));
    }
    let bounds = [
        ("width", settings.width, WIDTH),
        ("window", settings.window, WINDOW),
        ("negatives", settings.negatives, NEGATIVES),
        ("epochs", settings.epochs, 10_000),
        ("threads", settings.threads, 1024),
    ];
    for (name, value, most) in bounds {
        if !(1..=most).contains(&value) {
            return input(format!("{name} is {value}; give a number from 1 to {most}"));
        }
    }
    if !(0.0..=1.0).contains(&settings.sample) || !(1e-6..=1.0).contains(&settings.rate) {
        return input(format!(
            "sample is {} and rate {}; a share from 0 to 1 and a rate from 0.000001 to 1 are wanted",
            settings.sample, settings.rate
        ));
    }
    Ok(())
}

/// What all threads share.
struct Run {
    settings: Settings,
    inputs: Vec<AtomicU32>,
    outputs: Vec<AtomicU32>,
    drawn: Alias,
    /// How likely each word is kept.
    kept: Vec<f32>,
    /// Words that were seen, of how many in all epochs.
    seen: AtomicU64,
    all: u64,
}

impl Run {
    fn new(texts: &[Vec<u32>], words: &Vocabulary, settings: Settings) -> Self {
        let count = words.len() * settings.width;
        let mut rng = Rng::new(&[settings.seed, 0x7732_7665]);
        let reach = 0.5 / settings.width as f32;
        let number = |value: f32| AtomicU32::new(value.to_bits());
        let known: u64 = (0..words.len()).map(|at| words.times(at)).sum();
        let often = settings.sample * known as f64;
        let kept = |at: usize| match often > 0.0 {
            true => {
                let ratio = often / words.times(at) as f64;
                (ratio.sqrt() + ratio).min(1.0) as f32
            }
            false => 1.0,
        };
        let weights = (0..words.len()).map(|at| (words.times(at) as f64).powf(POWER));
        Self {
            settings,
            inputs: (0..count).map(|_| number(rng.range(-reach, reach))).collect(),
            outputs: (0..count).map(|_| number(0.0)).collect(),
            drawn: Alias::new(&weights.collect::<Vec<_>>()),
            kept: (0..words.len()).map(kept).collect(),
            seen: AtomicU64::new(0),
            all: texts.iter().map(|text| text.len() as u64).sum::<u64>() * settings.epochs as u64,
        }
    }

    /// One thread's share of the texts.
    fn learn(&self, texts: &[Vec<u32>], thread: u64, stop: &(dyn Fn() -> bool + Sync)) {
        let mut window = Window::new(self.settings);
        let mut kept = Vec::new();
        for epoch in 0..self.settings.epochs {
            let mut rng = Rng::new(&[self.settings.seed, thread, epoch as u64]);
            for portion in texts.chunks(PORTION) {
                if stop() {
                    return;
                }
                let count: usize = portion.iter().map(Vec::len).sum();
                let seen = self.seen.fetch_add(count as u64, Relaxed);
                let left = 1.0 - seen as f32 / self.all.max(1) as f32;
                window.rate = self.settings.rate * left.max(LAST);
                for text in portion {
                    kept.clear();
                    kept.extend(text.iter().filter(|&&w| rng.unit() < self.kept[w as usize]));
                    self.text(&kept, &mut rng, &mut window);
                }
            }
        }
    }

    fn text(&self, text: &[u32], rng: &mut Rng, window: &mut Window) {
        let Settings { width, negatives, .. } = self.settings;
        for (at, &word) in text.iter().enumerate() {
            let reach = 1 + rng.below(self.settings.window);
            let around = at.saturating_sub(reach)..(at + reach + 1).min(text.len());
            window.contexts.clear();
            window.contexts.extend(around.filter(|other| *other != at).map(|other| text[other]));
            if window.contexts.is_empty() {
                continue;
            }
            window.targets.clear();
            window.targets.push(word);
            for _ in 0..negatives {
                let drawn = self.drawn.draw(rng) as u32;
                if drawn != word {
                    window.targets.push(drawn);
                }
            }
            gather(&mut window.inputs, &self.inputs, &window.contexts, width);
            gather(&mut window.outputs, &self.outputs, &window.targets, width);
            learn(
                &mut window.inputs,
                &mut window.outputs,
                &mut window.steps,
                &mut window.before,
                width,
                window.rate,
            );
            scatter(&window.inputs, &self.inputs, &window.contexts, width);
            scatter(&window.outputs, &self.outputs, &window.targets, width);
        }
    }
}

/// Copies rows out.
fn gather(to: &mut Vec<f32>, from: &[AtomicU32], rows: &[u32], width: usize) {
    to.clear();
    for &row in rows {
        let row = &from[row as usize * width..][..width];
        to.extend(row.iter().map(|value| f32::from_bits(value.load(Relaxed))));
    }
}

/// Copies rows back.
fn scatter(from: &[f32], to: &[AtomicU32], rows: &[u32], width: usize) {
    for (&row, values) in rows.iter().zip(from.chunks_exact(width)) {
        let row = &to[row as usize * width..][..width];
        row.iter().zip(values).for_each(|(to, value)| to.store(value.to_bits(), Relaxed));
    }
}

/// Draws words by their weights in constant time (Walker 1977, <https://doi.org/10.1145/355744.355749>).
struct Alias {
    own: Vec<f32>,
    other: Vec<u32>,
}

impl Alias {
    fn new(weights: &[f64]) -> Self {
        let count = weights.len();
        let mean = weights.iter().sum::<f64>() / count as f64;
        let mut left: Vec<f64> = weights.iter().map(|weight| weight / mean).collect();
        let (mut own, mut other) = (vec![1f32; count], vec![0u32; count]);
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..count).partition(|&at| left[at] < 1.0);
        while let (Some(under), Some(&over)) = (small.pop(), large.last()) {
            own[under] = left[under] as f32;
            other[under] = over as u32;
            left[over] -= 1.0 - left[under];
            if left[over] < 1.0 {
                large.pop();
                small.push(over);
            }
        }
        Self { own, other }
    }

    fn draw(&self, rng: &mut Rng) -> usize {
        let at = rng.below(self.own.len());
        if rng.unit() < self.own[at] { at } else { self.other[at] as usize }
    }
}
