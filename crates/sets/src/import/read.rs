//! A whole set in memory, as a configuration or an evaluation names it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::images::{ImageIndex, id_of};
use super::pairs::pairs;
use super::{DataSet, Format, Source, labels};
use crate::{Caption, ImageSource, Sample};
use tuwen_files::encoding::TextFile;
use tuwen_files::{Error, Result};

/// Told which columns or keys were chosen.
pub type Tell<'t> = &'t mut dyn FnMut(String);

/// Names of a validation split; the field uses all of them.
const VALID: [&str; 5] = ["val", "valid", "validation", "dev", "eval"];

/// Reads a data set and joins captions with pictures, without pictures that have no caption.
///
/// # Errors
/// A file that cannot be read or parsed, a caption whose picture is missing, two pictures of one id, or
/// several splits of which none is named.
pub fn read(set: &DataSet) -> Result<Vec<Sample>> {
    let mut samples = read_all(set, &mut |_| {})?;
    samples.retain(|sample| !sample.captions.is_empty());
    if samples.is_empty() {
        return Err(Error::data_set(&set.images, "no picture with a caption was found"));
    }
    Ok(samples)
}

/// The same with the pictures that nothing describes: in an evaluation they are in the way of the others.
///
/// # Errors
/// As [`read`].
pub fn read_all(set: &DataSet, tell: Tell<'_>) -> Result<Vec<Sample>> {
    let mut samples = match set.format {
        format if format.is_caption_file() => join(set, tell)?,
        Format::Coco => {
            let mut samples = Vec::new();
            for file in &set.captions {
                let (images, encoding) = (Some(set.images.clone()), file.encoding);
                let source = Source { images, encoding, ..Source::new(&file.file, set.format) };
                samples.extend(source.open()?.records.collect::<Result<Vec<_>>>()?);
            }
            samples
        }
        format => Source::new(&set.images, format).open()?.records.collect::<Result<_>>()?,
    };
    one_of_each(&samples, &set.images)?;
    samples = match (&set.split, &set.ids) {
        (Some(split), _) => of_split(samples, split, &set.images)?,
        (None, Some(_)) => samples,
        (None, None) => undivided(samples, &set.images)?,
    };
    if let Some(list) = &set.ids {
        samples = select(samples, list)?;
    }
    if let Some(part) = set.part {
        samples.retain(|sample| labels::part_of(sample) == part);
    }
    if samples.is_empty() {
        return Err(match &set.ids {
            Some(list) => Error::data_set(list, "no picture is listed"),
            None => Error::data_set(&set.images, "no picture with a caption was found"),
        });
    }
    Ok(samples)
}

/// Two pictures of one id could not be told apart by lists of ids, results and checkpoints.
fn one_of_each(samples: &[Sample], set: &Path) -> Result<()> {
    let mut seen = HashMap::new();
    for (at, sample) in samples.iter().enumerate() {
        if let Some(before) = seen.insert(&sample.id, at) {
            let what = format!(
                "the records {} and {} have the same id, `{}`: put the captions of a picture together, \
                 or give each picture an id of its own",
                before + 1,
                at + 1,
                sample.id
            );
            return Err(Error::data_set(set, what));
        }
    }
    Ok(())
}

fn is_split(found: &str, asked: &str) -> bool {
    found.eq_ignore_ascii_case(asked)
        || [found, asked].iter().all(|name| VALID.iter().any(|v| v.eq_ignore_ascii_case(name)))
}

/// How many pictures each split has.
fn splits(samples: &[Sample]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for split in samples.iter().filter_map(|sample| sample.split.as_deref()) {
        *counts.entry(split).or_default() += 1;
    }
    counts
}

fn listed(counts: &BTreeMap<&str, usize>) -> String {
    let names: Vec<String> = counts.iter().map(|(name, n)| format!("{name} ({n})")).collect();
    names.join(", ")
}

fn of_split(samples: Vec<Sample>, asked: &str, set: &Path) -> Result<Vec<Sample>> {
    let counts = splits(&samples);
    if !counts.keys().any(|found| is_split(found, asked)) {
        let there = if counts.is_empty() { "none".into() } else { listed(&counts) };
        return Err(Error::data_set(set, format!("no split `{asked}`; its splits are {there}")));
    }
    let is_of = |sample: &Sample| sample.split.as_ref().is_some_and(|found| is_split(found, asked));
    Ok(samples.into_iter().filter(is_of).collect())
}

