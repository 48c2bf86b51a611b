//! What a repository holds: HF's and ModelScope's ways to say it, and which of it makes a model.

use serde_json::Value;

use crate::digest::EtagHash;
use crate::{Error, Result};

/// Where repositories are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    /// HF's hub, or a mirror of it.
    HuggingFace,
    /// ModelScope.
    ModelScope,
}

/// A repository at one commit.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) commit: String,
    pub(crate) files: Vec<Entry>,
}

/// A file of it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) path: String,
    /// Size and SHA-256, where the listing says them.
    pub(crate) checked: Option<(u64, String)>,
}

impl Site {
    /// Where the listing of a repository is.
    pub(crate) fn listing_url(self, endpoint: &str, repo: &str) -> String {
        match self {
            Self::HuggingFace => format!("{endpoint}/api/models/{repo}/revision/main"),
            Self::ModelScope => {
                format!("{endpoint}/api/v1/models/{repo}/repo/files?Revision=master&Recursive=true")
            }
        }
    }

    /// Where a file is.
    pub(crate) fn file_url(self, endpoint: &str, repo: &str, commit: &str, file: &str) -> String {
        match self {
            Self::HuggingFace => format!("{endpoint}/{repo}/resolve/{commit}/{file}"),
            Self::ModelScope => {
                format!("{endpoint}/api/v1/models/{repo}/repo?Revision={commit}&FilePath={file}")
            }
        }
    }

    /// Reads a listing.
    pub(crate) fn parse(self, repo: &str, json: &Value) -> Result<Listing> {
        let wrong = || Error::repository(repo, "the server's list of files is not understood");
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let (commit, files) = match self {
            Self::HuggingFace => (text(&json["sha"]), &json["siblings"]),
            Self::ModelScope => (Some("master".to_owned()), &json["Data"]["Files"]),
        };
        let entry = |file: &Value| match self {
            Self::HuggingFace => Some(Entry { path: text(&file["rfilename"])?, checked: None }),
            Self::ModelScope => {
                // A folder is in the list too, without a checksum.
                let sha = text(&file["Sha256"]).filter(|sha| !sha.is_empty());
                let sha = sha.map(|sha| sha.to_ascii_lowercase());
                Some(Entry { path: text(&file["Path"])?, checked: file["Size"].as_u64().zip(sha) })
            }
        };
        let files: Vec<Entry> =
            files.as_array().ok_or_else(wrong)?.iter().filter_map(entry).collect();
        let commit = commit.ok_or_else(wrong)?;
        if !is_plain_name(&commit) {
            return Err(Error::hostile(repo, format!("the commit is called {commit:?}")));
        }
        for Entry { path, checked } in &files {
            if !is_safe(path) {
                return Err(Error::hostile(repo, format!("a file is called {path:?}")));
            }
            // It becomes the name of a file in the cache.
            if let Some((_, sha)) = checked
                && EtagHash::of(sha) != Some(EtagHash::Sha256)
            {
                let what = format!("the SHA-256 of {path} is given as {sha:?}");
                return Err(Error::hostile(repo, what));
            }
        }
        Ok(Listing { commit, files })
    }
}

/// Whether a path from the network stays inside the folder that it is put into.
fn is_safe(path: &str) -> bool {
    path.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
        && !path.contains(|c: char| c.is_control() || c == '\\' || c == ':')
}

/// Whether a word from the network can be the name of one file: no separators, not hidden.
pub(crate) fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 200
        && !name.starts_with('.')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// Files that say what the weights are; each is taken where it is there.
const DESCRIPTIONS: [&str; 8] = [
    "config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "open_clip_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
    "vocab.json",
];
/// sentence-transformers' list of parts, and where it keeps its CLIP.
const MODULES: &str = "modules.json";
const CLIP_MODULE: &str = "0_CLIPModel/";

