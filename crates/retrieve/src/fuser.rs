//! Fusers: networks that join a picture's vector and a text's, as files, and as the gallery keeps the one that its fused
//! vectors were made by.

use std::path::{Path, PathBuf};

use tuwen_encode::arrays;
use tuwen_files::file;
use tuwen_index::Gallery;
use tuwen_matching::{FUSER_KEY, Fuser, FuserConfig, Role};

use crate::rerank::plain;
use crate::{Error, Result};

/// What the names of kept fusers begin and end with.
const KEPT: [&str; 2] = ["fuser-", ".safetensors"];

/// Bytes of a fuser's file, at most.
const LARGEST: u64 = 1 << 30;

/// The fuser of a file.
///
/// # Errors
/// The file cannot be read, is none, or does not fit together.
pub fn open_fuser(path: &Path) -> Result<Fuser<'static>> {
    let header = arrays::metadata(path)?;
    let Some(json) = header.get(FUSER_KEY) else {
        let what = "it is no fuser's file: `tuwen fuse train` writes one";
        return Err(Error::place(path, what));
    };
    let of_file = |error| Error::place(path, error);
    let config = FuserConfig::parse(json).map_err(of_file)?;
    Fuser::new(config, &arrays::read(path)?).map_err(of_file)
}

/// The fuser of a file that is for a model with this fingerprint, and for this.
///
/// # Errors
/// As [`open_fuser`]; one of another model or role.
pub fn fuser_for(path: &Path, fingerprint: &str, role: Role) -> Result<Fuser<'static>> {
    let fuser = open_fuser(path)?;
    fuser.check(plain(fingerprint), role).map_err(|error| Error::place(path, error))?;
    Ok(fuser)
}

/// Where a gallery keeps the fuser of this fingerprint.
fn kept(gallery: &Gallery, fingerprint: &str) -> PathBuf {
    let digits = fingerprint.rsplit('-').next().unwrap_or(fingerprint);
    let plain: String = digits.chars().filter(char::is_ascii_alphanumeric).collect();
    gallery.folder().join(format!("{}{plain}{}", KEPT[0], KEPT[1]))
}

/// The fuser that `named` stands for: the fingerprint of one that the gallery keeps, or a file, which is kept then.
///
/// # Errors
/// As [`fuser_for`]; a kept one that is not there any more, or is not the one it was.
pub(crate) fn fuser_of(gallery: &Gallery, named: &str, is_kept: bool) -> Result<Fuser<'static>> {
    let model = gallery.model()?.fingerprint;
    let place = kept(gallery, named);
    if !is_kept && !place.is_file() {
        let fuser = fuser_for(Path::new(named), &model, Role::Items)?;
        let bytes = file::read(Path::new(named), LARGEST)?;
        let place = kept(gallery, fuser.fingerprint());
        file::replace(&place, &bytes)?;
        return Ok(fuser);
    }
    let cure = "`tuwen index --fuse learned:FILE` makes the fused vectors anew, `--fuse none` takes them away";
    if !place.is_file() {
        let what = format!(
            "the gallery's fused vectors were made by the fuser `{named}`, whose file is gone: {cure}"
        );
        return Err(Error::place(&place, what));
    }
    let fuser = fuser_for(&place, &model, Role::Items)?;
    if fuser.fingerprint() != named {
        let what = format!(
            "the gallery's fused vectors were made by the fuser `{named}`, and this is `{}`: {cure}",
            fuser.fingerprint()
        );
        return Err(Error::place(&place, what));
    }
    Ok(fuser)
}

/// Removes the fusers that a gallery keeps, but the one of this fingerprint.
pub(crate) fn forget_others(gallery: &Gallery, fingerprint: Option<&str>) -> Result<()> {
    let own = fingerprint.map(|fingerprint| kept(gallery, fingerprint));
    let folder = gallery.folder();
    let entries = std::fs::read_dir(folder).map_err(|e| Error::io(folder, e))?;
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_fuser =
            name.to_str().is_some_and(|name| name.starts_with(KEPT[0]) && name.ends_with(KEPT[1]));
        if is_fuser && own.as_ref() != Some(&entry.path()) {
            std::fs::remove_file(entry.path()).map_err(|e| Error::io(&entry.path(), e))?;
        }
    }
    Ok(())
}
