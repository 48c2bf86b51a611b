//! `tuwen space hash`

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use rayon::prelude::*;
use serde::Serialize;
use tuwen_index::hamming::BitCodes;
use tuwen_index::{exact, topk};
use tuwen_space::bits::{BitQuery, Bits};
use tuwen_space::hash::Hash;
use tuwen_space::table::Source;
use tuwen_space::{Chain, Features, Space, Step, synthetic};

use super::{stopped, stopper};
use crate::cmd::by_name;
use crate::number;
use crate::query::Usage;
use crate::terminal::say;

/// Hits of float search that are looked for.
const K: usize = 10;
/// Vectors of each modality that bits are learned from.
const LEARNED: usize = 5000;

/// Measure codes of bits in a gallery: what of float's ten best hits they find, how fast, in how much memory
#[derive(clap::Args)]
#[command(after_help = "Example:\n  tuwen space hash --drawn 100000\n  \
    tuwen space hash --images img_emb.npy --texts text_emb.npy --bits 256 --how itq")]
pub struct Args {
    /// Draw so many pairs of vectors that are like CLIP ViT-B/32's, for the gallery
    #[arg(long, conflicts_with = "images", required_unless_present = "images")]
    drawn: Option<usize>,
    /// Vectors of the gallery's images: .npy or .mat
    #[arg(long, requires = "texts")]
    images: Option<PathBuf>,
    /// Vectors of texts; the first --queries of them are asked, the others learned from
    #[arg(long, requires = "images")]
    texts: Option<PathBuf>,
    /// Texts and images that are asked
    #[arg(long, default_value_t = 500, value_parser = number::whole(1..=1_000_000))]
    queries: usize,
    /// Bits of a code
    #[arg(long, value_delimiter = ',', default_value = "64,128,256,512", value_parser = number::whole(1..=65_536))]
    bits: Vec<usize>,
    /// How bits are made
    #[arg(long, value_delimiter = ',', default_value = "raw,random,itq,balanced", value_parser = by_name(&Hash::NAMES))]
    how: Vec<Hash>,
    /// Shares of the gallery whose vectors are looked at behind their codes
    #[arg(long, value_delimiter = ',', default_value = "0.001,0.01,0.05")]
    rescored: Vec<f64>,
    /// Of everything drawn
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is measured on.
struct Gallery {
    images: Features,
    /// Vectors to learn from: images, texts.
    learned: [Features; 2],
    /// Asked: texts, images.
    asked: [Features; 2],
}

#[derive(Serialize)]
struct Row {
    how: &'static str,
    bits: usize,
    /// Of the gallery's codes.
    bytes: usize,
    /// Of the gallery's vectors.
    float_bytes: usize,
    seconds_to_learn: f64,
    asked: &'static str,
    rescored: f64,
    /// Share of float's ten best that are among the ten best.
    recall_at_10: f64,
    /// One thread, one query at a time.
    ms_per_query: f64,
    float_ms_per_query: f64,
}

/// Measures.
pub fn run(args: &Args) -> Result<ExitCode> {
    if let Some(share) = args.rescored.iter().find(|share| !(0.0..=1.0).contains(*share)) {
        return Err(Usage(format!("--rescored {share}: a share from 0 to 1 is wanted")).into());
    }
    let stop = stopper("stopping; what was measured is printed")?;
    let gallery = gallery(args)?;
    let truth = [0, 1].map(|side| exact_hits(&gallery.images, &gallery.asked[side]));
    let mut rows = Vec::new();
    for &how in &args.how {
        for &bits in &args.bits {
            if stop() {
                return Ok(stopped());
            }
            if how == Hash::Raw && bits != gallery.images.width {
                continue;
            }
            let found = measure(args, &gallery, how, bits, &truth)?;
            if !args.json {
                found.iter().for_each(print);
            }
            rows.extend(found);
        }
    }
    if rows.is_empty() {
        let dim = gallery.images.width;
        return Err(
            Usage(format!("`raw` has a bit for each of the {dim} values: --bits {dim}")).into()
        );
    }
    if args.json {
        say!("{}", serde_json::to_string(&rows)?);
    }
    Ok(ExitCode::SUCCESS)
}

fn gallery(args: &Args) -> Result<Gallery> {
    let slice = |f: &Features, from: usize, to: usize| Features {
        values: f.values[from * f.width..to * f.width].to_vec(),
        width: f.width,
    };
    if let Some(count) = args.drawn {
        if count < args.queries {
            return Err(Usage(format!(
                "--drawn {count}: fewer than the {} --queries",
                args.queries
            ))
            .into());
        }
        // Behind the gallery's pairs: those that bits are learned from, and images to ask.
        let [images, texts] = synthetic::pairs(count + LEARNED + args.queries, args.seed);
        let end = count + LEARNED;
        return Ok(Gallery {
            learned: [slice(&images, count, end), slice(&texts, count, end)],
            asked: [slice(&texts, 0, args.queries), slice(&images, end, end + args.queries)],
            images: slice(&images, 0, count),
        });
    }
    let read = |path: &Option<PathBuf>| -> Result<Features> {
        let file = path.clone().expect("required without --drawn");
        let table = Source { file: file.clone(), variable: None, column: None }.table()?;
        let found = Features::of(&table, &file.display().to_string())?;
        Ok(Chain(vec![Step::Unit]).apply(&found))
    };
    let (images, texts) = (read(&args.images)?, read(&args.texts)?);
    let asked = args.queries;
    if texts.rows() <= asked || images.rows() <= asked + K || images.width != texts.width {
        return Err(Usage(format!(
            "{} images of {} values and {} texts of {}: more of both than the {asked} --queries, of one width, are \
             needed",
            images.rows(),
            images.width,
            texts.rows(),
            texts.width
        ))
        .into());
    }
    // The last images are asked and no part of the gallery.
    let kept = images.rows() - asked;
    let learned_texts = texts.rows().min(asked + LEARNED);
    Ok(Gallery {
        learned: [slice(&images, 0, kept.min(LEARNED)), slice(&texts, asked, learned_texts)],
        asked: [slice(&texts, 0, asked), slice(&images, kept, images.rows())],
        images: slice(&images, 0, kept),
    })
}

/// The ten best of each query by float, and milliseconds of one query on one thread.
fn exact_hits(images: &Features, asked: &Features) -> (Vec<Vec<u32>>, f64) {
    let best = |query: &[f32]| {
        let mut scores = vec![0.0; images.rows()];
        exact::scores(query, &images.values, images.width, &mut scores, images.rows());
        let mut best = topk::TopK::new(K);
        let hits = scores.iter().enumerate().map(|(id, &score)| topk::Hit { id: id as u64, score });
        hits.for_each(|hit| best.push(hit));
        best.into_sorted().into_iter().map(|hit| hit.id as u32).collect()
    };
    let found = (0..asked.rows()).into_par_iter().map(|at| best(asked.row(at))).collect();
    (found, timed(asked, |query| drop(best(asked.row(query)))))
}

/// Milliseconds of a query, the mean of some.
fn timed(asked: &Features, search: impl Fn(usize)) -> f64 {
    let some = asked.rows().min(50);
    let began = Instant::now();
    (0..some).for_each(search);
    began.elapsed().as_secs_f64() * 1000.0 / some as f64
}

/// A gallery's codes: bits that are counted where they differ, or bits with lengths that estimate.
enum Codes {
    Signs(BitCodes),
    Scaled(Bits),
}

/// Queries, as these codes want them.
enum Queries {
    Signs(BitCodes),
    Scaled(Vec<BitQuery>),
}

impl Codes {
    fn new(how: Hash, space: &Space, images: &Features, bits: usize) -> Self {
        let values = space.image.apply(images).values;
        match how {
            Hash::Balanced => Self::Scaled(Bits::of(&values, bits)),
            _ => Self::Signs(BitCodes::of_signs(&values, bits)),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Signs(codes) => codes.bytes(),
            Self::Scaled(codes) => codes.bytes(),
        }
    }

