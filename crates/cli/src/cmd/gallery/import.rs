//! `tuwen gallery import`

mod rows;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use tuwen_encode::builtin;
use tuwen_index::{Gallery, ModelId};
use tuwen_retrieve::model_id;
use tuwen_sets::vectors::{Input, Manifest, VectorReader};

use crate::gallery::GalleryArg;
use crate::progress;
use crate::query::{TextArgs, Usage, open_model};
use crate::terminal::{note, say};
use crate::words::counted;
use rows::{Added, add, look};

/// Which vectors, of which model.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  tuwen gallery import rows --gallery copy\n\n\
    The folder is one that `tuwen gallery export` or `tuwen data merge` wrote, or has files like these: images.npy, .fbin or \
    .faiss (a flat index), and images.jsonl or images.txt with a path for each row; texts.* with jsonl lines such as \
    {\"path\": \"captions.csv\", \"text\": \"a dog\", \"image\": \"dog.jpg\"} where there are texts. Or it is \
    clip-retrieval's, with img_emb, text_emb and metadata; or it has Parquet tables with a list of numbers named embedding, \
    image_embedding or text_embedding in each row, and columns such as image_path or url, and caption. Vectors must be the named \
    model's: nobody can see that they are not, unless they say so (embedded.json). What is there already is left: an import that \
    was stopped goes on with the same command.")]
pub struct Args {
    /// The folder with vectors, or a Parquet table
    input: PathBuf,
    #[command(flatten)]
    gallery: GalleryArg,
    /// The model that made them; a gallery that is there knows its own
    #[arg(long)]
    model: Option<String>,
    #[command(flatten)]
    text_args: TextArgs,
}

/// Adds what the gallery does not have. It may be stopped at any time: what was committed stays, and the same command goes
/// on with the rest.
pub fn run(args: &Args) -> Result<ExitCode> {
    let folder = args.gallery.place().folder;
    let manifest = match args.input.is_dir() {
        true => Manifest::of(&args.input)?,
        false => None,
    };
    let model = model_of(args, &folder, manifest.as_ref())?;
    if let Some(manifest) = &manifest {
        of_model(args, manifest, &model)?;
    }
    let inputs = Input::all(&args.input)?;
    let all = fitting(args, &inputs, &model)?;
    // Before a gallery is made for nothing.
    look(&inputs, &progress::bar(Some(all), "rows looked at"))?;
    let gallery = Gallery::open_for_writing(&folder, &model)?;
    let bar = progress::bar(Some(all), "rows stored");
    let mut numbers = HashMap::new();
    for input in &inputs {
        let Added { added, known, others } = add(&gallery, input, &mut numbers, &bar)?;
        let path = input.path.display();
        bar.suspend(|| {
            say!("{path}: {} added, {known} there before", counted(added, "vector"));
            if others > 0 {
                note!(
                    "{path}: {others} of those that were there before have another vector in the gallery, which stays: \
                     import into a new gallery to have these"
                );
            }
        });
    }
    bar.finish_and_clear();
    gallery.finish()?;
    note!(
        "note: `tuwen index` with the pictures' folders reads their dates, sizes and fields, and embeds them again"
    );
    Ok(ExitCode::SUCCESS)
}

/// That there are vectors, each with what it is of, as wide as the model's; how many rows there are.
fn fitting(args: &Args, inputs: &[Input], model: &ModelId) -> Result<usize> {
    if inputs.is_empty() {
        let at = args.input.display();
        bail!(Usage(format!(
            "{at}: there is no images.npy, images.fbin, images.faiss, texts.npy, … in it, no img_emb folder and no Parquet table"
        )));
    }
    let mut all = 0;
    for input in inputs {
        if let Some([jsonl, txt]) = input.lacks().map(|paths| paths.each_ref().map(|p| p.display()))
        {
            // What is wrong with the vectors themselves comes first.
            wide(&input.path, VectorReader::open(&input.path)?.dim(), model)?;
            bail!(Usage(format!(
                "neither {jsonl} nor {txt} is there: a line for each row says which file it is of"
            )));
        }
        let rows = input.open()?;
        wide(&input.path, rows.dim(), model)?;
        all += rows.len();
    }
    Ok(all)
}

fn wide(path: &Path, dim: usize, model: &ModelId) -> Result<()> {
    if dim == model.dim {
        return Ok(());
    }
    let (path, ModelId { name, dim: wanted, .. }) = (path.display(), model);
    bail!(Usage(format!(
        "{path}: vectors of {dim} values, those of the model {name} have {wanted}: name theirs with --model"
    )))
}

/// That vectors which say how they were made are whole, and of this model.
fn of_model(args: &Args, manifest: &Manifest, model: &ModelId) -> Result<()> {
    let (made, at) = (&manifest.made, args.input.display());
    if made.fingerprint != model.fingerprint {
        bail!(Usage(format!(
            "{at}: its vectors are of the model {} ({}), not of {} ({}): name theirs with --model, or another gallery",
            made.model, made.fingerprint, model.name, model.fingerprint
        )));
    }
    Ok(manifest.verify(&args.input)?)
}

/// The model that the vectors are of: the gallery's, where there is one, else the one that is named, here or by them.
fn model_of(args: &Args, folder: &Path, manifest: Option<&Manifest>) -> Result<ModelId> {
    let named = |name: &str| anyhow::Ok(model_id(name, &open_model(name, &args.text_args)?)?);
    if !Gallery::is_in(folder) {
        if std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
            let folder = folder.display();
            bail!(Usage(format!(
                "--gallery {folder}: it has files and is no gallery: name a new folder"
            )));
        }
        let theirs = manifest.map_or(builtin::BUILT_IN, |manifest| manifest.made.model.as_str());
        return named(args.model.as_deref().unwrap_or(theirs));
    }
    let own = Gallery::open(folder)?.model()?;
    if let Some(name) = &args.model
        && named(name)?.fingerprint != own.fingerprint
    {
        let folder = folder.display();
        bail!(Usage(format!("--model {name}: the gallery {folder} is of {}, not of it", own.name)));
    }
    Ok(own)
}
