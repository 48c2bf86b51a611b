//! `tuwen gallery import`

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Error, Result, bail};
use tuwen_encode::builtin;
use tuwen_index::filter::Fields;
use tuwen_index::{Gallery, Item, Modality, ModelId, NewItem};
use tuwen_retrieve::model_id;
use tuwen_sets::vectors::{Line, Manifest, VectorReader};

use super::export::FILES;
use crate::gallery::GalleryArg;
use crate::query::{TextArgs, Usage, open_model};
use crate::terminal::{note, say};
use crate::words::counted;

/// Rows of a transaction.
const PORTION: usize = 10_000;

/// Which vectors, of which model.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  tuwen gallery import rows --gallery copy\n\n\
    The folder is one that `tuwen gallery export` or `tuwen data merge` wrote, or has files like these: images.npy or images.fbin, and images.jsonl \
    or images.txt with a path for each row; texts.* with jsonl lines such as {\"path\": \"captions.csv\", \"text\": \"a dog\", \
    \"image\": \"dog.jpg\"} where there are texts. Vectors must be the named model's: nobody can see that they are not, unless \
    they say so (embedded.json).")]
pub struct Args {
    /// The folder with vectors
    folder: PathBuf,
    #[command(flatten)]
    gallery: GalleryArg,
    /// The model that made them; a gallery that is there knows its own
    #[arg(long)]
    model: Option<String>,
    #[command(flatten)]
    text_args: TextArgs,
}

/// Adds what the gallery does not have.
pub fn run(args: &Args) -> Result<ExitCode> {
    let folder = args.gallery.place().folder;
    let manifest = Manifest::of(&args.folder)?;
    let model = model_of(args, &folder, manifest.as_ref())?;
    if let Some(manifest) = &manifest {
        of_model(args, manifest, &model)?;
    }
    let files = FILES.map(|(modality, name)| (modality, name, vectors_of(&args.folder, name)));
    if files.iter().all(|(.., found)| found.is_none()) {
        let at = args.folder.display();
        bail!(Usage(format!(
            "{at}: there is no images.npy, images.fbin, texts.npy or texts.fbin in it"
        )));
    }
    // Before a gallery is made for nothing.
    for path in files.iter().filter_map(|(.., path)| path.as_ref()) {
        let dim = VectorReader::open(path)?.dim();
        if dim != model.dim {
            let (path, ModelId { name, dim: wanted, .. }) = (path.display(), &model);
            bail!(Usage(format!(
                "{path}: vectors of {dim} values, those of the model {name} have {wanted}: name theirs with --model"
            )));
        }
    }
    for (_, name, path) in &files {
        if let Some(path) = path {
            look(path, &mut Lines::open(&args.folder, name)?)?;
        }
    }
    let gallery = Gallery::open_for_writing(&folder, &model)?;
    let mut numbers = HashMap::new();
    for (modality, name, path) in files {
        let Some(path) = path else { continue };
        let mut lines = Lines::open(&args.folder, name)?;
        let Added { added, known, others } =
            add(&gallery, modality, &path, &mut lines, &mut numbers)?;
        say!("{}: {} added, {known} there before", path.display(), counted(added, "vector"));
        if others > 0 {
            note!(
                "{}: {others} of those that were there before have another vector in the gallery, which stays: \
                 import into a new gallery to have these",
                path.display()
            );
        }
    }
    gallery.finish()?;
    note!(
        "note: `tuwen index` with the pictures' folders reads their dates, sizes and fields, and embeds them again"
    );
    Ok(ExitCode::SUCCESS)
}

