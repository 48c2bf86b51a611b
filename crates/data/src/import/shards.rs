//! Webdataset tar shards: members that share a key, `0001.jpg` with `0001.txt` or `0001.json`
//! (a `caption` string, or `captions`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::images::{is_image_name, tar_members};
use crate::{Caption, Error, ImageSource, Result, Sample};

/// Reads one archive, or all `.tar` files of a folder in the order of their names.
///
/// # Errors
/// A damaged archive or a caption member that is not UTF-8 or not JSON.
pub fn read_shards(path: &Path) -> Result<Vec<Sample>> {
    let mut shards = vec![path.to_path_buf()];
    if path.is_dir() {
        let entries = std::fs::read_dir(path).map_err(|e| Error::io(path, e))?;
        shards = entries
            .map(|entry| Ok(entry.map_err(|e| Error::io(path, e))?.path()))
            .collect::<Result<Vec<PathBuf>>>()?;
        shards.retain(|shard| shard.extension().is_some_and(|e| e == "tar"));
        shards.sort();
    }
    let mut samples = Vec::new();
    for shard in &shards {
        read_shard(shard, &mut samples)?;
    }
    Ok(samples)
}

fn read_shard(shard: &Path, samples: &mut Vec<Sample>) -> Result<()> {
    let mut images: BTreeMap<String, ImageSource> = BTreeMap::new();
    let mut captions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, source) in tar_members(shard)? {
        let path = Path::new(&name);
        let key = path.with_extension("").to_string_lossy().into_owned();
        match path.extension().and_then(|e| e.to_str()) {
            Some("txt") => captions.entry(key).or_default().push(text(&source, shard)?),
            Some("json") => captions.entry(key).or_default().extend(json(&source, shard)?),
            _ if is_image_name(path) => drop(images.insert(key, source)),
            _ => {}
        }
    }
    for (key, image) in images {
        let texts = captions.remove(&key).unwrap_or_default();
        let captions = texts.into_iter().map(|text| Caption { text, source: "shard".into() });
        let captions = captions.collect();
        samples.push(Sample { id: key, image, captions, split: None, metadata: BTreeMap::new() });
    }
    Ok(())
}

fn text(source: &ImageSource, shard: &Path) -> Result<String> {
    let text = String::from_utf8(source.read()?);
    Ok(text.map_err(|e| Error::data_set(shard, e.to_string()))?.trim().to_owned())
}

fn json(source: &ImageSource, shard: &Path) -> Result<Vec<String>> {
    let value: Value = serde_json::from_slice(&source.read()?)
        .map_err(|e| Error::data_set(shard, format!("a .json member: {e}")))?;
    let listed = value["captions"].as_array().into_iter().flatten();
    Ok(listed.chain([&value["caption"]]).filter_map(|v| v.as_str().map(str::to_owned)).collect())
}
