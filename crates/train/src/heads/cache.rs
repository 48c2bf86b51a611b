//! Tokens of a captioned set that frozen towers gave, on the disk in 8 bits: what heads are trained on, again and
//! again, without running a tower.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use tuwen_encode::{CpuEncoder, Encoder, WithTokens};
use tuwen_files::file;
use tuwen_sets::{Sample, relation};

use crate::validate::fitted;
use crate::{Error, Result};

/// First bytes of a file; another layout gets another number.
const MAGIC: &[u8; 8] = b"tuwtokc1";
/// Items of a forward pass.
const BATCH: usize = 64;
/// Bytes of a file that are read at most: a set of some 100,000 photos.
const LARGEST: u64 = 8 << 30;

/// Items with their tokens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Items {
    /// (N, D) unit vectors.
    pub vectors: Vec<f32>,
    /// Values of a token.
    pub width: usize,
    /// (rows, width), each row in steps of its scale.
    pub values: Vec<i8>,
    /// (rows).
    pub scales: Vec<f32>,
    /// Each item's rows.
    pub spans: Vec<Range<usize>>,
}

/// The texts of one source.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Texts {
    /// In the order of [`relation::texts`].
    pub items: Items,
    /// For each text the pictures that it describes.
    pub truth: Vec<Vec<usize>>,
    /// For each text a number that texts of the same words share.
    pub words: Vec<u64>,
}

/// A captioned set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenSet {
    /// Pictures.
    pub images: Items,
    /// Texts by their source.
    pub texts: BTreeMap<String, Texts>,
}

impl Items {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// D.
    pub fn dim(&self) -> usize {
        self.vectors.len() / self.len().max(1)
    }

    /// An item's unit vector (D).
    pub fn vector(&self, item: usize) -> &[f32] {
        &self.vectors[item * self.dim()..][..self.dim()]
    }

    /// Adds the tokens of an item to `out`, (rows, width).
    pub fn tokens_into(&self, item: usize, out: &mut Vec<f32>) {
        for row in self.spans[item].clone() {
            let scale = self.scales[row];
            let values = &self.values[row * self.width..][..self.width];
            out.extend(values.iter().map(|&value| f32::from(value) * scale));
        }
    }

    /// Adds vectors without tokens, (N, `dim`).
    pub(crate) fn push_vectors(&mut self, vectors: &[f32], dim: usize) {
        self.vectors.extend_from_slice(vectors);
        self.spans.extend(std::iter::repeat_n(0..0, vectors.len() / dim));
    }

    fn push(&mut self, found: &WithTokens) {
        let before = self.scales.len();
        self.width = found.width;
        self.vectors.extend_from_slice(&found.vectors);
        for row in found.tokens.values.chunks_exact(found.width) {
            let most = row.iter().fold(0f32, |most, value| most.max(value.abs()));
            let inverse = if most > 0.0 { 127.0 / most } else { 0.0 };
            self.values.extend(row.iter().map(|value| (value * inverse).round() as i8));
            self.scales.push(most / 127.0);
        }
        let spans = found.tokens.spans.iter();
        self.spans.extend(spans.map(|span| span.start + before..span.end + before));
    }

    /// Reads what [`Self::write`] wrote under the same key; none where there is no such file.
    fn read(path: &Path, key: &[u8; 32]) -> Option<Self> {
        let bytes = file::read(path, LARGEST).ok()?;
        let mut rest = bytes.strip_prefix(MAGIC)?.strip_prefix(key)?;
        let mut number = || -> Option<usize> {
            let (first, others) = rest.split_first_chunk::<8>()?;
            rest = others;
            usize::try_from(u64::from_le_bytes(*first)).ok()
        };
        let (items, rows, width, dim) = (number()?, number()?, number()?, number()?);
        let mut end = 0;
        let mut spans = Vec::new();
        for _ in 0..items {
            let start = end;
            end += number()?;
            spans.push(start..end);
        }
        let rest = rest;
        let floats = |bytes: &[u8]| -> Vec<f32> {
            bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
        };
        let (vectors, rest) = rest.split_at_checked(items.checked_mul(dim)?.checked_mul(4)?)?;
        let (scales, values) = rest.split_at_checked(rows.checked_mul(4)?)?;
        if end != rows || values.len() != rows.checked_mul(width)? {
            return None;
        }
        let values = values.iter().map(|&byte| byte.cast_signed()).collect();
        Some(Self { vectors: floats(vectors), width, values, scales: floats(scales), spans })
    }

