//! Webdataset tar shards (<https://github.com/webdataset/webdataset>): members that share a key, which
//! ends at the first dot of the file's name: `0001.jpg` with `0001.txt` or `0001.json` (a `caption`
//! string, or `captions`). img2dataset writes the caption into both.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

pub(super) use super::archive::is_archive;
use super::archive::members;
use super::records::Records;
use super::{fields, is_image_name};
use crate::{Caption, ImageSource, Sample};
use tuwen_files::encoding::decode;
use tuwen_files::{Error, Result};

/// Reads one archive, or all of a folder in the order of their names. A member that cannot be read costs
/// its own sample.
///
/// # Errors
/// A damaged archive.
pub(super) fn read_shards(path: &Path) -> Result<Vec<Result<Sample>>> {
    let shards = files(path)?;
    let mut all = Vec::new();
    for shard in &shards {
        all.push((shard, read_shard(shard)?));
    }
    let mut seen = HashSet::new();
    let repeated = all.iter().any(|(_, samples)| {
        samples.iter().flatten().filter(|s| !seen.insert(s.id.clone())).count() > 0
    });
    // Archives that count from 0 each: the key alone is nobody's id.
    let named = |(shard, samples): (&PathBuf, Vec<Result<Sample>>)| match repeated {
        true => behind(&shard.file_name().unwrap_or_default().to_string_lossy(), samples),
        false => samples,
    };
    Ok(all.into_iter().flat_map(named).collect())
}

/// The archive itself, or all of a folder in the order of their names.
pub(super) fn files(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let entries = std::fs::read_dir(path).map_err(|e| Error::io(path, e))?;
    let files = entries.map(|entry| Ok(entry.map_err(|e| Error::io(path, e))?.path()));
    let mut files = files.collect::<Result<Vec<PathBuf>>>()?;
    files.retain(|file| is_archive(file));
    files.sort();
    Ok(files)
}

/// One archive's samples, whatever others there are: their keys are behind its name.
///
/// # Errors
/// A damaged archive.
pub(super) fn named(shard: &Path, name: &str) -> Result<Records> {
    Ok(Box::new(behind(name, read_shard(shard)?).into_iter()))
}

/// Keys behind an archive's name, which ends at the first dot of the file's.
fn behind(name: &str, samples: Vec<Result<Sample>>) -> Vec<Result<Sample>> {
    let (folder, file) = name.rsplit_once('/').map_or(("", name), |(f, n)| (f, n));
    let stem = file.split('.').next().unwrap_or_default();
    let stem = if folder.is_empty() { stem.to_owned() } else { format!("{folder}/{stem}") };
    let long = |sample: Sample| Sample { id: format!("{stem}/{}", sample.id), ..sample };
    samples.into_iter().map(|sample| sample.map(long)).collect()
}

/// What the members of one key are.
#[derive(Default)]
struct Group {
    images: Vec<(String, ImageSource)>,
    texts: Vec<ImageSource>,
    objects: Vec<ImageSource>,
}

fn read_shard(shard: &Path) -> Result<Vec<Result<Sample>>> {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for (name, source) in members(shard)? {
        let (folder, file) = name.rsplit_once('/').map_or(("", &*name), |(f, n)| (f, n));
        let Some((stem, ends)) = file.split_once('.') else { continue };
        let folder = folder.trim_start_matches("./");
        let key = if folder.is_empty() || folder == "." {
            stem.into()
        } else {
            format!("{folder}/{stem}")
        };
        let ends = ends.to_ascii_lowercase();
        let group = groups.entry(key).or_default();
        match ends.as_str() {
            "txt" => group.texts.push(source),
            "json" => group.objects.push(source),
            _ if is_image_name(Path::new(&format!("x.{ends}"))) => {
                group.images.push((name, source))
            }
            _ => {}
        }
    }
    let samples =
        groups.into_iter().filter_map(|(key, group)| group.sample(shard, key).transpose());
    Ok(samples.collect())
}

impl Group {
    /// The sample; nothing where the key has no picture.
    fn sample(self, shard: &Path, key: String) -> Result<Option<Sample>> {
        let wrong = |what: String| Error::data_set(shard, format!("the sample `{key}`: {what}"));
        // `7.jpg` is the picture of `7.seg.png`, which is a mask or the like.
        let plain =
            |name: &str| name.rsplit('/').next().is_some_and(|n| n.matches('.').count() == 1);
        let any_plain = self.images.iter().any(|(name, _)| plain(name));
        let mut images = self.images.into_iter().filter(|(name, _)| !any_plain || plain(name));
        let Some((first, image)) = images.next() else { return Ok(None) };
        if let Some((second, _)) = images.next() {
            return Err(wrong(format!("two members are its picture, `{first}` and `{second}`")));
        }
        let mut sample = Sample {
            id: key.clone(),
            image,
            captions: Vec::new(),
            split: None,
            metadata: BTreeMap::new(),
        };
        let mut texts = Vec::new();
        for source in &self.texts {
            let text = decode(&source.read()?).map_err(|e| wrong(format!("its text: {e}")))?;
            texts.push(text.trim().to_owned());
        }
        for source in &self.objects {
            let text = decode(&source.read()?).map_err(|e| wrong(format!("its .json: {e}")))?;
            let object =
                serde_json::from_str(&text).map_err(|e| wrong(format!("its .json: {e}")))?;
            add(&mut sample, object).map_err(wrong)?;
        }
        // The same words in both files are one caption.
        texts.retain(|text| !sample.captions.iter().any(|caption| caption.text.trim() == text));
        let own = std::mem::take(&mut sample.captions);
        sample.captions = texts.into_iter().map(Caption::new).chain(own).collect();
        Ok(Some(sample))
    }
}

/// Captions and metadata of a member in JSON.
fn add(sample: &mut Sample, mut object: Map<String, Value>) -> Result<(), String> {
    let mut captions = Vec::new();
    // `captions` and `caption` may stand side by side: all of the list, and the one besides.
    for name in ["captions", "caption"] {
        match object.remove(name) {
            None | Some(Value::Null) => {}
            Some(Value::Array(list)) => captions.extend(list),
            Some(one) => captions.push(one),
        }
    }
    if captions.is_empty() {
        let name = fields::CAPTIONS.iter().find(|name| object.contains_key(**name));
        captions.extend(name.and_then(|name| object.remove(*name)));
    }
    let ids = match object.remove("text_ids") {
        Some(Value::Array(ids)) => ids.iter().map(plain).collect(),
        _ => Vec::new(),
    };
    for (at, caption) in captions.iter().enumerate() {
        let text = caption.as_str().ok_or("its .json has a caption that is no string")?;
        let id = ids.get(at).cloned().flatten().filter(|id| !id.is_empty());
        sample.captions.push(Caption { id, ..Caption::new(text) });
    }
    sample.split = object.remove("split").as_ref().and_then(plain);
    sample.metadata = object.iter().filter_map(|(key, v)| Some((key.clone(), plain(v)?))).collect();
    Ok(())
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
