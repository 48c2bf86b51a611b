//! `tuwen eval captions`

mod clip;
mod hallucinated;
mod language;
mod read;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;
use tuwen_eval::captions::{Hallucination, Language, Measured, Report};
use tuwen_files::encoding::Encoding;
use tuwen_text::caption;

use self::clip::ClipScores;
use self::read::Described;
use crate::cmd::by_name;
use crate::output::{Force, OutputFile};
use crate::query::TextArgs;
use crate::terminal::say;
use crate::words::counted;

/// What is not computed, and why a number is not another program's.
const LEFT_OUT: [&str; 2] = [
    "SPICE (it parses sentences with a model of its own)",
    "METEOR's synonyms and paraphrases (so that METEOR is lower than coco-caption's)",
];

/// Measure captions against references: BLEU, ROUGE-L, METEOR, CIDEr, CLIPScore, made-up objects
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  tuwen eval captions --predictions predictions.json --references captions.en.txt\n  \
    tuwen eval captions --predictions predictions.json --references captions.en.txt --images images\n\n\
    Files: COCO's results and annotations, dictionaries of ids and captions, JSON lines, CSV, TSV, Flickr's tokens.\n\
    English is cut as coco-caption cuts it, Chinese by characters and by words. BLEU, ROUGE-L and METEOR are\n\
    fractions, CIDEr goes to 10; what coco-caption calls CIDEr is CIDEr-D. In brackets: 95% bootstrap intervals\n\
    over pictures. Not computed: SPICE, and METEOR's synonyms and paraphrases. More: docs/captions.md"
)]
pub struct Args {
    /// The captions to measure, one for each picture
    #[arg(long, value_name = "FILE")]
    predictions: PathBuf,
    /// What people said of the same pictures, one or several captions for each
    #[arg(long, value_name = "FILE")]
    references: PathBuf,
    /// The captions' language; auto goes by their characters
    #[arg(long, default_value = "auto", value_parser = by_name(&language::NAMES))]
    lang: language::Asked,
    /// Only the pictures listed here, one id a line
    #[arg(long, value_name = "FILE")]
    ids: Option<PathBuf>,
    /// A folder or tar archive of the pictures, for CLIPScore and RefCLIPScore
    #[arg(long)]
    images: Option<PathBuf>,
    /// The model for CLIPScore: a name of `tuwen model list`, a folder with weights, or a .pt file
    #[arg(long, requires = "images")]
    model: Option<String>,
    /// What is in the pictures, for made-up objects (CHAIR): `ID,LABEL` a line, or `ID,LABEL|LABEL`
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Write a page with 24 of the pictures, drawn by a fixed seed, their captions and what people said
    #[arg(long, value_name = "FILE", requires = "images")]
    report: Option<PathBuf>,
    #[command(flatten)]
    force: Force,
    /// The files' encoding, such as gbk, when it is not the one that their bytes show
    #[arg(long)]
    encoding: Option<Encoding>,
    /// Print the numbers as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    text_args: TextArgs,
}

/// All numbers.
#[derive(Serialize)]
struct Results {
    language: &'static str,
    /// For each way to cut captions into tokens, `words` or `characters`.
    by: Vec<By>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    clip: Option<ClipScores>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hallucination: Option<Hallucination>,
    left_out: [&'static str; 2],
}

/// The numbers over one kind of tokens.
#[derive(Serialize)]
struct By {
    tokens: &'static str,
    #[serde(flatten)]
    report: Report,
}

/// How captions of a language become tokens.
type Cut = fn(&str) -> Vec<String>;

/// Measures and prints.
pub fn run(args: &Args) -> Result<ExitCode> {
    let page = args.report.as_ref().map(|page| {
        let inputs = [&*args.predictions, &*args.references];
        OutputFile::plan(page, &inputs, args.force)
    });
    let page = page.transpose()?;
    let set = read::set(args)?;
    let language = language::of(args, &set)?;
    let results = Results {
        language: language::name(language),
        by: match language {
            Language::English => vec![by("words", caption::english, &set, language)],
            Language::Chinese => vec![
                by("characters", caption::characters, &set, language),
                by("words", caption::words, &set, language),
            ],
        },
        hallucination: args
            .labels
            .as_ref()
            .map(|path| hallucinated::measure(path, args.encoding, &set, language))
            .transpose()?,
        clip: args.images.as_ref().map(|images| clip::measure(args, images, &set)).transpose()?,
        left_out: LEFT_OUT,
    };
    if let (Some(page), Some(images)) = (&page, &args.images) {
        let cut: Cut = match language {
            Language::English => caption::english,
            Language::Chinese => caption::words,
        };
        report::write(page, images, &set, cut, &results.by)?;
    }
    if args.json {
        say!("{}", serde_json::to_string(&results)?);
    } else {
        print(&results);
    }
    Ok(ExitCode::SUCCESS)
}

fn by(tokens: &'static str, cut: Cut, set: &[Described], language: Language) -> By {
    let candidates: Vec<Vec<String>> = set.iter().map(|one| cut(&one.caption)).collect();
    let references: Vec<Vec<Vec<String>>> = set
        .iter()
        .map(|one| one.references.iter().map(|reference| cut(reference)).collect())
        .collect();
    By { tokens, report: Report::new(&candidates, &references, language) }
}

/// A table for people.
fn print(results: &Results) {
    for By { tokens, report } in &results.by {
        say!(
            "{} by {tokens}: {}, {}",
            results.language,
            counted(report.pictures, "picture"),
            counted(report.references, "reference")
        );
        for (at, bleu) in report.bleu.iter().enumerate() {
            line(&format!("BLEU-{}", at + 1), bleu);
        }
        line("ROUGE-L", &report.rouge_l);
        line(
            if results.language == "en" { "METEOR (exact, stem)" } else { "METEOR (exact)" },
            &report.meteor,
        );
        line("CIDEr", &report.cider);
        line("CIDEr-D", &report.cider_d);
        say!("  {:<22} {:.4} / {:.4}", "distinct-1 / -2", report.distinct[0], report.distinct[1]);
        say!("  {:<22} {:.4}", "length / references'", report.length_ratio);
        if report.empty > 0 {
            say!("  {} of nothing but punctuation", counted(report.empty, "caption"));
        }
    }
    if let Some(clip) = &results.clip {
        say!("by the model {}", clip.model);
        line("CLIPScore", &clip.clip_score);
        line("RefCLIPScore", &clip.ref_clip_score);
    }
    if let Some(found) = &results.hallucination {
        say!("made-up objects: {} of objects", counted(found.mentions, "mention"));
        line("CHAIRi, of mentions", &found.of_mentions);
        line("CHAIRs, of captions", &found.of_captions);
    }
    say!("not computed: {}", results.left_out.join("; "));
}

fn line(name: &str, Measured { value, interval: [low, high] }: &Measured) {
    say!("  {name:<22} {value:.4} ({low:.4}-{high:.4})");
}
