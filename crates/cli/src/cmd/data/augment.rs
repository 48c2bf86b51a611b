//! `tuwen data augment`

use std::collections::HashMap;
use std::path::PathBuf;

use anyhow::{Result, bail};
use rayon::prelude::*;
use tuwen_files::Error;
use tuwen_files::encoding::Encoding;
use tuwen_image::rng::Rng;
use tuwen_image::{Augment, Limits, Picture, Preprocess, RandAugment, decode, encode_jpeg};
use tuwen_retrieve::Line;
use tuwen_sets::export::{Target, Writer};
use tuwen_sets::import::picture_id;
use tuwen_sets::{Caption, Sample};

use super::super::by_name;
use super::{Skipped, SourceArgs, bytes, rewrite, summary};
use crate::number;
use crate::query::captions;

/// Quality of the JPEG files that are written.
const QUALITY: u8 = 90;
/// Copies that are in memory at once.
const TOGETHER: usize = 16;

/// What to make of which set.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: SourceArgs,
    /// The new folder
    output: PathBuf,
    /// The new set's format
    #[arg(long, default_value = "csv", value_parser = by_name(&Target::NAMES))]
    to: Target,
    /// Varied copies of each picture, beside the picture itself
    #[arg(long, default_value_t = 3, value_parser = number::whole(0..=1000))]
    copies: usize,
    /// Longest side of the copies, which are square
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=4096))]
    side: u32,
    /// Smallest share of the area that a crop keeps; 1 crops nothing
    #[arg(long, default_value_t = 0.6, value_parser = number::above(0.0f32, 1.0))]
    crop: f32,
    /// Probability of mirroring; 0 where left and right, or writing, matter
    #[arg(long, default_value_t = 0.0, value_parser = number::between(0.0f32, 1.0))]
    flip: f32,
    /// Largest relative change of brightness, contrast and saturation
    #[arg(long, default_value_t = 0.1, value_parser = number::between(0.0f32, 1.0))]
    colour: f32,
    /// RandAugment's operations for each copy
    #[arg(long, default_value_t = 0, value_parser = number::whole(0..=100))]
    operations: usize,
    /// RandAugment's magnitude, from 0 to 10
    #[arg(long, default_value_t = 7.0, value_parser = number::between(0.0f32, 10.0))]
    magnitude: f32,
    /// Further captions of the same pictures, such as translations; give several
    #[arg(long)]
    captions: Vec<PathBuf>,
    /// Draws the variations
    #[arg(long, default_value_t = 42)]
    seed: u64,
}

/// Writes each record and its copies, each copy with one of the captions in turn.
pub fn run(args: &Args) -> Result<()> {
    let further = further(&args.captions, args.source.encoding)?;
    let augment = Augment {
        crop_scale: if args.crop < 1.0 { args.crop } else { 0.0 },
        flip: args.flip,
        colour: args.colour,
        rand_augment: RandAugment { operations: args.operations, magnitude: args.magnitude },
        ..Augment::default()
    };
    let mut number = 0;
    let write = |writer: &mut Writer, mut sample: Sample, skipped: &mut Skipped| {
        number += 1;
        sample.captions.extend(further.get(&sample.id).into_iter().flatten().cloned());
        let bytes = bytes(&sample)?;
        let picture = decode(&bytes, Limits::default())
            .map_err(|e| Error::data_set(&sample.id, e.to_string()))?;
        writer.write(&sample, &bytes)?;
        let copies = Copies { args, augment: &augment, sample: &sample, picture, number };
        copies.write(writer, skipped)
    };
    let (written, skipped) = rewrite(&args.source, &args.output, args.to, write)?;
    summary(&args.output, &written, skipped);
    Ok(())
}

/// Captions by picture, by the name without its extension.
fn further(files: &[PathBuf], encoding: Option<Encoding>) -> Result<HashMap<String, Vec<Caption>>> {
    let mut found = HashMap::<String, Vec<Caption>>::new();
    for file in files {
        let source =
            file.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned());
        for Line { image, text, .. } in captions(file, encoding)? {
            let Some(image) = image else {
                bail!("{}: its lines do not say which picture they describe", file.display());
            };
            let id = picture_id(&image);
            found
                .entry(id)
                .or_default()
                .push(Caption { source: source.clone(), ..Caption::new(text) });
        }
    }
    Ok(found)
}

/// The variations of one picture.
struct Copies<'a> {
    args: &'a Args,
    augment: &'a Augment,
    sample: &'a Sample,
    picture: Picture,
    /// Of the record.
    number: u64,
}

impl Copies<'_> {
    /// Writes them, a few at a time. A copy that has no place is skipped alone.
    fn write(&self, writer: &mut Writer, skipped: &mut Skipped) -> tuwen_files::Result<()> {
        for first in (0..self.args.copies).step_by(TOGETHER) {
            let end = self.args.copies.min(first + TOGETHER);
            let copies: Vec<_> = (first..end).into_par_iter().map(|at| self.copy(at)).collect();
            for (copy, bytes) in &copies {
                match writer.write(copy, bytes) {
                    Err(error @ Error::Io { .. }) => return Err(error),
                    Err(error) => skipped.add(error),
                    Ok(()) => {}
                }
            }
        }
        Ok(())
    }

    fn copy(&self, at: usize) -> (Sample, Vec<u8>) {
        let square = Preprocess::squash(self.args.side);
        let mut rng = Rng::new(&[self.args.seed, self.number, at as u64]);
        let varied = self.augment.apply(&self.picture, &square, &mut rng);
        let captions = &self.sample.captions;
        let captions = captions.get(at % captions.len().max(1)).cloned();
        let id = format!("{}-{}", self.sample.id, at + 1);
        let copy = Sample { id, captions: captions.into_iter().collect(), ..self.sample.clone() };
        (copy, encode_jpeg(&varied, QUALITY))
    }
}
