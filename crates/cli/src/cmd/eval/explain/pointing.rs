//! The pointing game (Zhang et al. 2016, <https://arxiv.org/abs/1608.00507>): whether a map's largest value lies on the
//! thing that the text names, in drawn scenes of several things of which every pixel is known.

use std::path::Path;
use std::time::Instant;

use anyhow::{Result, bail};
use serde::Serialize;
use tuwen_encode::{CpuEncoder, Encoder};
use tuwen_explain::faithful::{Mean, centre, order, random};
use tuwen_explain::{Method, Settings, explain};
use tuwen_image::{Picture, RgbImage, Window};
use tuwen_sets::scenes::{Scene, scene};

use super::faith::settings;
use super::{Args, Explaining, forward_ms, median, with_interval};
use crate::cmd::data::scenes::stock_of;
use crate::cmd::explain::usage;
use crate::query::Usage;
use crate::terminal::say;

/// Scenes that are looked through for each one that is taken.
const TRIES: u64 = 50;
/// Pixels of a scene's side.
const SIDE: u32 = 224;
/// A thing covers at most so much of the scene: what is everywhere is hit by everything.
const LARGEST: f32 = 0.35;
/// Of what is hidden behind others hardly anything can be pointed at.
const SMALLEST: f32 = 0.01;

/// One method.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Row {
    pub name: &'static str,
    /// Share of scenes in which the largest value lies on the thing's own pixels.
    pub hits: Mean,
    /// Mean share of the map's positive values that lie on them.
    pub inside: Mean,
    /// Median milliseconds of a map alone.
    pub ms: f32,
}

/// For people.
pub fn print(rows: &[Row]) {
    say!(
        "on the pixels of the thing that is named: the largest value; the share of what is above 0"
    );
    for row in rows {
        let [hits, inside] = [row.hits, row.inside].map(with_interval);
        say!("  {:<11} {hits}   {inside}   {:.1} ms", row.name, row.ms);
    }
}

/// A scene, what is asked for, and where it is.
struct Asked {
    square: RgbImage,
    text: String,
    /// Whether the thing is seen at each pixel of the scene, line by line.
    mask: Vec<bool>,
    /// The part of the scene that the model sees.
    window: Window,
}

/// Each method's hits, how many scenes there were, and the milliseconds of one's embedding.
pub fn measure(
    args: &Args,
    config: &Path,
    encoder: &CpuEncoder,
    methods: &[Method],
) -> Result<(Vec<Row>, usize, f32)> {
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
    let row = |name, ms, map: &dyn Fn(usize) -> (Vec<f32>, usize)| {
        let (mut hits, mut inside) = (Vec::new(), Vec::new());
        for (at, one) in asked.iter().enumerate() {
            let (map, across) = map(at);
            let first = order(&map, seed + at as u64)[0];
            hits.push(f32::from(u8::from(one.is_hit(first, across))));
            inside.push(one.share_inside(&map, across));
        }
        Row { name, hits: Mean::of(&hits, seed), inside: Mean::of(&inside, seed), ms }
    };
    let mut rows = vec![
        row("random", 0.0, &|at| (random(14, seed + at as u64), 14)),
        row("centre", 0.0, &|_| (centre(14), 14)),
    ];
    let texts: Vec<&str> = asked.iter().map(|one| one.text.as_str()).collect();
    let wordless = |&method: &Method| Settings { words: false, ..settings(args, method) };
    let wanted: Vec<Settings> = methods.iter().map(wordless).collect();
    let explaining = Explaining::new("scores asked for explanations", &wanted, &texts, 1);
    encoder.load()?;
    for (&method, settings) in methods.iter().zip(&wanted) {
        let settings = explaining.watched(settings);
        let (mut maps, mut times) = (Vec::new(), Vec::new());
        for one in &asked {
            let begun = Instant::now();
            let found = explain(encoder, &one.square, &one.text, &settings).map_err(usage)?;
            times.push(begun.elapsed().as_secs_f32() * 1e3);
            maps.push((found.map, found.across));
            explaining.done(&settings, &one.text);
        }
        rows.push(row(method.name(), median(&mut times), &|at| maps[at].clone()));
    }
    drop(explaining);
    let squares: Vec<&RgbImage> = asked.iter().map(|one| &one.square).collect();
    Ok((rows, asked.len(), forward_ms(encoder, &squares)?))
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
    let is_it = |&seen: &u8| {
        let placed = usize::from(seen).checked_sub(1).map(|at| &scene.placed[at]);
        placed.is_some_and(|placed| std::ptr::eq(placed.actor.thing, thing))
    };
    let mask: Vec<bool> = scene.seen.iter().map(is_it).collect();
    let covered = mask.iter().filter(|&&own| own).count() as f32 / mask.len() as f32;
    let square = encoder.preprocess().fit(&Picture::Rgb(scene.picture.clone()));
    let window = encoder.preprocess().window(SIDE, SIDE);
    let text = format!("a {}", thing.english);
    (SMALLEST..=LARGEST).contains(&covered).then_some(Asked { square, text, mask, window })
}

impl Asked {
    /// Whether the middle of a cell lies on the thing.
    fn is_hit(&self, cell: usize, across: usize) -> bool {
        let middle = |at: usize| (at as f64 + 0.5) / across as f64;
        let Window { left, top, width, height } = self.window;
        let pixel = |at: f64| (at.max(0.0) as usize).min(SIDE as usize - 1);
        let x = pixel(left + middle(cell % across) * width);
        let y = pixel(top + middle(cell / across) * height);
        self.mask[y * SIDE as usize + x]
    }

    /// The share of what a map has above 0 that lies on the thing; of a map without any, as much as of a flat one.
    fn share_inside(&self, map: &[f32], across: usize) -> f32 {
        let flat = !map.iter().any(|&value| value > 0.0);
        let weight = |value: f32| if flat { 1.0 } else { value.max(0.0) };
        let all: f32 = map.iter().map(|&value| weight(value)).sum();
        let own = map.iter().enumerate().filter(|(cell, _)| self.is_hit(*cell, across));
        own.map(|(_, &value)| weight(value)).sum::<f32>() / all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_are_on_the_pixels_of_the_thing_and_not_beside_them() {
        let side = SIDE as usize;
        // The right half, of a model that sees the middle of the scene alone.
        let mask = (0..side * side).map(|pixel| pixel % side >= side / 2).collect();
        let window = Window { left: 56.0, top: 56.0, width: 112.0, height: 112.0 };
        let asked = Asked { square: RgbImage::new(1, 1), text: String::new(), mask, window };
        assert!(!asked.is_hit(0, 2) && asked.is_hit(1, 2) && asked.is_hit(3, 2));
        assert_eq!(asked.share_inside(&[1.0, 3.0, -9.0, 0.0], 2), 0.75);
        assert_eq!(asked.share_inside(&[-1.0; 4], 2), 0.5);
        // Of a thing in the corner the middle has less than a flat map.
        let corner = (0..side * side).map(|pixel| pixel % side < 60 && pixel / side < 60).collect();
        let window = Window { left: 0.0, top: 0.0, width: 224.0, height: 224.0 };
        let asked =
            Asked { square: RgbImage::new(1, 1), text: String::new(), mask: corner, window };
        // 4 x 4 cells of 14 x 14: of `2 m^2 - x^2 - y^2` they have 512 of 10192.
        assert!((asked.share_inside(&vec![1.0; 196], 14) - 16.0 / 196.0).abs() < 1e-6);
        assert!((asked.share_inside(&centre(14), 14) - 512.0 / 10192.0).abs() < 1e-5);
    }
}
