//! `tuwen eval`

mod again;
mod ask;
mod captions;
mod composed;
mod ensemble;
mod explain;
mod fused;
mod labels;
mod pairs;
mod report;
mod write;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use tuwen_encode::builtin;
use tuwen_eval::{Captioned, Classified, Direction, Ranking, Report, Ties, by_class};
use tuwen_files::encoding::Encoding;
use tuwen_sets::import::{self, CaptionFile, DataSet, Format, Part, Source};
use tuwen_sets::{Sample, relation};

use self::again::Again;
use super::by_name;
use crate::number;
use crate::output::{Force, OutputFolder};
use crate::query::{TextArgs, Usage};
use crate::rerank::RerankArgs;
use crate::terminal::{note, say};
use crate::words::counted;

/// Measure retrieval on a captioned set: R@1/5/10 and ranks, both ways; or captions against references
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_help = "Example:\n  tuwen eval --images flickr8k-val.tar --ids val.ids \\\n    \
    --captions captions.en.txt --captions captions.zh-native.txt\n  \
    tuwen eval --images caltech101.tar --captions caltech101.jsonl --format jsonl \\\n    \
    --image-field file --caption-field label --names caltech101 --part unseen\n\n\
    A query's rank is that of its best true item; equal scores go to the lower gallery position.")]
pub struct Args {
    #[command(subcommand)]
    other: Option<Other>,
    /// A folder or tar archive of pictures
    #[arg(long, required = true)]
    images: Option<PathBuf>,
    /// A file with captions; each is measured by itself
    #[arg(long)]
    captions: Vec<PathBuf>,
    /// Only the pictures listed here, one id a line
    #[arg(long)]
    ids: Option<PathBuf>,
    /// Only this split of a set that has several
    #[arg(long)]
    split: Option<String>,
    /// How captions are written down, when name and content do not show it
    #[arg(long, value_parser = by_name(&Format::NAMES))]
    format: Option<Format>,
    /// Column or key with the picture's name, when not one of the usual
    #[arg(long)]
    image_field: Option<String>,
    /// Column or key with the caption, when not one of the usual
    #[arg(long)]
    caption_field: Option<String>,
    /// The captions are labels of this set of the table of names (`caltech101`, `grocery`, …): each name
    /// looks for the pictures it is true of, and each picture for its names
    #[arg(long)]
    names: Option<String>,
    /// With --names: only this part of the set, of which the built-in model learned from `train` alone;
    /// `unseen` has all pictures of labels that it learned nothing of
    #[arg(long, requires = "names", value_parser = by_name(&Part::NAMES))]
    part: Option<Part>,
    /// The encoding of the captions, such as gbk, when it is not the one that their bytes show
    #[arg(long)]
    encoding: Option<Encoding>,
    /// A name of `tuwen model list`, a folder with weights, or a .pt file; of several, the mean of
    /// their cosines counts
    #[arg(long, default_value = builtin::BUILT_IN)]
    model: Vec<String>,
    /// A share for each --model, in their order; all the same when not given
    #[arg(long, value_parser = number::weight())]
    weight: Vec<f32>,
    /// Learn the shares on these other pictures, one id a line: those that answer most captions among
    /// the first five
    #[arg(long, value_name = "IDS", requires = "ids", conflicts_with = "weight")]
    learn_weights: Option<PathBuf>,
    /// Lower-case captions and straighten their quotes first, as cn_clip does in its evaluation
    #[arg(long)]
    dataset_text: bool,
    #[command(flatten)]
    again: RerankArgs,
    /// Recall at further cut-offs, such as 20,50
    #[arg(long, value_delimiter = ',', value_parser = number::whole(1..=number::MANY))]
    k: Vec<usize>,
    /// A class for each picture, `ID,CLASS` a line: recall and mAP by class as well, where whatever has
    /// the same class is right
    #[arg(long)]
    labels: Option<PathBuf>,
    /// Folder for the results query by query, the predictions, and the numbers in the conventions of
    /// Chinese-CLIP, LAVIS, CLIP_benchmark, open_clip and the Taidi Cup
    #[arg(long)]
    out: Option<PathBuf>,
    /// Folder for a page with the numbers, curves, and the best, worst and random queries, these also
    /// as PNG
    #[arg(long)]
    report: Option<PathBuf>,
    /// A font for the PNGs, when the machine has none for the captions' characters
    #[arg(long, requires = "report")]
    font: Option<PathBuf>,
    /// Print the numbers as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub force: Force,
    #[command(flatten)]
    text_args: TextArgs,
}