    fn queries(&self, space: &Space, asked: &Features, texts: bool) -> Queries {
        match self {
            Self::Signs(codes) => {
                let chain = if texts { &space.text } else { &space.image };
                Queries::Signs(BitCodes::of_signs(&chain.apply(asked).values, codes.bits()))
            }
            // Whoever asks, the way of queries keeps inner products with codes.
            Self::Scaled(codes) => {
                let values = space.text.apply(asked);
                Queries::Scaled((0..values.rows()).map(|at| codes.query(values.row(at))).collect())
            }
        }
    }
}

impl Queries {
    fn search(
        &self,
        codes: &Codes,
        at: usize,
        vector: &[f32],
        vectors: &[f32],
        candidates: usize,
    ) -> Vec<(u32, f32)> {
        match (self, codes) {
            (Self::Signs(own), Codes::Signs(codes)) => {
                codes.search(own.row(at), vector, vectors, candidates, K)
            }
            (Self::Scaled(own), Codes::Scaled(codes)) => {
                codes.search(&own[at], vector, vectors, candidates, K)
            }
            _ => unreachable!("queries were made by these codes"),
        }
    }
}

fn measure(
    args: &Args,
    gallery: &Gallery,
    how: Hash,
    bits: usize,
    truth: &[(Vec<Vec<u32>>, f64); 2],
) -> Result<Vec<Row>> {
    let began = Instant::now();
    let space = how.learn(&gallery.learned[0], &gallery.learned[1], bits, args.seed)?;
    let seconds_to_learn = began.elapsed().as_secs_f64();
    let codes = Codes::new(how, &space, &gallery.images, bits);
    let name = Hash::NAMES.iter().find(|(_, one)| *one == how).map_or("", |(name, _)| name);
    let mut rows = Vec::new();
    for (side, asked_name) in ["text", "image"].into_iter().enumerate() {
        let asked = &gallery.asked[side];
        let prepared = codes.queries(&space, asked, side == 0);
        for &rescored in &args.rescored {
            let candidates = ((gallery.images.rows() as f64 * rescored).ceil() as usize).max(K);
            let search = |at: usize| {
                prepared.search(&codes, at, asked.row(at), &gallery.images.values, candidates)
            };
            let hits = |at: usize| {
                let found = search(at);
                truth[side].0[at].iter().filter(|id| found.iter().any(|hit| hit.0 == **id)).count()
            };
            let all: usize = (0..asked.rows()).into_par_iter().map(hits).sum();
            rows.push(Row {
                how: name,
                bits,
                bytes: codes.bytes(),
                float_bytes: gallery.images.values.len() * 4,
                seconds_to_learn,
                asked: asked_name,
                rescored,
                recall_at_10: all as f64 / (asked.rows() * K) as f64,
                ms_per_query: timed(asked, |at| drop(search(at))),
                float_ms_per_query: truth[side].1,
            });
        }
    }
    Ok(rows)
}

fn print(row: &Row) {
    say!(
        "{:<7}{:>4} bits, {} queries, {:>5.1}% rescored: recall@10 of float's {:.3}; {:.2} ms a query (float {:.2}), \
         {:.1} MB (float {:.1})",
        row.how,
        row.bits,
        row.asked,
        row.rescored * 100.0,
        row.recall_at_10,
        row.ms_per_query,
        row.float_ms_per_query,
        row.bytes as f64 / 1e6,
        row.float_bytes as f64 / 1e6
    );
}
