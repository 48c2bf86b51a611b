//! The pointing game (Zhang et al. 2016, <https://arxiv.org/abs/1608.00507>): whether a map's largest value lies on the
//! thing that the text names, in drawn scenes of several things whose places are known.

use std::path::Path;
use std::time::Instant;

use anyhow::{Result, bail};
use serde::Serialize;
use tuwen_encode::{CpuEncoder, Encoder};
use tuwen_explain::faithful::{Mean, centre, order, random};
use tuwen_explain::{Method, explain};
use tuwen_image::{Picture, RgbImage};
use tuwen_sets::scenes::{Scene, scene};

use super::faith::settings;
use super::{Args, bar, median};
use crate::cmd::data::scenes::stock_of;
use crate::cmd::explain::usage;
use crate::query::Usage;

/// Scenes that are looked through for each one that is taken.
const TRIES: u64 = 50;
/// Pixels of a scene's side.
const SIDE: u32 = 224;
/// A thing covers at most so much of the scene: what is everywhere is hit by everything.
const LARGEST: f32 = 0.35;

/// One method.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Row {
    pub name: &'static str,
    /// Share of scenes.
    pub hits: Mean,
    /// Median milliseconds of an explanation.
    pub ms: f32,
}

/// A scene, what is asked for, and where it is: left, top, right, bottom in shares of the side.
struct Asked {
    square: RgbImage,
    text: String,
    boxes: Vec<[f32; 4]>,
}

/// Each method's hits, and how many scenes there were.
pub fn measure(
    args: &Args,
    config: &Path,
    encoder: &CpuEncoder,
    methods: &[Method],
) -> Result<(Vec<Row>, usize)> {
    let stock = stock_of(config)?;
    let mut asked = Vec::new();
    for number in 0..args.pictures as u64 * TRIES {
        if asked.len() == args.pictures {
            break;
        }
        let Some(scene) = scene(&stock, SIDE, args.how.seed, number) else { break };
        asked.extend(ask(&scene, encoder));
    }
    if asked.is_empty() {
        bail!(Usage(format!("{}: no scene of several things can be drawn", config.display())));
    }
    let seed = args.how.seed;
    let hits = |map: &dyn Fn(usize) -> (Vec<f32>, usize)| {
        let of = |(at, one): (usize, &Asked)| {
            let (map, across) = map(at);
            f32::from(u8::from(one.is_hit(order(&map, seed + at as u64)[0], across)))
        };
        Mean::of(&asked.iter().enumerate().map(of).collect::<Vec<f32>>(), seed)
    };
    let mut rows = vec![
        Row { name: "random", hits: hits(&|at| (random(14, seed + at as u64), 14)), ms: 0.0 },
        Row { name: "centre", hits: hits(&|_| (centre(14), 14)), ms: 0.0 },
    ];
    let bar = bar(methods.len() * asked.len());
    encoder.load()?;
    for &method in methods {
        let settings = settings(args, method);
        let (mut maps, mut times) = (Vec::new(), Vec::new());
        for one in &asked {
            let begun = Instant::now();
            let found = explain(encoder, &one.square, &one.text, &settings).map_err(usage)?;
            times.push(begun.elapsed().as_secs_f32() * 1e3);
            maps.push((found.map, found.across));
            bar.inc(1);
        }
        rows.push(Row {
            name: method.name(),
            hits: hits(&|at| maps[at].clone()),
            ms: median(&mut times),
        });
    }
    bar.finish_and_clear();
    Ok((rows, asked.len()))
}

/// One of several things by its English name; None of a scene where that would say nothing.
fn ask(scene: &Scene<'_>, encoder: &CpuEncoder) -> Option<Asked> {
    if scene.phrases.len() < 2 {
        return None;
    }
    let thing = scene.phrases[0].thing;
    if scene.phrases[1..].iter().any(|phrase| std::ptr::eq(phrase.thing, thing)) {
        return None;
    }
    let own = scene.placed.iter().filter(|placed| std::ptr::eq(placed.actor.thing, thing));
    let boxes: Vec<[f32; 4]> =
        own.map(|p| [p.left, p.top, p.left + p.width, p.top + p.height]).collect();
    let covered: f32 = boxes.iter().map(|b| (b[2] - b[0]) * (b[3] - b[1])).sum();
    let fits = !boxes.is_empty() && covered <= LARGEST;
    let square = encoder.preprocess().fit(&Picture::Rgb(scene.picture.clone()));
    fits.then(|| Asked { square, text: format!("a {}", thing.english), boxes })
}

impl Asked {
    /// Whether the middle of a cell lies on the thing.
    fn is_hit(&self, cell: usize, across: usize) -> bool {
        let share = |at: usize| (at as f32 + 0.5) / across as f32;
        let (x, y) = (share(cell % across), share(cell / across));
        self.boxes.iter().any(|b| (b[0]..=b[2]).contains(&x) && (b[1]..=b[3]).contains(&y))
    }
}
