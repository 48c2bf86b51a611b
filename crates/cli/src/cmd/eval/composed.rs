//! `tuwen eval composed`: a picture together with words for what is to be another thing in it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use rayon::prelude::*;
use tuwen_eval::{Ranked, Ranking, rank as rank_one};
use tuwen_image::rng::Rng;
use tuwen_matching::{Fuser, Role};
use tuwen_retrieve::gap::Gap;
use tuwen_sets::changes::{Change, Language, changes};

use super::pairs::{PairArgs, Pairs, SHARES, Table, fairly};
use crate::terminal::{note, say};
use crate::words::counted;

/// Fewest questions that tell anything.
const FEWEST: usize = 20;

/// Measure queries of a picture and words together, beside each of them alone
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  tuwen eval composed --images flickr8k-val.tar --ids val.ids --captions captions.en.txt\n\n\
    Questions are made of captions: where those of two pictures are the same but for one phrase (\"a black dog \
    splashes in the water\", \"a brown dog splashes in the water\"), the first picture and the other's phrase ask for \
    the other picture. The first picture itself is no answer. Shares are chosen for each half of the pictures on the \
    other half. The rule: docs/matching.md"
)]
pub struct Args {
    #[command(flatten)]
    pairs: PairArgs,
    /// At most so many questions of each file of captions, drawn at random
    #[arg(long, default_value_t = 2000, value_parser = crate::number::whole(FEWEST as u64..=crate::number::MANY))]
    most: usize,
    /// Measure a combiner that `tuwen fuse train` wrote, too; may be given several times
    #[arg(long, value_name = "FILE")]
    combiner: Vec<PathBuf>,
}

/// Measures and prints.
pub fn run(args: &Args) -> Result<ExitCode> {
    let pairs = Pairs::open(&args.pairs)?;
    let combiners = pairs.fusers(&args.combiner, Role::Queries)?;
    let mut tables = BTreeMap::new();
    for (source, captions) in pairs.sources() {
        let (questions, language) = questions(&captions, args);
        if questions.len() < FEWEST {
            let found = counted(questions.len(), "question");
            note!(
                "{source}: its captions make {found}, of {FEWEST} that are needed: more pictures make more"
            );
            continue;
        }
        let texts: Vec<&str> = captions.iter().flatten().copied().collect();
        let Some(gap) = Gap::of(&pairs.images, &pairs.embed(&texts)?, pairs.dim()) else {
            continue;
        };
        let phrases: Vec<String> = questions.iter().map(|q| language.joined(&q.phrase)).collect();
        let words = pairs.embed(&phrases.iter().map(String::as_str).collect::<Vec<_>>())?;
        if !args.pairs.json {
            say!(
                "{source}: {}, R@1/5/10 among {}",
                counted(questions.len(), "question"),
                counted(pairs.samples.len(), "picture")
            );
            say!("  the means of pictures and of texts are {:.2} apart", gap.width());
        }
        let table = table(&pairs, &questions, &words, &gap, &combiners);
        if !args.pairs.json {
            table.print();
        }
        tables.insert(source, table);
    }
    if tables.is_empty() {
        bail!("no file of captions makes enough questions");
    }
    if args.pairs.json {
        say!("{}", serde_json::to_string(&tables)?);
    }
    Ok(ExitCode::SUCCESS)
}

/// Some questions of one source of captions, and the language that it is in.
fn questions(captions: &[Vec<&str>], args: &Args) -> (Vec<Change>, Language) {
    let language = Language::of(captions.iter().flatten().copied());
    let mut found = changes(&language.cut(captions), language.rule());
    Rng::new(&[args.pairs.seed]).shuffle(&mut found);
    found.truncate(args.most);
    (found, language)
}

/// What the name of a way ends with where both count the same.
const HALF: &str = ", half and half";

/// What a picture and words are in a sum.
type Way = fn(&Gap, image: &[f32], words: &[f32]) -> [Vec<f32>; 2];

const WAYS: [(&str, Way); 3] = [
    ("sum", |_, image, words| [image.to_vec(), words.to_vec()]),
    ("scores of equal spread", |gap, image, words| {
        let by = |vector: &[f32], spread: f32| vector.iter().map(|value| value / spread).collect();
        [by(image, gap.image.spread), by(words, gap.text.spread)]
    }),
    ("without the gap", |gap, image, words| [gap.image.centred(image), gap.text.centred(words)]),
];

fn table(
    pairs: &Pairs,
    questions: &[Change],
    words: &[f32],
    gap: &Gap,
    combiners: &[Fuser<'static>],
) -> Table {
    let (mut table, dim) = (Table::default(), pairs.dim());
    let clusters: Vec<usize> = questions.iter().map(|question| question.to).collect();
    let asked: Vec<f32> =
        questions.iter().flat_map(|q| &pairs.images[q.from * dim..][..dim]).copied().collect();
    let rank_all = |queries: &[f32]| -> Vec<Ranked> {
        let one = |(at, question)| rank(pairs, at, question, &queries[at * dim..][..dim]);
        questions.par_iter().enumerate().map(one).collect()
    };
    let ranked = |share: f32, way: Way| -> Vec<Ranked> {
        let both = asked.chunks_exact(dim).zip(words.chunks_exact(dim));
        let sum = |(image, words)| -> Vec<f32> {
            let [image, words] = way(gap, image, words);
            image.iter().zip(&words).map(|(i, w)| share * i + (1.0 - share) * w).collect()
        };
        rank_all(&both.flat_map(sum).collect::<Vec<f32>>())
    };
    let others = pairs.samples.len() - 1;
    table.add("the picture alone", &ranked(1.0, WAYS[0].1), others, &clusters);
    table.add("the words alone", &ranked(0.0, WAYS[0].1), others, &clusters);
    let mut add_shares = |name: &str, all: Vec<Vec<Ranked>>, over: Option<&str>| {
        let half = format!("{name}{HALF}");
        table.add(half, &all[SHARES.len() / 2], others, &clusters);
        over.into_iter().for_each(|over| table.compare_with(over));
        let (chosen, best) = fairly(&all, &clusters);
        let [first, second] = best.map(|at| SHARES[at]);
        let way = format!("{name}, shares chosen apart ({first}, {second})");
        table.add(way, &chosen, others, &clusters);
        over.into_iter().for_each(|over| table.compare_with(over));
    };
    for (name, way) in WAYS {
        add_shares(name, SHARES.iter().map(|&share| ranked(share, way)).collect(), None);
    }
    // What is done without a combiner.
    let today = format!("{}{HALF}", WAYS[2].0);
    for combiner in combiners {
        let joined = |&share: &f32| rank_all(&combiner.vectors(&asked, words, share));
        let (name, all) = (&combiner.config().name, SHARES.iter().map(joined).collect());
        add_shares(&format!("joined, {name}"), all, Some(&today));
    }
    table
}

/// The rank of what is looked for among all pictures but the one that is asked with.
fn rank(pairs: &Pairs, at: usize, question: &Change, query: &[f32]) -> Ranked {
    let score = |image: &[f32]| image.iter().zip(query).map(|(a, b)| a * b).sum();
    let mut scores: Vec<f32> = pairs.images.chunks_exact(pairs.dim()).map(score).collect();
    scores[question.from] = f32::NEG_INFINITY;
    rank_one(at, &scores, &[question.to], Ranking::default())
}
