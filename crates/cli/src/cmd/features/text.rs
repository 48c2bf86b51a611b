//! `tuwen features text --kind KIND CAPTIONS --output FILE.npy`

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use anyhow::{Result, bail};
use serde_json::json;
use tuwen_encode::builtin;
use tuwen_features::Features;
use tuwen_features::text::TextModel;
use tuwen_features::text::vectors::WordVectors;
use tuwen_retrieve::Line;
use tuwen_space::table::npy_bytes;

use super::Layer;
use super::texts::{Fitted, KINDS, Name, Texts};
use crate::cmd::{by_name, stop_flag};
use crate::output::{Force, OutputFile};
use crate::query::{TextArgs, Usage, captions};
use crate::stop;
use crate::terminal::{note, say};

/// Features of texts, a row each: bags of words, topics, means of word vectors, a tower's vectors
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  tuwen features text --kind tfidf captions.csv --output train-texts.npy --save tfidf.model\n  \
    tuwen features text --model tfidf.model captions.csv --output test-texts.npy  as it was fitted\n  \
    tuwen features text --kind sif --vectors glove.6B.100d.txt captions.csv --output sif.npy\n\n\
    A text without a known word is a row of zeros; of topics, as much of each."
)]
pub struct Args {
    /// Captions (.csv, .tsv, .jsonl, Flickr8k's .txt), or one text a line
    captions: PathBuf,
    /// `bow`: how often each word is there; `tfidf`, `bm25`: weighed; `lda`: shares of topics; `word2vec`: the mean of the
    /// words' vectors, which are learned from these texts or read from --vectors; `sif`: the same with frequent words
    /// counting less; `tower`: a model's vectors
    #[arg(long, value_parser = by_name(&KINDS), required_unless_present = "model")]
    kind: Option<Name>,
    /// Apply what --save wrote instead of fitting these texts
    #[arg(long, conflicts_with = "kind")]
    model: Option<PathBuf>,
    /// The .npy file for the rows
    #[arg(long)]
    output: PathBuf,
    /// Keep what was fitted, for other parts of the set
    #[arg(long)]
    save: Option<PathBuf>,
    /// Write the picture of each row, one a line
    #[arg(long)]
    names: Option<PathBuf>,
    /// One row for each `caption`, or for all captions of an `image` together
    #[arg(long, default_value = "caption", value_parser = ["caption", "image"])]
    by: String,
    /// Words of Chinese beside those that are known, as jieba's user dictionary: lines of a word and, where wanted, its frequency
    #[arg(long)]
    dictionary: Option<PathBuf>,
    /// Words in fewer texts are left out
    #[arg(long, default_value_t = Texts::min_texts())]
    min_texts: usize,
    /// At most so many words, the most frequent
    #[arg(long, default_value_t = Texts::max_words())]
    max_words: usize,
    /// `bm25`: how soon more of a word says no more
    #[arg(long, default_value_t = Texts::k1())]
    k1: f32,
    /// `bm25`: how far long texts count less
    #[arg(long, default_value_t = Texts::b())]
    b: f32,
    /// `lda`: how many topics
    #[arg(long, default_value_t = Texts::topics())]
    topics: usize,
    /// `lda`, `word2vec`, `sif`: times that all texts are looked at; 10 and 5 where nothing is said
    #[arg(long)]
    epochs: Option<usize>,
    /// `lda`: texts before topics change
    #[arg(long, default_value_t = Texts::batch())]
    batch: usize,
    /// `word2vec`, `sif`: word vectors of another program: word2vec's, GloVe's or fastText's .txt, .vec or .bin
    #[arg(long)]
    vectors: Option<PathBuf>,
    /// `word2vec`, `sif`: values of a vector that is learned
    #[arg(long, default_value_t = Texts::width())]
    width: usize,
    /// `word2vec`, `sif`: words to either side
    #[arg(long, default_value_t = Texts::near())]
    window: usize,
    /// `word2vec`, `sif`: words that are not there, for each that is
    #[arg(long, default_value_t = Texts::near())]
    negatives: usize,
    /// `word2vec`, `sif`: threads; with one alone the same seed gives the same vectors
    #[arg(long, default_value_t = Texts::one())]
    threads: usize,
    /// Write the word vectors as word2vec's text
    #[arg(long)]
    words: Option<PathBuf>,
    /// Of everything random
    #[arg(long, default_value_t = Texts::seed())]
    seed: u64,
    /// `tower`: a name of `tuwen model list`, or a folder with weights
    #[arg(long, default_value = builtin::BUILT_IN)]
    tower: String,
    /// `tower`: its vector in the common space, or the tower's own feature before
    #[arg(long, default_value = "embedding", value_parser = by_name(&Layer::NAMES))]
    layer: Layer,
    #[command(flatten)]
    text_args: TextArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    force: Force,
}

