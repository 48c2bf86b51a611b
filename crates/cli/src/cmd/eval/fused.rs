//! `tuwen eval fused`: one vector for a picture and its text, asked by words and by a piece of the picture.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use tuwen_encode::{Encoder, stream};
use tuwen_eval::{Ranked, Ranking, rank_all};
use tuwen_image::rng::Rng;
use tuwen_image::{Augment, Limits, decode};
use tuwen_matching::{Fuser, Role};
use tuwen_retrieve::fusing::Fuse;
use tuwen_sets::Sample;
use tuwen_train::fuse::PIECE;

use super::pairs::{PairArgs, Pairs, SHARES, Table, fairly};
use crate::progress;
use crate::terminal::say;
use crate::words::counted;

/// Measure one vector for a picture and its text (`index --fuse`), beside each of them alone
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  tuwen eval fused --images flickr8k-val.tar --ids val.ids --captions captions.en.txt\n\n\
    The first caption of each picture is its text, the others are queries; a second table asks with a random piece of \
    the picture. The share of a weighted way is chosen for each half of the pictures on the other half."
)]
pub struct Args {
    #[command(flatten)]
    pairs: PairArgs,
    /// Measure a fuser that `tuwen fuse train` wrote, too; of several one is also chosen for each half of the pictures on
    /// the other half
    #[arg(long, value_name = "FILE")]
    learned: Vec<PathBuf>,
}

/// Queries of one kind, each with the picture that it is for.
struct Queries {
    vectors: Vec<f32>,
    pictures: Vec<usize>,
}

/// Measures and prints.
pub fn run(args: &Args) -> Result<ExitCode> {
    let pairs = Pairs::open(&args.pairs)?;
    let fusers = pairs.fusers(&args.learned, Role::Items)?;
    let pieces = pieces(&pairs, args.pairs.seed)?;
    let mut tables: BTreeMap<&str, BTreeMap<&str, Table>> = BTreeMap::new();
    for (source, captions) in pairs.sources() {
        if let Some(at) = captions.iter().position(|own| own.len() < 2) {
            let (id, has) = (&pairs.samples[at].id, captions[at].len());
            bail!(
                "{source}: `{id}` has {}, and one is its text and another a query: give at least 2",
                counted(has, "caption")
            );
        }
        let texts: Vec<&str> = captions.iter().map(|own| own[0]).collect();
        let texts = pairs.embed(&texts)?;
        let others: Vec<&str> = captions.iter().flat_map(|own| &own[1..]).copied().collect();
        let of = |(picture, own): (usize, &Vec<&str>)| std::iter::repeat_n(picture, own.len() - 1);
        let pictures = captions.iter().enumerate().flat_map(of).collect();
        let words = Queries { vectors: pairs.embed(&others)?, pictures };
        let own = tables.entry(source).or_default();
        own.insert("another caption", table(&pairs, &texts, &words, &fusers));
        own.insert("a piece of the picture", table(&pairs, &texts, &pieces, &fusers));
    }
    if args.pairs.json {
        say!("{}", serde_json::to_string(&tables)?);
        return Ok(ExitCode::SUCCESS);
    }
    for (source, own) in &tables {
        for (asked, table) in own {
            say!(
                "{source}, asked with {asked}: R@1/5/10 among {}",
                counted(pairs.samples.len(), "picture")
            );
            table.print();
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The way that learned ones should be better than.
const AVERAGE: &str = "average";

/// A way by its share.
type Way = fn(f32) -> Fuse;

/// All ways for the same queries.
fn table(pairs: &Pairs, texts: &[f32], queries: &Queries, fusers: &[Fuser<'static>]) -> Table {
    let (dim, mut table) = (pairs.dim(), Table::default());
    let truth: Vec<Vec<usize>> = queries.pictures.iter().map(|&picture| vec![picture]).collect();
    let ranked =
        |gallery: &[f32]| rank_all(&queries.vectors, gallery, dim, &truth, Ranking::default());
    let fused = |fuse: Fuse| -> Vec<Ranked> {
        let both = pairs.images.chunks_exact(dim).zip(texts.chunks_exact(dim));
        ranked(&both.flat_map(|(image, text)| fuse.of(image, text)).collect::<Vec<f32>>())
    };
    let add = |table: &mut Table, way: &str, ranked: &[Ranked]| {
        table.add(way, ranked, pairs.samples.len(), &queries.pictures);
    };
    add(&mut table, "the picture alone", &ranked(&pairs.images));
    add(&mut table, "the text alone", &ranked(texts));
    add(&mut table, AVERAGE, &fused(Fuse::Weighted(0.5)));
    let ways: [(&str, Way); 2] = [("weighted", Fuse::Weighted), ("concat", Fuse::Concatenated)];
    for (name, way) in ways {
        let all: Vec<Vec<Ranked>> = SHARES.iter().map(|&share| fused(way(share))).collect();
        let (chosen, best) = fairly(&all, &queries.pictures);
        let [first, second] = best.map(|at| SHARES[at]);
        add(&mut table, &format!("{name}, shares chosen apart ({first}, {second})"), &chosen);
    }
    let none = vec![0.0; texts.len()];
    let learned = |texts: &[f32]| -> Vec<Vec<Ranked>> {
        fusers.iter().map(|fuser| ranked(&fuser.vectors(&pairs.images, texts, 0.5))).collect()
    };
    let (both, alone) = (learned(texts), learned(&none));
    for (fuser, (both, alone)) in fusers.iter().zip(both.iter().zip(&alone)) {
        let name = &fuser.config().name;
        add(&mut table, &format!("learned, {name}"), both);
        table.compare_with(AVERAGE);
        add(&mut table, &format!("learned, {name}, items without texts"), alone);
    }
    if fusers.len() > 1 {
        let (chosen, best) = fairly(&both, &queries.pictures);
        let [first, second] = best.map(|at| &*fusers[at].config().name);
        add(&mut table, &format!("learned, chosen apart ({first}, {second})"), &chosen);
        table.compare_with(AVERAGE);
    }
    table
}

/// A random piece of each picture.
fn pieces(pairs: &Pairs, seed: u64) -> Result<Queries> {
    let augment = Augment { crop_scale: PIECE, ..Augment::default() };
    let read = |&(at, sample): &(usize, &Sample)| {
        let picture = sample.image.read().and_then(|bytes| decode(&bytes, Limits::default()));
        let picture =
            picture.map_err(|e| tuwen_files::Error::data_set(&sample.id, e.to_string()))?;
        let mut rng = Rng::new(&[seed, at as u64]);
        Ok::<_, tuwen_files::Error>(augment.apply(&picture, pairs.encoder.preprocess(), &mut rng))
    };
    let samples: Vec<(usize, &Sample)> = pairs.samples.iter().enumerate().collect();
    let count = samples.len();
    let (mut vectors, bar) = (Vec::new(), progress::bar(Some(count), "pieces"));
    stream::each(&pairs.encoder, samples, read, |_, vector: tuwen_files::Result<&[f32]>| {
        vectors.extend_from_slice(vector?);
        bar.inc(1);
        anyhow::Ok(())
    })?;
    bar.finish_and_clear();
    Ok(Queries { vectors, pictures: (0..count).collect() })
}
