//! `tuwen data embed`

use std::path::PathBuf;

use anyhow::Result;
use tuwen_encode::Encoder;
use tuwen_encode::{builtin, stream};
use tuwen_files::Error;
use tuwen_sets::Sample;
use tuwen_sets::vectors::{Layout, VectorWriter};
use tuwen_train::fitted;

use super::super::by_name;
use super::{Skipped, SourceArgs, open, total};
use crate::output::StagedOutput;
use crate::progress;
use crate::query::{TextArgs, note_lost, open_model};
use crate::terminal::say;
use crate::words::counted;

/// Pictures whose captions are embedded together.
const BATCH: usize = 64;

/// Which set into which files.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: SourceArgs,
    /// The new folder
    output: PathBuf,
    /// Whose files: clip-retrieval's folders, Chinese-CLIP's JSON lines, or big-ann's fbin
    #[arg(long, value_parser = by_name(&Layout::NAMES))]
    to: Layout,
    /// A name of `tuwen model list`, a folder with weights, or a .pt file
    #[arg(long, default_value = builtin::BUILT_IN)]
    model: String,
    #[command(flatten)]
    text_args: TextArgs,
}

/// Embeds, a batch at a time. What cannot be read is reported and skipped.
pub fn run(args: &Args) -> Result<()> {
    let encoder = open_model(&args.model, &args.text_args)?;
    let records = open(&args.source)?.records;
    let begin = || VectorWriter::create(&args.output, args.to, encoder.dim());
    let (_announced, writer) = StagedOutput::begin(&args.output, &args.source.inputs(), begin)?;
    let bar = progress::bar(total(&args.source), "records");
    let mut sink = Sink { encoder: &encoder, writer, waiting: Vec::new(), done: 0 };
    let mut skipped = Skipped::default();
    let mut skip = |error: Error| bar.suspend(|| skipped.add(error));
    let read = |record: &tuwen_files::Result<Sample>| match record {
        Ok(sample) => fitted(&encoder, sample).map_err(Some),
        Err(_) => Err(None),
    };
    stream::each(&encoder, records, read, |record, vector| {
        bar.inc(1);
        match (record, vector) {
            (Ok(sample), Ok(vector)) => {
                sink.waiting.push((sample, vector.to_vec()));
                if sink.waiting.len() >= BATCH {
                    sink.flush()?.into_iter().for_each(&mut skip);
                }
            }
            (Err(error), _) | (_, Err(Some(error))) => skip(error),
            (Ok(_), Err(None)) => unreachable!("only a record that is an error is not read"),
        }
        anyhow::Ok(())
    })?;
    sink.flush()?.into_iter().for_each(&mut skip);
    bar.finish_and_clear();
    note_lost(&encoder);
    args.source.refuse_nothing(sink.done, skipped.0)?;
    let [pictures, captions] = sink.writer.finish()?;
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

/// Where pictures with their vectors wait for those of their captions.
struct Sink<'e> {
    encoder: &'e dyn Encoder,
    writer: VectorWriter,
    waiting: Vec<(Sample, Vec<f32>)>,
    /// Pictures that were written.
    done: usize,
}

impl Sink<'_> {
    /// Writes all that waits; gives back what the layout has no place for.
    ///
    /// # Errors
    /// The disk, or the encoder.
    fn flush(&mut self) -> tuwen_files::Result<Vec<Error>> {
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
                Err(error) => refused.push(error),
            }
        }
        self.waiting.clear();
        Ok(refused)
    }
}
