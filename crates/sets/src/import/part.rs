//! One of N parts of a set, for N processes that know nothing of each other: which inputs are in a part follows from
//! the list of inputs and from N alone.
//!
//! An input is what is read as one thing: an archive, a Parquet table, a line of a list, else a picture. Parts are
//! neighbours in the list, so that the parts one behind the other are the set. The list is read by every part; pictures,
//! archives and tables only by their own.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::records::{Opened, Records, Source};
use super::{Format, folder, list, parquet, shards, tables};
use tuwen_files::encoding::TextFile;
use tuwen_files::{Error, Result};

/// Which part of how many; `I/N`, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Portion {
    /// From 0.
    pub shard: u32,
    /// At least 1.
    pub of: u32,
}

impl Portion {
    /// More parts than anybody starts processes.
    pub const MOST: u32 = 99_999;

    /// Its inputs of a list of so many.
    ///
    /// ```
    /// use tuwen_sets::import::Portion;
    ///
    /// let parts = [0, 1, 2].map(|shard| Portion { shard, of: 3 }.range(8));
    /// assert_eq!(parts, [0..2, 2..5, 5..8]);
    /// ```
    pub fn range(self, inputs: usize) -> Range<usize> {
        let bound = |part: u32| (inputs as u128 * u128::from(part) / u128::from(self.of)) as usize;
        bound(self.shard)..bound(self.shard + 1)
    }
}

impl fmt::Display for Portion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.shard, self.of)
    }
}

impl FromStr for Portion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse::<u32>().ok();
        let parts = text.split_once('/').and_then(|(i, n)| Some((number(i)?, number(n)?)));
        let Some((shard, of)) = parts else {
            return Err(
                "I/N is needed, such as 0/16: this part, from 0, and how many there are".into()
            );
        };
        if of > Self::MOST {
            return Err(format!("{of} parts; at most {} are possible", Self::MOST));
        }
        if shard >= of {
            return Err(format!(
                "part {shard} of {of}: parts are counted from 0, the last of {of} is {}/{of}",
                of.saturating_sub(1)
            ));
        }
        Ok(Self { shard, of })
    }
}

/// What of a set belongs to a part.
pub struct Portioned {
    /// Its pictures.
    pub records: Records,
    /// Its inputs in the list.
    pub inputs: Range<usize>,
    /// The list that it is a part of.
    pub list: Listed,
    /// How many records there are, where an input is one.
    pub expected: Option<usize>,
    /// The caption file's encoding, where there is such a file.
    pub text: Option<TextFile>,
    /// Which columns or keys were chosen, in words, where there was a choice.
    pub choice: Option<String>,
    fault: Arc<Mutex<Option<Error>>>,
}

impl Portioned {
    /// What ended the records before their end, such as a damaged archive: a picture that cannot be read is a record, and a
    /// thousand of them are none.
    ///
    /// # Errors
    /// That.
    pub fn whole(&self) -> Result<()> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }

    /// Inputs of many records each, opened when their turn comes.
    fn one_by_one<I: Send + 'static>(
        reading: Reading,
        portion: Portion,
        mut all: Vec<I>,
        mut open: impl FnMut(I) -> Result<Records> + Send + 'static,
    ) -> Self {
        let list = reading.end();
        let inputs = portion.range(list.inputs);
        all.truncate(inputs.end);
        let own = all.split_off(inputs.start);
        let fault = Arc::new(Mutex::new(None));
        let met = fault.clone();
        let opened = own.into_iter().map_while(move |input| match open(input) {
            Ok(records) => Some(records),
            Err(error) => {
                *met.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                None
            }
        });
        let records: Records = Box::new(opened.flatten());
        let (expected, text, choice) = (None, None, None);
        Self { records, inputs, list, expected, text, choice, fault }
    }

    /// Inputs of one record each.
    fn of_records(reading: Reading, portion: Portion, all: Opened) -> Self {
        let list = reading.end();
        let inputs = portion.range(list.inputs);
        let Opened { records, text, choice } = all;
        let records = Box::new(records.skip(inputs.start).take(inputs.len()));
        let (expected, fault) = (Some(inputs.len()), Arc::default());
        Self { records, expected, inputs, list, text, choice, fault }
    }
}