/// What else is measured.
#[derive(clap::Subcommand)]
enum Other {
    Captions(captions::Args),
    Fused(fused::Args),
    Composed(composed::Args),
    Ask(ask::Args),
    Explain(Box<explain::Args>),
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
        let report = Some(report);
        Self { report, ..Self::of_set(vec![model], images, vec![captions], Some(ids)) }
    }

    /// A set and its files of captions, with nothing else asked for.
    fn of_set(
        model: Vec<String>,
        images: PathBuf,
        captions: Vec<PathBuf>,
        ids: Option<PathBuf>,
    ) -> Self {
        Self {
            other: None,
            images: Some(images),
            captions,
            ids,
            split: None,
            format: None,
            names: None,
            part: None,
            image_field: None,
            caption_field: None,
            encoding: None,
            model,
            weight: Vec::new(),
            learn_weights: None,
            dataset_text: false,
            again: RerankArgs::default(),
            k: Vec::new(),
            labels: None,
            out: None,
            report: None,
            font: None,
            json: false,
            force: Force::default(),
            text_args: TextArgs::default(),
        }
    }

    fn images(&self) -> &PathBuf {
        self.images.as_ref().expect("required where no other thing is measured")
    }
}

/// Measures and prints.
pub fn run(args: &Args) -> Result<ExitCode> {
    match &args.other {
        Some(Other::Captions(args)) => captions::run(args),
        Some(Other::Fused(args)) => fused::run(args),
        Some(Other::Composed(args)) => composed::run(args),
        Some(Other::Ask(args)) => ask::run(args),
        Some(Other::Explain(args)) => explain::run(args),
        None => measure(args),
    }
}

/// Measures retrieval and prints.
fn measure(args: &Args) -> Result<ExitCode> {
    let set = set(args)?;
    let (mut out, mut page) = folders(args)?;
    let samples = read(&set)?;
    let relation = relation::texts(&samples);
    let classes = args.labels.as_ref().map(|path| labels::classes(path, &samples)).transpose()?;
    if let Some(classes) = &classes {
        one_class_each(&relation, classes)?;
    }
    let stages = again::stages(args)?;
    let embedded = ensemble::embed(args, &set, &samples)?;
    let again = (!stages.is_empty()).then(|| Again::new(args, &stages, &samples)).transpose()?;
    let mut measured = Vec::new();
    for (source, texts) in &embedded.texts {
        let (images, dim) = (&embedded.images[..], embedded.dim());
        let set = Captioned { images, texts: &texts.vectors, dim, truth: &texts.truth };
        let top = stages.iter().map(|stage| stage.first).max().unwrap_or(0).max(write::TOP);
        let ranking = Ranking { top, ties: Ties::LowerFirst };
        let mut ranked = [set.text_to_image(ranking), set.image_to_text(ranking)];
        if let Some(again) = &again {
            again.look(source, set, &mut ranked, &stages)?;
        }
        for ranked in ranked.iter_mut().flatten() {
            ranked.top.truncate(write::TOP);
        }
        let report = Report::new(set, &ranked[0], &ranked[1], &args.k);
        if let Some(folder) = &mut out {
            write::all(folder, source, set, &ranked, &report, &relation[&**source], &samples)?;
        }
        measured.push((source, set, ranked, report));
    }
    if let Some(folder) = page.as_mut().or(out.as_mut()).filter(|_| args.report.is_some()) {
        let shown = measured.iter().map(|(source, set, ranked, report)| report::Shown {
            source,
            set: *set,
            texts: &relation[&***source],
            ranked,
            report,
        });
        let shown: Vec<_> = shown.collect();
        report::write(folder, &args.model.join(" + "), &samples, &shown, args.font.as_deref())?;
    }
    let of_class = |(source, set, ..): &(&String, Captioned<'_>, _, _)| {
        let classes = classes.as_ref()?;
        // A text without a picture has no class; it is nobody's answer.
        let class = |images: &Vec<usize>| images.first().map(|&image| classes[image].clone());
        let texts: Vec<Option<String>> = set.truth.iter().map(class).collect();
        let classes: Vec<Option<String>> = classes.iter().cloned().map(Some).collect();
        let images = Classified { vectors: set.images, classes: &classes };
        let texts = Classified { vectors: set.texts, classes: &texts };
        let report = by_class(images, texts, set.dim, &args.k);
        Some((format!("{source}, by class"), report))
    };
    let by_class: Vec<(String, Report)> = measured.iter().filter_map(of_class).collect();
    let measured = measured.into_iter().map(|(source, _, _, report)| (source.clone(), report));
    let reports: BTreeMap<String, Report> = measured.chain(by_class).collect();
    if args.json {
        say!("{}", serde_json::to_string(&reports)?);
    } else {
        print(&reports);
    }
    Ok(ExitCode::SUCCESS)
}

