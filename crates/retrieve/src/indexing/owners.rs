//! Which picture a caption names.
//!
//! File names are compared in Unicode's composed form, because some systems take letters with accents
//! apart. A name that fits several pictures belongs to none of them.

use std::collections::HashMap;
use std::path::{Component, Path};

use tuwen_index::{Gallery, Modality};
use tuwen_sets::import::is_image_name;
use unicode_normalization::UnicodeNormalization;

use crate::Result;
use crate::origin::path_of;

/// Pictures shown of those that a name fits.
const SHOWN: usize = 3;

/// The pictures of a gallery by their names.
pub(super) struct Owners {
    pictures: Vec<(i64, String)>,
    by_path: HashMap<String, usize>,
    by_name: HashMap<String, Vec<usize>>,
    by_stem: HashMap<String, Vec<usize>>,
}

impl Owners {
    /// Of all pictures.
    pub(super) fn of(gallery: &Gallery) -> Result<Self> {
        let mut owners = Self {
            pictures: Vec::new(),
            by_path: HashMap::new(),
            by_name: HashMap::new(),
            by_stem: HashMap::new(),
        };
        for item in gallery.all(Modality::Image)? {
            let (at, path) = (owners.pictures.len(), composed(&path_of(&item.origin)));
            let name = path.rsplit('/').next().unwrap_or(&path);
            let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
            owners.by_name.entry(name.to_owned()).or_default().push(at);
            owners.by_stem.entry(stem.to_owned()).or_default().push(at);
            owners.by_path.insert(path.clone(), at);
            owners.pictures.push((item.id, path));
        }
        Ok(owners)
    }

    /// The picture that a file of captions in `folder` means by `name`: its path from there, else the
    /// one picture whose path ends most like it, else the one of that name without an extension.
    ///
    /// # Errors
    /// There is none, or there are several, in words.
    pub(super) fn find(&self, folder: &Path, name: &str) -> Result<i64, String> {
        let name: String = name.replace('\\', "/").nfc().collect();
        let parts = Path::new(&name).components();
        let name: Vec<String> = parts
            .filter(|part| !matches!(part, Component::CurDir))
            .map(|part| part.as_os_str().to_string_lossy().into_owned())
            .collect();
        let written = name.iter().collect::<std::path::PathBuf>();
        if let Some(&at) = self.by_path.get(&composed(&folder.join(&written))) {
            return Ok(self.pictures[at].0);
        }
        let Some(last) = name.last() else { return Err("it names no picture".into()) };
        let by_id = || self.by_stem.get(last).filter(|_| !is_image_name(Path::new(last)));
        let fitting = self.by_name.get(last).or_else(by_id);
        let fitting =
            fitting.ok_or_else(|| format!("no picture {} in the gallery", written.display()))?;
        let best = self.most_alike(&name, fitting);
        match best[..] {
            [one] => Ok(self.pictures[one].0),
            _ => {
                let shown: Vec<&str> =
                    best.iter().take(SHOWN).map(|&at| self.pictures[at].1.as_str()).collect();
                let more = if best.len() > SHOWN { ", …" } else { "" };
                Err(format!(
                    "{} fits {} pictures ({}{more}): write more of its path",
                    written.display(),
                    best.len(),
                    shown.join(", ")
                ))
            }
        }
    }

    /// Those of the pictures whose folders agree with the name's in the most parts, from the end.
    fn most_alike(&self, name: &[String], pictures: &[usize]) -> Vec<usize> {
        let folders = &name[..name.len() - 1];
        let alike = |at: usize| {
            let here = self.pictures[at].1.rsplit('/').skip(1);
            folders.iter().rev().zip(here).take_while(|(a, b)| a.as_str() == *b).count()
        };
        let most = pictures.iter().map(|&at| alike(at)).max().unwrap_or(0);
        pictures.iter().copied().filter(|&at| alike(at) == most).collect()
    }
}

fn composed(path: &Path) -> String {
    path.to_string_lossy().nfc().collect()
}
