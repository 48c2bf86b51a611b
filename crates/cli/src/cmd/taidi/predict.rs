//! `tuwen taidi predict`

use std::path::{Path, PathBuf};

use crate::contest::{RANKS, Row, Tables, Task, result};
use anyhow::{Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use tuwen_encode::Encoder;
use tuwen_encode::{CpuEncoder, builtin, stream};
use tuwen_eval::fuse::{Fusion, Member, Recipe, fuse, learn_weights};
use tuwen_image::{Limits, RgbImage, decode_file};
use tuwen_sets::import::{self, CaptionFile, DataSet, Format};
use tuwen_train::embed_set;

use crate::number;
use crate::output::{Force, OutputFolder};
use crate::query::{TextArgs, Usage, in_words, note_lost, open_model};
use crate::terminal::{note, say};

/// What to answer, and with what.
#[derive(clap::Args)]
pub struct Args {
    /// The contest's folder, with 附件2 and 附件3
    root: PathBuf,
    /// A name of `tuwen model list`, a folder with weights, or a .pt file; several are fused
    #[arg(long, default_value = builtin::BUILT_IN)]
    model: Vec<String>,
    /// A share for each --model, in their order; all the same when not given
    #[arg(long, value_parser = number::weight())]
    weight: Vec<f32>,
    /// Find the shares on the validation part of 附件1, after `tuwen taidi prepare`
    #[arg(long, conflicts_with = "weight")]
    learn_weights: bool,
    /// How the scores of several models become comparable
    #[arg(long, default_value = "z-score", value_parser = ["z-score", "rrf"])]
    fuse: String,
    /// Let items that suit every query count less. This uses the structure of the test set: no search
    /// in use knows all queries at once
    #[arg(long)]
    dual_softmax: bool,
    /// Give each item to one query at most as its first answer. This uses the structure of the test set,
    /// too: that no two queries have the same answer
    #[arg(long)]
    one_to_one: bool,
    /// Folder for result1.csv and result2.csv; the contest's own when not given
    #[arg(long)]
    out: Option<PathBuf>,
    #[command(flatten)]
    force: Force,
    #[command(flatten)]
    text_args: TextArgs,
}

/// A model's vectors of one task.
struct Vectors {
    queries: Vec<f32>,
    gallery: Vec<f32>,
    dim: usize,
}

/// Scale of the scores in the dual softmax: CLIP's logit scale for cosines, less for z-scores.
const COSINES: f32 = 100.0;
const Z_SCORES: f32 = 5.0;

/// Answers each task whose folder is there.
pub fn run(args: &Args) -> Result<()> {
    let mut weights = weights(args)?;
    let out = args.out.as_ref().unwrap_or(&args.root);
    let names = Task::ALL.map(Task::result);
    let mut folder = OutputFolder::among(out, &names, &[], args.force)?;
    let tasks = Task::ALL.into_iter().filter(|task| args.root.join(task.folder()).is_dir());
    let tasks: Vec<Task> = tasks.collect();
    anyhow::ensure!(!tasks.is_empty(), "{}: there is neither 附件2 nor 附件3", args.root.display());
    // What is wrong with a table is told before anything is computed.
    let tables = tasks.into_iter().map(|task| Ok((task, Tables::read(&args.root, task)?)));
    let tables = tables.collect::<Result<Vec<(Task, Tables)>>>()?;
    let encoders = args.model.iter().map(|model| open_model(model, &args.text_args));
    let encoders = encoders.collect::<Result<Vec<CpuEncoder>>>()?;
    if args.learn_weights {
        weights = learned(args, &encoders)?;
        let shares: Vec<String> = args
            .model
            .iter()
            .zip(&weights)
            .map(|(model, weight)| format!("{model} {weight}"))
            .collect();
        say!("shares by the validation part: {}", shares.join(", "));
    }
    for (task, tables) in tables {
        tables.remarks.iter().for_each(|remark| note!("note: {remark}"));
        let vectors = encoders.iter().map(|encoder| embed(encoder, task, &tables));
        let vectors = vectors.collect::<Result<Vec<Vectors>>>()?;
        let members: Vec<Member<'_>> = vectors
            .iter()
            .zip(&weights)
            .map(|(v, &weight)| Member {
                queries: &v.queries,
                gallery: &v.gallery,
                dim: v.dim,
                weight,
            })
            .collect();
        let answers = fuse(&members, recipe(args));
        folder.write(task.result(), result(task, &tables, &answers).as_bytes())?;
        let path = folder.join(task.result());
        say!("{}: {} queries over {}", path.display(), tables.queries.len(), tables.gallery.len());
    }
    for (given, name) in [(args.dual_softmax, "dual-softmax"), (args.one_to_one, "one-to-one")] {
        if given {
            say!(
                "with --{name}, which uses the structure of the test set: say so where you report it"
            );
        }
    }
    encoders.iter().for_each(note_lost);
    Ok(())
}

fn weights(args: &Args) -> Result<Vec<f32>> {
    if args.weight.is_empty() {
        return Ok(vec![1.0; args.model.len()]);
    }
    let (weights, models) = (args.weight.len(), args.model.len());
    if weights != models {
        bail!(Usage(format!("{weights} --weight for {models} --model: give one for each")));
    }
    Ok(args.weight.clone())
}

/// Shares that answer most captions of val.ids.
fn learned(args: &Args, encoders: &[CpuEncoder]) -> Result<Vec<f32>> {
    let ids = args.root.join("tuwen/split/val.ids");
    if !ids.is_file() {
        bail!("{} is not there: run `tuwen taidi prepare {}`", ids.display(), args.root.display());
    }
    let part = args.root.join("附件1");
    let set = DataSet {
        captions: vec![CaptionFile::new(&part.join("ImageWordData.csv"))],
        ids: Some(ids),
        ..DataSet::new(Format::Csv, &part.join("ImageData"))
    };
    let samples = import::read(&set)?;
    let embedded = encoders.iter().map(|encoder| Ok(embed_set(encoder, &samples, &|_| Ok(()))?));
    let embedded = embedded.collect::<Result<Vec<_>>>()?;
    let members: Vec<Member<'_>> = embedded
        .iter()
        .zip(encoders)
        .filter_map(|(set, encoder)| {
            let texts = set.texts.values().next()?;
            let (queries, gallery, dim) = (&texts.vectors, &set.images, encoder.dim());
            Some(Member { queries, gallery, dim, weight: 1.0 })
        })
        .collect();
    let truth = embedded.first().and_then(|set| set.texts.values().next());
    let truth = truth.map_or(&[][..], |texts| &texts.truth);
    let plain = Recipe { dual_softmax: None, one_to_one: false, ..recipe(args) };
    Ok(learn_weights(&members, truth, plain))
}

fn recipe(args: &Args) -> Recipe {
    let fusion = match (args.model.len(), args.fuse.as_str()) {
        (1, _) => Fusion::Plain,
        (_, "rrf") => Fusion::ReciprocalRank,
        _ => Fusion::ZScore,
    };
    let scale = match fusion {
        Fusion::Plain => COSINES,
        Fusion::ZScore => Z_SCORES,
        // The best of all ranks has 1 / 61.
        Fusion::ReciprocalRank => 61.0 * Z_SCORES,
    };
    let dual_softmax = args.dual_softmax.then_some(scale);
    Recipe { fusion, dual_softmax, one_to_one: args.one_to_one, top: RANKS }
}

fn embed(encoder: &CpuEncoder, task: Task, tables: &Tables) -> Result<Vectors> {
    let words = |rows: &[Row]| texts(encoder, rows);
    let images = |rows: &[Row]| pictures(encoder, rows, &tables.images);
    let (queries, gallery) = match task {
        Task::Words => (words(&tables.queries)?, images(&tables.gallery)?),
        Task::Pictures => (images(&tables.queries)?, words(&tables.gallery)?),
    };
    Ok(Vectors { queries, gallery, dim: encoder.dim() })
}

fn bar(count: usize, what: &'static str) -> Result<ProgressBar> {
    let bar = ProgressBar::new(count as u64).with_message(what);
    bar.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}, {eta} left")?);
    Ok(bar)
}

