//! Sanity checks (Adebayo et al. 2018, <https://arxiv.org/abs/1810.03292>): a map that is the same where the model's
//! blocks are random explains the picture and not the model; and one that is another where the picture has a little
//! noise explains chance.

use anyhow::Result;
use serde::Serialize;
use tuwen_encode::CpuEncoder;
use tuwen_explain::faithful::{Mean, rank_correlation};
use tuwen_explain::{Method, explain};
use tuwen_image::RgbImage;
use tuwen_image::rng::Rng;

use super::faith::settings;
use super::{Args, Case, bar};
use crate::cmd::explain::usage;
use crate::query::open_model;

/// A pixel's noise in each channel, of 255, up and down.
const NOISE: f32 = 8.0;

/// One method.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Row {
    pub name: &'static str,
    /// With the last block random, the later half, and all.
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
    let layers = encoder.config().image.layers;
    let mut others = Vec::new();
    for from in [layers.saturating_sub(1), layers / 2, 0] {
        let other = open_model(&args.model, &args.text_args)?;
        others.push(other.with_random_blocks(from, args.how.seed));
    }
    let bar = bar(methods.len() * cases.len());
    let mut rows = Vec::new();
    for &method in methods {
        let settings = settings(args, method);
        let map = |encoder: &CpuEncoder, square: &RgbImage, text: &str| {
            explain(encoder, square, text, &settings).map(|found| found.map).map_err(usage)
        };
        let mut random: Vec<Vec<f32>> = others.iter().map(|_| Vec::new()).collect();
        let mut noise = Vec::new();
        for (at, case) in cases.iter().enumerate() {
            let own = map(encoder, &case.square, &case.text)?;
            for (other, out) in others.iter().zip(&mut random) {
                let found = map(other, &case.square, &case.text)?;
                // Superpixels are those of the picture, and so the same.
                out.push(rank_correlation(&own, &found));
            }
            let noisy = noisy(&case.square, args.how.seed + at as u64);
            noise.push(rank_correlation(&own, &map(encoder, &noisy, &case.text)?));
            bar.inc(1);
        }
        let mean = |values: &Vec<f32>| Mean::of(values, args.how.seed);
        let random = random.iter().map(mean).collect();
        rows.push(Row { name: method.name(), random, noise: mean(&noise) });
    }
    bar.finish_and_clear();
    Ok(rows)
}

fn noisy(square: &RgbImage, seed: u64) -> RgbImage {
    let mut rng = Rng::new(&[seed, 0x401]);
    let mut out = square.clone();
    for byte in out.pixels_mut().flat_map(|pixel| &mut pixel.0) {
        *byte = (f32::from(*byte) + rng.range(-NOISE, NOISE)).clamp(0.0, 255.0).round() as u8;
    }
    out
}
