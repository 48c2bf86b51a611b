//! `tuwen data embed`

use std::path::PathBuf;

use anyhow::Result;
use rayon::prelude::*;
use tuwen_data::image::{Limits, RgbImage, decode};
use tuwen_data::vectors::{Layout, VectorWriter};
use tuwen_data::{Encoder, Error, Sample};
use tuwen_encode::builtin;

use super::super::by_name;
use super::{Skipped, SourceArgs, open, total};
use crate::output::StagedOutput;
use crate::progress;
use crate::query::{TextArgs, note_lost, open_model};
use crate::terminal::say;
use crate::words::counted;

/// Pictures that are decoded and embedded at once.
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
    let mut records = open(&args.source)?.records.peekable();
    let begin = || VectorWriter::create(&args.output, args.to, encoder.dim());
    let (_announced, mut writer) = StagedOutput::begin(&args.output, &args.source.inputs(), begin)?;
    let bar = progress::bar(total(&args.source), "records");
    let (mut skipped, mut done) = (Skipped::default(), 0);
    while records.peek().is_some() {
        let batch: Vec<_> = records.by_ref().take(BATCH).collect();
        let fitted: Vec<_> = batch.into_par_iter().map(|record| fit(&encoder, record?)).collect();
        let mut read = Vec::new();
        for record in fitted {
            match record {
                Ok(record) => read.push(record),
                Err(error) => bar.suspend(|| skipped.add(error)),
            }
        }
        let (samples, squares): (Vec<Sample>, Vec<_>) = read.into_iter().unzip();
        let images = encoder.encode_images(&squares)?;
        let texts: Vec<&str> =
            samples.iter().flat_map(|sample| &sample.captions).map(|c| &*c.text).collect();
        let texts = encoder.encode_texts(&texts)?;
        let mut rows = &texts[..];
        for (sample, image) in samples.iter().zip(images.chunks_exact(encoder.dim())) {
            let (own, rest) = rows.split_at(sample.captions.len() * encoder.dim());
            rows = rest;
            match writer.write(sample, image, own) {
                Ok(()) => {
                    bar.inc(1);
                    done += 1;
                }
                Err(error @ Error::Io { .. }) => return Err(error.into()),
                Err(error) => bar.suspend(|| skipped.add(error)),
            }
        }
    }
    bar.finish_and_clear();
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

fn fit(encoder: &dyn Encoder, sample: Sample) -> tuwen_data::Result<(Sample, RgbImage)> {
    let picture = sample.image.read().and_then(|bytes| decode(&bytes, Limits::default()));
    let picture = picture.map_err(|e| Error::data_set(&sample.id, e.to_string()))?;
    let fitted = encoder.preprocess().fit(&picture);
    Ok((sample, fitted))
}
