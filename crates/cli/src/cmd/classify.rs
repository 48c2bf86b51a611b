//! `tuwen classify`

mod report;
mod why;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, bail};
use tuwen_encode::Encoder;
use tuwen_encode::{CpuEncoder, builtin, stream};
use tuwen_eval::classify::{Probability, classifier};
use tuwen_explain::Method;
use tuwen_files::encoding::TextFile;
use tuwen_image::{Limits, RgbImage, read_file};
use tuwen_retrieve::walk::{Failure, Walk};
use tuwen_sets::import::{ClassSet, read_labels};
use tuwen_sets::names::{self, Names};
use tuwen_text::prompt::Templates;

use super::by_name;
use crate::indexed::left_out;
use crate::output::Force;
use crate::progress;
use crate::query::{TextArgs, Usage, in_words, note_lost, open_model};
use crate::terminal::note;
use crate::walk::WalkArgs;

/// Say which of some labels a picture shows, without training for them
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  tuwen classify photos --label 狗 --label 猫 --label 汽车\n  \
    tuwen classify cat.jpg --labels labels.txt --top 3 --json\n  \
    tuwen classify photos --names imagenet --top 3\n  \
    tuwen classify cat.jpg --label cat --label dog --explain why\n  \
    tuwen classify --data cifar-10 --model chinese-clip-vit-base-patch16 --elevater cifar-10.json\n\n\
    --data is a folder in Chinese-CLIP's layout: label_cn.txt (a label a line) and test/000/…, \
    test/001/…; without a label file the folders' names are the labels.")]
pub struct Args {
    /// Pictures, or folders of them
    #[arg(required_unless_present = "data", conflicts_with = "data")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    walk: WalkArgs,
    /// A label; give several
    #[arg(long = "label")]
    label: Vec<String>,
    /// A file with a label a line
    #[arg(long, conflicts_with = "label")]
    labels: Option<PathBuf>,
    /// The labels of a set of the built-in table of names, each by its English and its Chinese name:
    /// `imagenet`, `caltech101`, `grocery`, `fashion-type`, `fashion-color`, `ikea`, `clipart`. With --data the
    /// folders are called by the set's own labels (`n02099601`)
    #[arg(long, conflicts_with_all = ["label", "labels"])]
    names: Option<String>,
    /// Measure on a set with one folder for each class
    #[arg(long)]
    data: Option<PathBuf>,
    /// The set's folder with the classes
    #[arg(long, default_value = "test")]
    split: String,
    /// Sentences around the labels: by their language, `zh`, `en`, `none`, or a file with one a line
    /// and {} for the label
    #[arg(long, default_value = "auto")]
    templates: String,
    /// A name of `tuwen model list`, a folder with weights, or a .pt file
    #[arg(long, default_value = builtin::BUILT_IN)]
    model: String,
    /// Lower-case labels and straighten their quotes first, as cn_clip does in its evaluation
    #[arg(long)]
    dataset_text: bool,
    /// How many labels to show for each picture
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    top: u32,
    /// Print as JSON: a line for each picture, or the measures
    #[arg(long)]
    json: bool,
    /// Write a page for each picture into this folder: which parts make it its first label rather than the others
    #[arg(long, value_name = "DIR", conflicts_with = "data")]
    explain: Option<PathBuf>,
    /// With --explain: how, as `tuwen explain` has it
    #[arg(long, requires = "explain", value_parser = by_name(&Method::NAMES))]
    method: Option<Method>,
    /// With --data: write the confusion table as CSV
    #[arg(long, requires = "data")]
    confusion: Option<PathBuf>,
    /// With --data: write the predictions as ELEVATER's benchmark takes them
    #[arg(long, requires = "data")]
    elevater: Option<PathBuf>,
    #[command(flatten)]
    force: Force,
    #[command(flatten)]
    text_args: TextArgs,
}

/// What a picture may be.
struct Label {
    /// As it is shown.
    shown: String,
    /// The words that are looked for.
    words: Vec<String>,
}

impl Label {
    fn plain(word: String) -> Self {
        Self { shown: word.clone(), words: vec![word] }
    }

    fn named(names: &Names) -> Self {
        let words = [names.english[0], names.chinese[0]];
        let shown = format!("{} {}", words[0], words[1]);
        Self { shown, words: words.map(str::to_owned).to_vec() }
    }
}

