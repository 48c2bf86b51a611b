//! Pictures in one folder for each class, as Chinese-CLIP's zero-shot sets and torchvision's
//! `ImageFolder` have them: `SET/label_cn.txt` (a label a line) and `SET/test/000/…`.

use std::path::{Component, Path, PathBuf};

use super::is_image_name;
use tuwen_files::encoding::TextFile;
use tuwen_files::{Error, Result};

/// Files that may hold the labels, in the order we look for them.
const LABEL_FILES: [&str; 4] = ["label_cn.txt", "label_en.txt", "labels.txt", "label.txt"];

/// Pictures with the number of their label.
#[derive(Debug)]
pub struct ClassSet {
    /// What the classes are called.
    pub labels: Vec<String>,
    /// Each picture and the position of its label.
    pub pictures: Vec<(PathBuf, usize)>,
}

impl ClassSet {
    /// Reads a set; `labels` takes the place of its own label file, `split` is the folder with the
    /// classes, the set's own folder where there is none of that name.
    ///
    /// Folders and labels are paired in the order of the folders' names, as torchvision does it; of
    /// fewer folders than labels, each must be called by the number of its label. Without labels,
    /// the folders' names are the labels.
    ///
    /// # Errors
    /// No folder with pictures, or folders and labels that cannot be paired.
    pub fn read(set: &Path, split: &str, labels: Option<Vec<String>>) -> Result<Self> {
        if Path::new(split).components().any(|part| !matches!(part, Component::Normal(_))) {
            let what = format!("the split `{split}` is no name of a folder in it");
            return Err(Error::data_set(set, what));
        }
        let inner = set.join(split);
        let root = if inner.is_dir() { inner } else { set.to_path_buf() };
        let folders = class_folders(&root)?;
        let own = || {
            let file = LABEL_FILES.iter().map(|name| set.join(name)).find(|file| file.is_file());
            file.map(|file| read_labels(&file)).transpose()
        };
        let labels = match labels {
            Some(labels) => labels,
            None => {
                own()?.unwrap_or_else(|| folders.iter().map(|(name, _)| name.clone()).collect())
            }
        };
        let numbers = pair(&folders, labels.len()).map_err(|what| Error::data_set(&root, what))?;
        let mut pictures = Vec::new();
        for ((_, folder), label) in folders.iter().zip(numbers) {
            for file in files(folder)? {
                pictures.push((file, label));
            }
        }
        if pictures.is_empty() {
            return Err(Error::data_set(&root, "there are no pictures in its class folders"));
        }
        Ok(Self { labels, pictures })
    }
}

/// Labels, one a line.
///
/// # Errors
/// The file cannot be read, or holds no label.
pub fn read_labels(path: &Path) -> Result<Vec<String>> {
    let text = TextFile::read(path)?;
    let lines = text.lines().map(str::trim);
    let labels: Vec<String> = lines.filter(|l| !l.is_empty()).map(str::to_owned).collect();
    if labels.is_empty() {
        return Err(Error::data_set(path, "there is no label"));
    }
    Ok(labels)
}

/// For each folder the position of its label.
fn pair(folders: &[(String, PathBuf)], labels: usize) -> Result<Vec<usize>, String> {
    if folders.len() == labels {
        return Ok((0..labels).collect());
    }
    let number = |(name, _): &(String, PathBuf)| name.parse().ok().filter(|&n: &usize| n < labels);
    let numbers: Option<Vec<usize>> = folders.iter().map(number).collect();
    numbers.filter(|numbers| !numbers.is_empty()).ok_or_else(|| {
        format!(
            "there are {} class folders and {labels} labels: give one label for each folder in the \
             order of their names, or call each folder by the number of its label, from 0 on",
            folders.len()
        )
    })
}

/// Folders by name.
fn class_folders(root: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(root).map_err(|e| Error::io(root, e))? {
        let path = entry.map_err(|e| Error::io(root, e))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        if let Some(name) = name.filter(|name| path.is_dir() && !name.starts_with('.')) {
            folders.push((name, path));
        }
    }
    folders.sort();
    Ok(folders)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|e| Error::io(folder, e))? {
        let path = entry.map_err(|e| Error::io(folder, e))?.path();
        if path.is_dir() {
            // A link to a folder may lead out of the set, or round and round.
            if !path.is_symlink() {
                files.extend(self::files(&path)?);
            }
        } else if is_image_name(&path) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
