//! Which format a set has, by its name and its content.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use super::{Format, chinese_clip, jsonl, list, pictures_beside, shards, table, tables};
use tuwen_files::encoding::{Encoding, TextFile};
use tuwen_files::{Error, Result};

/// Files with captions that lie in the folder of a set beside its pictures, as `tuwen data convert`
/// writes them.
const INSIDE: [&str; 5] =
    ["captions.csv", "captions.jsonl", "captions.txt", "annotations.json", "ImageWordData.csv"];

/// The format, and the file or folder that has it: of a folder with one file of captions and a folder of
/// pictures, that file.
pub(super) fn guess(path: &Path, encoding: Option<Encoding>) -> Result<(PathBuf, Format)> {
    if path.is_dir() {
        return of_folder(path, encoding);
    }
    Ok((path.to_path_buf(), of_file(path, encoding)?))
}

fn of_folder(path: &Path, encoding: Option<Encoding>) -> Result<(PathBuf, Format)> {
    let entries = || std::fs::read_dir(path).into_iter().flatten().flatten();
    let archive = entries().any(|entry| shards::is_archive(&entry.path()));
    let format = match () {
        () if chinese_clip::is_set(path) => Format::ChineseClip,
        () if archive => Format::Shards,
        () if !tables::files(path).is_empty() => Format::Parquet,
        () => {
            let inside: Vec<PathBuf> =
                INSIDE.iter().map(|name| path.join(name)).filter(|file| file.is_file()).collect();
            return match &inside[..] {
                [file] if pictures_beside(file) != path => {
                    Ok((file.clone(), of_file(file, encoding)?))
                }
                _ => Ok((path.to_path_buf(), Format::Folder)),
            };
        }
    };
    Ok((path.to_path_buf(), format))
}

fn of_file(path: &Path, encoding: Option<Encoding>) -> Result<Format> {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("").to_ascii_lowercase();
    match &*extension {
        "csv" | "tsv" => return Ok(Format::Csv),
        "parquet" => return Ok(Format::Parquet),
        _ if shards::is_archive(path) => return Ok(Format::Shards),
        _ if jsonl::is_name(path) => return Ok(Format::Jsonl),
        _ => {}
    }
    let mut first = String::new();
    let mut text = TextFile::look_as(path, encoding)?.open()?;
    while first.trim().is_empty() {
        first.clear();
        if text.read_line(&mut first).map_err(|e| Error::io(path, e))? == 0 {
            return Err(Error::data_set(path, "the file is empty"));
        }
    }
    let whole: Option<serde_json::Value> = serde_json::from_str(&first).ok();
    match first.split(['\t', ' ']).next() {
        _ if first.trim_start().starts_with('[') => Ok(Format::Lavis),
        // A whole object in the first line is one record, unless it is a whole set.
        _ if whole.is_some_and(|object| object.get("images").is_none_or(|v| !v.is_array())) => {
            Ok(Format::Jsonl)
        }
        _ if jsonl::is_object(&first) => Ok(Format::Coco),
        Some(key) if key.contains('#') => Ok(Format::Flickr),
        _ if table::is_header(&first) => Ok(Format::Csv),
        _ if list::is_line(&first) => Ok(Format::List),
        _ => Err(Error::data_set(
            path,
            "its format does not show: begin it with a header that names a picture and a caption, such as \
             `image,caption`, or, where a command has it, say the format by --from",
        )),
    }
}
