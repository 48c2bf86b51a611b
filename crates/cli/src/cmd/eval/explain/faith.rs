//! Insertion, deletion, and drop and rise of confidence, of each method on each picture.

use std::time::Instant;

use anyhow::Result;
use serde::Serialize;
use tuwen_encode::{CpuEncoder, Encoder};
use tuwen_explain::faithful::{Faith, Mean, area, centre, curves, order, random, resized};
use tuwen_explain::render::{range, share};
use tuwen_explain::{Fill, Mask, Method, PictureGame, Regions, Settings, dots, explain};
use tuwen_image::RgbImage;

use super::{Args, Case, Explaining, median, with_interval};
use crate::cmd::explain::usage;
use crate::progress::Long;
use crate::terminal::say;

/// One method's maps of all pictures.
pub struct Maps {
    pub name: &'static str,
    /// For each picture, (across, across).
    maps: Vec<Vec<f32>>,
    ms: f32,
    calls: usize,
}

/// Areas under one kind of score.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Areas {
    pub insertion: f32,
    pub deletion: f32,
    /// Insertion minus deletion, less the same of a random order of the same picture.
    pub above_random: Mean,
}

/// One method.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Row {
    pub name: &'static str,
    /// Of the right caption among those of all pictures.
    pub probability: Areas,
    pub cosine: Areas,
    /// Share of the probability that is lost where the picture is faded by its map.
    pub drop: Mean,
    /// Share of pictures whose probability is higher then.
    pub rise: Mean,
    /// Pictures that went through the model for a map.
    pub calls: usize,
    /// Median milliseconds of an explanation, words included.
    pub ms: f32,
    /// How much higher fixlip's insertion minus deletion is, by method; told in its own row.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fixlip_above: Vec<(&'static str, Mean)>,
}

/// For people.
pub fn print(rows: &[Row]) {
    say!(
        "  method      insertion  deletion  difference above random order (95%)    of cosines above random     \
         drop (95%)          rise (95%)          calls  ms"
    );
    let percent = |mean: Mean| match mean.interval.map(|ends| ends.map(|end| end * 100.0)) {
        Some([low, high]) => format!("{:.1}% ({low:.1} to {high:.1})", mean.mean * 100.0),
        None => format!("{:.1}%", mean.mean * 100.0),
    };
    for row in rows {
        say!(
            "  {:<11} {:>8.3}  {:>8.3}  {:<35}  {:<26}  {:<18}  {:<18}  {:>5}  {:.1}",
            row.name,
            row.probability.insertion,
            row.probability.deletion,
            with_interval(row.probability.above_random),
            with_interval(row.cosine.above_random),
            percent(row.drop),
            percent(row.rise),
            row.calls,
            row.ms
        );
    }
    if let Some(beside) = rows.iter().find(|row| !row.fixlip_above.is_empty()) {
        say!("  fixlip above others in insertion minus deletion, paired (probability):");
        for (name, mean) in &beside.fixlip_above {
            say!("    {name:<11} {}", with_interval(*mean));
        }
    }
}

/// Cells along a side in which maps are measured: the model's patches where these are not too many, and no picture has
/// fewer pixels.
fn across(encoder: &CpuEncoder, cases: &[Case]) -> usize {
    let config = encoder.config();
    let sides = cases.iter().map(|case| case.square.width().min(case.square.height()) as usize);
    let most = sides.min().unwrap_or(1).min(24);
    (config.preprocess.size as usize / config.patch).clamp(1, most)
}

/// The settings of a method here.
pub fn settings(args: &Args, method: Method) -> Settings {
    Settings { blocks: args.blocks, ..args.how.settings(method) }
}

/// All maps, with what is always beside them.
pub fn maps(
    args: &Args,
    encoder: &CpuEncoder,
    methods: &[Method],
    cases: &[Case],
) -> Result<Vec<Maps>> {
    let size = across(encoder, cases);
    let every = |map: &dyn Fn(usize) -> Vec<f32>| (0..cases.len()).map(map).collect();
    let seed = args.how.seed;
    let mut all = vec![
        Maps {
            name: "random",
            maps: every(&|at| random(size, seed + at as u64)),
            ms: 0.0,
            calls: 0,
        },
        Maps { name: "centre", maps: every(&|_| centre(size)), ms: 0.0, calls: 0 },
    ];
    let texts: Vec<&str> = cases.iter().map(|case| case.text.as_str()).collect();
    let wanted: Vec<Settings> = methods.iter().map(|&method| settings(args, method)).collect();
    let explaining = Explaining::new("scores asked for explanations", &wanted, &texts, 1);
    encoder.load()?;
    for (&method, settings) in methods.iter().zip(&wanted) {
        let settings = explaining.watched(settings);
        let (mut found, mut times, mut calls) = (Vec::new(), Vec::new(), 0);
        for case in cases {
            let begun = Instant::now();
            let one = explain(encoder, &case.square, &case.text, &settings).map_err(usage)?;
            times.push(begun.elapsed().as_secs_f32() * 1e3);
            found.push(resized(&one.map, one.across, size));
            calls = one.calls[0];
            explaining.done(&settings, &case.text);
        }
        all.push(Maps { name: method.name(), maps: found, ms: median(&mut times), calls });
    }
    Ok(all)
}

