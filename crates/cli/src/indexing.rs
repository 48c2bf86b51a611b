//! Files into a gallery: what changed is embedded again, what moved is recognised, what is gone is
//! removed, and one bad file among a million is reported and skipped.

use std::collections::HashSet;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, bail};
use rayon::prelude::*;
use serde::Serialize;
use tuwen_data::Encoder;
use tuwen_data::image::RgbImage;
use tuwen_data::import::is_image_name;
use tuwen_index::{Gallery, Item, Kind, NewItem};
use walkdir::WalkDir;

use crate::picture_file::{
    Candidate, Fitted, Loaded, load, looks_like_a_picture, modified_ns, origin_path,
};

/// Pictures that are decoded, embedded and committed together.
const BATCH: usize = 32;
/// What a run of indexing did.
#[derive(Debug, Default, Serialize)]
pub struct Summary {
    /// New pictures.
    pub added: usize,
    /// Pictures whose content changed.
    pub updated: usize,
    /// Pictures that are as they were.
    pub unchanged: usize,
    /// Pictures recognised by their content in another place.
    pub moved: usize,
    /// Pictures and texts that are gone.
    pub removed: usize,
    /// New captions and texts.
    pub texts: usize,
    /// What could not be read, and why.
    pub failed: Vec<Failure>,
    /// Whether it was stopped before the end.
    pub stopped: bool,
}

/// A file that could not be read.
#[derive(Debug, Serialize)]
pub struct Failure {
    /// Its path, as far as it can be written.
    pub path: String,
    /// Why.
    pub reason: String,
}

/// Brings a gallery up to date with files.
pub struct Indexer<'a> {
    gallery: &'a Gallery,
    encoder: &'a dyn Encoder,
    stop: &'a AtomicBool,
    progress: &'a dyn Fn(usize),
    summary: Summary,
    /// Items that are still there.
    seen: HashSet<i64>,
    /// Places that could not be read: what lies below them is kept.
    unreadable: Vec<PathBuf>,
    pending: Vec<Candidate>,
}

impl<'a> Indexer<'a> {
    /// `progress` hears the number of pictures looked at.
    pub fn new(
        gallery: &'a Gallery,
        encoder: &'a dyn Encoder,
        stop: &'a AtomicBool,
        progress: &'a dyn Fn(usize),
    ) -> Self {
        Self {
            gallery,
            encoder,
            stop,
            progress,
            summary: Summary::default(),
            seen: HashSet::new(),
            unreadable: Vec::new(),
            pending: Vec::new(),
        }
    }

    /// Indexes pictures below `roots` and forgets those that are gone from there.
    ///
    /// # Errors
    /// A root that does not exist, or a gallery that cannot be written. Bad pictures are no error.
    pub fn pictures(&mut self, roots: &[PathBuf]) -> Result<()> {
        let mut places = Vec::new();
        for root in roots {
            match std::fs::canonicalize(root) {
                Ok(place) => places.push(place),
                Err(error) => bail!("{}: {error}", root.display()),
            }
        }
        for place in &places {
            self.walk(place)?;
        }
        self.flush()?;
        if !self.stopped() {
            self.forget_missing(&places)?;
        }
        Ok(())
    }

    fn stopped(&mut self) -> bool {
        self.summary.stopped = self.stop.load(Ordering::Relaxed);
        self.summary.stopped
    }

