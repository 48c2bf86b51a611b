//! The gallery of a command.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tuwen_encode::Encoder;
use tuwen_files::file;
use tuwen_index::filter::Filter;
use tuwen_index::{Gallery, Modality};
use tuwen_retrieve::{Engine, Options, Search};

use crate::query::{TextArgs, Usage, note_model};
use crate::rerank::sender;
use crate::terminal::note;
use crate::words::counted;

/// The folder of a gallery among one's files.
const FOLDER: &str = ".tuwen";
/// Names a gallery for all commands.
const VARIABLE: &str = "TUWEN_GALLERY";

/// Which gallery.
#[derive(Clone, clap::Args)]
pub struct GalleryArg {
    /// The gallery's folder. Without it: the environment's TUWEN_GALLERY, else .tuwen here, else .tuwen
    /// in the nearest folder above
    #[arg(long)]
    gallery: Option<PathBuf>,
}

/// Where a gallery is.
pub struct Place {
    /// Its folder.
    pub folder: PathBuf,
    /// Whether it was found in a folder above and not named.
    pub above: bool,
}

impl GalleryArg {
    /// The gallery's place; `.tuwen` here where there is none yet.
    pub fn place(&self) -> Place {
        match &self.gallery {
            Some(folder) => Place { folder: folder.clone(), above: false },
            None => Place::usual(),
        }
    }
}

impl Place {
    /// Where a gallery is that nobody names.
    pub fn usual() -> Self {
        let variable = std::env::var_os(VARIABLE).filter(|folder| !folder.is_empty());
        if let Some(folder) = variable.map(PathBuf::from) {
            return Place { folder, above: false };
        }
        let here = PathBuf::from(FOLDER);
        if !here.exists()
            && let Ok(working) = std::env::current_dir()
            && let Some(folder) =
                working.ancestors().skip(1).map(|a| a.join(FOLDER)).find(|f| Gallery::is_in(f))
        {
            return Place { folder, above: true };
        }
        Place { folder: here, above: false }
    }
}

/// Networks beside the model, where they are named.
#[derive(Clone, Debug, Default)]
pub struct Networks {
    /// The folder of the heads that rerank.
    pub heads: Option<PathBuf>,
    /// The file of the fuser that joins words and a picture of a query.
    pub combiner: Option<PathBuf>,
}

/// Opens a gallery with its model, or with the one the user names, which must be the same.
pub fn open(
    folder: &Path,
    model: Option<&str>,
    text: &TextArgs,
    networks: Networks,
) -> Result<Engine> {
    let Networks { heads, combiner } = networks;
    let model = model.map(str::to_owned);
    let (long_text, products, device) = (text.long_text(), text.products(), text.device()?);
    let options = Options { model, long_text, products, device, heads, combiner };
    let engine = Engine::open(folder, &options)?.sending(sender());
    note_model(engine.encoder().name(), engine.encoder());
    Ok(engine)
}

/// Which items of a gallery.
#[derive(Clone, clap::Args)]
pub struct AmongArgs {
    /// What to find
    #[arg(long, value_enum, default_value_t = KindArg::Image)]
    kind: KindArg,
    /// Only items that this is true of, such as 'year >= 2020 AND tag = "狗"'
    #[arg(long = "where", value_name = "FILTER")]
    filter: Option<String>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum KindArg {
    Image,
    Text,
    /// Pictures, each together with its texts (`tuwen index --fuse`)
    Fused,
}

impl AmongArgs {
    /// A search among them.
    ///
    /// # Errors
    /// A filter that cannot be read.
    pub fn search(&self, k: usize) -> Result<Search> {
        let filter = self.filter.as_deref().map(Filter::parse).transpose();
        let filter = filter.map_err(|error| Usage(format!("--where: {error}")))?;
        let modality = match self.kind {
            KindArg::Image => Modality::Image,
            KindArg::Text => Modality::Text,
            KindArg::Fused => Modality::Fused,
        };
        Ok(Search { filter, ..Search::all(modality, k) })
    }

    /// Whether only some items count.
    pub fn has_filter(&self) -> bool {
        self.filter.is_some()
    }
}

/// Says what makes a search by fields and words find less than it should: items that have none yet, and fields
/// that no item has.
///
/// # Errors
/// A filter with a field that is none.
pub fn note_fields(gallery: &Gallery, search: &Search) -> Result<()> {
    let undescribed = gallery.undescribed()?;
    if undescribed > 0 {
        note!(
            "note: {} of the gallery, indexed by an older tuwen, have no fields and fewer words: \
             `tuwen index` with their folders and --captions files reads them",
            counted(undescribed, "item")
        );
    }
    match &search.filter {
        Some(filter) => note_filter(gallery, filter),
        None => Ok(()),
    }
}

/// Says which fields of a filter no item has.
///
/// # Errors
/// A field that is none, for it is misspelt and finds nothing; of a gallery without fields nobody knows.
pub fn note_filter(gallery: &Gallery, filter: &Filter) -> Result<()> {
    let fields = gallery.fields(None)?;
    let known: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    if !known.is_empty() {
        filter.check_fields(&known, &[]).map_err(|error| Usage(format!("--where: {error}")))?;
    }
    filter.mistyped(&fields).iter().for_each(|remark| note!("note: {remark}"));
    filter.fields().iter().filter(|name| !known.contains(name)).for_each(|name| note_unknown(name));
    Ok(())
}

/// Says that no item has a field.
pub fn note_unknown(name: &str) {
    note!("note: no item of the gallery has the field `{name}` (`tuwen fields` lists them)");
}

/// The queries of a file, or of standard input where it is `-`: one a line, empty lines are none.
///
/// # Errors
/// It cannot be read, is no UTF-8, or has no query.
pub fn queries(path: &Path) -> Result<Vec<String>> {
    let text = match path == Path::new("-") {
        true => standard_input()?,
        false => tuwen_files::encoding::TextFile::read(path)?,
    };
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let queries: Vec<String> = lines.map(str::to_owned).collect();
    if queries.is_empty() {
        bail!(Usage(format!("--queries {}: there is no query in it", path.display())));
    }
    Ok(queries)
}

fn standard_input() -> Result<String> {
    let mut text = String::new();
    let mut input = std::io::Read::take(std::io::stdin().lock(), file::TEXT + 1);
    while input.read_line(&mut text).context("standard input")? > 0 {
        if text.len() as u64 > file::TEXT {
            bail!("standard input has more than the {} bytes that queries may have", file::TEXT);
        }
    }
    Ok(text)
}
