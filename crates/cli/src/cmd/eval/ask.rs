//! `tuwen eval ask`: how often questions about pictures are answered right.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::{Result, bail};
use serde::Serialize;
use tuwen_image::rng::Rng;
use tuwen_index::exact;
use tuwen_retrieve::asking::Asker;

use super::pairs::{PairArgs, Pairs};
use crate::terminal::say;
use crate::words::counted;

/// Wrong answers beside the right one where one of several is chosen.
const OTHERS: usize = 3;

/// Measure answers of yes or no, and choices of one out of four, made of captions or labels
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  tuwen eval ask --images flickr8k-val.tar --ids val.ids --captions captions.en.txt\n\n\
    Each caption of a picture is a statement that is true of it (yes), and a caption of another picture, drawn by the seed, one that is not \
    (no), unless the picture has the same one. Out of four captions, three of them of others, the picture's own is to be chosen. A file of labels \
    instead of captions asks for things. Intervals of 95% (Wilson's) are over pictures."
)]
pub struct Args {
    #[command(flatten)]
    pairs: PairArgs,
}

/// How many were right.
#[derive(Clone, Copy, Serialize)]
struct Share {
    right: usize,
    of: usize,
    /// In per cent.
    accuracy: f64,
    interval: [f64; 2],
}

impl Share {
    /// The interval is as wide as if each of `pictures` had been asked about once.
    fn new(right: usize, of: usize, pictures: usize) -> Self {
        let (share, n, z) = (right as f64 / of.max(1) as f64, pictures.max(1) as f64, 1.959_964);
        let middle = share + z * z / (2.0 * n);
        let reach = z * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
        let interval = [middle - reach, middle + reach].map(|end| 100.0 * end / (1.0 + z * z / n));
        Self { right, of, accuracy: 100.0 * share, interval }
    }
}

#[derive(Serialize)]
struct Measured {
    /// Statements that are true of their picture, told as true.
    yes: Share,
    /// Statements of other pictures, told as not true.
    no: Share,
    /// The picture's own caption, chosen out of four.
    choice: Share,
}

/// Measures and prints.
pub fn run(args: &Args) -> Result<ExitCode> {
    let pairs = Pairs::open(&args.pairs)?;
    let asker = Asker::new(&pairs.encoder)?;
    let mut all = BTreeMap::new();
    for (source, captions) in pairs.sources() {
        let measured = measure(&pairs, &asker, &captions, args.pairs.seed)?;
        if !args.pairs.json {
            let asked = captions.iter().map(Vec::len).sum::<usize>();
            say!(
                "{source}: {} of {}",
                counted(asked, "text"),
                counted(pairs.samples.len(), "picture")
            );
            let line = |name: &str, Share { right, of, accuracy, interval: [low, high] }| {
                say!("  {name}  {accuracy:.1} % right ({low:.1} to {high:.1}), {right} of {of}");
            };
            line("true of the picture    ", measured.yes);
            line("of another picture     ", measured.no);
            line("chosen out of four     ", measured.choice);
        }
        all.insert(source, measured);
    }
    if args.pairs.json {
        say!("{}", serde_json::to_string(&all)?);
    }
    Ok(ExitCode::SUCCESS)
}

fn measure(
    pairs: &Pairs,
    asker: &Asker<'_>,
    captions: &[Vec<&str>],
    seed: u64,
) -> Result<Measured> {
    let texts: Vec<(usize, &str)> = captions
        .iter()
        .enumerate()
        .flat_map(|(picture, own)| own.iter().map(move |&text| (picture, text)))
        .collect();
    let dim = pairs.dim();
    let vectors = pairs.embed(&texts.iter().map(|&(_, text)| text).collect::<Vec<_>>())?;
    let vector = |at: usize| &vectors[at * dim..][..dim];
    let pictures = captions.iter().filter(|own| !own.is_empty()).count();
    let (mut rng, mut right) = (Rng::new(&[seed, 0xa5c]), [0; 3]);
    for (at, &(picture, _)) in texts.iter().enumerate() {
        let image = &pairs.images[picture * dim..][..dim];
        let others = others(&texts, &captions[picture], picture, &mut rng)?;
        let yes = |text: usize| asker.fits(image, texts[text].1, vector(text))[0] >= 0.5;
        right[0] += usize::from(yes(at));
        right[1] += usize::from(!yes(others[0]));
        let score = |text: usize| exact::score(image, vector(text));
        right[2] += usize::from(others.iter().all(|&other| score(other) < score(at)));
    }
    let [yes, no, choice] = right.map(|right| Share::new(right, texts.len(), pictures));
    Ok(Measured { yes, no, choice })
}

/// Texts of other pictures, none of which the picture has too.
fn others(
    texts: &[(usize, &str)],
    own: &[&str],
    picture: usize,
    rng: &mut Rng,
) -> Result<[usize; OTHERS]> {
    let mut found = [0; OTHERS];
    for slot in &mut found {
        let mut tries = 0..10_000;
        *slot = loop {
            if tries.next().is_none() {
                bail!("the pictures have the same texts: there is nothing to tell them apart by");
            }
            let at = rng.below(texts.len());
            let (of, text) = texts[at];
            if of != picture && !own.contains(&text) {
                break at;
            }
        };
    }
    Ok(found)
}
