//! HF's cache of repositories, shared with HF's own programs.
//!
//! `models--ORG--NAME/{refs/main, snapshots/COMMIT/FILE -> ../../blobs/ETAG, blobs/ETAG}`,
//! <https://huggingface.co/docs/huggingface_hub/guides/manage-cache>.

use std::path::{Path, PathBuf};

use crate::listing::is_plain_name;
use crate::{Error, Result};

/// A folder of repositories.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// let cache = tuwen_hub::Cache::new(folder.path().to_owned());
/// assert_eq!(cache.snapshot("org/name"), None);
/// // Files that were brought by hand are found.
/// std::fs::create_dir_all(cache.by_hand("org/name"))?;
/// assert_eq!(cache.snapshot("org/name"), Some(cache.by_hand("org/name")));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// A cache in a folder.
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Where HF's programs would look: `HF_HUB_CACHE`, `HF_HOME/hub`, or under the user's cache.
    pub fn from_env() -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let home = || std::env::home_dir().unwrap_or_default().join(".cache");
        let root =
            set("HF_HUB_CACHE").or_else(|| set("HUGGINGFACE_HUB_CACHE")).unwrap_or_else(|| {
                let hf = set("HF_HOME");
                let hf = hf.unwrap_or_else(|| {
                    set("XDG_CACHE_HOME").unwrap_or_else(home).join("huggingface")
                });
                hf.join("hub")
            });
        Self { root }
    }

    pub(crate) fn repo(&self, repo: &str) -> PathBuf {
        self.root.join(format!("models--{}", repo.replace('/', "--")))
    }

    /// Where files that somebody puts there by hand are found.
    pub fn by_hand(&self, repo: &str) -> PathBuf {
        self.repo(repo).join("snapshots/main")
    }

    /// The folder with a repository's files: what was put there by hand, or the commit that `main`
    /// stood for when it was fetched.
    pub fn snapshot(&self, repo: &str) -> Option<PathBuf> {
        let by_hand = self.by_hand(repo);
        if by_hand.is_dir() {
            return Some(by_hand);
        }
        let folder = self.repo(repo);
        let commit = std::fs::read_to_string(folder.join("refs/main")).ok()?;
        let commit = Some(commit.trim()).filter(|commit| is_plain_name(commit))?;
        let snapshot = folder.join("snapshots").join(commit);
        snapshot.is_dir().then_some(snapshot)
    }

    /// Notes that `main` stands for `commit`, after all its files are there.
    pub(crate) fn set_main(&self, repo: &str, commit: &str) -> Result<()> {
        let refs = self.repo(repo).join("refs");
        std::fs::create_dir_all(&refs).map_err(|e| Error::io(&refs, e))?;
        let (file, temporary) = (refs.join("main"), refs.join("main.tmp"));
        std::fs::write(&temporary, commit).map_err(|e| Error::io(&temporary, e))?;
        std::fs::rename(&temporary, &file).map_err(|e| Error::io(&file, e))
    }

    /// Makes `file` of a snapshot point to its blob; a copy where there are no links.
    pub(crate) fn link(&self, repo: &str, commit: &str, file: &str, blob: &Path) -> Result<()> {
        let target = self.repo(repo).join("snapshots").join(commit).join(file);
        let folder = target.parent().expect("a file in a folder");
        std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
        if target.exists() {
            return Ok(());
        }
        // A link whose blob is gone does not exist and is in the way.
        let _ = std::fs::remove_file(&target);
        let up = "../".repeat(2 + file.matches('/').count());
        let name = blob.file_name().expect("a blob has a name").to_string_lossy();
        link(&format!("{up}blobs/{name}"), blob, &target).map_err(|e| Error::io(&target, e))
    }
}

#[cfg(unix)]
fn link(relative: &str, _blob: &Path, target: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(relative, target)
}

#[cfg(not(unix))]
fn link(_relative: &str, blob: &Path, target: &Path) -> std::io::Result<()> {
    std::fs::copy(blob, target).map(|_| ())
}
