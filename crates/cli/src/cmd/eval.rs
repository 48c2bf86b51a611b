//! `tuwen eval`

mod report;
mod write;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use tuwen_data::Encoder;
use tuwen_data::import::{self, CaptionFile, DataSet, Format, Source};
use tuwen_encode::builtin;
use tuwen_eval::{Captioned, Direction, Ranking, Report, Ties};
use tuwen_train::embed_set;

use super::by_name;
use crate::query::{TextArgs, note_lost, open_model};

/// Measure retrieval on a captioned set: R@1/5/10 and ranks, both ways
#[derive(clap::Args)]
#[command(after_help = "Example:\n  tuwen eval --images flickr8k-val.tar --ids val.ids \\\n    \
    --captions captions.en.txt --captions captions.zh-native.txt\n\n\
    A query's rank is that of its best true item; equal scores go to the lower gallery position.")]
pub struct Args {
    /// A folder or tar archive of pictures
    #[arg(long)]
    images: PathBuf,
    /// A file with captions; each is measured by itself
    #[arg(long)]
    captions: Vec<PathBuf>,
    /// Only the pictures listed here, one id a line
    #[arg(long)]
    ids: Option<PathBuf>,
    /// How captions are written down, when name and content do not show it
    #[arg(long, value_parser = by_name(&Format::NAMES))]
    format: Option<Format>,
    /// A name of `tuwen model list`, a folder with weights, or a .pt file
    #[arg(long, default_value = builtin::BUILT_IN)]
    model: String,
    /// Lower-case captions and straighten their quotes first, as cn_clip does in its evaluation
    #[arg(long)]
    dataset_text: bool,
    /// Recall at further cut-offs, such as 20,50
    #[arg(long, value_delimiter = ',')]
    k: Vec<usize>,
    /// Folder for the results query by query, the predictions, and the numbers in the conventions of
    /// Chinese-CLIP, LAVIS, CLIP_benchmark, open_clip and the Taidi Cup
    #[arg(long)]
    out: Option<PathBuf>,
    /// Folder for a page with the numbers, curves, and the best, worst and random queries
    #[arg(long)]
    report: Option<PathBuf>,
    /// Print the numbers as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    text_args: TextArgs,
}

impl Args {
    /// One file of captions, measured with a page.
    pub fn with_report(
        model: String,
        images: PathBuf,
        captions: PathBuf,
        ids: PathBuf,
        report: PathBuf,
    ) -> Self {
        Self {
            images,
            captions: vec![captions],
            ids: Some(ids),
            format: None,
            model,
            dataset_text: false,
            k: Vec::new(),
            out: None,
            report: Some(report),
            json: false,
            text_args: TextArgs::default(),
        }
    }
}

/// Measures and prints.
pub fn run(args: &Args) -> Result<ExitCode> {
    let caption_file = |path: &PathBuf| CaptionFile {
        source: path.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned()),
        ..CaptionFile::new(path)
    };
    let format = match args.format {
        Some(format) => format,
        None => Source::guess(args.captions.first().unwrap_or(&args.images))?.format,
    };
    let set = DataSet {
        format,
        images: args.images.clone(),
        captions: args.captions.iter().map(caption_file).collect(),
        ids: args.ids.clone(),
        share: 1.0,
    };
    let samples = import::read(&set)?;
    let encoder = open_model(&args.model, &args.text_args)?.with_dataset_text(args.dataset_text);
    let embedded = embed_set(&encoder, &samples)?;
    note_lost(&encoder);
    let mut measured = Vec::new();
    for (source, (texts, owner)) in &embedded.texts {
        let set = Captioned { images: &embedded.images, texts, dim: encoder.dim(), owner };
        let ranking = Ranking { top: write::TOP, ties: Ties::LowerFirst };
        let ranked = [set.text_to_image(ranking), set.image_to_text(ranking)];
        let report = Report::new(set, [&ranked[0], &ranked[1]], &args.k);
        if let Some(folder) = &args.out {
            write::all(folder, source, set, &ranked, &report, &samples)?;
        }
        measured.push((source, set, ranked, report));
    }
    if let Some(folder) = &args.report {
        let shown = measured.iter().map(|(source, set, ranked, report)| report::Shown {
            source,
            set: *set,
            ranked,
            report,
        });
        report::write(folder, encoder.name(), &samples, &shown.collect::<Vec<_>>())?;
    }
    let reports: BTreeMap<String, Report> =
        measured.into_iter().map(|(source, _, _, report)| (source.clone(), report)).collect();
    if args.json {
        println!("{}", serde_json::to_string(&reports)?);
    } else {
        print(&reports);
    }
    Ok(ExitCode::SUCCESS)
}

/// A table for people.
pub fn print(reports: &BTreeMap<String, Report>) {
    for (source, report) in reports {
        println!("{source}");
        line("text -> image", &report.text_to_image);
        line("image -> text", &report.image_to_text);
        println!("  mean recall {:.1}", report.mean_recall);
    }
    println!("equal scores go to the lower gallery position");
}

fn line(name: &str, direction: &Direction) {
    let three = |values: [f64; 3]| values.map(|value| format!("{value:.1}")).join("/");
    let within = direction.interval.map(|[low, high]| format!("{low:.1}-{high:.1}")).join(", ");
    println!("  {name}: R@1/5/10 {} (95%: {within})", three(direction.recall));
    println!(
        "    chance {}, mean rank {:.1}, median {}, MRR {:.3}, mAP {:.3}, mAP@50 {:.3}, nDCG@10 {:.3}, {} queries, \
         {} items, {} ties",
        three(direction.chance),
        direction.mean_rank,
        direction.median_rank,
        direction.mrr,
        direction.map,
        direction.map_at_k,
        direction.ndcg,
        direction.queries,
        direction.gallery,
        direction.ties
    );
    for (k, recall) in &direction.recall_at {
        println!("    R@{k} {recall:.1}");
    }
}
