//! One picture file of a gallery: what does it hold, has it changed, what does it say about itself.

use std::path::Path;
use std::time::Instant;

use tuwen_encode::Encoder;
use tuwen_files::Result;
use tuwen_image::{Decoded, Decoding, Exif, Limits, RgbImage, decode_for, read_file};
use tuwen_index::Item;
use tuwen_index::filter::{Fields, PictureFacts};

use crate::Error;
use crate::indexing::{Profile, Stage};
use crate::origin::path_of;

/// A file after reading.
pub enum Loaded {
    /// The content is what the gallery knows.
    Same,
    /// The content is what the gallery knows, and an older program kept nothing of what the file says.
    Described(Description),
    /// New content.
    Fitted(Fitted),
}

/// A picture that is ready for the model.
pub struct Fitted {
    /// Of the encoded bytes.
    pub hash: [u8; 32],
    /// At the model's size.
    pub picture: RgbImage,
    /// Of the original, in pixels.
    pub size: (u32, u32),
    /// Whether it was decoded with fewer pixels.
    pub is_reduced: bool,
    /// What the file says.
    pub description: Description,
}

/// What is known of a picture beside its content.
pub struct Description {
    /// What can be asked for in a filter.
    pub fields: Fields,
    /// What full text finds it by: name, folders, description, camera, lens and keywords.
    pub words: String,
}

/// Reads, hashes, decodes and resizes one picture; `known` is what the gallery has from there.
///
/// # Errors
/// The file cannot be read, or is no picture of a size and format that is read.
pub(crate) fn load(
    path: &Path,
    known: Option<&Item>,
    encoder: &dyn Encoder,
    decoding: Decoding,
    profile: &Profile,
) -> Result<Loaded> {
    let (bytes, hash) = profile.time(Stage::Read, || {
        let bytes = read_file(path, Limits::default())?;
        let hash = *blake3::hash(&bytes).as_bytes();
        Ok::<_, tuwen_files::Error>((bytes, hash))
    })?;
    if let Some(item) = known.filter(|item| item.hash == hash) {
        return Ok(match item.described {
            true => Loaded::Same,
            false => Loaded::Described(describe(path, &bytes, size_in(&item.metadata))),
        });
    }
    let file = Read { path, bytes: &bytes, hash, decoding };
    Ok(Loaded::Fitted(timed(file, encoder, profile)?))
}

/// The bytes of an item's picture, which are those that were indexed: a link or a file that took its place meanwhile
/// is refused.
///
/// # Errors
/// [`Error::Gone`], also where the file is another one.
pub fn original(item: &Item, limits: Limits) -> Result<Vec<u8>, Error> {
    let path = path_of(&item.origin);
    let bytes = read_file(&path, limits).map_err(|error| {
        Error::Gone(format!("{error}: bring it back, or run `tuwen index` with its folder again"))
    })?;
    if blake3::hash(&bytes).as_bytes()[..] != item.hash {
        return Err(Error::Gone(format!(
            "{}: it has changed since it was indexed: run `tuwen index` with its folder again",
            path.display()
        )));
    }
    Ok(bytes)
}

/// A picture's bytes made ready for the model, and what they say; `path` is where they lie or will lie, `hash` of
/// BLAKE3.
///
/// # Errors
/// They are no picture of a size and format that is read.
pub fn fitted(path: &Path, bytes: &[u8], hash: [u8; 32], encoder: &dyn Encoder) -> Result<Fitted> {
    let file = Read { path, bytes, hash, decoding: Decoding::Exact };
    timed(file, encoder, &Profile::default())
}

/// A file that was read.
struct Read<'a> {
    path: &'a Path,
    bytes: &'a [u8],
    /// Of its bytes.
    hash: [u8; 32],
    decoding: Decoding,
}

fn timed(file: Read<'_>, encoder: &dyn Encoder, profile: &Profile) -> Result<Fitted> {
    let Read { path, bytes, hash, decoding } = file;
    let (began, preprocess) = (Instant::now(), encoder.preprocess());
    let fit = |Decoded { picture, size }| {
        let began = Instant::now();
        let is_reduced = picture.dimensions() != size;
        (preprocess.fit(&picture), size, is_reduced, began.elapsed())
    };
    let decoded = decode_for(bytes, Limits::default(), preprocess, decoding, fit);
    let (picture, size, is_reduced, fitting) = decoded?;
    profile.add(Stage::Decode, began.elapsed().saturating_sub(fitting));
    profile.add(Stage::Fit, fitting);
    let description = profile.time(Stage::Read, || describe(path, bytes, Some(size)));
    Ok(Fitted { hash, picture, size, is_reduced, description })
}

fn describe(path: &Path, bytes: &[u8], size: Option<(u32, u32)>) -> Description {
    let exif = Exif::read(bytes);
    let taken = exif.taken.map(|taken| taken.to_string());
    let facts = PictureFacts {
        path: Some(path),
        size,
        bytes: Some(bytes.len() as u64),
        format: tuwen_image::format(bytes),
        taken: taken.as_deref(),
        camera: exif.camera.as_deref(),
        lens: exif.lens.as_deref(),
        place: exif.place.map(|place| (place.latitude, place.longitude)),
        altitude: exif.place.and_then(|place| place.altitude),
        software: exif.software.as_deref(),
        description: exif.description.as_deref(),
        tags: &exif.tags,
    };
    let above = path.components().rev().filter_map(|part| match part {
        std::path::Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
        _ => None,
    });
    let said = [exif.description.clone(), exif.camera.clone(), exif.lens.clone()];
    let words = above.chain(said.into_iter().flatten()).chain(exif.tags.clone());
    Description { fields: facts.fields(), words: words.collect::<Vec<_>>().join("\n") }
}

/// Width and height in an item's metadata.
fn size_in(metadata: &str) -> Option<(u32, u32)> {
    let json: serde_json::Value = serde_json::from_str(metadata).ok()?;
    let side = |name: &str| json[name].as_u64()?.try_into().ok();
    Some((side("width")?, side("height")?))
}