impl Listing {
    /// Whether there is a file of that name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.files.iter().any(|file| file.path == format!("{}{name}", self.root()))
    }

    /// The folder of the model itself, with a slash behind it: of sentence-transformers' repositories
    /// that of its CLIP.
    pub(crate) fn root(&self) -> &'static str {
        let is = |name: &str| self.files.iter().any(|file| file.path == name);
        if is(MODULES) && is(&format!("{CLIP_MODULE}config.json")) { CLIP_MODULE } else { "" }
    }

    /// The files besides the weights that a model is read from.
    pub(crate) fn descriptions(&self) -> Vec<Entry> {
        let root = self.root();
        let wanted = |file: &&Entry| {
            file.path == MODULES
                || file.path.strip_prefix(root).is_some_and(|name| DESCRIPTIONS.contains(&name))
        };
        self.files.iter().filter(wanted).cloned().collect()
    }

    /// The weights: transformers' where the repository is of its layout, else open_clip's, else the
    /// one `.pt` file.
    pub(crate) fn weights(&self, repo: &str, transformers: bool) -> Result<Vec<Entry>> {
        let root = self.root();
        let inner = |file: &Entry| file.path.strip_prefix(root).unwrap_or("/").to_owned();
        let find = |name: &str| self.files.iter().find(|file| inner(file) == name).cloned();
        let one = |names: &[&str]| names.iter().find_map(|name| find(name)).map(|file| vec![file]);
        let shards = |index: &str, start: &str, end: &str| {
            let mut all = vec![find(index)?];
            let part = |file: &&Entry| {
                let name = inner(file);
                name.starts_with(start) && name.ends_with(end) && is_plain_name(&name)
            };
            all.extend(self.files.iter().filter(part).cloned());
            Some(all)
        };
        let found = if transformers {
            one(&["model.safetensors"])
                .or_else(|| shards("model.safetensors.index.json", "model-", ".safetensors"))
                .or_else(|| one(&["pytorch_model.bin"]))
                .or_else(|| shards("pytorch_model.bin.index.json", "pytorch_model-", ".bin"))
        } else {
            one(&["open_clip_model.safetensors", "open_clip_pytorch_model.bin"])
        };
        let torch = || {
            let is_torch = |file: &&Entry| file.path.ends_with(".pt") && !file.path.contains('/');
            let mut files = self.files.iter().filter(is_torch);
            files.next().filter(|_| files.next().is_none()).map(|file| vec![file.clone()])
        };
        found.or_else(torch).ok_or_else(|| {
            Error::repository(
                repo,
                "it holds no weights that are read: model.safetensors, pytorch_model.bin (or \
                 their shards), open_clip_model.safetensors, open_clip_pytorch_model.bin, or one \
                 .pt file",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(files: &[&str]) -> Listing {
        let siblings: Vec<Value> =
            files.iter().map(|file| serde_json::json!({ "rfilename": file })).collect();
        let json = serde_json::json!({ "sha": "abc", "siblings": siblings });
        Site::HuggingFace.parse("o/n", &json).expect("a listing")
    }

    fn weights(files: &[&str], transformers: bool) -> Vec<String> {
        let found = listing(files).weights("o/n", transformers).expect("weights");
        found.into_iter().map(|file| file.path).collect()
    }

    #[test]
    fn the_weights_of_each_layout_are_found() {
        assert_eq!(
            weights(&["pytorch_model.bin", "model.safetensors"], true),
            ["model.safetensors"]
        );
        let shards = [
            "model.safetensors.index.json",
            "model-1-of-2.safetensors",
            "model-2-of-2.safetensors",
        ];
        assert_eq!(weights(&shards, true), shards);
        // timm's repositories keep the image tower alone as model.safetensors.
        let timm = ["model.safetensors", "open_clip_model.safetensors"];
        assert_eq!(weights(&timm, false), ["open_clip_model.safetensors"]);
        assert_eq!(weights(&["README.md", "clip_cn_rn50.pt"], false), ["clip_cn_rn50.pt"]);
        assert!(listing(&["a.pt", "b.pt"]).weights("o/n", false).is_err());
    }

    #[test]
    fn sentence_transformers_clip_is_found_in_its_folder() {
        let files = [
            "modules.json",
            "0_CLIPModel/config.json",
            "0_CLIPModel/preprocessor_config.json",
            "0_CLIPModel/pytorch_model.bin",
            "README.md",
            "pytorch_model.bin",
        ];
        let listing = listing(&files);
        let found: Vec<String> = listing.descriptions().into_iter().map(|f| f.path).collect();
        assert_eq!(found, files[..3]);
        assert_eq!(weights(&files, true), ["0_CLIPModel/pytorch_model.bin"]);
    }

    #[test]
    fn a_name_that_leaves_its_folder_is_refused() {
        for name in ["../x", "/etc/passwd", "a/../../b", "a\\b", "C:x", ""] {
            let json = serde_json::json!({ "sha": "abc", "siblings": [{ "rfilename": name }] });
            assert!(Site::HuggingFace.parse("o/n", &json).is_err(), "{name}");
        }
        for commit in ["../abc", "a/b", ".", "", "refs\\x"] {
            let json = serde_json::json!({ "sha": commit, "siblings": [] });
            assert!(Site::HuggingFace.parse("o/n", &json).is_err(), "{commit}");
        }
    }

    #[test]
    fn a_checksum_is_64_hexadecimal_digits_or_refused() {
        let parse = |sha: &str| {
            let file = serde_json::json!({ "Path": "a.bin", "Size": 1, "Sha256": sha });
            let json = serde_json::json!({ "Data": { "Files": [file] } });
            Site::ModelScope.parse("o/n", &json)
        };
        let good = "0123456789ABCDEF".repeat(4);
        let listing = parse(&good).expect("a checksum");
        assert_eq!(listing.files[0].checked, Some((1, good.to_lowercase())));
        assert_eq!(parse("").expect("a folder").files[0].checked, None);
        for sha in ["../../evil", "/etc/passwd", &good[1..], &"0123456789abcdeg".repeat(4), "é"] {
            let error = parse(sha).expect_err("no checksum").to_string();
            assert!(error.contains("a.bin") && error.contains("mirror"), "{error}");
        }
    }
}