/// Folders for results and page; the second is missing where one folder is for both.
fn folders(args: &Args) -> Result<(Option<OutputFolder>, Option<OutputFolder>)> {
    let others = [&args.ids, &args.labels, &args.learn_weights, &args.font];
    let inputs = args.captions.iter().chain([args.images()]).chain(others.into_iter().flatten());
    let inputs: Vec<&Path> = inputs.map(PathBuf::as_path).collect();
    let plan = |path: &PathBuf| OutputFolder::plan(path, &inputs, args.force);
    let out = args.out.as_ref().map(plan).transpose()?;
    let full = |path: &Option<PathBuf>| std::fs::canonicalize(path.as_ref()?).ok();
    let other =
        args.report.as_ref().filter(|_| out.is_none() || full(&args.out) != full(&args.report));
    Ok((out, other.map(plan).transpose()?))
}

fn stem(path: &Path) -> String {
    path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
}

/// The set as the arguments name it.
fn set(args: &Args) -> Result<DataSet> {
    let mut set = DataSet {
        ids: args.ids.clone(),
        split: args.split.clone(),
        part: args.part,
        ..DataSet::new(Format::Folder, args.images())
    };
    let mut files = args.captions.clone();
    set.format = match args.format {
        Some(format) => format,
        None if files.is_empty() => {
            let source = Source::guess_as(args.images(), args.encoding)?;
            // A folder with a file of captions beside its pictures.
            if source.path != *args.images() {
                set.images = import::pictures_beside(&source.path);
                files.push(source.path);
            }
            source.format
        }
        None => same_format(args)?,
    };
    let usual = CaptionFile::new(args.images());
    let caption_file = |path: &PathBuf| CaptionFile {
        names: args.names.clone(),
        file: path.clone(),
        source: stem(path),
        image_field: args.image_field.clone().unwrap_or(usual.image_field.clone()),
        caption_field: args.caption_field.clone().unwrap_or(usual.caption_field.clone()),
        encoding: args.encoding,
    };
    set.captions = files.iter().map(caption_file).collect();
    Ok(set)
}

/// The format of all files of captions, which is one.
fn same_format(args: &Args) -> Result<Format> {
    let mut files = args.captions.iter();
    let first = files.next().unwrap_or(args.images());
    let format = Source::guess_as(first, args.encoding)?.format;
    for file in files {
        let other = Source::guess_as(file, args.encoding)?.format;
        if other != format {
            bail!(Usage(format!(
                "{} is of the format {}, {} of the format {}: measure them one by one, or give --format",
                first.display(),
                format.name(),
                file.display(),
                other.name()
            )));
        }
    }
    Ok(format)
}

/// The set with all its pictures; captions without a source of their own are called as the set is.
fn read(set: &DataSet) -> Result<Vec<Sample>> {
    let mut samples = import::read_all(set, &mut |choice| note!("note: {choice}"))?;
    let captions = samples.iter_mut().flat_map(|sample| &mut sample.captions);
    for caption in captions.filter(|caption| caption.source.is_empty()) {
        caption.source = stem(set.captions.first().map_or(&set.images, |file| &file.file));
    }
    if samples.iter().all(|sample| sample.captions.is_empty()) {
        bail!("{}: no picture has a caption", set.images.display());
    }
    Ok(samples)
}

/// A text of pictures of several classes has none.
fn one_class_each(
    relation: &BTreeMap<&str, Vec<relation::Text<'_>>>,
    classes: &[String],
) -> Result<()> {
    for text in relation.values().flatten() {
        let mut all = text.images.iter().map(|&image| &classes[image]);
        if let Some(first) = all.next()
            && let Some(other) = all.find(|class| *class != first)
        {
            bail!(
                "the text \"{}\" has pictures of the classes `{first}` and `{other}`",
                text.words
            );
        }
    }
    Ok(())
}

/// A table for people.
pub fn print(reports: &BTreeMap<String, Report>) {
    for (source, report) in reports {
        say!("{source}");
        line("text -> image", &report.text_to_image);
        line("image -> text", &report.image_to_text);
        say!("  mean recall {:.1}", report.mean_recall);
    }
    say!("equal scores go to the lower gallery position");
}

fn line(name: &str, direction: &Direction) {
    let three = |values: [f64; 3]| values.map(|value| format!("{value:.1}")).join("/");
    let within = direction.interval.map(|[low, high]| format!("{low:.1}-{high:.1}")).join(", ");
    say!("  {name}: R@1/5/10 {} (95%: {within})", three(direction.recall));
    say!(
        "    chance {}, mean rank {:.1}, median {}, MRR {:.3}, mAP {:.3}, mAP@50 {:.3}, nDCG@10 {:.3}, {}, \
         {}, {}",
        three(direction.chance),
        direction.mean_rank,
        direction.median_rank,
        direction.mrr,
        direction.map,
        direction.map_at_k,
        direction.ndcg,
        counted(direction.queries, "query"),
        counted(direction.gallery, "item"),
        counted(direction.ties, "tie")
    );
    for (k, recall) in &direction.recall_at {
        say!("    R@{k} {recall:.1}");
    }
}
