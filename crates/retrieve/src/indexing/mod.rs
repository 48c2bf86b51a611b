//! Files into a gallery: what changed is embedded again, what moved is recognised, what is gone is
//! removed (`forget`), texts are given to their pictures (`texts`), and one bad file among a million is
//! reported and skipped. `summary` says what was done.

mod forget;
mod loss;
mod made;
mod owners;
mod profile;
mod summary;
mod texts;
mod uploads;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::vec::IntoIter;

use tuwen_encode::Encoder;
use tuwen_encode::stream;
use tuwen_image::{Decoding, RgbImage};
use tuwen_index::{Gallery, Item, Modality, NewItem};

use crate::origin::{bytes_of, path_of};
use crate::picture::{Description, Fitted, Loaded, load};
use crate::walk::{Failure, Found, Walk, modified_ns};
use crate::{Error, Result};

pub use self::loss::Loss;
pub use self::made::{MADE_CAPTIONS, MadeSummary, made_by};
pub(crate) use self::profile::Stage;
pub use self::profile::{Profile, Seconds};
pub use self::summary::{Missing, Summary, UnreadValues};
pub use self::texts::Line;
pub use self::uploads::{Kept, UPLOAD_CAPTIONS, UPLOADS, Upload, upload_name};

/// What a user may ask for beyond the ordinary.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    /// Read the files of which size and time are as they were.
    pub verify: bool,
    /// Forget what is left out now, and texts whose file is gone.
    pub prune: bool,
    /// Forget also what seems to be gone because its disk is.
    pub force: bool,
    /// How many pixels of a picture are decoded.
    pub decoding: Decoding,
}

/// What a run knows so far. A server lets go of the gallery between portions of files: it takes this out of one
/// indexer ([`Indexer::pause`]) and gives it to the next ([`Indexer::resume`]).
pub struct Run {
    summary: Summary,
    /// Items that are still there.
    seen: HashSet<i64>,
    /// Of these, those that lay elsewhere before: no proof that their folder is still there.
    moved: HashSet<i64>,
    /// The largest number of an item before this run.
    last: i64,
}

impl Run {
    /// What was done so far.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }
}

/// Brings a gallery up to date with files.
pub struct Indexer<'a> {
    gallery: &'a Gallery,
    encoder: &'a dyn Encoder,
    settings: Settings,
    stop: &'a AtomicBool,
    progress: &'a dyn Fn(usize),
    profile: Profile,
    run: Run,
}

/// A file that may have to be embedded.
struct Candidate {
    file: Found,
    /// What the gallery holds from this path.
    known: Option<Item>,
}

impl<'a> Indexer<'a> {
    /// `progress` hears the number of pictures looked at.
    ///
    /// # Errors
    /// The gallery cannot be read.
    pub fn new(
        gallery: &'a Gallery,
        encoder: &'a dyn Encoder,
        settings: Settings,
        stop: &'a AtomicBool,
        progress: &'a dyn Fn(usize),
    ) -> Result<Self> {
        let last = gallery.last_id()?;
        let (summary, seen, moved) = (Summary::default(), HashSet::new(), HashSet::new());
        let run = Run { summary, seen, moved, last };
        let profile = Profile::default();
        Ok(Self { gallery, encoder, settings, stop, progress, profile, run })
    }

    /// The same, going on with a run that was paused.
    pub fn resume(self, run: Run) -> Self {
        Self { run, ..self }
    }

    /// What is known so far, for the indexer that goes on.
    pub fn pause(self) -> Run {
        self.run
    }

    /// Indexes the pictures of a walk and forgets those that are gone from its places.
    ///
    /// # Errors
    /// A gallery that cannot be written. Bad pictures are no error.
    pub fn pictures(&mut self, mut walk: Walk) -> Result<()> {
        let files = self.begin(&mut walk);
        let some = loss::some_of(&files);
        self.files(files)?;
        if self.settings.decoding == Decoding::Reduced && self.run.summary.embedded() > 0 {
            self.run.summary.fast = Loss::once(self.gallery, &some, self.encoder)?;
        }
        self.run.summary.fast_pictures = self.gallery.count_reduced()?;
        self.end(&walk)
    }

    /// Takes note of what a walk left out; the files that are to be indexed.
    pub fn begin(&mut self, walk: &mut Walk) -> Vec<Found> {
        self.run.summary.left_out = std::mem::take(&mut walk.left_out);
        self.run.summary.failed.append(&mut walk.failed);
        self.run.summary.unreadable += walk.unreadable.len();
        std::mem::take(&mut walk.files)
    }

