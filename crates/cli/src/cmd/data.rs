//! `tuwen data convert | doctor | split | stats | sample | embed | merge | augment | scenes |
//! translate`

mod augment;
mod convert;
mod doctor;
mod embed;
mod merge;
mod sample;
pub mod scenes;
pub mod split;
pub mod stats;
mod translate;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Subcommand;
use tuwen_files::Error;
use tuwen_files::encoding::{Encoding, TextFile};
use tuwen_sets::Sample;
use tuwen_sets::export::{Target, Writer, Written};
use tuwen_sets::import::{Format, Opened, Source};

use super::by_name;
use crate::output::StagedOutput;
use crate::progress;
use crate::terminal::{note, say};
use crate::words::counted;

/// Convert, check, split, count or look at a captioned set
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  tuwen data stats 附件1/ImageWordData.csv\n  \
    tuwen data split 附件1/ImageWordData.csv --out split\n  \
    tuwen data convert 附件1/ImageWordData.csv set --to chinese-clip\n  \
    tuwen data sample photos -n 3\n  \
    tuwen data embed 附件1/ImageWordData.csv vectors --to clip-retrieval\n  \
    tuwen data doctor 附件1/ImageWordData.csv --html doctor.html")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write a set in another format, into a new folder
    Convert(convert::Args),
    /// Divide a set into train and validation, by picture, near-duplicates together
    Split(split::Args),
    /// Count what a set holds
    Stats(stats::Args),
    /// Look for everything that makes a set worse: pictures, captions, pairs, splits; the exit code
    /// is 0 when all is well, 3 with warnings, 4 with errors
    Doctor(doctor::Args),
    /// Print some records, drawn by a seed
    Sample(sample::Args),
    /// Write a larger set: each picture several times, varied, and captions of further files
    Augment(augment::Args),
    /// Draw a captioned set of scenes from drawn pictures of single things
    Scenes(scenes::Args),
    /// Translate captions by an OpenAI-compatible API of your own
    Translate(translate::Args),
    /// Embed a whole set, or one of N parts of it, into the files of clip-retrieval, Chinese-CLIP, big-ann or NumPy
    Embed(embed::Args),
    /// Put the parts of a set that were embedded apart together: all of them, whole, of one list and one model
    Merge(merge::Args),
}

