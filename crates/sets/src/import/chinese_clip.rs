//! Chinese-CLIP's data set folder (<https://github.com/OFA-Sys/Chinese-CLIP>): `SPLIT_imgs.tsv` with
//! `SPLIT_texts.jsonl`, or what its `build_lmdb_dataset.py` makes of them, `lmdb/SPLIT/{imgs,pairs}`.

mod lines;
mod lmdb;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};

use super::images::id_of;
use super::records::Records;
use crate::{Caption, ImageSource, Sample};
use tuwen_files::encoding::Encoding;
use tuwen_files::{Error, Result};

/// Whether a folder is such a set.
pub(super) fn is_set(folder: &Path) -> bool {
    splits(folder).is_ok_and(|splits| !splits.is_empty())
}

/// Pictures with their captions, split by split in the order of their names; within one in the order
/// of the pictures. The captions of one split are held in memory, the pictures are not.
pub(super) fn records(folder: &Path, encoding: Option<Encoding>) -> Result<Records> {
    let all = splits(folder)?;
    if all.is_empty() {
        let what = "there is neither SPLIT_imgs.tsv nor lmdb/SPLIT/imgs/data.mdb";
        return Err(Error::data_set(folder, what));
    }
    Ok(Box::new(all.into_iter().flat_map(move |(split, place)| {
        match Split::open(split, &place, encoding) {
            Ok(split) => Box::new(split) as Records,
            Err(error) => Box::new(std::iter::once(Err(error))),
        }
    })))
}

/// Where a split's files are.
enum Place {
    /// The folder of the two text files.
    Lines(PathBuf),
    /// The folder of the two LMDBs.
    Lmdb(PathBuf),
}

/// The splits by name. LMDB is a cache of the text files: where both are, these count.
fn splits(folder: &Path) -> Result<BTreeMap<String, Place>> {
    let entries = std::fs::read_dir(folder).map_err(|e| Error::io(folder, e))?;
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let line = |name: String| {
        Some((name.strip_suffix(lines::IMAGES)?.to_owned(), Place::Lines(folder.to_path_buf())))
    };
    let splits: BTreeMap<String, Place> = names.filter_map(line).collect();
    if !splits.is_empty() {
        return Ok(splits);
    }
    // The set's folder, its folder `lmdb`, or one split's.
    let children = [folder.join("lmdb"), folder.to_path_buf()].into_iter().flat_map(|parent| {
        std::fs::read_dir(parent).into_iter().flatten().flatten().map(|entry| entry.path())
    });
    let all = children.chain([folder.to_path_buf()]);
    let databases = all.filter(|path| path.join("imgs").join("data.mdb").is_file());
    Ok(databases
        .map(|path| {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            (name.unwrap_or_default(), Place::Lmdb(path))
        })
        .collect())
}

/// What a split's files hold.
struct Content {
    pictures: Box<dyn Iterator<Item = Result<(String, ImageSource)>> + Send>,
    captions: HashMap<String, Vec<Caption>>,
    /// Captions that cannot be read.
    errors: VecDeque<Error>,
    /// The file with the captions.
    texts: PathBuf,
}

/// One split's pictures.
struct Split {
    name: String,
    content: Content,
    /// The ids that were met.
    seen: HashSet<String>,
    /// From the numbers that the format demands to the names that the pictures had, where our own
    /// `ids.csv` says them.
    names: HashMap<String, String>,
}

impl Split {
    fn open(name: String, place: &Place, encoding: Option<Encoding>) -> Result<Self> {
        let content = match place {
            Place::Lines(folder) => lines::open(folder, &name, encoding)?,
            Place::Lmdb(folder) => lmdb::open(folder)?,
        };
        let names = match place {
            Place::Lines(folder) => names(&folder.join("ids.csv")),
            Place::Lmdb(folder) => folder
                .ancestors()
                .take(3)
                .map(|folder| names(&folder.join("ids.csv")))
                .find(|names| !names.is_empty())
                .unwrap_or_default(),
        };
        Ok(Self { name, content, names, seen: HashSet::new() })
    }

    /// Texts whose picture is not there, and texts that cannot be read.
    fn left(&mut self) -> Option<Error> {
        let mut missing: Vec<String> = self.content.captions.drain().map(|(id, _)| id).collect();
        missing.sort();
        let texts = &self.content.texts;
        self.content.errors.extend(missing.into_iter().map(|id| {
            let what = format!("captions name the picture `{id}`, which is not there");
            Error::data_set(texts, what)
        }));
        self.content.errors.pop_front()
    }
}

impl Iterator for Split {
    type Item = Result<Sample>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(match self.content.pictures.next() {
            None => Err(self.left()?),
            Some(Err(error)) => Err(error),
            Some(Ok((id, _))) if !self.seen.insert(id.clone()) => Err(Error::data_set(
                &self.content.texts,
                format!("the split `{}` has two pictures with the id `{id}`", self.name),
            )),
            Some(Ok((id, image))) => {
                let captions = self.content.captions.remove(&id).unwrap_or_default();
                let id = self.names.remove(&id).unwrap_or(id);
                let split = Some(self.name.clone());
                Ok(Sample { id, image, captions, split, metadata: BTreeMap::new() })
            }
        })
    }
}

fn names(path: &Path) -> HashMap<String, String> {
    let Ok(mut reader) = csv::Reader::from_path(path) else { return HashMap::new() };
    let rows = reader.records().flatten();
    let name = |row: csv::StringRecord| Some((row.get(0)?.to_owned(), id_of(row.get(1)?)));
    rows.filter_map(name).collect()
}