    /// Indexes some of the files of a walk; [`Self::end`] comes after the last ones.
    ///
    /// # Errors
    /// As [`Self::pictures`].
    pub fn files(&mut self, files: Vec<Found>) -> Result<()> {
        let (encoder, profile) = (self.encoder, std::mem::take(&mut self.profile));
        let decoding = self.settings.decoding;
        let read = |one: Candidate| {
            let loaded = load(&one.file.path, one.known.as_ref(), encoder, decoding, &profile);
            (one, loaded)
        };
        let forward = |pictures: &[RgbImage]| {
            profile.time(Stage::Network, || encoder.encode_images(pictures))
        };
        let mut job = Pictures { files: files.into_iter(), indexer: self, profile: &profile };
        let done = stream::run(read, forward, &mut job);
        self.profile = profile;
        done
    }

    /// Forgets what is gone from the places of a walk of which all files were indexed.
    ///
    /// # Errors
    /// As [`Self::pictures`].
    pub fn end(&mut self, walk: &Walk) -> Result<()> {
        match self.stopped() {
            true => Ok(()),
            false => self.forget_missing(&walk.places, &walk.unreadable),
        }
    }

    fn stopped(&mut self) -> bool {
        self.run.summary.stopped = self.stop.load(Ordering::Relaxed);
        self.run.summary.stopped
    }

    /// A candidate, where the file is not as it was.
    fn consider(&mut self, file: Found) -> Result<Option<Candidate>> {
        let known = self.gallery.from_origin(Modality::Image, bytes_of(&file.path))?.pop();
        if let Some(item) = &known
            && (item.size, item.mtime_ns) == (file.size, file.mtime_ns)
            && item.described
            && !self.settings.verify
        {
            self.run.seen.insert(item.id);
            self.run.summary.unchanged += 1;
            (self.progress)(1);
            return Ok(None);
        }
        Ok(Some(Candidate { file, known }))
    }

    /// Notes that a file's content is as it was; `new` is what it says, where that was not known.
    fn same(&mut self, one: &Candidate, new: Option<&Description>) -> Result<()> {
        let item = one.known.as_ref().expect("only a known file is the same");
        self.relocate(item.id, &one.file)?;
        if let Some(Description { fields, words }) = new {
            self.gallery.describe(item.id, fields, words)?;
        }
        self.run.summary.unchanged += 1;
        (self.progress)(1);
        Ok(())
    }

    fn refuse(&mut self, candidate: &Candidate, error: &tuwen_files::Error) {
        // A file that was fine once keeps its place until it is gone.
        self.run.seen.extend(candidate.known.as_ref().map(|item| item.id));
        let Found { path, named, .. } = &candidate.file;
        match error {
            tuwen_files::Error::Unsupported { kind } if !named => {
                *self.run.summary.left_out.unsupported.entry((*kind).to_owned()).or_default() += 1;
            }
            _ => self.run.summary.failed.push(Failure::new(path, *named, error)),
        }
    }

    fn relocate(&mut self, id: i64, file: &Found) -> Result<()> {
        self.gallery.relocate(id, bytes_of(&file.path), file.size, file.mtime_ns)?;
        self.run.seen.insert(id);
        Ok(())
    }

    /// Whether the content is known from a file that is no longer there.
    fn moved(&mut self, candidate: &Candidate, hash: &[u8; 32], new: &Description) -> Result<bool> {
        if candidate.known.is_some() {
            return Ok(false);
        }
        let same = self.gallery.with_hash(hash)?;
        let gone = same.iter().find(|item| {
            item.modality == Modality::Image
                && !self.run.seen.contains(&item.id)
                && !path_of(&item.origin).exists()
        });
        let Some(item) = gone else { return Ok(false) };
        self.relocate(item.id, &candidate.file)?;
        self.gallery.describe(item.id, &new.fields, &new.words)?;
        self.run.moved.insert(item.id);
        self.run.summary.moved += 1;
        Ok(true)
    }