    fn walk(&mut self, place: &Path) -> Result<()> {
        let entries = WalkDir::new(place).follow_links(true).sort_by_file_name().into_iter();
        // A gallery inside the folder is not part of it.
        for entry in entries.filter_entry(|e| e.depth() == 0 || e.file_name() != ".tuwen") {
            if self.stopped() {
                return Ok(());
            }
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    let path = error.path().unwrap_or(place).to_path_buf();
                    self.fail(&path, &error);
                    self.unreadable.push(path);
                    continue;
                }
            };
            if entry.file_type().is_file() {
                self.consider(entry.path(), entry.metadata())?;
            }
        }
        Ok(())
    }

    fn consider(
        &mut self,
        path: &Path,
        metadata: walkdir::Result<std::fs::Metadata>,
    ) -> Result<()> {
        if !is_image_name(path) && !looks_like_a_picture(path) {
            return Ok(());
        }
        let metadata = match metadata {
            Ok(metadata) => metadata,
            Err(error) => {
                self.unreadable.push(path.to_path_buf());
                self.fail(path, &error);
                return Ok(());
            }
        };
        let (size, mtime_ns) = (metadata.len(), modified_ns(&metadata));
        let known = self.gallery.from_origin(Kind::Image, path.as_os_str().as_bytes())?.pop();
        if let Some(item) = &known
            && (item.size, item.mtime_ns) == (size, mtime_ns)
        {
            self.seen.insert(item.id);
            self.summary.unchanged += 1;
            (self.progress)(1);
            return Ok(());
        }
        self.pending.push(Candidate { path: path.to_path_buf(), size, mtime_ns, known });
        if self.pending.len() == BATCH { self.flush() } else { Ok(()) }
    }

    /// Reads, embeds and commits what is pending.
    fn flush(&mut self) -> Result<()> {
        let pending = std::mem::take(&mut self.pending);
        let encoder = self.encoder;
        let loaded: Vec<Result<Loaded>> =
            pending.par_iter().map(|candidate| load(candidate, encoder)).collect();
        let mut fresh = Vec::new();
        for (candidate, loaded) in pending.into_iter().zip(loaded) {
            (self.progress)(1);
            match loaded {
                Err(error) => {
                    // A file that was fine once keeps its place until it is gone.
                    self.seen.extend(candidate.known.as_ref().map(|item| item.id));
                    self.fail(&candidate.path, &error);
                }
                Ok(Loaded::Same) => {
                    let item = candidate.known.as_ref().expect("only a known file is the same");
                    self.relocate(item.id, &candidate)?;
                    self.summary.unchanged += 1;
                }
                Ok(Loaded::Fitted(fitted)) => {
                    if !self.moved(&candidate, &fitted.hash)? {
                        fresh.push((candidate, fitted));
                    }
                }
            }
        }
        self.store(fresh)
    }

    fn relocate(&mut self, id: i64, candidate: &Candidate) -> Result<()> {
        let origin = candidate.path.as_os_str().as_bytes();
        self.gallery.relocate(id, origin, candidate.size, candidate.mtime_ns)?;
        self.seen.insert(id);
        Ok(())
    }

    /// Whether the content is known from a file that is no longer there.
    fn moved(&mut self, candidate: &Candidate, hash: &[u8; 32]) -> Result<bool> {
        if candidate.known.is_some() {
            return Ok(false);
        }
        let same = self.gallery.with_hash(hash)?;
        let gone = same.iter().find(|item| {
            item.kind == Kind::Image
                && !self.seen.contains(&item.id)
                && !origin_path(&item.origin).exists()
        });
        let Some(item) = gone else { return Ok(false) };
        self.relocate(item.id, candidate)?;
        self.summary.moved += 1;
        Ok(true)
    }

    fn store(&mut self, fresh: Vec<(Candidate, Fitted)>) -> Result<()> {
        if fresh.is_empty() {
            return Ok(());
        }
        let pictures: Vec<RgbImage> =
            fresh.iter().map(|(_, fitted)| fitted.picture.clone()).collect();
        let vectors = self.encoder.encode_images(&pictures)?;
        let ids = self.gallery.transaction(|gallery| {
            let rows = fresh.iter().zip(vectors.chunks_exact(self.encoder.dim()));
            rows.map(|((candidate, fitted), vector)| {
                let item = NewItem {
                    kind: Kind::Image,
                    origin: candidate.path.as_os_str().as_bytes().to_vec(),
                    text: None,
                    owner: None,
                    hash: fitted.hash,
                    size: candidate.size,
                    mtime_ns: candidate.mtime_ns,
                    metadata: format!(
                        "{{\"width\":{},\"height\":{}}}",
                        fitted.width, fitted.height
                    ),
                    vector: vector.to_vec(),
                };
                match &candidate.known {
                    Some(old) => gallery.update(old.id, &item).map(|()| old.id),
                    None => gallery.insert(&item),
                }
            })
            .collect::<Result<Vec<i64>, _>>()
        })?;
        let updated = fresh.iter().filter(|(candidate, _)| candidate.known.is_some()).count();
        self.summary.updated += updated;
        self.summary.added += fresh.len() - updated;
        self.seen.extend(ids);
        Ok(())
    }

    /// Removes pictures that lay below `places` and are gone.
    fn forget_missing(&mut self, places: &[PathBuf]) -> Result<()> {
        let gone = |item: &Item| {
            let path = origin_path(&item.origin);
            !self.seen.contains(&item.id)
                && places.iter().any(|place| path.starts_with(place))
                && !self.unreadable.iter().any(|place| path.starts_with(place))
        };
        let ids: Vec<i64> =
            self.gallery.all(Kind::Image)?.iter().filter(|item| gone(item)).map(|i| i.id).collect();
        self.summary.removed += ids.len();
        self.gallery.transaction(|gallery| ids.iter().try_for_each(|&id| gallery.remove(id)))?;
        Ok(())
    }

    /// Makes the texts of a caption file the items that come from it: `pairs` of a picture's name,
    /// where there is one, and a text.
    ///
    /// # Errors
    /// A gallery that cannot be written.
    pub fn texts(&mut self, file: &Path, pairs: &[(Option<String>, String)]) -> Result<()> {
        let place = std::fs::canonicalize(file)?;
        let origin = place.as_os_str().as_bytes();
        let owners = self.owners()?;
        let mut old = self.gallery.from_origin(Kind::Text, origin)?;
        let mut fresh = Vec::new();
        for (name, text) in pairs {
            let owner = name.as_ref().and_then(|name| owners.get(name.as_str()).copied());
            if let Some(name) = name.as_ref().filter(|_| owner.is_none()) {
                self.fail(file, &format!("no picture {name} in the gallery for {text:?}"));
            }
            let same = |item: &Item| item.owner == owner && item.text.as_ref() == Some(text);
            match old.iter().position(same) {
                Some(at) => drop(old.swap_remove(at)),
                None => fresh.push((owner, text)),
            }
        }
        for chunk in fresh.chunks(BATCH) {
            if self.stopped() {
                return Ok(());
            }
            let words: Vec<&str> = chunk.iter().map(|(_, text)| text.as_str()).collect();
            let vectors = self.encoder.encode_texts(&words)?;
            self.gallery.transaction(|gallery| {
                let rows = chunk.iter().zip(vectors.chunks_exact(self.encoder.dim()));
                for ((owner, text), vector) in rows {
                    gallery.insert(&NewItem {
                        kind: Kind::Text,
                        origin: origin.to_vec(),
                        text: Some((*text).clone()),
                        owner: *owner,
                        hash: *blake3::hash(text.as_bytes()).as_bytes(),
                        size: text.len() as u64,
                        mtime_ns: 0,
                        metadata: "{}".into(),
                        vector: vector.to_vec(),
                    })?;
                }
                Ok(())
            })?;
            self.summary.texts += chunk.len();
        }
        self.summary.removed += old.len();
        self.gallery
            .transaction(|gallery| old.iter().try_for_each(|item| gallery.remove(item.id)))?;
        Ok(())
    }

    /// Pictures by full path and by file name.
    fn owners(&self) -> Result<std::collections::HashMap<String, i64>> {
        let mut owners = std::collections::HashMap::new();
        for item in self.gallery.all(Kind::Image)? {
            let path = origin_path(&item.origin);
            if let Some(name) = path.file_name() {
                owners.insert(name.to_string_lossy().into_owned(), item.id);
            }
            owners.insert(path.to_string_lossy().into_owned(), item.id);
        }
        Ok(owners)
    }

    fn fail(&mut self, path: &Path, reason: &dyn std::fmt::Display) {
        let (path, reason) = (path.display().to_string(), reason.to_string());
        self.summary.failed.push(Failure { path, reason });
    }

    /// What was done.
    pub fn finish(self) -> Summary {
        self.summary
    }
}
