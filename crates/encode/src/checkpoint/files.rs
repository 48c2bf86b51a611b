//! Which files of a folder are read, and how: whole documents up to a limit, tensors by their headers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tuwen_files::file;

use super::tensors::{self, Blob, Raw};
use super::{SHARDS, TORCH_FILE, flash, layout, wrappers};
use crate::{Error, Result, WEIGHTS_FILE};

pub(super) fn read_json(path: &Path) -> Result<serde_json::Value> {
    let bytes = file::read(path, file::TEXT).map_err(Error::Data)?;
    serde_json::from_slice(&bytes).map_err(|e| Error::malformed(path, e))
}

/// A file that need not be there, whole.
pub(super) fn optional(path: &Path, limit: u64) -> Result<Option<Vec<u8>>> {
    if !path.exists() {
        return Ok(None);
    }
    file::read(path, limit).map(Some).map_err(Error::Data)
}

/// The one `.pt` file of a folder, as Chinese-CLIP's hub repositories have it, or `.pth` file, as BLIP's and ALBEF's authors.
pub(super) fn only_torch_file(folder: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    let mut files = entries.filter(|path| {
        path.extension().is_some_and(|extension| extension == "pt" || extension == "pth")
    });
    files.next().filter(|_| files.next().is_none())
}

/// The tensors of OpenAI's, open_clip's or cn_clip's module under their own names.
pub(super) fn module_tensors(path: &Path) -> Result<(BTreeMap<String, Raw>, Option<String>)> {
    let (raws, note) = wrappers::bare(read_file(path)?).map_err(|e| Error::malformed(path, e))?;
    // open_clip's module with `custom_text` keeps the text tower apart.
    let inner = |name: String| name.strip_prefix("text.").map_or(name.clone(), str::to_owned);
    let raws = raws.into_iter().map(|(name, raw)| (inner(name), raw)).collect();
    Ok((flash::unpacked(raws), note))
}

/// The files with a folder's weights, their tensors under their own names, and a remark where there was a choice.
pub(super) fn folder_tensors(folder: &Path) -> Result<FolderTensors> {
    let files = weight_files(folder)?;
    let mut raws = BTreeMap::new();
    for file in &files {
        raws.extend(read_file(file)?);
    }
    let (raws, note) = wrappers::bare(raws).map_err(|e| Error::malformed(folder, e))?;
    Ok((files, raws, note))
}

/// See [`folder_tensors`].
type FolderTensors = (Vec<PathBuf>, BTreeMap<String, Raw>, Option<String>);

pub(super) fn read_file(path: &Path) -> Result<BTreeMap<String, Raw>> {
    match path.extension().and_then(|e| e.to_str()) {
        Some("safetensors") => tensors::safetensors(Blob::File(path.to_path_buf()), path),
        _ => tensors::torch(path),
    }
}

/// The files with a folder's weights.
pub(super) fn weight_files(folder: &Path) -> Result<Vec<PathBuf>> {
    for name in [WEIGHTS_FILE, TORCH_FILE] {
        let file = folder.join(name);
        if file.exists() {
            return Ok(vec![file]);
        }
    }
    for name in SHARDS {
        let file = folder.join(name);
        if !file.exists() {
            continue;
        }
        let json = read_json(&file)?;
        let map = json["weight_map"].as_object();
        let map = map.ok_or_else(|| Error::malformed(&file, "there is no `weight_map`"))?;
        let mut names: Vec<&str> = map.values().filter_map(|name| name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        if let Some(name) = names.iter().find(|name| !layout::is_plain(name)) {
            let what = format!("`weight_map` names `{name}`, which is no file of this folder");
            return Err(Error::malformed(&file, what));
        }
        return Ok(names.into_iter().map(|name| folder.join(name)).collect());
    }
    let names = format!("{WEIGHTS_FILE} or {TORCH_FILE} (or their index and shards)");
    let what = layout::unsupported(folder).map_or_else(
        || format!("the weights are missing: put {names} there"),
        |what| format!("it is {what}"),
    );
    Err(Error::malformed(folder, what))
}