    /// Writes under a temporary name, then renames.
    fn write(&self, path: &Path, key: &[u8; 32]) -> Result<()> {
        let temporary = path.with_extension("tmp");
        let fill = || -> std::io::Result<()> {
            let mut out = BufWriter::new(File::create(&temporary)?);
            out.write_all(MAGIC)?;
            out.write_all(key)?;
            let lens = self.spans.iter().map(ExactSizeIterator::len);
            let head = [self.len(), self.scales.len(), self.width, self.dim()];
            for number in head.into_iter().chain(lens) {
                out.write_all(&(number as u64).to_le_bytes())?;
            }
            for value in self.vectors.iter().chain(&self.scales) {
                out.write_all(&value.to_le_bytes())?;
            }
            let values: Vec<u8> = self.values.iter().map(|value| value.cast_unsigned()).collect();
            out.write_all(&values)?;
            out.into_inner()?.sync_all()
        };
        let done = fill().and_then(|()| std::fs::rename(&temporary, path));
        done.map_err(|source| Error::Io { path: path.to_path_buf(), source })
    }
}

/// Hears what is computed, how many of how many.
pub type Tell<'t> = dyn Fn(&str, usize, usize) -> Result<()> + 't;

/// The tokens of a set: out of the folder `cache`, or computed and put there. `tell` hears what is computed.
///
/// # Errors
/// A picture or the cache cannot be read or written.
pub fn tokens(
    encoder: &CpuEncoder,
    samples: &[Sample],
    cache: &Path,
    tell: &Tell<'_>,
) -> Result<TokenSet> {
    let images = pictures(encoder, samples, cache, tell)?;
    let mut texts = BTreeMap::new();
    for (source, list) in relation::texts(samples) {
        let items =
            cached(cache, source, key(encoder, list.iter().map(|text| text.words)), || {
                let mut found = Items::default();
                for some in list.chunks(BATCH) {
                    let inputs = some.iter().map(|text| encoder.tokenise(text.words));
                    let inputs = inputs.collect::<tuwen_files::Result<Vec<_>>>()?;
                    found.push(&encoder.text_tokens(&inputs)?);
                    tell(source, found.len(), list.len())?;
                }
                Ok(found)
            })?;
        let words = list.iter().map(|text| number(text.words)).collect();
        let truth = list.into_iter().map(|text| text.images).collect();
        texts.insert(source.to_owned(), Texts { items, truth, words });
    }
    Ok(TokenSet { images, texts })
}

/// The same of the pictures alone.
///
/// # Errors
/// As [`tokens`].
pub fn pictures(
    encoder: &CpuEncoder,
    samples: &[Sample],
    cache: &Path,
    tell: &Tell<'_>,
) -> Result<Items> {
    std::fs::create_dir_all(cache)
        .map_err(|source| Error::Io { path: cache.to_path_buf(), source })?;
    // What a picture's tokens are.
    let rows = std::iter::once("feature, patches");
    let key_of_images = key(encoder, rows.chain(samples.iter().map(|s| &*s.id)));
    cached(cache, "pictures", key_of_images, || {
        let mut found = Items::default();
        for some in samples.chunks(BATCH) {
            let pictures: Vec<_> = some
                .par_iter()
                .map(|sample| fitted(encoder, sample))
                .collect::<tuwen_files::Result<_>>()?;
            found.push(&encoder.image_tokens(&pictures)?);
            tell("pictures", found.len(), samples.len())?;
        }
        Ok(found)
    })
}

pub(crate) fn number(words: &str) -> u64 {
    let hash = blake3::hash(words.trim().to_lowercase().as_bytes());
    u64::from_le_bytes(*hash.as_bytes().first_chunk().expect("32 bytes"))
}

pub(crate) fn cached(
    folder: &Path,
    name: &str,
    key: [u8; 32],
    compute: impl FnOnce() -> Result<Items>,
) -> Result<Items> {
    let path = place(folder, name, &key);
    if let Some(found) = Items::read(&path, &key) {
        return Ok(found);
    }
    let found = compute()?;
    found.write(&path, &key)?;
    Ok(found)
}

fn place(folder: &Path, name: &str, key: &[u8; 32]) -> PathBuf {
    let digits: String = key[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    let plain = |c: char| if c.is_alphanumeric() || c == '-' { c } else { '_' };
    folder.join(format!("{}-{digits}.tokens", name.chars().map(plain).collect::<String>()))
}

/// Of the model and of what it looked at.
pub(crate) fn key<'s>(encoder: &CpuEncoder, items: impl Iterator<Item = &'s str>) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(encoder.fingerprint().as_bytes());
    for item in items {
        hasher.update(&(item.len() as u64).to_le_bytes()).update(item.as_bytes());
    }
    *hasher.finalize().as_bytes()
}
