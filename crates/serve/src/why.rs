//! Why a hit was found, as far as words tell: which words of the query stand in its captions, its name and its tags, as
//! full text finds them, and which of its captions is nearest to the query; of a picture without captions what is said of the
//! picture that is most like it.

use schemars::JsonSchema;
use serde::Serialize;
use tuwen_index::filter::Value;
use tuwen_index::{Gallery, Item, Modality};
use tuwen_retrieve::Engine;
use tuwen_text::{fold, for_phrase, for_query};

use crate::alike::vectors_of;
use crate::problem::Problem;
use crate::shelf::Open;

/// Words that stand in every sentence, and so explain nothing; as full text folds them.
const USUAL: &str = " a an the of on in at to by for from with and or is are be it its this that there \
    的 了 着 在 和 与 及 是 有 被 把 上 里 中 这 那 一 一个 一只 一张 一名 一位 ";

/// Why a hit may be what was asked for.
#[derive(Default, JsonSchema, Serialize)]
pub(crate) struct Why {
    /// Words of the query that the item has, in the query's order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<Word>,
    /// Of the picture's own captions the one nearest to the query.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caption: Option<Said>,
    /// Of a picture without captions the nearest caption that another one has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub near: Option<Near>,
}

/// A word of the query, and where the item has it.
#[derive(Debug, JsonSchema, PartialEq, Serialize)]
#[schemars(rename = "WordFound")]
pub(crate) struct Word {
    /// As it stands in the query.
    word: String,
    r#in: Vec<Place>,
}

/// Where a word stands.
#[derive(Clone, Copy, Debug, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Place {
    /// What a text says.
    Text,
    /// A caption of a picture.
    Caption,
    /// The file's name.
    Name,
    /// A tag.
    Tag,
}

/// A caption of the picture.
#[derive(Clone, JsonSchema, Serialize)]
#[schemars(rename = "NearestCaption")]
pub(crate) struct Said {
    pub id: i64,
    pub text: String,
    /// Its cosine with the query.
    pub score: f32,
}

/// A text of the gallery that is no caption of the picture, but near to it.
#[derive(Clone, JsonSchema, Serialize)]
#[schemars(rename = "NearCaption")]
pub(crate) struct Near {
    id: i64,
    text: String,
    /// The picture that it is a caption of, if it is of one.
    owner: Option<i64>,
    /// The cosine with the picture.
    score: f32,
}

impl Why {
    pub fn is_empty(&self) -> bool {
        self.words.is_empty() && self.caption.is_none() && self.near.is_none()
    }
}

/// The words that somebody asked for.
#[derive(Clone, Default)]
pub(crate) struct Asked(Vec<AskedWord>);

#[derive(Clone)]
struct AskedWord {
    /// As it was written.
    shown: String,
    /// Signs that stand side by side where it is found: its own, and those of its other forms.
    phrases: Vec<Vec<String>>,
}

impl Asked {
    /// The words of a query that say something.
    pub fn of(query: &str) -> Self {
        let written = Written::new(query);
        let telling = for_query(query).words.into_iter().filter_map(|word| {
            let folded = word.phrases.first()?.concat();
            let is_usual = USUAL.contains(&format!(" {folded} "));
            (!is_usual).then(|| AskedWord { shown: written.of(folded), phrases: word.phrases })
        });
        Self(telling.collect())
    }

    /// Whether an item of the gallery has all of them: then something matches, whatever the scores say. Blocks.
    pub fn are_written(&self, engine: &Engine, modality: Modality) -> Result<bool, Problem> {
        let words: Vec<&str> = self.0.iter().map(|word| word.shown.as_str()).collect();
        Ok(!words.is_empty() && engine.has_words(&words.join(" "), modality)?)
    }