/// What one map did: both kinds of score, and the probability with the picture faded by the map beside that of all.
struct Measured {
    probability: Faith,
    cosine: Faith,
    faded: [f32; 2],
}

/// Every method's row.
pub fn measure(
    args: &Args,
    encoder: &CpuEncoder,
    cases: &[Case],
    maps: &[Maps],
    fill: Fill,
) -> Result<Vec<Row>> {
    let texts: Vec<&str> = cases.iter().map(|case| case.text.as_str()).collect();
    let judge = Judge { texts: encoder.encode_texts(&texts)?, scale: encoder.logits()?.0 };
    let size = across(encoder, cases);
    let bar = Long::new("measured maps", maps.len() * cases.len());
    let mut measured: Vec<Vec<Measured>> = maps.iter().map(|_| Vec::new()).collect();
    for (at, case) in cases.iter().enumerate() {
        let regions = Regions::of_picture(&case.square, size);
        let game = PictureGame::new(encoder, &case.square, regions, fill);
        for (maps, out) in maps.iter().zip(&mut measured) {
            let order = order(&maps.maps[at], args.how.seed);
            let [hidden, shown] = curves(&order, args.steps);
            let masks: Vec<Mask> = hidden.into_iter().chain(shown).collect();
            let vectors = game.vectors(&masks)?;
            let scores = judge.scores(&vectors, at, encoder.dim());
            let [cosine, probability] = [0, 1].map(|kind| {
                let of: Vec<f32> = scores.iter().map(|pair| pair[kind]).collect();
                let (hidden, shown) = of.split_at(args.steps + 1);
                Faith { insertion: area(shown), deletion: area(hidden) }
            });
            let faded =
                encoder.encode_images(&[faded(&case.square, &game, fill, &maps.maps[at])])?;
            let faded = judge.scores(&faded, at, encoder.dim())[0][1];
            out.push(Measured { probability, cosine, faded: [scores[0][1], faded] });
            bar.step(1);
        }
    }
    Ok(rows(maps, &measured, args.how.seed))
}

fn rows(maps: &[Maps], measured: &[Vec<Measured>], seed: u64) -> Vec<Row> {
    // A random order's is noise around 0: the mean of its own with the order turned around is 0 exactly, and so
    // what is measured beside it is one draw for each picture.
    let beside = &measured[0];
    let areas = |own: &[Measured], of: &dyn Fn(&Measured) -> Faith| {
        let mean = |part: &dyn Fn(Faith) -> f32| {
            own.iter().map(|m| part(of(m))).sum::<f32>() / own.len().max(1) as f32
        };
        let above = own.iter().zip(beside).map(|(a, b)| of(a).difference() - of(b).difference());
        Areas {
            insertion: mean(&|faith| faith.insertion),
            deletion: mean(&|faith| faith.deletion),
            above_random: Mean::of(&above.collect::<Vec<f32>>(), seed),
        }
    };
    let fixlip = maps.iter().position(|maps| maps.name == Method::Fixlip.name());
    let paired = |other: &[Measured]| {
        let own = &measured[fixlip?];
        let more = own.iter().zip(other);
        let more = more.map(|(a, b)| a.probability.difference() - b.probability.difference());
        Some(Mean::of(&more.collect::<Vec<f32>>(), seed))
    };
    let row = |(at, (maps_of, own)): (usize, (&Maps, &Vec<Measured>))| {
        let lost = |m: &Measured| (m.faded[0] - m.faded[1]).max(0.0) / m.faded[0].max(1e-12);
        let rises = |m: &Measured| f32::from(u8::from(m.faded[1] > m.faded[0]));
        let others = maps.iter().zip(measured).filter(|(other, _)| other.name != maps_of.name);
        let fixlip_above = match fixlip == Some(at) {
            true => others.filter_map(|(other, m)| Some((other.name, paired(m)?))).collect(),
            false => Vec::new(),
        };
        Row {
            name: maps_of.name,
            probability: areas(own, &|m| m.probability),
            cosine: areas(own, &|m| m.cosine),
            drop: Mean::of(&own.iter().map(lost).collect::<Vec<f32>>(), seed),
            rise: Mean::of(&own.iter().map(rises).collect::<Vec<f32>>(), seed),
            calls: maps_of.calls,
            ms: maps_of.ms,
            fixlip_above,
        }
    };
    maps.iter().zip(measured).enumerate().map(row).collect()
}

