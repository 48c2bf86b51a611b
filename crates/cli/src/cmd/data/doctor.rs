//! `tuwen data doctor`

mod pairing;
mod report;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use rayon::prelude::*;
use tuwen_encode::Encoder;
use tuwen_encode::{builtin, stream};
use tuwen_files::Error;
use tuwen_files::encoding::TextFile;
use tuwen_sets::doctor::{Doctor, Example, Finding, Issue, Look, Severity};
use tuwen_sets::import::{archive_pictures, is_image_name};
use tuwen_sets::{ImageSource, Sample};
use tuwen_train::fitted;

use super::{SourceArgs, open, total};
use crate::number;
use crate::output::{Force, OutputFile};
use crate::progress;
use crate::terminal::say;

/// Records whose pictures are looked at together.
const BATCH: usize = 64;

/// What to look at.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: SourceArgs,
    /// Texts with more tokens than this count as too long
    #[arg(long, default_value_t = 52, value_parser = number::whole(1..=number::MANY))]
    context: usize,
    /// The model of the pairing check: do captions belong to their pictures?
    #[arg(long, default_value = builtin::BUILT_IN)]
    model: String,
    /// Leave the pairing check out
    #[arg(long)]
    no_pairing: bool,
    /// Write a cleaned manifest, JSON lines beside the original, which is never touched
    #[arg(long)]
    fix: Option<PathBuf>,
    /// Write the findings as a page with pictures
    #[arg(long)]
    html: Option<PathBuf>,
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    force: Force,
}

/// Everything that a report shows.
struct Examined {
    findings: Vec<Finding>,
    records: usize,
    pairing: Option<pairing::Pairing>,
    pictures: HashMap<String, ImageSource>,
}

/// Looks and reports.
pub fn run(args: &Args) -> Result<ExitCode> {
    let output = |path: &Option<PathBuf>| -> Result<Option<OutputFile>> {
        let path = path.as_deref();
        path.map(|path| OutputFile::plan(path, &args.source.inputs(), args.force)).transpose()
    };
    let (html, fix) = (output(&args.html)?, output(&args.fix)?);
    let examined = examine(args, fix.as_ref())?;
    if let Some(file) = html {
        file.write(report::html(&args.source.input, &examined).as_bytes())?;
    }
    if args.json {
        say!("{}", report::json(&examined)?);
    } else {
        report::print(&examined);
    }
    let worst = examined.findings.iter().map(|finding| finding.severity).max();
    Ok(ExitCode::from(match worst {
        None | Some(Severity::Note) => 0,
        Some(Severity::Warning) => 3,
        Some(Severity::Error) => 4,
    }))
}

fn examine(args: &Args, fix: Option<&OutputFile>) -> Result<Examined> {
    let opened = open(&args.source)?;
    let mut doctor = Doctor::new(args.context);
    if let Some(text) = &opened.text {
        encoding(&mut doctor, text);
    }
    let bar = progress::bar(total(&args.source), "records");
    let (mut samples, mut bad) = (Vec::<Sample>::new(), false);
    let mut records = opened.records.peekable();
    while records.peek().is_some() {
        let mut batch = Vec::with_capacity(BATCH);
        for record in records.by_ref().take(BATCH) {
            match record {
                Ok(sample) => batch.push(sample),
                Err(error) => {
                    bad = true;
                    doctor.bad(&error);
                }
            }
        }
        let look = |sample: &Sample| sample.image.read().and_then(|bytes| Look::at(&bytes));
        let looks: Vec<Result<Look, Error>> = batch.par_iter().map(look).collect();
        for (sample, look) in batch.iter().zip(looks) {
            doctor.record(sample, look);
        }
        bar.inc(batch.len() as u64);
        samples.extend(batch);
    }
    bar.finish_and_clear();
    if !bad {
        args.source.refuse_nothing(doctor.records(), 0)?;
    }
    unnamed(args, &samples, &mut doctor);
    let pairing = pairing(args, &samples, &mut doctor)?;
    if let Some(file) = fix {
        report::fix(file, &samples, &doctor)?;
    }
    let records = doctor.records();
    let findings = doctor.finish();
    let pictures = samples.into_iter().map(|sample| (sample.id, sample.image)).collect();
    Ok(Examined { findings, records, pairing, pictures })
}

fn encoding(doctor: &mut Doctor, text: &TextFile) {
    for remark in text.remarks() {
        let line =
            text.malformed_line.map_or(String::new(), |line| format!(", first in line {line}"));
        doctor
            .note(Issue::Encoding, || Example { ids: Vec::new(), text: format!("{remark}{line}") });
    }
}

/// Pictures in the folders and archives of the records' pictures that no record named. A set that is
/// such a folder or archive itself names all.
fn unnamed(args: &Args, samples: &[Sample], doctor: &mut Doctor) {
    let (mut named, mut folders, mut archives) =
        (HashSet::new(), BTreeSet::new(), BTreeMap::<&Path, HashSet<u64>>::new());
    for sample in samples {
        match &sample.image {
            ImageSource::File(path) => {
                named.insert(path.as_path());
                folders.extend(path.parent());
            }
            ImageSource::Tar { path, offset, .. } if *path != args.source.input => {
                archives.entry(path).or_default().insert(*offset);
            }
            _ => {}
        }
    }
    if args.source.input.is_dir() {
        return;
    }
    for folder in folders {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            if is_image_name(&path) && !named.contains(path.as_path()) {
                doctor.unnamed(&path.to_string_lossy());
            }
        }
    }
    for (archive, named) in archives {
        for (name, place) in archive_pictures(archive).unwrap_or_default() {
            if matches!(place, ImageSource::Tar { offset, .. } if !named.contains(&offset)) {
                doctor.unnamed(&format!("{}: {name}", archive.display()));
            }
        }
    }
}

fn pairing(
    args: &Args,
    samples: &[Sample],
    doctor: &mut Doctor,
) -> Result<Option<pairing::Pairing>> {
    if args.no_pairing {
        return Ok(None);
    }
    let usable: Vec<&Sample> = samples
        .iter()
        .enumerate()
        .filter(|(at, _)| doctor.keeps(*at))
        .map(|(_, sample)| sample)
        .collect();
    let encoder = tuwen_hub::open(&args.model)?;
    let Some(places) = pairing::drawn(usable.len()) else { return Ok(None) };
    let tried: Vec<&Sample> = places.into_iter().map(|at| usable[at]).collect();
    let (mut images, mut texts) = (Vec::new(), Vec::new());
    let read = |sample: &&Sample| fitted(&encoder, sample);
    stream::each(&encoder, tried.iter().copied(), read, |_, row: tuwen_files::Result<&[f32]>| {
        images.extend_from_slice(row?);
        anyhow::Ok(())
    })?;
    let words: Vec<&str> = tried.iter().map(|sample| &*sample.captions[0].text).collect();
    stream::texts(&encoder, &words, |rows| {
        texts.extend_from_slice(rows);
        anyhow::Ok(())
    })?;
    let found = pairing::measure(encoder.name(), &images, &texts, encoder.dim());
    if found.scrambled() {
        doctor.note(Issue::Pairing, || Example { ids: Vec::new(), text: found.to_string() });
    }
    Ok(Some(found))
}
