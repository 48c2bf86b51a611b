//! What measuring fused vectors and composed queries share: a captioned set in the common space, and rows of a table.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Result, bail};
use serde::Serialize;
use tuwen_encode::{CpuEncoder, Encoder, builtin, stream};
use tuwen_eval::compare::{Comparison, compare};
use tuwen_eval::{Ask, Direction, Ranked};
use tuwen_matching::{Fuser, Role};
use tuwen_retrieve::fuser_for;
use tuwen_sets::Sample;
use tuwen_train::fitted;

use crate::progress;
use crate::query::{TextArgs, open_model};
use crate::terminal::say;
use crate::words::counted;

/// Shares that are tried: tenths.
pub const SHARES: [f32; 9] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

/// A captioned set.
#[derive(clap::Args)]
pub struct PairArgs {
    /// A folder or tar archive of pictures
    #[arg(long)]
    images: PathBuf,
    /// A file with captions, several for each picture; each file is measured by itself
    #[arg(long, required = true)]
    captions: Vec<PathBuf>,
    /// Only the pictures listed here, one id a line
    #[arg(long)]
    ids: Option<PathBuf>,
    /// A name of `tuwen model list`, a folder with weights, or a .pt file
    #[arg(long, default_value = builtin::BUILT_IN)]
    model: String,
    /// Draws what is drawn: the same number, the same questions
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Print the numbers as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    text_args: TextArgs,
}

/// Pictures with their captions.
pub struct Pairs {
    /// Who embeds.
    pub encoder: CpuEncoder,
    /// In the order of the vectors.
    pub samples: Vec<Sample>,
    /// The pictures' vectors, (N, D).
    pub images: Vec<f32>,
}

impl Pairs {
    /// Reads and embeds the pictures.
    pub fn open(args: &PairArgs) -> Result<Self> {
        let (images, captions) = (args.images.clone(), args.captions.clone());
        let set = super::Args::of_set(vec![args.model.clone()], images, captions, args.ids.clone());
        let samples = super::read(&super::set(&set)?)?;
        if samples.len() < 10 {
            let found = counted(samples.len(), "picture");
            bail!(
                "{}: {found} are too few to tell ways from each other: give at least 10",
                args.images.display()
            );
        }
        let encoder = open_model(&args.model, &args.text_args)?;
        let mut images = Vec::with_capacity(samples.len() * encoder.dim());
        let bar = progress::bar(Some(samples.len()), "pictures");
        let read = |sample: &&Sample| fitted(&encoder, sample);
        stream::each(&encoder, &samples, read, |_, vector: tuwen_files::Result<&[f32]>| {
            images.extend_from_slice(vector?);
            bar.inc(1);
            anyhow::Ok(())
        })?;
        bar.finish_and_clear();
        Ok(Self { encoder, samples, images })
    }

    /// Fusers that are for the model, and for this.
    pub fn fusers(&self, files: &[PathBuf], role: Role) -> Result<Vec<Fuser<'static>>> {
        let open = |file: &PathBuf| Ok(fuser_for(file, self.encoder.fingerprint(), role)?);
        files.iter().map(open).collect()
    }

    /// D.
    pub fn dim(&self) -> usize {
        self.encoder.dim()
    }

    /// The captions of each source, picture by picture.
    pub fn sources(&self) -> BTreeMap<&str, Vec<Vec<&str>>> {
        let mut sources: BTreeMap<&str, Vec<Vec<&str>>> = BTreeMap::new();
        for (at, sample) in self.samples.iter().enumerate() {
            for caption in &sample.captions {
                let all = sources.entry(&caption.source).or_default();
                all.resize(self.samples.len(), Vec::new());
                all[at].push(&caption.text);
            }
        }
        sources
    }

    /// The vectors of texts, (T, D).
    pub fn embed(&self, texts: &[&str]) -> Result<Vec<f32>> {
        let bar = progress::bar(Some(texts.len()), "texts");
        let mut vectors = Vec::with_capacity(texts.len() * self.dim());
        stream::texts(&self.encoder, texts, |rows| {
            vectors.extend_from_slice(rows);
            bar.inc((rows.len() / self.dim()) as u64);
            anyhow::Ok(())
        })?;
        bar.finish_and_clear();
        Ok(vectors)
    }
}