/// A list of inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// BLAKE3 of it, in hexadecimal.
    pub digest: String,
    /// How many there are.
    pub inputs: usize,
}

/// A list that is being read.
#[derive(Default)]
struct Reading {
    hasher: blake3::Hasher,
    inputs: usize,
}

impl Reading {
    /// Words are told apart by their lengths, inputs by how many words they have.
    fn add<'w>(&mut self, words: impl IntoIterator<Item = &'w [u8]>) {
        for word in words {
            self.hasher.update(&(word.len() as u64).to_le_bytes()).update(word);
        }
        self.hasher.update(&u64::MAX.to_le_bytes());
        self.inputs += 1;
    }

    fn end(self) -> Listed {
        Listed { digest: self.hasher.finalize().to_hex().to_string(), inputs: self.inputs }
    }
}

impl Source {
    /// A part of the set. Pictures of archives have the archive's name before their key.
    ///
    /// # Errors
    /// As [`Source::open`]; of archives and tables, those of this part alone.
    pub fn part(&self, portion: Portion) -> Result<Portioned> {
        match self.format {
            Format::Shards => self.part_of_files(portion, shards::files(&self.path)?),
            Format::Parquet => self.part_of_files(portion, tables::files(&self.path)),
            Format::List => self.part_of_list(portion),
            Format::Folder => self.part_of_folder(portion),
            _ => self.part_of_records(portion),
        }
    }

    /// An input is a file of a folder, known by its name.
    fn part_of_files(&self, portion: Portion, files: Vec<PathBuf>) -> Result<Portioned> {
        let mut reading = Reading::default();
        let name = |file: &PathBuf| file.file_name().unwrap_or_default().to_os_string();
        files.iter().for_each(|file| reading.add([name(file).as_encoded_bytes()]));
        let (source, pictures) = (self.clone(), Arc::new(self.pictures().ok()));
        let open = move |file: PathBuf| match source.format {
            Format::Shards => shards::named(&file, &name(&file).to_string_lossy()),
            _ => parquet::of_file(&Source { path: file, ..source.clone() }, &pictures),
        };
        Ok(Portioned::one_by_one(reading, portion, files, open))
    }

    fn part_of_list(&self, portion: Portion) -> Result<Portioned> {
        let lines = list::lines(&self.path)?;
        let mut reading = Reading::default();
        lines.iter().for_each(|(_, line)| reading.add([line.as_bytes()]));
        let one_each =
            lines[portion.range(lines.len())].iter().all(|(_, line)| !list::is_archive(line));
        let expected = one_each.then(|| portion.range(lines.len()).len());
        let place = list::Place::of(self);
        let part = Portioned::one_by_one(reading, portion, lines, move |line| place.open(&line));
        Ok(Portioned { expected, ..part })
    }

    /// An input is a picture, known by its name: captions beside are read by their own part.
    fn part_of_folder(&self, portion: Portion) -> Result<Portioned> {
        let mut reading = Reading::default();
        reading.add([&b"names are captions"[..]].into_iter().filter(|_| self.names_are_captions));
        reading.inputs = 0;
        for path in folder::paths(&self.path) {
            match &path {
                Ok(path) => {
                    let inner = path.strip_prefix(&self.path).unwrap_or(path);
                    reading.add([inner.as_os_str().as_encoded_bytes()]);
                }
                Err(_) => reading.add([]),
            }
        }
        Ok(Portioned::of_records(reading, portion, self.open()?))
    }

    /// An input is a picture with its captions, which stand in one file.
    fn part_of_records(&self, portion: Portion) -> Result<Portioned> {
        let mut reading = Reading::default();
        for record in self.open()?.records {
            let Ok(sample) = record else {
                reading.add([]);
                continue;
            };
            let captions = sample.captions.iter();
            let texts = captions
                .flat_map(|c| [c.text.as_bytes(), c.id.as_deref().unwrap_or("").as_bytes()]);
            reading.add(std::iter::once(sample.id.as_bytes()).chain(texts));
        }
        Ok(Portioned::of_records(reading, portion, self.open()?))
    }
}
