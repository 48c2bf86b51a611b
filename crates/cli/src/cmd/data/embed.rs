//! `tuwen data embed`

mod shard;

use std::path::PathBuf;

use anyhow::{Result, bail};
use indicatif::ProgressBar;
use tuwen_encode::{CpuEncoder, Encoder, builtin, stream};
use tuwen_files::Error;
use tuwen_sets::Sample;
use tuwen_sets::import::Portion;
use tuwen_sets::vectors::{Layout, VectorWriter};
use tuwen_train::fitted;

use super::super::by_name;
use super::{Skipped, SourceArgs, open, total};
use crate::output::StagedOutput;
use crate::progress;
use crate::query::{TextArgs, Usage, note_lost, open_model};
use crate::terminal::say;
use crate::words::counted;

/// Pictures whose captions are embedded together.
const BATCH: usize = 64;

/// Which set into which files.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  tuwen data embed 附件1/ImageWordData.csv vectors --to clip-retrieval\n  \
    tuwen data embed photos parts --shard 0/2\n  \
    tuwen data embed photos parts --shard 1/2\n  \
    tuwen data merge parts merged\n  \
    tuwen gallery import merged --gallery embedded\n\n\
    With --shard, N processes on any machines embed one set: which pictures are in part I of N follows from the list of \
    inputs and N alone. Each writes a folder of its own into OUTPUT, which gets its name when it is whole; a part that is \
    there already is left as it is, one that was stopped begins anew. A list is a text file with a picture or a tar shard \
    a line. docs/scale.md has scripts for Slurm and Kubernetes."
)]
pub struct Args {
    #[command(flatten)]
    source: SourceArgs,
    /// The new folder; with --shard, the folder of all parts
    output: PathBuf,
    /// Whose files: clip-retrieval's folders, Chinese-CLIP's JSON lines, big-ann's fbin, or NumPy's with JSON lines, which
    /// `tuwen gallery import` takes; parts are of these alone
    #[arg(long, value_parser = by_name(&Layout::NAMES), required_unless_present = "shard")]
    to: Option<Layout>,
    /// Embed part I of N of the set, from 0, such as 3/16
    #[arg(long, value_name = "I/N")]
    shard: Option<Portion>,
    /// A name of `tuwen model list`, a folder with weights, or a .pt file
    #[arg(long, default_value = builtin::BUILT_IN)]
    model: String,
    #[command(flatten)]
    text_args: TextArgs,
}

/// Embeds, a batch at a time. What cannot be read is reported and skipped.
pub fn run(args: &Args) -> Result<()> {
    let to = match (args.shard, args.to) {
        (Some(portion), None | Some(Layout::Npy)) => return shard::run(args, portion),
        (Some(_), Some(_)) => bail!(Usage(
            "--shard writes npy alone: leave --to out; `tuwen data merge` can write fbin".into()
        )),
        (None, to) => to.expect("the parser asks for it"),
    };
    let encoder = open_model(&args.model, &args.text_args)?;
    let records = open(&args.source)?.records;
    let begin = || VectorWriter::create(&args.output, to, encoder.dim());
    let (_announced, writer) = StagedOutput::begin(&args.output, &args.source.inputs(), begin)?;
    let bar = progress::bar(total(&args.source), "records");
    let mut skipped = Skipped::default();
    let Embedded { writer, done } =
        embed(&encoder, records, writer, &bar, |_, error| skipped.add(error))?;
    note_lost(&encoder);
    args.source.refuse_nothing(done, skipped.0)?;
    let [pictures, captions] = writer.finish()?;
    say!(
        "{}: {}, {}, {} values each, {} skipped",
        args.output.display(),
        counted(pictures, "picture"),
        counted(captions, "caption"),
        encoder.dim(),
        skipped.0
    );
    Ok(())
}

/// What was embedded: files that are not finished yet, and how many pictures they have.
struct Embedded {
    writer: VectorWriter,
    done: usize,
}

/// Embeds records into files; `skip` is told of each that has no row, with its picture's id where that is known.
fn embed(
    encoder: &CpuEncoder,
    records: impl Iterator<Item = tuwen_files::Result<Sample>> + Send,
    writer: VectorWriter,
    bar: &ProgressBar,
    mut skip: impl FnMut(&str, Error),
) -> Result<Embedded> {
    let mut sink = Sink { encoder, writer, waiting: Vec::new(), done: 0 };
    let mut skip = |id: &str, error: Error| bar.suspend(|| skip(id, error));
    let read = |record: &tuwen_files::Result<Sample>| match record {
        Ok(sample) => fitted(encoder, sample).map_err(Some),
        Err(_) => Err(None),
    };
    stream::each(encoder, records, read, |record, vector| {
        bar.inc(1);
        match (record, vector) {
            (Ok(sample), Ok(vector)) => {
                sink.waiting.push((sample, vector.to_vec()));
                if sink.waiting.len() >= BATCH {
                    sink.flush()?.into_iter().for_each(|(id, error)| skip(&id, error));
                }
            }
            (Ok(sample), Err(Some(error))) => skip(&sample.id, error),
            (Err(error), _) => skip("", error),
            (Ok(_), Err(None)) => unreachable!("only a record that is an error is not read"),
        }
        anyhow::Ok(())
    })?;
    sink.flush()?.into_iter().for_each(|(id, error)| skip(&id, error));
    bar.finish_and_clear();
    Ok(Embedded { writer: sink.writer, done: sink.done })
}

/// Where pictures with their vectors wait for those of their captions.
struct Sink<'e> {
    encoder: &'e dyn Encoder,
    writer: VectorWriter,
    waiting: Vec<(Sample, Vec<f32>)>,
    /// Pictures that were written.
    done: usize,
}

impl Sink<'_> {
    /// Writes all that waits; gives back what the layout has no place for, with the pictures' ids.
    ///
    /// # Errors
    /// The disk, or the encoder.
    fn flush(&mut self) -> tuwen_files::Result<Vec<(String, Error)>> {
        let samples = self.waiting.iter().map(|(sample, _)| sample);
        let texts: Vec<&str> = samples.flat_map(|s| &s.captions).map(|c| &*c.text).collect();
        let texts = self.encoder.encode_texts(&texts)?;
        let (mut rows, mut refused) = (&texts[..], Vec::new());
        for (sample, image) in &self.waiting {
            let (own, rest) = rows.split_at(sample.captions.len() * self.encoder.dim());
            rows = rest;
            match self.writer.write(sample, image, own) {
                Ok(()) => self.done += 1,
                Err(error @ Error::Io { .. }) => return Err(error),
                Err(error) => refused.push((sample.id.clone(), error)),
            }
        }
        self.waiting.clear();
        Ok(refused)
    }
}
