//! Sanity checks (Adebayo et al. 2018, <https://arxiv.org/abs/1810.03292>): a map that is the same where the model's
//! blocks are random explains the picture and not the model; and one that is another where the picture has a little
//! noise explains chance.

use anyhow::Result;
use serde::Serialize;
use tuwen_encode::CpuEncoder;
use tuwen_explain::faithful::{Mean, rank_correlation};
use tuwen_explain::{Method, Settings, explain};
use tuwen_image::RgbImage;
use tuwen_image::rng::Rng;

use super::faith::settings;
use super::{Args, Case, Explaining};
use crate::cmd::explain::usage;
use crate::query::open_model;
use crate::terminal::say;

/// A pixel's noise in each channel, of 255, up and down.
const NOISE: f32 = 8.0;
/// Models with random blocks, about so many.
const DEPTHS: usize = 12;

/// One method.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Row {
    pub name: &'static str,
    /// With random blocks, by the first of them that is: from the last one to all.
    pub random: Vec<Mean>,
    /// With noise in the picture.
    pub noise: Mean,
}

/// Rank correlations of maps.
pub fn measure(
    args: &Args,
    encoder: &CpuEncoder,
    methods: &[Method],
    cases: &[Case],
) -> Result<Vec<Row>> {
    let firsts = firsts(encoder.config().image.layers);
    let texts: Vec<&str> = cases.iter().map(|case| case.text.as_str()).collect();
    let wordless = |&method: &Method| Settings { words: false, ..settings(args, method) };
    let wanted: Vec<Settings> = methods.iter().map(wordless).collect();
    let models = firsts.len() + 2;
    let explaining =
        Explaining::new("scores asked for explanations (sanity)", &wanted, &texts, models);
    // All methods' maps of all pictures, one model after the other: several would not fit into memory.
    let maps = |encoder: &CpuEncoder, squares: &[RgbImage]| -> Result<Vec<Vec<Vec<f32>>>> {
        let of_method = |settings: &Settings| {
            let settings = explaining.watched(settings);
            let one = |(case, square): (&Case, &RgbImage)| {
                let found = explain(encoder, square, &case.text, &settings).map_err(usage)?;
                explaining.done(&settings, &case.text);
                Ok(found.map)
            };
            cases.iter().zip(squares).map(one).collect()
        };
        wanted.iter().map(of_method).collect()
    };
    let squares: Vec<RgbImage> = cases.iter().map(|case| case.square.clone()).collect();
    let own = maps(encoder, &squares)?;
    let alike = |others: &[Vec<Vec<f32>>]| -> Vec<Mean> {
        let of_method = |(own, other): (&Vec<Vec<f32>>, &Vec<Vec<f32>>)| {
            // Superpixels are those of the picture, and nearly the same with noise in it.
            let each = own.iter().zip(other).map(|(own, other)| rank_correlation(own, other));
            Mean::of(&each.collect::<Vec<f32>>(), args.how.seed)
        };
        own.iter().zip(others).map(of_method).collect()
    };
    let mut random = Vec::new();
    for &from in &firsts {
        let other = open_model(&args.model, &args.text_args)?;
        random.push(alike(&maps(&other.with_random_blocks(from, args.how.seed), &squares)?));
    }
    let noisy: Vec<RgbImage> =
        (0..).zip(&squares).map(|(at, square)| noisy(square, args.how.seed + at)).collect();
    let noise = alike(&maps(encoder, &noisy)?);
    let row = |(at, method): (usize, &Method)| Row {
        name: method.name(),
        random: random.iter().map(|means| means[at]).collect(),
        noise: noise[at],
    };
    Ok(methods.iter().enumerate().map(row).collect())
}

/// For people: a line of means, and one of intervals under it.
pub fn print(rows: &[Row], random_from: &[usize]) {
    let cells =
        |values: Vec<String>| values.iter().map(|value| format!("{value:>13}")).collect::<String>();
    say!("rank correlation of a picture's map with the same map, and its interval (95%)");
    say!(
        "              of a picture   of a model with random blocks, from this one (counted from 0) on"
    );
    say!("  method      with noise {}", cells(random_from.iter().map(usize::to_string).collect()));
    for row in rows {
        let all = || std::iter::once(&row.noise).chain(&row.random);
        let mean = cells(all().map(|mean| format!("{:+.2}", mean.mean)).collect());
        say!("  {:<9} {mean}", row.name);
        let interval = |mean: &Mean| mean.interval.map(|[a, b]| format!("{a:+.2}:{b:+.2}"));
        match all().map(interval).collect::<Option<Vec<String>>>() {
            Some(intervals) => say!("            {}", cells(intervals)),
            None => say!("            (one picture: no interval)"),
        }
    }
}

/// The first random block, model after model: the last one alone, then one more each time; of a deep tower every second
/// or third.
pub fn firsts(layers: usize) -> Vec<usize> {
    let step = layers.div_ceil(DEPTHS).max(1);
    let mut firsts: Vec<usize> = (0..layers).rev().step_by(step).collect();
    if firsts.last() != Some(&0) {
        firsts.push(0);
    }
    firsts
}

fn noisy(square: &RgbImage, seed: u64) -> RgbImage {
    let mut rng = Rng::new(&[seed, 0x401]);
    let mut out = square.clone();
    for byte in out.pixels_mut().flat_map(|pixel| &mut pixel.0) {
        *byte = (f32::from(*byte) + rng.range(-NOISE, NOISE)).clamp(0.0, 255.0).round() as u8;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_become_random_from_the_last_to_the_first() {
        assert_eq!(firsts(3), [2, 1, 0]);
        assert_eq!(firsts(0), [0]);
        let deep = firsts(32);
        assert_eq!((deep[0], deep.last(), deep.len()), (31, Some(&0), 12));
    }
}