/// The captions of all pictures.
struct Judge {
    /// (pictures, D).
    texts: Vec<f32>,
    scale: f32,
}

impl Judge {
    /// For each vector the cosine with a picture's caption, and that caption's probability among all.
    fn scores(&self, vectors: &[f32], own: usize, dim: usize) -> Vec<[f32; 2]> {
        let one = |vector: &[f32]| {
            let cosines = dots(&self.texts, vector);
            let power = |cosine: &f32| (self.scale * (cosine - cosines[own])).exp();
            [cosines[own], 1.0 / cosines.iter().map(power).sum::<f32>()]
        };
        vectors.chunks_exact(dim).map(one).collect()
    }
}

/// A picture faded into what stands where parts are hidden, least where its map is largest.
fn faded(square: &RgbImage, game: &PictureGame<'_>, fill: Fill, map: &[f32]) -> RgbImage {
    let ends = range(map);
    let hidden = fill.hidden(square, &game.regions);
    let shown = game.regions.spread(&map.iter().map(|&v| share(v, ends)).collect::<Vec<f32>>());
    let mut out = hidden;
    for ((to, from), shown) in out.pixels_mut().zip(square.pixels()).zip(shown) {
        for (to, &from) in to.0.iter_mut().zip(&from.0) {
            *to = (f32::from(*to) * (1.0 - shown) + f32::from(from) * shown).round() as u8;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A score that is the share of the first cells that is shown, of a map, of its reverse, and of none.
    #[test]
    fn a_method_is_above_its_own_reverse_and_not_below() {
        let score = |mask: &Mask| mask[..5].iter().filter(|&&shown| shown).count() as f32 / 5.0;
        let right: Vec<f32> = (0..10).map(|at| -(at as f32)).collect();
        let reverse: Vec<f32> = right.iter().map(|value| -value).collect();
        let measured = |map: &[f32], kind: f32| {
            let [hidden, shown] = curves(&order(map, 0), 10);
            let area = |masks: &[Mask]| area(&masks.iter().map(score).collect::<Vec<f32>>());
            let faith = Faith { insertion: area(&shown), deletion: area(&hidden) };
            let cosine =
                Faith { insertion: faith.insertion * kind, deletion: faith.deletion * kind };
            Measured { probability: faith, cosine, faded: [0.5, 0.25] }
        };
        let named = |name| Maps { name, maps: Vec::new(), ms: 1.0, calls: 7 };
        let maps = ["random", "occlusion", "fixlip"].map(named);
        let flat = [0.0; 10];
        let of = |map: &[f32]| [0.5, 1.0].map(|kind| measured(map, kind)).into_iter().collect();
        let rows = rows(&maps, &[of(&flat), of(&reverse), of(&right)], 1);
        let above = |name: &str| {
            let found = rows[2].fixlip_above.iter().find(|(other, _)| *other == name);
            found.expect(name).1
        };
        // 0.75 - 0.25 beside 0.25 - 0.75, of each picture, and so of any that are drawn of them.
        let paired = above("occlusion");
        assert!((paired.mean - 1.0).abs() < 1e-6, "{paired:?}");
        let [low, high] = paired.interval.expect("two pictures");
        assert!((low - 1.0).abs() < 1e-6 && (high - 1.0).abs() < 1e-6, "{paired:?}");
        let [worse, better] = [1, 2].map(|at: usize| rows[at].probability.above_random.mean);
        assert!(worse < 0.0 && better > 0.0 && (better - worse - 1.0).abs() < 1e-6);
        assert!((above("random").mean - better).abs() < 1e-6);
        assert!(rows[0].fixlip_above.is_empty() && rows[1].fixlip_above.is_empty());
        // The pictures' cosines differ, so that their mean has an interval of some width.
        let [low, high] = rows[2].cosine.above_random.interval.expect("two pictures");
        assert!(low < rows[2].cosine.above_random.mean && rows[2].cosine.above_random.mean < high);
        assert_eq!((rows[2].drop.mean, rows[2].rise.mean, rows[2].calls), (0.5, 0.0, 7));
    }
}