    /// Commits a batch of pictures with their vectors.
    fn store(&mut self, fresh: &[Fresh], vectors: &[f32]) -> Result<()> {
        let ids = self.gallery.transaction(|gallery| {
            let rows = fresh.iter().zip(vectors.chunks_exact(self.encoder.dim()));
            rows.map(|(fresh, vector)| {
                let item = fresh.item(vector);
                match &fresh.known {
                    Some(old) => gallery.update(old.id, &item).map(|()| old.id),
                    None => gallery.insert(&item),
                }
            })
            .collect::<Result<Vec<i64>, _>>()
        })?;
        let updated = fresh.iter().filter(|one| one.known.is_some()).count();
        self.run.summary.updated += updated;
        self.run.summary.added += fresh.len() - updated;
        self.run.seen.extend(ids);
        (self.progress)(fresh.len());
        Ok(())
    }

    /// Where the time for pictures has gone so far.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// What was done.
    pub fn finish(self) -> Summary {
        self.run.summary
    }
}

/// A picture as the gallery keeps it, before it has its vector.
struct NewPicture<'a> {
    path: &'a Path,
    bytes: u64,
    mtime_ns: i64,
    hash: [u8; 32],
    /// Width and height of the original.
    size: (u32, u32),
    is_reduced: bool,
    description: &'a Description,
}

impl NewPicture<'_> {
    fn item(&self, vector: &[f32]) -> NewItem {
        let (width, height) = self.size;
        NewItem {
            origin: bytes_of(self.path).to_vec(),
            hash: self.hash,
            size: self.bytes,
            mtime_ns: self.mtime_ns,
            metadata: match self.is_reduced {
                true => format!("{{\"width\":{width},\"height\":{height},\"reduced\":true}}"),
                false => format!("{{\"width\":{width},\"height\":{height}}}"),
            },
            fields: self.description.fields.clone(),
            words: self.description.words.clone(),
            vector: vector.to_vec(),
            ..NewItem::default()
        }
    }
}

/// A picture that is being embedded.
struct Fresh {
    file: Found,
    known: Option<Item>,
    hash: [u8; 32],
    /// Width and height of the original.
    size: (u32, u32),
    is_reduced: bool,
    description: Description,
}

impl Fresh {
    fn item(&self, vector: &[f32]) -> NewItem {
        let Found { path, size: bytes, mtime_ns, .. } = &self.file;
        let Self { hash, size, is_reduced, description, .. } = self;
        let (hash, size, is_reduced, mtime_ns) = (*hash, *size, *is_reduced, *mtime_ns);
        NewPicture { path, bytes: *bytes, mtime_ns, hash, size, is_reduced, description }
            .item(vector)
    }
}

/// The pictures of a walk as the stream takes them.
struct Pictures<'i, 'a> {
    files: IntoIter<Found>,
    indexer: &'i mut Indexer<'a>,
    profile: &'i Profile,
}

impl stream::Job for Pictures<'_, '_> {
    type Item = Candidate;
    type Read = (Candidate, tuwen_files::Result<Loaded>);
    type Kept = Fresh;
    type Input = RgbImage;
    type Error = Error;

    fn next(&mut self) -> Result<Option<Candidate>> {
        while !self.indexer.stopped()
            && let Some(file) = self.files.next()
        {
            if let Some(candidate) = self.indexer.consider(file)? {
                return Ok(Some(candidate));
            }
        }
        Ok(None)
    }

    fn keep(&mut self, (one, loaded): Self::Read) -> Result<Option<(Fresh, RgbImage)>> {
        let Fitted { hash, picture, size, is_reduced, description } = match loaded {
            Ok(Loaded::Fitted(fitted)) => fitted,
            Ok(Loaded::Same) => return self.indexer.same(&one, None).map(|()| None),
            Ok(Loaded::Described(new)) => {
                return self.indexer.same(&one, Some(&new)).map(|()| None);
            }
            Err(error) => {
                self.indexer.refuse(&one, &error);
                (self.indexer.progress)(1);
                return Ok(None);
            }
        };
        if self.indexer.moved(&one, &hash, &description)? {
            (self.indexer.progress)(1);
            return Ok(None);
        }
        let Candidate { file, known } = one;
        Ok(Some((Fresh { file, known, hash, size, is_reduced, description }, picture)))
    }

    fn store(&mut self, kept: Vec<Fresh>, vectors: &[f32]) -> Result<()> {
        self.profile.time(Stage::Store, || self.indexer.store(&kept, vectors))
    }
}

/// The nearest folder above a path that exists, if it is empty: where a disk was, perhaps.
fn emptied(path: &Path) -> Option<PathBuf> {
    let folder = path.ancestors().skip(1).find(|folder| folder.is_dir())?;
    let is_empty = std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
    is_empty.then(|| folder.to_path_buf())
}