/// Fits or applies, and writes.
pub fn run(args: &Args) -> Result<ExitCode> {
    if args.kind == Some(Name::Tower) && (args.save.is_some() || args.words.is_some()) {
        bail!(Usage("--save, --words: a tower learns nothing from these texts".into()));
    }
    let mut inputs: Vec<&Path> = vec![&args.captions];
    let given = [&args.model, &args.dictionary, &args.vectors];
    inputs.extend(given.into_iter().flatten().map(PathBuf::as_path));
    let plan = |path: &PathBuf| OutputFile::plan(path, &inputs, args.force);
    let output = plan(&args.output)?;
    let [save, names, words] =
        [&args.save, &args.names, &args.words].map(|path| path.as_ref().map(plan).transpose());
    let (save, names, words) = (save?, names?, words?);
    let (images, texts) = grouped(captions(&args.captions, None)?, args.by == "image");
    if texts.is_empty() {
        bail!("{}: there is no text in it", args.captions.display());
    }
    let begin = Instant::now();
    let Some(fitted) = fitted(args, &texts)? else { return Ok(ExitCode::from(stop::CODE)) };
    let model = match &fitted {
        Fitted::Model(model) => Some(&**model),
        Fitted::Tower(..) => None,
    };
    let seconds = begin.elapsed().as_secs_f64();
    // Before anything is written.
    let vectors = model.filter(|_| words.is_some()).map(|model| model.word_vectors());
    if let Some(None) = vectors {
        bail!(Usage("--words: this kind has no word vectors; word2vec and sif have".into()));
    }
    let rows = fitted.rows(&texts)?;
    output.write(&npy_bytes(&rows.values, rows.width))?;
    if let (Some(file), Some(model)) = (save, model) {
        file.write(&model.to_bytes()?)?;
    }
    if let Some(file) = names {
        file.write((images.join("\n") + "\n").as_bytes())?;
    }
    if let (Some(file), Some(Some(vectors))) = (words, vectors) {
        file.write(as_text(&vectors).as_bytes())?;
    }
    report(args, &rows, model, &texts, seconds);
    Ok(ExitCode::SUCCESS)
}

/// Texts with their pictures' names; all of a picture as one where that is asked for.
fn grouped(lines: Vec<Line>, by_image: bool) -> (Vec<String>, Vec<String>) {
    if !by_image {
        return lines.into_iter().map(|line| (line.image.unwrap_or_default(), line.text)).unzip();
    }
    let (mut images, mut texts): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    let mut places: HashMap<String, usize> = HashMap::new();
    for line in lines {
        let image = line.image.unwrap_or_default();
        let at = *places.entry(image.clone()).or_insert(images.len());
        if at == images.len() {
            images.push(image);
            texts.push(line.text);
        } else {
            texts[at] = format!("{}\n{}", texts[at], line.text);
        }
    }
    (images, texts)
}

/// What was fitted before, or is fitted now; none where it was stopped.
fn fitted(args: &Args, texts: &[String]) -> Result<Option<Fitted>> {
    if let Some(path) = &args.model {
        return Ok(Some(Fitted::Model(Box::new(TextModel::load(path)?))));
    }
    let flag = stop_flag("stopping; nothing is written")?;
    let Some(kind) = args.kind else { unreachable!("one of the two is required") };
    let settings = Texts {
        kind,
        min_texts: args.min_texts,
        max_words: args.max_words,
        k1: args.k1,
        b: args.b,
        topics: args.topics,
        epochs: args.epochs,
        batch: args.batch,
        vectors: args.vectors.clone(),
        width: args.width,
        window: args.window,
        negatives: args.negatives,
        threads: args.threads,
        seed: args.seed,
        dictionary: args.dictionary.clone(),
        tower: args.tower.clone(),
        layer: args.layer,
    };
    settings.fit(texts, &args.text_args, &move || flag.load(Relaxed))
}

fn as_text(vectors: &WordVectors) -> String {
    let mut text = format!("{} {}\n", vectors.words.len(), vectors.width);
    for (word, row) in vectors.words.iter().zip(vectors.values.chunks_exact(vectors.width)) {
        let values: Vec<String> = row.iter().map(f32::to_string).collect();
        text += &format!("{word} {}\n", values.join(" "));
    }
    text
}

fn report(args: &Args, rows: &Features, model: Option<&TextModel>, texts: &[String], seconds: f64) {
    let is_zero = |row: &&[f32]| row.iter().all(|value| *value == 0.0);
    let zeros = rows.values.chunks_exact(rows.width).filter(is_zero).count();
    let perplexity = model.and_then(|model| model.perplexity(texts));
    let words = model.map(|model| model.columns().len());
    let (count, width) = (rows.rows(), rows.width);
    if args.json {
        let found = json!({ "rows": count, "width": width, "zeros": zeros, "words": words,
            "perplexity": perplexity, "seconds": seconds });
        return say!("{found}");
    }
    if zeros > 0 {
        note!("note: {zeros} of {count} texts have no known word: their rows are zeros");
    }
    if let Some(perplexity) = perplexity {
        say!("perplexity {perplexity:.1}");
    }
    say!("done: {count} rows of {width} values in {}", args.output.display());
}
