//! From what a user calls a model to the model.

use std::path::Path;

use tuwen_encode::{Captioner, Checkpoint, CpuEncoder, ModelConfig, builtin};

use crate::{Cache, Error, Known, Result};

/// Whether `name` stands for the same model on every machine, as a path does not.
///
/// ```
/// assert!(tuwen_hub::is_name("tuwen-small") && tuwen_hub::is_name("openai/clip-vit-base-patch32"));
/// assert!(!tuwen_hub::is_name("./model"));
/// ```
pub fn is_name(name: &str) -> bool {
    name == builtin::BUILT_IN || (!Path::new(name).exists() && repo_of(name).is_some())
}

/// Architecture and weights of the built-in model, of a folder or file, or of a model that was
/// fetched by its name.
///
/// # Errors
/// No such model, one that is not on this machine (the error says which files belong where), or
/// files that do not fit.
pub fn checkpoint(name: &str) -> Result<(ModelConfig, Checkpoint)> {
    if name == builtin::BUILT_IN {
        return Ok(builtin::checkpoint()?);
    }
    let path = Path::new(name);
    if path.exists() {
        return Ok(Checkpoint::open(path)?);
    }
    if name == builtin::BEFORE {
        return Err(Error::Before);
    }
    let repo = repo_of(name).ok_or_else(|| Error::Unknown(name.to_owned()))?;
    let cache = Cache::from_env();
    let Some(folder) = cache.snapshot(&repo) else {
        let (files, page, folder) = by_hand(&cache, &repo);
        return Err(Error::Missing { name: name.to_owned(), files, page, folder });
    };
    let (config, checkpoint) = Checkpoint::open(&folder)?;
    // The folder is called by its commit, which tells nobody anything.
    let short = Known::find(name).map_or(name, |known| known.name);
    Ok((ModelConfig { name: short.to_owned(), ..config }, checkpoint))
}

/// The same, ready to embed.
///
/// ```
/// use tuwen_encode::Encoder;
///
/// let encoder = tuwen_hub::open("tuwen-small")?;
/// assert_eq!(encoder.name(), "tuwen-small");
/// // What is not here is never fetched by the way; the error says how to get it.
/// assert!(tuwen_hub::open("nobody/no-such-model").is_err());
/// # Ok::<(), tuwen_hub::Error>(())
/// ```
///
/// # Errors
/// As [`checkpoint`].
pub fn open(name: &str) -> Result<CpuEncoder> {
    let (config, checkpoint) = checkpoint(name)?;
    Ok(CpuEncoder::from_checkpoint(config, checkpoint)?)
}

/// A captioning model of others (BLIP) by its folder, or by its name where it was fetched; none where there is no model of
/// that kind.
///
/// # Errors
/// Files that do not fit.
pub fn open_captioner(name: &str) -> Result<Option<Captioner>> {
    let path = Path::new(name);
    if path.exists() {
        return Ok(Captioner::open(path)?);
    }
    let folder = repo_of(name).and_then(|repo| Cache::from_env().snapshot(&repo));
    let found = folder.map(|folder| Captioner::open(&folder)).transpose()?.flatten();
    // As above.
    Ok(found.map(|captioner| captioner.named(name)))
}

/// Which files of which page belong into which folder.
pub(crate) fn by_hand(cache: &Cache, repo: &str) -> (String, String, std::path::PathBuf) {
    let files = Known::find(repo).map_or("config.json and model.safetensors", Known::files);
    (files.to_owned(), format!("https://huggingface.co/{repo}"), cache.by_hand(repo))
}

/// The repository behind a name, if it is one.
pub(crate) fn repo_of(name: &str) -> Option<String> {
    if let Some(known) = Known::find(name) {
        return Some(known.repo.to_owned());
    }
    let (org, model) = name.split_once('/')?;
    let plain = |part: &str| {
        let legal = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        !part.is_empty() && !part.starts_with('.') && part.chars().all(legal)
    };
    (plain(org) && plain(model)).then(|| name.to_owned())
}
