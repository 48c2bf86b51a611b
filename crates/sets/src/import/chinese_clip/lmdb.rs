//! `imgs` (id to base64, and `num_images`) and `pairs` (running number to the pickle of
//! `(image_id, text_id, text)`, and `num_samples`).

use std::collections::{HashMap, VecDeque};
use std::path::Path;

use super::super::lmdb::Lmdb;
use super::Content;
use crate::{Caption, ImageSource};
use tuwen_files::pickle::{self, Value};
use tuwen_files::{Error, Result};

pub(super) fn open(folder: &Path) -> Result<Content> {
    let images = Lmdb::open(&folder.join("imgs"))?;
    let pairs = Lmdb::open(&folder.join("pairs"))?;
    let texts = pairs.path().to_path_buf();
    let (captions, errors) = read_pairs(pairs);
    let pictures = Box::new(Pictures { images, found: 0, promised: None });
    Ok(Content { pictures, captions, errors, texts })
}

/// The captions by picture, in the order in which they were written.
fn read_pairs(mut pairs: Lmdb) -> (HashMap<String, Vec<Caption>>, VecDeque<Error>) {
    let (mut found, mut errors, mut promised) = (Vec::new(), VecDeque::new(), None);
    let path = pairs.path().to_path_buf();
    while let Some(entry) = pairs.next() {
        let read = entry.and_then(|(key, place)| {
            let (key, value) = (String::from_utf8_lossy(&key).into_owned(), pairs.value(place)?);
            if key == "num_samples" {
                promised = count(&value);
                return Ok(());
            }
            let pair = pair(&value);
            let (image, caption) =
                pair.map_err(|e| Error::data_set(&path, format!("the pair `{key}`: {e}")))?;
            // Keys are in the order of their bytes, "10" before "2".
            found.push((key.parse().unwrap_or(u64::MAX), image, caption));
            Ok(())
        });
        errors.extend(read.err());
    }
    errors.extend(short(&path, found.len(), promised, "pairs"));
    found.sort_by_key(|(number, ..)| *number);
    let mut captions = HashMap::<String, Vec<Caption>>::new();
    for (_, image, caption) in found {
        captions.entry(image).or_default().push(caption);
    }
    (captions, errors)
}

fn pair(pickled: &[u8]) -> Result<(String, Caption), String> {
    let Value::Tuple(parts) = pickle::parse(pickled)? else {
        return Err("it is no tuple".into());
    };
    let [image, text, Value::Str(words)] = &parts[..] else {
        return Err("it is no (image_id, text_id, text)".into());
    };
    let id = |value: &Value| match value {
        Value::Int(number) => Ok(number.to_string()),
        Value::Str(name) => Ok(name.to_string()),
        _ => Err("an id that is neither a number nor a text"),
    };
    Ok((id(image)?, Caption { id: Some(id(text)?), ..Caption::new(&**words) }))
}

struct Pictures {
    images: Lmdb,
    found: usize,
    promised: Option<usize>,
}

impl Iterator for Pictures {
    type Item = Result<(String, ImageSource)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (key, place) = match self.images.next() {
                Some(Ok(entry)) => entry,
                Some(Err(error)) => return Some(Err(error)),
                None => {
                    let promised = self.promised.take();
                    return short(self.images.path(), self.found, promised, "pictures").map(Err);
                }
            };
            if key == b"num_images" {
                self.promised = self.images.value(place).ok().and_then(|value| count(&value));
                continue;
            }
            self.found += 1;
            let path = self.images.path().to_path_buf();
            let image = ImageSource::Base64 { path, offset: place.offset, len: place.len };
            return Some(Ok((String::from_utf8_lossy(&key).into_owned(), image)));
        }
    }
}

fn count(value: &[u8]) -> Option<usize> {
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

/// Fewer entries than the file promises.
fn short(path: &Path, found: usize, promised: Option<usize>, what: &str) -> Option<Error> {
    let promised = promised.filter(|&promised| promised != found)?;
    Some(Error::data_set(path, format!("it promises {promised} {what} and has {found}")))
}
