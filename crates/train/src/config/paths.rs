//! Paths in a configuration are relative to the folder it lies in, so that it means the same wherever it is
//! started from.

use std::path::{Component, Path, PathBuf};

use tuwen_encode::builtin;

use super::TrainConfig;

/// Something of a configuration that is, or may be, a path.
enum Place<'a> {
    /// A file or folder.
    Path(&'a mut PathBuf),
    /// A model's name, or its path.
    Model(&'a mut String),
}

impl TrainConfig {
    /// The same with every path seen from where the program runs, for a configuration in `folder`.
    pub(super) fn read_in(mut self, folder: &Path) -> Self {
        self.each_place(&mut |place| match place {
            Place::Path(path) => *path = plain(&folder.join(&path)),
            Place::Model(model) => {
                let beside = plain(&folder.join(&model));
                if *model != builtin::BUILT_IN && (beside.exists() || !tuwen_hub::is_name(model)) {
                    *model = beside.to_string_lossy().into_owned();
                }
            }
        });
        self.folder = folder.to_path_buf();
        self
    }

    /// The same as a configuration that lies in `folder`, which is there. What was written relative stays
    /// relative, so that a project can be moved as a whole.
    pub(crate) fn written_in(&self, folder: &Path) -> Self {
        let (base, from) = (self.folder.clone(), settled(&folder.join("x")));
        let from = from.parent().unwrap_or(folder);
        let moved = |path: &Path| {
            let was_relative =
                path.is_relative() || (base.is_absolute() && path.starts_with(&base));
            if was_relative { relative(from, &settled(path)) } else { path.to_path_buf() }
        };
        let mut out = self.clone();
        out.each_place(&mut |place| match place {
            Place::Path(path) => *path = moved(path),
            Place::Model(model) if !is_name(model) => {
                *model = moved(Path::new(model)).to_string_lossy().into_owned();
            }
            Place::Model(_) => {}
        });
        out.folder = folder.to_path_buf();
        out
    }

    /// The same with paths that can be compared: absolute, and without detours.
    pub(crate) fn settled(&self) -> Self {
        let mut out = self.clone();
        out.each_place(&mut |place| match place {
            Place::Path(path) => *path = settled(path),
            Place::Model(model) if !is_name(model) => {
                *model = settled(Path::new(model)).to_string_lossy().into_owned();
            }
            Place::Model(_) => {}
        });
        out.folder = PathBuf::new();
        out
    }

    fn each_place(&mut self, visit: &mut dyn FnMut(Place<'_>)) {
        visit(Place::Path(&mut self.out));
        let start = &mut self.start;
        let files = [&mut self.model, &mut start.image, &mut start.text, &mut start.weights];
        let classes = self.classes.as_mut().map(|classes| &mut classes.model);
        let files = files.into_iter().flatten().chain(classes);
        files.for_each(|path| visit(Place::Path(path)));
        let models = [&mut start.model, &mut start.image_tower, &mut start.text_tower];
        let mixed = start.image_mix.as_mut().map(|mix| &mut mix.model);
        let teachers = &mut self.loss.teacher;
        models
            .into_iter()
            .flatten()
            .chain(mixed)
            .chain(teachers)
            .for_each(|model| visit(Place::Model(model)));
        for set in self
            .train
            .iter_mut()
            .chain([&mut self.valid])
            .chain(&mut self.other)
            .chain(&mut self.named)
        {
            let captions = set.captions.iter_mut().map(|captions| &mut captions.file);
            let files = [&mut set.images].into_iter().chain(&mut set.ids).chain(captions);
            files.for_each(|path| visit(Place::Path(path)));
        }
    }
}

/// Whether a resolved model is known by name.
fn is_name(model: &str) -> bool {
    model == builtin::BUILT_IN || tuwen_hub::is_name(model)
}

/// Without `.` in it.
fn plain(path: &Path) -> PathBuf {
    let plain: PathBuf = path.components().filter(|part| *part != Component::CurDir).collect();
    if plain.as_os_str().is_empty() { PathBuf::from(".") } else { plain }
}

/// Absolute, the folder's links followed; the last part may be missing, or be a link itself.
fn settled(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    match (whole.parent(), whole.file_name()) {
        (Some(folder), Some(name)) => {
            folder.canonicalize().unwrap_or_else(|_| settled(folder)).join(name)
        }
        _ => whole.canonicalize().unwrap_or(whole),
    }
}

/// The way from a folder to a path, both [`settled`].
fn relative(from: &Path, to: &Path) -> PathBuf {
    let shared = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(shared).map(|_| Component::ParentDir);
    let way: PathBuf = up.chain(to.components().skip(shared)).collect();
    if way.as_os_str().is_empty() { PathBuf::from(".") } else { way }
}

/// `path` as a configuration in `folder` names it: absolute ones stay.
pub fn seen_from(folder: &Path, path: &Path) -> PathBuf {
    if path.is_absolute() {
        return path.to_path_buf();
    }
    let folder = settled(&folder.join("x"));
    relative(folder.parent().unwrap_or(&folder), &settled(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_between_places() {
        let way = |from: &str, to: &str| relative(Path::new(from), Path::new(to));
        assert_eq!(way("/a/run", "/a/b/c"), Path::new("../b/c"));
        assert_eq!(way("/a", "/a"), Path::new("."));
        assert_eq!(way("/a", "/a/x"), Path::new("x"));
        assert_eq!(way("/a/b", "/"), Path::new("../.."));
        assert_eq!(plain(Path::new("./a/./b")), Path::new("a/b"));
        assert_eq!(plain(Path::new("./.")), Path::new("."));
        assert_eq!(seen_from(Path::new("x"), Path::new("/abs")), Path::new("/abs"));
        assert_eq!(seen_from(Path::new("no-such/folder"), Path::new("y")), Path::new("../../y"));
        assert_eq!(seen_from(Path::new(""), Path::new("y/z")), Path::new("y/z"));
    }
}
