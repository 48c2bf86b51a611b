//! `tuwen eval composed`: a picture together with words for what is to be another thing in it.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::{Result, bail};
use rayon::prelude::*;
use tuwen_eval::{Ranked, Ranking, rank as rank_one};
use tuwen_image::rng::Rng;
use tuwen_retrieve::gap::Gap;
use tuwen_sets::changes::{Change, Rule, changes};
use tuwen_text::caption;

use super::pairs::{PairArgs, Pairs, SHARES, Table, fairly};
use crate::terminal::{note, say};
use crate::words::counted;

/// English is cut into words, Chinese into its words, of which a caption has fewer.
const RULES: [Rule; 2] = [Rule { stays: 4, changes: 3 }, Rule { stays: 3, changes: 2 }];
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
}

/// Measures and prints.
pub fn run(args: &Args) -> Result<ExitCode> {
    let pairs = Pairs::open(&args.pairs)?;
    let mut tables = BTreeMap::new();
    for (source, captions) in pairs.sources() {
        let (questions, han) = questions(&captions, args);
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
        let phrases: Vec<String> =
            questions.iter().map(|q| q.phrase.join(if han { "" } else { " " })).collect();
        let words = pairs.embed(&phrases.iter().map(String::as_str).collect::<Vec<_>>())?;
        if !args.pairs.json {
            say!(
                "{source}: {}, R@1/5/10 among {}",
                counted(questions.len(), "question"),
                counted(pairs.samples.len(), "picture")
            );
            say!("  the means of pictures and of texts are {:.2} apart", gap.width());
        }
        let table = table(&pairs, &questions, &words, &gap);
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

/// Some questions of one source of captions, and whether it is Chinese.
fn questions(captions: &[Vec<&str>], args: &Args) -> (Vec<Change>, bool) {
    let is_han = |text: &str| text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
    let all = || captions.iter().flatten();
    let han = 2 * all().filter(|text| is_han(text)).count() > all().count();
    let cut = if han { caption::words } else { caption::english };
    let tokens = |(picture, own): (usize, &Vec<&str>)| {
        own.iter().map(|text| (picture, cut(text))).collect::<Vec<_>>()
    };
    let tokens: Vec<_> = captions.par_iter().enumerate().flat_map_iter(tokens).collect();
    let mut found = changes(&tokens, RULES[usize::from(han)]);
    Rng::new(&[args.pairs.seed]).shuffle(&mut found);
    found.truncate(args.most);
    (found, han)
}

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

fn table(pairs: &Pairs, questions: &[Change], words: &[f32], gap: &Gap) -> Table {
    let (mut table, dim) = (Table::default(), pairs.dim());
    let clusters: Vec<usize> = questions.iter().map(|question| question.to).collect();
    let ranked = |share: f32, way: Way| -> Vec<Ranked> {
        let one = |(at, question): (usize, &Change)| {
            let image = &pairs.images[question.from * dim..][..dim];
            let [image, words] = way(gap, image, &words[at * dim..][..dim]);
            let query: Vec<f32> =
                image.iter().zip(&words).map(|(i, w)| share * i + (1.0 - share) * w).collect();
            rank(pairs, at, question, &query)
        };
        questions.par_iter().enumerate().map(one).collect()
    };
    let mut add =
        |way: &str, ranked: &[Ranked]| table.add(way, ranked, pairs.samples.len() - 1, &clusters);
    add("the picture alone", &ranked(1.0, WAYS[0].1));
    add("the words alone", &ranked(0.0, WAYS[0].1));
    for (name, way) in WAYS {
        let all: Vec<Vec<Ranked>> = SHARES.iter().map(|&share| ranked(share, way)).collect();
        add(&format!("{name}, half and half"), &all[SHARES.len() / 2]);
        let (chosen, [first, second]) = fairly(&all, &clusters);
        add(&format!("{name}, shares chosen apart ({first}, {second})"), &chosen);
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