/// One way, on all queries.
#[derive(Serialize)]
pub struct Row {
    /// What it is called.
    way: String,
    #[serde(flatten)]
    numbers: Direction,
    /// Against the first row, R@1 of the same queries.
    #[serde(skip_serializing_if = "Option::is_none")]
    against_first: Option<Comparison>,
    /// Against another row, which it should be better than.
    #[serde(skip_serializing_if = "Option::is_none")]
    against_other: Option<Other>,
}

/// A row that another is compared with.
#[derive(Serialize)]
struct Other {
    way: String,
    #[serde(flatten)]
    found: Comparison,
}

/// The rows of one table.
#[derive(Default, Serialize)]
pub struct Table {
    rows: Vec<Row>,
    /// Of each row which queries it answers first.
    #[serde(skip)]
    hits: Vec<Vec<bool>>,
}

impl Table {
    /// Adds a way's ranks; `clusters` are the queries' pictures.
    pub fn add(
        &mut self,
        way: impl Into<String>,
        ranked: &[Ranked],
        gallery: usize,
        clusters: &[usize],
    ) {
        let numbers = Direction::new(ranked, Ask { gallery, cutoffs: &[], clusters });
        let hits: Vec<bool> = ranked.iter().map(|ranked| ranked.ranks[0] == 1).collect();
        let against_first = self.hits.first().map(|first| compare(first, &hits));
        self.hits.push(hits);
        self.rows.push(Row { way: way.into(), numbers, against_first, against_other: None });
    }

    /// Compares the last row with the one of that name as well.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn compare_with(&mut self, way: &str) {
        let other = self.rows.iter().position(|row| row.way == way).expect("a row of that name");
        let found = compare(&self.hits[other], self.hits.last().expect("a row"));
        let last = self.rows.last_mut().expect("a row");
        last.against_other = Some(Other { way: way.to_owned(), found });
    }

    /// For people.
    pub fn print(&self) {
        for Row { way, numbers, against_first, against_other } in &self.rows {
            let three = |values: [f64; 3]| values.map(|value| format!("{value:.1}")).join("/");
            let [low, high] = numbers.interval[0];
            let difference = |found: &Comparison| {
                let [low, high] = found.interval;
                format!("{:+.1} ({low:+.1} to {high:+.1})", found.difference)
            };
            let more = against_first.as_ref();
            let more = more.map_or_else(String::new, |f| format!("  R@1 {}", difference(f)));
            let over = against_other.as_ref().map_or_else(String::new, |other| {
                format!(", over {} {}", other.way, difference(&other.found))
            });
            say!("  {way:<44} {:<16} R@1 {low:.1}-{high:.1}{more}{over}", three(numbers.recall));
        }
    }
}

/// The ranks of each query by the way that is best for the queries of the other half of the pictures; and which
/// way that is for each half. `ranked`: for each way all queries; `clusters`: their pictures.
pub fn fairly(ranked: &[Vec<Ranked>], clusters: &[usize]) -> (Vec<Ranked>, [usize; 2]) {
    let best = [0, 1].map(|half| {
        let hits = |ranked: &Vec<Ranked>| -> usize {
            let own = ranked.iter().zip(clusters).filter(|(_, picture)| *picture % 2 == half);
            own.map(|(r, _)| [1, 5, 10].iter().filter(|&&k| r.ranks[0] <= k).count()).sum()
        };
        let best = (0..ranked.len()).max_by_key(|&at| (hits(&ranked[at]), std::cmp::Reverse(at)));
        best.expect("several ways")
    });
    let of = |(query, picture): (usize, &usize)| ranked[best[1 - picture % 2]][query].clone();
    let all = clusters.iter().enumerate().map(of).collect();
    // Half 0 was given what half 1 chose.
    (all, [best[1], best[0]])
}
