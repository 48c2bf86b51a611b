//! Which text describes which pictures: what an evaluation takes for true.
//!
//! In the field's sets a caption belongs to one picture, and two captions of the same words are two. In
//! MUGE and its kind a text has an id and several pictures: there it is one text, and one query.

use std::collections::{BTreeMap, HashMap};

use crate::Sample;

/// A text with the pictures that it describes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text<'s> {
    /// The words.
    pub words: &'s str,
    /// Its own id, where the set has such.
    pub id: Option<&'s str>,
    /// Positions of its pictures among the samples, in their order.
    pub images: Vec<usize>,
}

/// The texts of each source in the order in which they first appear.
///
/// Captions of several pictures are one text when they have the same id and the same words; an id that
/// stands for different words stands for different texts.
///
/// ```
/// use tuwen_sets::{Caption, ImageSource, Sample, relation};
///
/// let dog = Caption { id: Some("7".into()), ..Caption::new("a dog") };
/// let sample = |id: &str, captions| Sample {
///     id: id.into(),
///     image: ImageSource::File(id.into()),
///     captions,
///     split: None,
///     metadata: Default::default(),
/// };
/// let samples = [sample("a.jpg", vec![dog.clone()]), sample("b.jpg", vec![dog, Caption::new("snow")])];
/// let texts = &relation::texts(&samples)[&*samples[0].captions[0].source];
/// assert_eq!((texts[0].words, &texts[0].images[..]), ("a dog", &[0, 1][..]));
/// assert_eq!((texts[1].words, &texts[1].images[..]), ("snow", &[1][..]));
/// ```
pub fn texts(samples: &[Sample]) -> BTreeMap<&str, Vec<Text<'_>>> {
    let mut places: HashMap<(&str, &str, &str), usize> = HashMap::new();
    let mut found: BTreeMap<&str, Vec<Text<'_>>> = BTreeMap::new();
    for (at, sample) in samples.iter().enumerate() {
        for caption in &sample.captions {
            let texts = found.entry(&caption.source).or_default();
            let (words, id) = (caption.text.as_str(), caption.id.as_deref());
            let known =
                id.map(|id| *places.entry((&caption.source, id, words)).or_insert(texts.len()));
            match known.and_then(|place| texts.get_mut(place)) {
                Some(text) if text.images.last() != Some(&at) => text.images.push(at),
                Some(_) => {}
                None => texts.push(Text { words, id, images: vec![at] }),
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Caption, ImageSource};

    fn sample(id: &str, captions: &[(&str, Option<&str>)]) -> Sample {
        let caption = |(text, id): &(&str, Option<&str>)| Caption {
            text: (*text).into(),
            source: "a".into(),
            id: id.map(str::to_owned),
        };
        Sample {
            id: id.into(),
            image: ImageSource::File(id.into()),
            captions: captions.iter().map(caption).collect(),
            split: None,
            metadata: BTreeMap::new(),
        }
    }

    #[test]
    fn a_text_with_an_id_is_one_and_words_alone_are_not() {
        let samples = [
            sample("0", &[("red", Some("7")), ("dog", None)]),
            sample("1", &[("red", Some("7")), ("dog", None), ("red", Some("8"))]),
            sample("2", &[("blue", Some("7")), ("red", Some("7"))]),
        ];
        let texts = texts(&samples);
        let found: Vec<_> = texts["a"].iter().map(|t| (t.words, t.id, &t.images[..])).collect();
        let wanted: [(&str, Option<&str>, &[usize]); 5] = [
            ("red", Some("7"), &[0, 1, 2]),
            ("dog", None, &[0]),
            ("dog", None, &[1]),
            ("red", Some("8"), &[1]),
            ("blue", Some("7"), &[2]),
        ];
        assert_eq!(found, wanted);
    }
}