/// That vectors which say how they were made are whole, and of this model.
fn of_model(args: &Args, manifest: &Manifest, model: &ModelId) -> Result<()> {
    let (made, at) = (&manifest.made, args.folder.display());
    if made.fingerprint != model.fingerprint {
        bail!(Usage(format!(
            "{at}: its vectors are of the model {} ({}), not of {} ({}): name theirs with --model, or another gallery",
            made.model, made.fingerprint, model.name, model.fingerprint
        )));
    }
    Ok(manifest.verify(&args.folder)?)
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

/// Reads all before anything is written: each row has its line, and none is more.
fn look(path: &Path, lines: &mut Lines) -> Result<()> {
    let (mut vectors, mut row, mut at) = (VectorReader::open(path)?, Vec::new(), 0);
    let mut names = HashSet::new();
    while vectors.next(&mut row)? {
        let Some(line) = lines.next()? else {
            bail!("{}: it has fewer lines than {} has rows", lines.path.display(), path.display());
        };
        let place = || format!("{}: line {}", lines.path.display(), lines.number);
        if line.path.is_empty() || line.path.contains('\0') {
            bail!("{}: `{}` is no name of a file", place(), line.path.escape_default());
        }
        line.owner().map_err(Error::msg).with_context(place)?;
        let origin = line.origin().map_err(Error::msg).with_context(place)?;
        if line.text.is_none() && !names.insert(origin) {
            bail!("{}: `{}` is there twice: a picture has one vector", place(), line.path);
        }
        let length = row.iter().map(|value| value * value).sum::<f32>();
        if !(length.is_finite() && length > 0.0) {
            bail!(
                "{}: row {at} (from 0) has no direction: it is zero or not finite",
                path.display()
            );
        }
        at += 1;
    }
    if lines.next()?.is_some() {
        bail!("{}: it has more lines than {} has rows", lines.path.display(), path.display());
    }
    Ok(())
}

fn vectors_of(folder: &Path, name: &str) -> Option<PathBuf> {
    let ends = ["npy", "fbin"].map(|end| folder.join(format!("{name}.{end}")));
    ends.into_iter().find(|path| path.is_file())
}

/// What became of a file's rows.
#[derive(Default)]
struct Added {
    added: usize,
    /// There before.
    known: usize,
    /// Of these, those whose vector there is another one.
    others: usize,
}

/// Adds the rows of a file that the gallery does not have.
fn add(
    gallery: &Gallery,
    modality: Modality,
    path: &Path,
    lines: &mut Lines,
    numbers: &mut HashMap<Vec<u8>, i64>,
) -> Result<Added> {
    let mut vectors = VectorReader::open(path)?;
    let (mut done, before) = (Added::default(), gallery.last_id()?);
    loop {
        let mut some = Vec::new();
        let mut row = Vec::new();
        while some.len() < PORTION && vectors.next(&mut row)? {
            let line = lines.next()?;
            let fewer = || {
                format!(
                    "{}: it has fewer lines than {} has rows",
                    lines.path.display(),
                    path.display()
                )
            };
            some.push(item(modality, &line.with_context(fewer)?, &row, numbers)?);
        }
        if some.is_empty() {
            break;
        }
        let put = |gallery: &Gallery| {
            for item in some {
                let same = gallery.from_origin(modality, &item.origin)?;
                let is_same = |old: &Item| old.text == item.text && old.owner == item.owner;
                let old = same.into_iter().find(is_same);
                let id = match old {
                    Some(old) => {
                        done.known += 1;
                        // A text may be twice in the file; what is not yet committed cannot be read.
                        let is_other = old.id <= before && gallery.vector(old.id)? != item.vector;
                        done.others += usize::from(is_other);
                        old.id
                    }
                    None => {
                        done.added += 1;
                        gallery.insert(&item)?
                    }
                };
                if modality == Modality::Image {
                    numbers.insert(item.origin, id);
                }
            }
            Ok(())
        };
        gallery.transaction(put)?;
    }
    Ok(done)
}

fn item(
    modality: Modality,
    line: &Line,
    vector: &[f32],
    numbers: &HashMap<Vec<u8>, i64>,
) -> Result<NewItem> {
    let text = line.text.clone();
    let content: Vec<u8> = match &text {
        Some(text) => text.clone().into_bytes(),
        None => vector.iter().flat_map(|value| value.to_le_bytes()).collect(),
    };
    let words = text.clone().unwrap_or_else(|| line.path.replace(['/', '\\'], "\n"));
    let metadata = if line.metadata.is_object() { line.metadata.to_string() } else { "{}".into() };
    let owner = line.owner().map_err(Error::msg)?.and_then(|image| numbers.get(&image)).copied();
    Ok(NewItem {
        modality,
        origin: line.origin().map_err(Error::msg)?,
        owner,
        hash: *blake3::hash(&content).as_bytes(),
        size: text.as_ref().map_or(0, |text| text.len() as u64),
        mtime_ns: 0,
        metadata,
        fields: Fields::default(),
        words,
        vector: vector.to_vec(),
        text,
    })
}

/// What stands beside the rows: JSON lines, or paths.
struct Lines {
    path: PathBuf,
    lines: std::io::Lines<BufReader<std::fs::File>>,
    is_json: bool,
    number: usize,
}

impl Lines {
    fn open(folder: &Path, name: &str) -> Result<Self> {
        let ends = ["jsonl", "txt"].map(|end| folder.join(format!("{name}.{end}")));
        let Some(path) = ends.iter().find(|path| path.is_file()).cloned() else {
            let [jsonl, txt] = ends.map(|path| path.display().to_string());
            bail!(Usage(format!(
                "neither {jsonl} nor {txt} is there: a line for each row says which file it is of"
            )));
        };
        let file = std::fs::File::open(&path).with_context(|| path.display().to_string())?;
        let is_json = path.extension().is_some_and(|end| end == "jsonl");
        Ok(Self { path, lines: BufReader::new(file).lines(), is_json, number: 0 })
    }

    fn next(&mut self) -> Result<Option<Line>> {
        let Some(line) = self.lines.next() else { return Ok(None) };
        self.number += 1;
        let what = || format!("{}: line {}", self.path.display(), self.number);
        let line = line.with_context(what)?;
        match self.is_json {
            true => Ok(Some(serde_json::from_str(&line).with_context(what)?)),
            false => Ok(Some(Line { path: line, ..Line::default() })),
        }
    }
}