/// Does what was asked for.
pub fn run(args: &Args) -> Result<ExitCode> {
    match &args.command {
        Command::Convert(args) => convert::run(args)?,
        Command::Split(args) => split::run(args)?,
        Command::Doctor(args) => return doctor::run(args),
        Command::Stats(args) => stats::run(args)?,
        Command::Sample(args) => sample::run(args)?,
        Command::Augment(args) => augment::run(args)?,
        Command::Scenes(args) => scenes::run(args)?,
        Command::Translate(args) => translate::run(args)?,
        Command::Embed(args) => embed::run(args)?,
        Command::Merge(args) => merge::run(args)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Which set.
#[derive(clap::Args)]
pub struct SourceArgs {
    /// A file with captions (CSV, TSV, JSONL, Flickr, COCO or Karpathy JSON), a folder of pictures,
    /// Chinese-CLIP's folder (TSV or LMDB), tar shards, Parquet, clip-retrieval's folder, or a list of pictures and tar
    /// shards, a path a line
    pub input: PathBuf,
    /// Its format, when name and content do not show it
    #[arg(long, value_parser = by_name(&Format::NAMES))]
    pub from: Option<Format>,
    /// A folder or tar archive with the pictures, when not beside the captions
    #[arg(long)]
    pub images: Option<PathBuf>,
    /// Column or key with the picture's name, when not one of the usual
    #[arg(long)]
    pub image_field: Option<String>,
    /// Column or key with the caption, when not one of the usual
    #[arg(long)]
    pub caption_field: Option<String>,
    /// Of a folder: take the files' names as captions
    #[arg(long)]
    pub names: bool,
    /// The encoding of its texts, such as gbk, when it is not the one that their bytes show
    #[arg(long)]
    pub encoding: Option<Encoding>,
}

impl SourceArgs {
    /// A set whose format shows, with the usual names.
    pub fn new(input: PathBuf) -> Self {
        Self {
            input,
            from: None,
            images: None,
            image_field: None,
            caption_field: None,
            names: false,
            encoding: None,
        }
    }

    fn source(&self) -> Result<Source> {
        let source = match self.from {
            Some(format) => Source::new(&self.input, format),
            None => Source::guess_as(&self.input, self.encoding)?,
        };
        Ok(Source {
            encoding: self.encoding,
            images: self.images.clone(),
            image_field: self.image_field.clone().unwrap_or(source.image_field),
            caption_field: self.caption_field.clone().unwrap_or(source.caption_field),
            names_are_captions: self.names,
            ..source
        })
    }

    /// A set without a record is an error and no small result.
    fn refuse_nothing(&self, records: usize, skipped: usize) -> Result<()> {
        let input = self.input.display();
        match (records, skipped) {
            (0, 0) => bail!("{input}: there is no record in it"),
            (0, _) => bail!("{input}: there is no record that can be used, {skipped} are bad"),
            _ => Ok(()),
        }
    }

    /// What the set is read from.
    fn inputs(&self) -> Vec<&Path> {
        [Some(&self.input), self.images.as_ref()]
            .into_iter()
            .flatten()
            .map(PathBuf::as_path)
            .collect()
    }
}

/// How many bad records are listed.
const LISTED: usize = 10;

/// Opens the set and says what is wrong with its text.
fn open(args: &SourceArgs) -> Result<Opened> {
    let opened = args.source()?.open()?;
    remark(args, opened.text.as_ref(), opened.choice.as_deref());
    Ok(opened)
}

/// Says what is wrong with a set's text, and what was chosen in it.
fn remark(args: &SourceArgs, text: Option<&TextFile>, choice: Option<&str>) {
    if let Some(choice) = choice {
        note!("note: {}: {choice}", args.input.display());
    }
    if let Some(text) = text {
        let name = text.path.display();
        if text.encoding != Encoding::UTF_8 {
            note!("note: {name} is read as {}", text.encoding);
        }
        text.remarks().iter().for_each(|remark| note!("note: {name}: {remark}"));
    }
}

/// Writes a set into a new folder, record by record, as `write` says. Returns what was written and how
/// many records were skipped; nothing half written stays.
fn rewrite(
    source: &SourceArgs,
    output: &Path,
    to: Target,
    mut write: impl FnMut(&mut Writer, Sample, &mut Skipped) -> tuwen_files::Result<()>,
) -> Result<(Written, usize)> {
    let opened = open(source)?;
    let (_announced, mut writer) =
        StagedOutput::begin(output, &source.inputs(), || Writer::create(output, to))?;
    let bar = progress::bar(total(source), "records");
    let mut skipped = Skipped::default();
    for record in opened.records {
        match record.and_then(|sample| write(&mut writer, sample, &mut skipped)) {
            Ok(()) => bar.inc(1),
            // The disk's own failure or the format's limit; anything else is the record's.
            Err(error @ (Error::Io { .. } | Error::Target(_))) => return Err(error.into()),
            Err(error) => bar.suspend(|| skipped.add(error)),
        }
    }
    bar.finish_and_clear();
    source.refuse_nothing(writer.written().pictures, skipped.0)?;
    Ok((writer.finish()?, skipped.0))
}

/// How many records there are to come, where somebody sees it and it is cheap to know: pictures are read later.
fn total(args: &SourceArgs) -> Option<usize> {
    let source = args.source().ok()?;
    let cheap = progress::is_seen() && source.format != Format::Parquet;
    cheap.then(|| source.open().map_or(0, |opened| opened.records.count()))
}

/// A picture's file; an error names the record and is its own.
fn bytes(sample: &Sample) -> tuwen_files::Result<Vec<u8>> {
    sample.image.read().map_err(|e| Error::data_set(&sample.id, e.to_string()))
}

fn summary(output: &Path, written: &Written, skipped: usize) {
    let pictures = counted(written.pictures, "picture");
    let captions = counted(written.captions, "caption");
    say!("{}: {pictures}, {captions}, {skipped} skipped", output.display());
    if written.unnamed > 0 {
        let what = counted(written.unnamed, "picture");
        note!(
            "note: {what} without a caption: the pictures are there, the file of captions has no row for them"
        );
    }
}

/// Bad records: the first are named, all are counted.
#[derive(Default)]
struct Skipped(usize);

impl Skipped {
    fn add(&mut self, what: impl std::fmt::Display) {
        self.say("skipped", what);
    }

    /// With another word for what became of them.
    fn say(&mut self, word: &str, what: impl std::fmt::Display) {
        self.0 += 1;
        if self.0 <= LISTED {
            note!("{word}: {what}");
        } else if self.0 == LISTED + 1 {
            note!("{word}: … more are counted and not named");
        }
    }
}