fn texts(encoder: &CpuEncoder, rows: &[Row]) -> Result<Vec<f32>> {
    let bar = bar(rows.len(), "texts")?;
    let mut out = Vec::with_capacity(rows.len() * encoder.dim());
    let words: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
    stream::texts(encoder, &words, |rows| {
        out.extend_from_slice(rows);
        bar.inc((rows.len() / encoder.dim()) as u64);
        anyhow::Ok(())
    })?;
    bar.finish_and_clear();
    Ok(out)
}

/// A picture that cannot be read counts as a grey one: as a query it still needs five answers.
fn pictures(encoder: &CpuEncoder, rows: &[Row], folder: &Path) -> Result<Vec<f32>> {
    let bar = bar(rows.len(), "pictures")?;
    let size = encoder.preprocess().size;
    let read = |row: &&Row| match decode_file(&folder.join(&row.id), Limits::default()) {
        Ok(picture) => Ok(encoder.preprocess().fit(&picture)),
        Err(error) => {
            let error = anyhow::Error::from(error).context(row.id.clone());
            bar.suspend(|| note!("note: taken as grey: {}", in_words(&error)));
            Ok(RgbImage::from_pixel(size, size, [128; 3].into()))
        }
    };
    let mut out = Vec::with_capacity(rows.len() * encoder.dim());
    stream::each(encoder, rows, read, |_, vector: Result<&[f32]>| {
        out.extend_from_slice(vector?);
        bar.inc(1);
        anyhow::Ok(())
    })?;
    bar.finish_and_clear();
    Ok(out)
}
