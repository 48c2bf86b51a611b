//! `tuwen eval`

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::ValueEnum;
use tuwen_data::import::{self, CaptionFile, DataSet, Format};
use tuwen_encode::builtin;
use tuwen_eval::{Direction, Report};
use tuwen_train::embed_set;

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
    /// How captions are written down
    #[arg(long, value_enum, default_value_t = FormatArg::Flickr)]
    format: FormatArg,
    /// A name of `tuwen model list`, a folder with weights, or a .pt file
    #[arg(long, default_value = builtin::BUILT_IN)]
    model: String,
    /// Lower-case captions and straighten their quotes first, as cn_clip does in its evaluation
    #[arg(long)]
    dataset_text: bool,
    /// Print the numbers as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    text_args: TextArgs,
}

#[derive(Clone, Copy, ValueEnum)]
enum FormatArg {
    Flickr,
    Jsonl,
    Csv,
    Shards,
}

/// Measures and prints.
pub fn run(args: &Args) -> Result<ExitCode> {
    let caption_file = |path: &PathBuf| CaptionFile {
        source: path.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned()),
        ..CaptionFile::new(path)
    };
    let set = DataSet {
        format: match args.format {
            FormatArg::Flickr => Format::Flickr,
            FormatArg::Jsonl => Format::Jsonl,
            FormatArg::Csv => Format::Csv,
            FormatArg::Shards => Format::Shards,
        },
        images: args.images.clone(),
        captions: args.captions.iter().map(caption_file).collect(),
        ids: args.ids.clone(),
        share: 1.0,
    };
    let samples = import::read(&set)?;
    let encoder = open_model(&args.model, &args.text_args)?.with_dataset_text(args.dataset_text);
    let reports = embed_set(&encoder, &samples)?.reports();
    note_lost(&encoder);
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
    println!(
        "  {name}: R@1/5/10 {} (chance {}), mean rank {:.1}, median {}, {} queries, {} items, {} ties",
        three(direction.recall),
        three(direction.chance),
        direction.mean_rank,
        direction.median_rank,
        direction.queries,
        direction.gallery,
        direction.ties
    );
}
