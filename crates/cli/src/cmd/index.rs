//! `tuwen index PATH...`

mod replace;

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use indicatif::ProgressBar;
use tuwen_encode::{CpuEncoder, builtin};
use tuwen_files::encoding::Encoding;
use tuwen_image::Decoding;
use tuwen_index::store::Copied;
use tuwen_index::{Gallery, Measured, Modality, ModelId};
use tuwen_matching::Heads;
use tuwen_qdrant::{Address, Making};
use tuwen_retrieve::describe::{Ask, Describer};
use tuwen_retrieve::fusing::{self, Recipe};
use tuwen_retrieve::rerank::{announce, complete, heads_of};
use tuwen_retrieve::walk::{Failure, Walk};
use tuwen_retrieve::{
    Calibration, Engine, Indexer, Line, Settings, Summary, UPLOAD_CAPTIONS, UPLOADS, as_in_gallery,
    model_id,
};
use tuwen_sets::import::CaptionFile;

use crate::gallery::{GalleryArg, Place};
use crate::query::{TextArgs, Usage, captions_of, in_words, note_lost, open_model};
use crate::store::{bring_up_to_date, short};
use crate::terminal::{note, say};
use crate::walk::WalkArgs;
use crate::words::counted;
use crate::{indexed, progress};

/// Make or update a gallery from pictures and texts
#[derive(Clone, clap::Args)]
#[command(after_help = "Examples:\n  tuwen index ~/Pictures\n  \
    tuwen index photos --captions photos/captions.csv --gallery photos.tuwen\n  \
    tuwen index photos --exclude \"*.gif\" --exclude cache/\n  \
    tuwen index photos --store qdrant://localhost:6334/photos\n\n\
    Unchanged files are skipped, changed ones embedded again, deleted ones removed, moved ones \
    recognised.\nIt can be stopped at any time; the next run goes on.\n\n\
    Without --gallery the gallery is TUWEN_GALLERY, else .tuwen here, else .tuwen of the nearest folder \
    above; where there is none, .tuwen is made here. Files are told by their content. Links are followed \
    inside the given folders. Pictures that are left out later (--exclude, hidden) and texts whose file is \
    gone stay in the gallery until --prune. Pictures of a folder that is suddenly empty stay until --force.")]
pub struct Args {
    /// Folders or files with pictures
    #[arg(required_unless_present = "captions")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    gallery: GalleryArg,
    /// Then bring a collection of Qdrant up to date with the gallery, removals too: qdrant://HOST:6334/COLLECTION. It is made
    /// where it is missing, and what is there already is not sent again
    #[arg(long, value_name = "ADDRESS", value_parser = crate::store::address)]
    store: Option<Address>,
    /// Texts to index: Flickr token file, CSV or TSV (image,caption), JSONL, or one text a line
    #[arg(long)]
    captions: Vec<PathBuf>,
    /// The encoding of the texts, such as gbk, when it is not the one that their bytes show
    #[arg(long, requires = "captions")]
    encoding: Option<Encoding>,
    /// Column or key of the texts with the picture's name, when not one of the usual
    #[arg(long, requires = "captions")]
    image_field: Option<String>,
    /// Column or key with the text, when not one of the usual
    #[arg(long, requires = "captions")]
    caption_field: Option<String>,
    /// A name of `tuwen model list`, a folder with weights, or a .pt file
    #[arg(long, default_value = builtin::BUILT_IN)]
    model: String,
    #[command(flatten)]
    walk: WalkArgs,
    /// Read files again whose size and time are as they were, and compare their contents
    #[arg(long)]
    verify: bool,
    /// Forget pictures that are left out now, and texts whose file is gone
    #[arg(long)]
    prune: bool,
    /// Forget pictures also where all of a folder's are gone at once, and let --rebuild end with an empty
    /// gallery
    #[arg(long)]
    force: bool,
    /// Start from nothing; the old gallery stays until the new one is finished
    #[arg(long)]
    rebuild: bool,
    /// Keep the tokens of pictures, by which `--rerank late` and `itm` look again without reading the pictures; says
    /// first how much room they take
    #[arg(long)]
    tokens: bool,
    /// With --tokens: the folder of the heads; without it those that belong to the model
    #[arg(long, value_name = "DIR", requires = "tokens")]
    heads: Option<PathBuf>,
    /// Keep a second vector of each picture, made of its own and its texts', which `--kind fused` searches:
    /// average, weighted:SHARE or concat:SHARE with the picture's share, or learned:FILE by a network that `tuwen fuse
    /// train` wrote; none takes them away. Later runs keep them up to date
    #[arg(long, value_name = "RECIPE", value_parser = fusing)]
    fuse: Option<Fusing>,
    /// Decode of large JPEG files about twice the pixels along each side that the model takes, not all: faster, and
    /// vectors are not quite those of all pixels. Says how near some of them are, and so does `tuwen gallery info`
    #[arg(long)]
    fast: bool,
    /// Say where the time for pictures went
    #[arg(long)]
    profile: bool,
    /// Make captions of the pictures that nobody has described, so that words find them; they say that a machine
    /// made them (`--where 'HAS made_by'`)
    #[arg(long)]
    caption: bool,
    /// With --caption: the decoder's folder; without it the one that belongs to the model
    #[arg(long, value_name = "DIR", requires = "caption")]
    decoder: Option<PathBuf>,
    /// With --caption: a language, `en` or `zh`; give several. All that the decoder speaks when none is given
    #[arg(long = "lang", value_name = "LANGUAGE", requires = "caption")]
    languages: Vec<String>,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    text_args: TextArgs,
}

