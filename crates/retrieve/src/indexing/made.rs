//! Captions that a decoder makes of a gallery's pictures. They lie in a file beside the gallery, in which each says who
//! made it, and are texts of the gallery as those of people are, with the field `made_by`: so they are found, and told
//! from what a person wrote.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::atomic::Ordering;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tuwen_encode::CpuEncoder;
use tuwen_files::encoding::TextFile;
use tuwen_files::file;
use tuwen_image::{Limits, read_file};
use tuwen_index::filter::MADE_BY;
use tuwen_index::{Item, Modality};

use super::Indexer;
use super::texts::Line;
use crate::describe::{Ask, Describer, Made};
use crate::origin::path_of;
use crate::walk::Failure;
use crate::{Error, Result};

/// The file with the captions, in the gallery's folder.
pub const MADE_CAPTIONS: &str = "made-captions.jsonl";
/// Pictures that are described at a time.
const AT_A_TIME: usize = 16;
/// Digits of a picture's hash that the file has.
const DIGITS: usize = 32;

/// A line of the file.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Kept {
    image: String,
    caption: String,
    language: String,
    made_by: String,
    /// The beginning of the picture's hash: of another picture under the same name the caption is made anew.
    picture: String,
}

/// What was made.
#[derive(Clone, Debug, Default)]
pub struct MadeSummary {
    /// Pictures described now.
    pub described: usize,
    /// Pictures whose captions were there.
    pub there: usize,
    /// Pictures that people have described, which need none.
    pub said: usize,
    /// Pictures that cannot be read.
    pub failed: Vec<Failure>,
}

impl Indexer<'_> {
    /// Makes captions of all pictures that nobody has described, and texts of the gallery of them; `place` is the
    /// folder in which the file of captions lies.
    ///
    /// # Errors
    /// The gallery or the file cannot be read or written.
    pub fn made(
        &mut self,
        place: &Path,
        encoder: &CpuEncoder,
        describer: &Describer,
        ask: &Ask,
    ) -> Result<MadeSummary> {
        let path = place.join(MADE_CAPTIONS);
        let mut before: HashMap<String, Vec<Kept>> = HashMap::new();
        for line in read(&path)? {
            if line.made_by == describer.name() {
                before.entry(line.picture.clone()).or_default().push(line);
            }
        }
        let mut summary = MadeSummary::default();
        let languages: Vec<String> = match ask.languages.is_empty() {
            true => describer.languages().into_iter().map(str::to_owned).collect(),
            false => ask.languages.clone(),
        };
        let (mut kept, mut wanted) = (Vec::new(), Vec::new());
        for item in self.gallery.all(Modality::Image)? {
            let (key, name) = (key(&item), name(&item));
            if self.said_by_people(&item)? {
                summary.said += 1;
                continue;
            }
            let known = before.get(&key).map_or(&[][..], Vec::as_slice);
            kept.extend(known.iter().map(|line| Kept { image: name.clone(), ..line.clone() }));
            let is_new = |language: &&String| known.iter().all(|line| line.language != **language);
            let missing: Vec<String> = languages.iter().filter(is_new).cloned().collect();
            match missing.is_empty() {
                true => summary.there += 1,
                false => wanted.push((item, Ask { languages: missing, ..ask.clone() })),
            }
        }
        for some in wanted.chunks(AT_A_TIME) {
            if self.stop.load(Ordering::Relaxed) {
                self.run.summary.stopped = true;
                break;
            }
            let found: Vec<tuwen_files::Result<Vec<Made>>> = some
                .par_iter()
                .map(|(item, ask)| describe(item, encoder, describer, ask))
                .collect();
            for ((item, _), found) in some.iter().zip(found) {
                match found {
                    Ok(made) => {
                        summary.described += 1;
                        kept.extend(made.into_iter().map(|made| line(item, describer, made)));
                    }
                    Err(error) => {
                        let path = path_of(&item.origin);
                        summary.failed.push(Failure::new(&path, false, error));
                    }
                }
            }
            (self.progress)(some.len());
        }
        write(&path, &kept)?;
        let lines: Vec<Line> = kept.into_iter().map(Line::from).collect();
        self.texts(&path, &lines)?;
        Ok(summary)
    }

    /// Whether a person wrote a caption of a picture.
    fn said_by_people(&self, item: &Item) -> Result<bool> {
        Ok(self.gallery.captions_of(item.id)?.iter().any(|caption| made_by(caption).is_none()))
    }
}

/// The decoder that made a caption; nothing where a person wrote it.
pub fn made_by(caption: &Item) -> Option<String> {
    let more: BTreeMap<String, String> = serde_json::from_str(&caption.metadata).ok()?;
    more.get(MADE_BY).cloned()
}

fn describe(
    item: &Item,
    encoder: &CpuEncoder,
    describer: &Describer,
    ask: &Ask,
) -> tuwen_files::Result<Vec<Made>> {
    let limits = Limits::default();
    let bytes = read_file(&path_of(&item.origin), limits)?;
    let failed = |error: crate::Error| tuwen_files::Error::Encode(error.to_string());
    let preprocess = describer.preprocess(Some(encoder)).map_err(failed)?;
    let picture = preprocess.decode(&bytes, limits)?;
    describer.describe(Some(encoder), &picture, ask).map_err(failed)
}

fn key(item: &Item) -> String {
    item.hash.iter().take(DIGITS / 2).map(|byte| format!("{byte:02x}")).collect()
}

fn name(item: &Item) -> String {
    path_of(&item.origin).to_string_lossy().into_owned()
}

fn line(item: &Item, describer: &Describer, made: Made) -> Kept {
    Kept {
        image: name(item),
        caption: made.text,
        language: made.language,
        made_by: describer.name().to_owned(),
        picture: key(item),
    }
}

impl From<Kept> for Line {
    fn from(kept: Kept) -> Self {
        let more = BTreeMap::from([(MADE_BY.to_owned(), kept.made_by)]);
        Self { image: Some(kept.image), text: kept.caption, more }
    }
}

fn read(path: &Path) -> Result<Vec<Kept>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = TextFile::read(path)?;
    let line = |(at, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| {
            let what =
                format!("line {}: {error}; remove the file, and captions are made anew", at + 1);
            Error::place(path, what)
        })
    };
    text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(line).collect()
}

fn write(path: &Path, kept: &[Kept]) -> Result<()> {
    let lines: String = kept
        .iter()
        .map(|line| serde_json::to_string(line).expect("texts are plain data") + "\n")
        .collect();
    Ok(file::replace(path, lines.as_bytes())?)
}
