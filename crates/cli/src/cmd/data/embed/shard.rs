//! One part of a set: `--shard I/N`.

use std::path::Path;

use anyhow::{Result, bail};
use tuwen_encode::Encoder;
use tuwen_retrieve::model_id;
use tuwen_sets::import::Portion;
use tuwen_sets::vectors::{Failed, Layout, Made, Manifest, VectorWriter};

use super::super::{Skipped, remark};
use super::{Args, Embedded, embed};
use crate::output::StagedOutput;
use crate::progress;
use crate::query::{note_lost, open_model};
use crate::terminal::{note, say};
use crate::words::counted;

/// Embeds the part, unless it is there already.
pub fn run(args: &Args, portion: Portion) -> Result<()> {
    let encoder = open_model(&args.model, &args.text_args)?;
    let mut part = args.source.source()?.part(portion)?;
    remark(&args.source, part.text.as_ref(), part.choice.as_deref());
    let model = model_id(&args.model, &encoder)?;
    let made = Made {
        model: model.name,
        fingerprint: model.fingerprint,
        dim: model.dim,
        precision: args.text_args.precision().to_owned(),
        list: part.list.digest.clone(),
        inputs: part.list.inputs,
    };
    let folder = args.output.join(Manifest::folder(portion));
    if folder.exists() {
        return leave(&folder, &made);
    }
    like_the_others(&args.output, &made)?;
    let begin = || VectorWriter::create(&folder, Layout::Npy, encoder.dim());
    let (_announced, writer) = StagedOutput::begin(&folder, &args.source.inputs(), begin)?;
    let bar = progress::bar(part.expected, "records");
    let (mut skipped, mut failed) = (Skipped::default(), Vec::new());
    let records = std::mem::replace(&mut part.records, Box::new(std::iter::empty()));
    let Embedded { writer, .. } = embed(&encoder, records, writer, &bar, |id, error| {
        failed.push(Failed { id: id.to_owned(), why: error.to_string() });
        skipped.add(error);
    })?;
    part.whole()?;
    note_lost(&encoder);
    let last = |folder: &Path, rows| Manifest::write(folder, portion, &made, rows, &failed);
    let [pictures, captions] = writer.finish_with(last)?;
    if part.inputs.is_empty() {
        note!(
            "note: there are {} for {} parts: this one is empty",
            counted(made.inputs, "input"),
            portion.of
        );
    }
    say!(
        "{}: inputs {} to {} of {}: {}, {}, {} failed",
        folder.display(),
        part.inputs.start,
        part.inputs.end,
        made.inputs,
        counted(pictures, "picture"),
        counted(captions, "caption"),
        failed.len()
    );
    Ok(())
}

/// A part that is there stays, where it is this one and whole.
fn leave(folder: &Path, made: &Made) -> Result<()> {
    let shown = folder.display();
    let manifest = Manifest::read(folder)?;
    if let Some(what) = manifest.made.difference(made) {
        bail!("{shown}: it is there already, and {what}: remove it, or give another folder");
    }
    manifest.verify(folder)?;
    let Manifest { pictures, captions, failed, .. } = manifest;
    say!(
        "{shown}: it is there already and whole: {}, {}, {failed} failed; nothing to do",
        counted(pictures, "picture"),
        counted(captions, "caption")
    );
    Ok(())
}

/// Parts that could not be put together are told before hours of work, where another one is there.
fn like_the_others(output: &Path, made: &Made) -> Result<()> {
    let found = if output.is_dir() { Manifest::found(output)? } else { Vec::new() };
    let Some((_, other)) = found.into_iter().next() else { return Ok(()) };
    let difference = Manifest::read(&other)?.made.difference(made);
    if let Some(what) = difference {
        bail!(
            "{}: a part that is there, and {what}: give another folder, or remove the parts in this one",
            other.display()
        );
    }
    Ok(())
}