/// A set of several splits is never one set.
fn undivided(samples: Vec<Sample>, set: &Path) -> Result<Vec<Sample>> {
    let counts = splits(&samples);
    if counts.len() > 1 {
        let what = format!(
            "the set has the splits {}: say which one (`--split NAME`, in a configuration `split = \
             \"NAME\"`) or give a list of ids",
            listed(&counts)
        );
        return Err(Error::data_set(set, what));
    }
    Ok(samples)
}

fn join(set: &DataSet, tell: Tell<'_>) -> Result<Vec<Sample>> {
    let images = ImageIndex::open(&set.images)?;
    let mut builder = SampleBuilder::default();
    for file in &set.captions {
        let is_picture = |name: &str| images.find(name).is_ok_and(|found| found.is_some());
        let opened = pairs(file, set.format, images.text(file)?, &is_picture)?;
        if let Some(choice) = opened.choice {
            tell(format!("{}: {choice}", file.file.display()));
        }
        for pair in opened.pairs {
            let pair = pair?;
            let captions = match &file.names {
                Some(set) => labels::captions(file, set, &pair)?,
                None => vec![Caption {
                    text: pair.caption,
                    source: file.source.clone(),
                    id: pair.text_id,
                }],
            };
            for caption in captions {
                builder.add(&images, &pair.image, caption, pair.split.clone())?;
            }
        }
    }
    builder.finish(set.ids.is_some())
}

/// Collects captions by picture, in the order in which pictures first appear.
#[derive(Default)]
struct SampleBuilder {
    samples: Vec<Sample>,
    /// Positions by the name as it was written.
    position: HashMap<String, usize>,
    /// Positions by file: two names may be one picture's.
    files: HashMap<ImageSource, usize>,
    missing: Vec<String>,
}

impl SampleBuilder {
    fn add(
        &mut self,
        images: &ImageIndex,
        name: &str,
        caption: Caption,
        split: Option<String>,
    ) -> Result<()> {
        let known = self.position.get(name).copied();
        let at = match known {
            Some(at) => at,
            None => {
                let Some(image) = images.find(name)? else {
                    self.missing.push(name.to_owned());
                    return Ok(());
                };
                let at = *self.files.entry(image.clone()).or_insert(self.samples.len());
                if at == self.samples.len() {
                    let (captions, metadata) = (Vec::new(), BTreeMap::new());
                    let id = id_of(&images.plain_name(name));
                    self.samples.push(Sample { id, image, captions, split, metadata });
                }
                self.position.insert(name.to_owned(), at);
                at
            }
        };
        self.samples[at].captions.push(caption);
        Ok(())
    }

    /// The samples; captions without a picture are an error unless a list of ids selects later.
    fn finish(self, selected_later: bool) -> Result<Vec<Sample>> {
        match self.missing.first() {
            Some(name) if !selected_later => Err(Error::data_set(
                name,
                format!(
                    "captions name pictures that are not there ({}), this one first; give the right \
                     `images` or a list of `ids`",
                    self.missing.len()
                ),
            )),
            _ => Ok(self.samples),
        }
    }
}

/// The pictures of a list, one id a line, with or without the extension, in its order.
fn select(samples: Vec<Sample>, list: &Path) -> Result<Vec<Sample>> {
    let text = TextFile::read(list)?;
    let mut by_id: HashMap<String, Option<Sample>> =
        samples.into_iter().map(|sample| (sample.id.clone(), Some(sample))).collect();
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    lines
        .filter(|(_, id)| !id.is_empty())
        .map(|(line, id)| {
            let wrong = |what: String| Error::record(list, line, what);
            let short = id_of(id);
            let key = if by_id.contains_key(id) { id } else { &short };
            let place = by_id
                .get_mut(key)
                .ok_or_else(|| wrong(format!("no picture with a caption has the id `{id}`")))?;
            place.take().ok_or_else(|| wrong(format!("`{id}` is listed twice")))
        })
        .collect()
}