    /// Which of them stand in an item, and where. Blocks where tags have to be read.
    pub fn in_item(
        &self,
        gallery: &Gallery,
        item: &Item,
        captions: &[Item],
        name: &str,
    ) -> Result<Vec<Word>, Problem> {
        if self.0.is_empty() {
            return Ok(Vec::new());
        }
        let mut texts: Vec<(Place, String)> = Vec::new();
        texts.extend(item.text.iter().map(|text| (Place::Text, text.clone())));
        let captions = captions.iter().filter_map(|caption| caption.text.clone());
        texts.extend(captions.map(|text| (Place::Caption, text)));
        texts.push((Place::Name, name.to_owned()));
        match gallery.fields_of(item.id) {
            Ok(fields) => {
                for field in fields.iter().filter(|field| field.name == "tag") {
                    if let Value::Text(tag) = &field.value {
                        texts.push((Place::Tag, tag.clone()));
                    }
                }
            }
            // A gallery of an older program has none.
            Err(tuwen_index::Error::Undescribed(_)) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(self.in_texts(&texts))
    }

    fn in_texts(&self, texts: &[(Place, String)]) -> Vec<Word> {
        let signs = texts.iter().map(|(place, text)| (*place, for_phrase(text)));
        let signs: Vec<(Place, Vec<String>)> = signs.collect();
        let word = |AskedWord { shown, phrases }: &AskedWord| {
            let mut places: Vec<Place> = Vec::new();
            for (place, signs) in &signs {
                let stands =
                    |phrase: &Vec<String>| signs.windows(phrase.len()).any(|w| w == phrase);
                if !places.contains(place) && phrases.iter().any(stands) {
                    places.push(*place);
                }
            }
            (!places.is_empty()).then(|| Word { word: shown.clone(), r#in: places })
        };
        self.0.iter().filter_map(word).collect()
    }
}

/// A text and its folded form, so that words of this are found in that.
struct Written<'a> {
    text: &'a str,
    folded: String,
    /// For each byte of the folded form where the sign begins that it comes from; then where the text ends.
    places: Vec<usize>,
}

impl<'a> Written<'a> {
    fn new(text: &'a str) -> Self {
        let (mut folded, mut places) = (String::new(), Vec::new());
        for (at, c) in text.char_indices() {
            folded += &fold(c.encode_utf8(&mut [0; 4]));
            places.resize(folded.len(), at);
        }
        places.push(text.len());
        Self { text, folded, places }
    }

    /// A word as it was written; itself where that cannot be told.
    fn of(&self, word: String) -> String {
        let Some(from) = self.folded.find(&word) else { return word };
        let written = &self.text[self.places[from]..self.places[from + word.len()]];
        if written.is_empty() { word } else { written.to_owned() }
    }
}

/// For each picture the `k` texts of the gallery that are nearest to it, the nearest first. Blocks.
pub(crate) fn near(open: &Open, pictures: &[i64], k: usize) -> Result<Vec<Vec<Near>>, Problem> {
    let texts = open.engine.vectors(Modality::Text)?;
    if pictures.is_empty() || texts.is_empty() {
        return Ok(vec![Vec::new(); pictures.len()]);
    }
    let vectors = vectors_of(open, pictures)?;
    let found = texts.search_all(&vectors, k, None)?;
    let gallery = open.aside();
    let read = |hit: &tuwen_index::Hit| {
        let Some(item) = gallery.item(hit.id as i64)? else { return Ok(None) };
        let Item { id, text: Some(text), owner, .. } = item else { return Ok(None) };
        Ok(Some(Near { id, text, owner, score: hit.score }))
    };
    let of_picture = |hits: Vec<tuwen_index::Hit>| {
        hits.iter().filter_map(|hit| read(hit).transpose()).collect::<Result<Vec<_>, Problem>>()
    };
    found.into_iter().map(of_picture).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(query: &str, texts: &[(Place, &str)]) -> Vec<(String, Vec<Place>)> {
        let texts: Vec<_> = texts.iter().map(|&(place, text)| (place, text.to_owned())).collect();
        let found = Asked::of(query).in_texts(&texts);
        found.into_iter().map(|Word { word, r#in }| (word, r#in)).collect()
    }

    #[test]
    fn words_are_found_in_every_form_and_shown_as_they_were_written() {
        use Place::{Caption, Name, Tag, Text};
        let texts = [
            (Caption, "A brown dog runs."),
            (Caption, "一只棕色的狗在草地上奔跑"),
            (Name, "IMG_dogs_2020.jpg"),
            (Tag, "été"),
        ];
        let dogs = ("Dogs".to_owned(), vec![Caption, Name]);
        assert_eq!(words("the Dogs in a city", &texts), [dogs]);
        let chinese = words("棕色 狗 貓 草地", &texts);
        assert_eq!(
            chinese.iter().map(|(word, _)| word.as_str()).collect::<Vec<_>>(),
            ["棕色", "狗", "草地"]
        );
        let traditional = words("綠色的草地", &[(Text, "绿色的草地")]);
        assert_eq!(traditional[0], ("綠色".to_owned(), vec![Text]));
        assert_eq!(words("E\u{301}te\u{301}", &texts), [("E\u{301}te\u{301}".into(), vec![Tag])]);
        assert!(words("do cat", &texts).is_empty(), "a part of a word is none");
        assert!(words("the of 的", &[(Text, "the end of 的")]).is_empty(), "they explain nothing");
    }
}