/// What is done about fused vectors.
#[derive(Clone, Debug)]
enum Fusing {
    By(Recipe),
    None,
}

fn fusing(text: &str) -> Result<Fusing, String> {
    match text {
        "none" => Ok(Fusing::None),
        _ => text.parse().map(Fusing::By),
    }
}

/// Pictures without tokens that are named.
const LISTED: usize = 20;

/// The texts of a file, each with the picture it names.
type Captions<'a> = (&'a PathBuf, Vec<Line>);

/// Indexes and prints a summary.
pub fn run(args: &Args) -> Result<ExitCode> {
    let place = look(args)?;
    let args = &with_uploads(args, &place);
    let texts = args.captions.iter().map(|file| Ok((file, some_captions(args, file)?)));
    let texts = texts.collect::<Result<Vec<Captions<'_>>>>()?;
    let encoder = open_model(&args.model, &args.text_args)?;
    let encoder = if args.rebuild { encoder } else { as_in_gallery(&place.folder, encoder)? };
    let encoder = Arc::new(encoder);
    let id = model_id(&args.model, &encoder)?;
    let stop = super::stop_flag("stopping; everything so far is kept")?;
    let heads = args.tokens.then(|| heads_of(&encoder, &args.model, args.heads.as_deref()));
    let heads = heads.transpose()?;
    let decoder = args.caption.then(|| describer(args, &encoder)).transpose()?;
    if let Some(address) = &args.store {
        // What is wrong there is said before hours of indexing.
        tuwen_qdrant::open_for_writing(address, &id, &Making::default())?;
    }
    let started = Instant::now();
    let gallery = match args.rebuild {
        true => Gallery::rebuild(&place.folder, &id)?,
        false => Gallery::open_for_writing(&place.folder, &id)?,
    };
    if let Some(Fusing::By(recipe)) = &args.fuse {
        fusing::check(&gallery, recipe)?;
    }
    let (folder, decoder) = (&place.folder, decoder.as_ref());
    let given = Given { gallery: &gallery, folder, encoder: &encoder, texts: &texts, decoder };
    let summary = index(args, given, &stop)?;
    if !summary.stopped {
        fuse(args, &gallery, &place)?;
    }
    let replaced = replace::finish(args, gallery, &place, &summary)?;
    note_lost(&encoder);
    if args.json {
        say!("{}", serde_json::to_string(&summary)?);
    } else {
        indexed::print(&summary, args.fast, started.elapsed().as_secs_f64());
    }
    if replaced && summary.changed() > 0 && !summary.stopped {
        // All is indexed: that another program writes meanwhile, or the disk is full, is no failure of this.
        if let Err(error) = remember_scores(&place, &id, &encoder) {
            note!("note: the gallery does not remember what scores mean: {}", in_words(&error));
        }
    }
    if let Some(address) = args.store.as_ref().filter(|_| replaced && !summary.stopped) {
        bring(&place, address, &stop)?;
    }
    if let Some(heads) = heads.filter(|_| replaced && !summary.stopped) {
        return keep_tokens(&place, &id, &encoder, &heads, &stop, &summary);
    }
    if !replaced {
        note!("stopped: the gallery {} is as it was before --rebuild", place.folder.display());
    }
    Ok(if summary.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Brings a collection up to date with the gallery.
fn bring(place: &Place, address: &Address, stop: &AtomicBool) -> Result<()> {
    let goes_on = || !stop.load(Ordering::Relaxed);
    let Copied { items, sent, removed, digest, .. } =
        bring_up_to_date(&place.folder, address, &goes_on)?;
    let all = counted(items as usize, "item");
    match digest.as_ref().map(short) {
        Some(checksum) => note!(
            "{address}: {all}, {sent} sent, {removed} removed; read back and equal, checksum {checksum}"
        ),
        None => note!("{address}: stopped; the next run goes on"),
    }
    Ok(())
}

/// Who describes pictures, and how.
fn describer(args: &Args, encoder: &CpuEncoder) -> Result<(Describer, Ask)> {
    let describer = Describer::open(encoder, &args.model, args.decoder.as_deref())?;
    let ask = Ask { languages: args.languages.clone(), ..Ask::default() };
    describer.check(&ask)?;
    Ok((describer, ask))
}

/// Lets the gallery remember what scores mean, where captions tell: a search that ends at once cannot learn it.
fn remember_scores(place: &Place, id: &ModelId, encoder: &Arc<CpuEncoder>) -> Result<()> {
    let engine = Engine::of(Gallery::open(&place.folder)?, Arc::clone(encoder))?;
    let Some(words) = Calibration::to_remember(&engine)? else { return Ok(()) };
    drop(engine);
    let gallery = Gallery::open_for_writing(&place.folder, id)?;
    gallery.remember(Measured::Scores, &words)?;
    Ok(gallery.finish()?)
}

/// Keeps the tokens that the gallery lacks.
fn keep_tokens(
    place: &Place,
    id: &ModelId,
    encoder: &CpuEncoder,
    heads: &Heads<'_>,
    stop: &AtomicBool,
    summary: &Summary,
) -> Result<ExitCode> {
    let gallery = Gallery::open_for_writing(&place.folder, id)?;
    let pictures = gallery.count(Modality::Image)?;
    note!("{}", announce(heads, pictures));
    let bar = progress::bar(Some(pictures), "pictures' tokens");
    let kept = complete(&gallery, encoder, heads, stop, &|count| bar.inc(count as u64))?;
    bar.finish_and_clear();
    kept.failed.iter().take(LISTED).for_each(|failed| note!("no tokens: {failed}"));
    note!(
        "tokens: {} pictures have them, {} computed now, {} could not be read",
        kept.there,
        kept.added,
        kept.failed.len()
    );
    let whole = summary.is_success() && kept.failed.is_empty() && !kept.stopped;
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Looks at all that was named before anything is done.
fn look(args: &Args) -> Result<Place> {
    for path in &args.paths {
        std::fs::metadata(path).with_context(|| path.display().to_string())?;
    }
    let place = args.gallery.place();
    if place.above {
        if args.rebuild {
            bail!(Usage(format!(
                "there is no gallery here, and --rebuild does not replace that of a folder above \
                 unless it is named: --gallery {}, or --gallery .tuwen for a new one here",
                place.folder.display()
            )));
        }
        note!("note: the gallery is {}", place.folder.display());
    }
    Ok(place)
}

/// A gallery that is built anew keeps what was uploaded to it.
fn with_uploads(args: &Args, place: &Place) -> Args {
    let mut args = args.clone();
    let uploads = place.folder.join(UPLOADS);
    if args.rebuild && uploads.is_dir() {
        let captions = uploads.join(UPLOAD_CAPTIONS);
        args.captions.extend(Some(captions).filter(|file| file.is_file()));
        args.paths.push(uploads);
    }
    args
}

fn some_captions(args: &Args, file: &Path) -> Result<Vec<Line>> {
    let usual = CaptionFile::new(file);
    let named = CaptionFile {
        encoding: args.encoding,
        image_field: args.image_field.clone().unwrap_or(usual.image_field.clone()),
        caption_field: args.caption_field.clone().unwrap_or(usual.caption_field.clone()),
        ..usual
    };
    let texts = captions_of(&named)?;
    if texts.is_empty() {
        bail!("{}: there is no text in it; those that were indexed from it stay", file.display());
    }
    Ok(texts)
}

/// What is brought together by indexing.
struct Given<'a> {
    gallery: &'a Gallery,
    folder: &'a Path,
    encoder: &'a CpuEncoder,
    texts: &'a [Captions<'a>],
    decoder: Option<&'a (Describer, Ask)>,
}

fn index(args: &Args, given: Given<'_>, stop: &AtomicBool) -> Result<Summary> {
    let Given { gallery, folder, encoder, texts, decoder } = given;
    // The total is known after the walk.
    let bar: OnceCell<ProgressBar> = OnceCell::new();
    let progress = |count| {
        if let Some(bar) = bar.get() {
            bar.inc(count as u64);
        }
    };
    let decoding = if args.fast { Decoding::Reduced } else { Decoding::Exact };
    let settings = Settings { verify: args.verify, prune: args.prune, force: args.force, decoding };
    let mut indexer = Indexer::new(gallery, encoder, settings, stop, &progress)?;
    if !args.paths.is_empty() {
        let looking = progress::bar(None, "pictures found");
        let paths: std::io::Result<Vec<PathBuf>> =
            args.paths.iter().map(std::fs::canonicalize).collect();
        let walk =
            Walk::of(&paths?, &args.walk.rules(), stop, &|count| looking.set_position(count))?;
        looking.finish_and_clear();
        let bar = bar.get_or_init(|| progress::bar(Some(walk.files.len()), "pictures"));
        indexer.pictures(walk)?;
        bar.finish_and_clear();
    }
    for (file, texts) in texts {
        indexer.texts(file, texts)?;
    }
    if let Some((describer, ask)) = decoder {
        let bar = progress::bar(None, "pictures described");
        let made = indexer.made(folder, encoder, describer, ask)?;
        bar.finish_and_clear();
        for Failure { file, reason, .. } in made.failed.iter().take(LISTED) {
            note!("no caption: {file}: {reason}");
        }
        note!(
            "captions by {}: {} pictures described now, {} before, {} described by people, {} could not be read",
            describer.name(),
            made.described,
            made.there,
            made.said,
            made.failed.len()
        );
    }
    indexer.texts_without_file()?;
    if args.profile {
        indexed::print_profile(indexer.profile().seconds());
    }
    Ok(indexer.finish())
}

/// Brings the fused vectors up to date; those of a gallery that is built anew are what the old one's were.
fn fuse(args: &Args, gallery: &Gallery, place: &Place) -> Result<()> {
    let wanted = match &args.fuse {
        Some(Fusing::None) => return Ok(fusing::unfuse(gallery)?),
        Some(Fusing::By(recipe)) => Some(recipe.clone()),
        None if gallery.replaces_another() => {
            // A damaged gallery has nothing to say.
            let old = Gallery::open(&place.folder).and_then(|old| old.fused()).unwrap_or(None);
            old.and_then(|fused| fused.recipe.parse().ok())
        }
        None => None,
    };
    if let Some(recipe) = fusing::fuse(gallery, wanted)? {
        note!("fused: a vector of each picture with its texts, {recipe} (--kind fused)");
    }
    Ok(())
}