/// A picture that was classified.
struct Classified {
    path: PathBuf,
    /// The number of its label, where it is known.
    truth: Option<usize>,
    /// One for each label.
    probabilities: Vec<f32>,
}

/// Classifies or measures.
pub fn run(args: &Args) -> Result<ExitCode> {
    let files = report::Files::plan(args)?;
    let explained = why::plan(args)?;
    let labels = given_labels(args)?;
    // Pictures that the user named must be readable, others are skipped.
    let (mut named, mut failed) = (Vec::new(), false);
    let (labels, pictures) = match &args.data {
        Some(set) => {
            let own = if args.names.is_some() { None } else { plain(labels) };
            let set = ClassSet::read(set, &args.split, own)?;
            let pictures = set.pictures.into_iter().map(|(path, label)| (path, Some(label)));
            let labels = match &args.names {
                Some(names) => set.labels.iter().map(|label| label_of(names, label)).collect(),
                None => Ok(set.labels.into_iter().map(Label::plain).collect()),
            };
            (labels?, pictures.collect())
        }
        None => {
            let labels = labels.ok_or_else(|| {
                let cure = "give --label WORD, --labels FILE, --names SET, or --data DIR";
                Usage(format!("there are no labels: {cure}"))
            })?;
            let walk = pictures_of(args)?;
            failed = walk.failed.iter().any(|failure| failure.named);
            let pictures = walk.files.into_iter().map(|file| {
                named.extend(file.named.then(|| file.path.clone()));
                (file.path, None)
            });
            (labels, pictures.collect())
        }
    };
    let (labels, pictures) = match args.elevater {
        // Its file has a column for each class, whatever they are called.
        Some(_) => (labels, pictures),
        None => joined(labels, pictures),
    };
    let encoder = open_model(&args.model, &args.text_args)?.with_dataset_text(args.dataset_text);
    why::check(args, &encoder)?;
    let weights = label_vectors(&encoder, &labels, &templates(args)?)?;
    let labels: Vec<String> = labels.into_iter().map(|label| label.shown).collect();
    note_lost(&encoder);
    let (scale, bias) = encoder.logits()?;
    let probability = match encoder.config().is_sigmoid() {
        true => Probability::Sigmoid { scale, bias },
        false => Probability::Softmax { scale },
    };
    let (found, skipped) = classify(&encoder, pictures, |v| probability.of(v, &weights))?;
    if args.data.is_some() {
        report::measures(args, &files, &encoder, &labels, &found, skipped)?;
    } else {
        report::pictures(args, &labels, &found)?;
        if let Some(folder) = explained {
            why::write(args, folder, &encoder, &labels, &weights, &found)?;
        }
    }
    failed |= named.iter().any(|path| !found.iter().any(|one| one.path == *path));
    Ok(if found.is_empty() || failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Labels of the same words as one: two would share the probability of what both are.
fn joined(
    labels: Vec<Label>,
    pictures: Vec<(PathBuf, Option<usize>)>,
) -> (Vec<Label>, Vec<(PathBuf, Option<usize>)>) {
    let (mut kept, mut places) = (Vec::<Label>::new(), HashMap::new());
    let place = |label: Label| {
        let place = *places.entry(label.words.clone()).or_insert(kept.len());
        if place == kept.len() {
            kept.push(label);
        } else {
            note!("note: two labels are called `{}`: they are one", label.shown);
        }
        place
    };
    let places: Vec<usize> = labels.into_iter().map(place).collect();
    let renamed = |(path, truth): (PathBuf, Option<usize>)| (path, truth.map(|at| places[at]));
    let pictures = pictures.into_iter().map(renamed).collect();
    (kept, pictures)
}

/// The words of labels that have no others.
fn plain(labels: Option<Vec<Label>>) -> Option<Vec<String>> {
    Some(labels?.into_iter().map(|label| label.shown).collect())
}

/// A label of a set of the table of names.
fn label_of(set: &str, label: &str) -> Result<Label> {
    let known = || names::sets().collect::<Vec<_>>().join(", ");
    if names::of_set(set).is_none() {
        bail!(Usage(format!("--names: there is no set `{set}`, only {}", known())));
    }
    let found = names::find(set, label).map(Label::named);
    found.with_context(|| format!("--names: the set `{set}` has no label `{label}`"))
}

fn given_labels(args: &Args) -> Result<Option<Vec<Label>>> {
    let all = |labels: Vec<String>| Some(labels.into_iter().map(Label::plain).collect());
    if let Some(file) = &args.labels {
        return Ok(all(read_labels(file)?));
    }
    if let Some(set) = &args.names {
        let Some(all) = names::of_set(set) else { return label_of(set, "").map(|_| None) };
        return Ok(Some(all.iter().map(Label::named).collect()));
    }
    if args.label.iter().any(|label| label.trim().is_empty()) {
        bail!(Usage("a --label is empty: give a word".into()));
    }
    let labels: Vec<String> = args.label.iter().map(|label| label.trim().to_owned()).collect();
    let mut sorted: Vec<&String> = labels.iter().collect();
    sorted.sort_unstable();
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        bail!(Usage(format!("the label `{}` is given twice", pair[0])));
    }
    Ok(all(labels).filter(|_| !args.label.is_empty()))
}

fn templates(args: &Args) -> Result<Templates> {
    Ok(match &*args.templates {
        // Hundreds of names in dozens of sentences each would take minutes.
        "auto" if args.names.is_some() => Templates::None,
        "auto" => Templates::Auto,
        "zh" => Templates::Chinese,
        "en" => Templates::English,
        "none" => Templates::None,
        file => {
            let text = TextFile::read(Path::new(file)).map_err(|e| {
                Usage(format!("--templates: not auto, zh, en or none, and no file: {e}"))
            })?;
            Templates::parse(&text).map_err(|what| Usage(format!("{file}: {what}")))?
        }
    })
}

/// The pictures of the command line; what is none is named.
fn pictures_of(args: &Args) -> Result<Walk> {
    let walk = Walk::of(&args.paths, &args.walk.rules(), &AtomicBool::new(false), &|_| {})?;
    for Failure { file, reason, .. } in &walk.failed {
        note!("skipped {file}: {reason}");
    }
    for line in left_out(&walk.left_out) {
        note!("{line}");
    }
    if walk.files.is_empty() {
        bail!("there are no pictures in {}", args.paths[0].display());
    }
    Ok(walk)
}

/// A unit vector for each label, (labels, D).
fn label_vectors(encoder: &CpuEncoder, labels: &[Label], by: &Templates) -> Result<Vec<f32>> {
    let prompts = |label: &Label| -> Vec<String> {
        label.words.iter().flat_map(|word| by.prompts(word)).collect()
    };
    let prompts: Vec<Vec<String>> = labels.iter().map(prompts).collect();
    let all: Vec<&str> = prompts.iter().flatten().map(String::as_str).collect();
    let bar = progress::bar(Some(all.len()), "sentences");
    let mut vectors = Vec::with_capacity(all.len() * encoder.dim());
    stream::texts(encoder, &all, |rows| {
        vectors.extend_from_slice(rows);
        bar.inc((rows.len() / encoder.dim()) as u64);
        anyhow::Ok(())
    })?;
    bar.finish_and_clear();
    let mut rest = &vectors[..];
    let mut of_label = |prompts: &Vec<String>| {
        let (own, others) = rest.split_at(prompts.len() * encoder.dim());
        rest = others;
        own.to_vec()
    };
    let of_labels: Vec<Vec<f32>> = prompts.iter().map(&mut of_label).collect();
    Ok(classifier(&of_labels, encoder.dim()))
}

/// Decodes and embeds; unreadable pictures are named and counted.
fn classify(
    encoder: &CpuEncoder,
    pictures: Vec<(PathBuf, Option<usize>)>,
    probabilities: impl Fn(&[f32]) -> Vec<f32>,
) -> Result<(Vec<Classified>, usize)> {
    let bar = progress::bar(Some(pictures.len()), "pictures");
    let (mut found, mut skipped) = (Vec::new(), 0);
    let read = |(path, _): &(PathBuf, Option<usize>)| -> Result<RgbImage> {
        let limits = Limits::default();
        let fitted =
            read_file(path, limits).and_then(|bytes| encoder.preprocess().decode(&bytes, limits));
        fitted.with_context(|| path.display().to_string())
    };
    stream::each(encoder, pictures, read, |(path, truth), vector| {
        match vector {
            Ok(vector) => {
                found.push(Classified { path, truth, probabilities: probabilities(vector) });
            }
            Err(error) => {
                bar.suspend(|| note!("skipped {}", in_words(&error)));
                skipped += 1;
            }
        }
        bar.inc(1);
        anyhow::Ok(())
    })?;
    bar.finish_and_clear();
    Ok((found, skipped))
}
