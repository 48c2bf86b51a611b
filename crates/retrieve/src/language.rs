//! One line of text as a query, as people type it into a search box: `海滩 -people year:2020..2023 "birthday cake"`.
//!
//! | written | means |
//! |---|---|
//! | `dog on grass` | words |
//! | `-people`, `-"a crowd"`, `－人群` | keep that away |
//! | `2:红色` | a word that counts twice (0.1 to 10) |
//! | `"birthday cake"`, `“生日”` | words, and only items that have exactly these, side by side |
//! | `year:2020`, `width:>=2000`, `year:2020..2023`, `tag:狗,猫` | a field has that value, is in the range, is one of these |
//! | `-folder:backup` | the field has no such value |
//! | `before:2024-05`, `after:2020`, `ext:jpg`, `文件夹:旅行` | by date; other names of fields |
//! | `kind:text`, `image:17`, `image:dog.jpg` | captions instead of pictures; like item 17; like that file |
//! | `kind:fused` | pictures, each together with its texts |
//!
//! Only known fields filter; any other colon is text. Texts under evaluation never come through here.

mod pieces;
#[cfg(test)]
mod tests;

use tuwen_index::Modality;
use tuwen_index::filter::Filter;

use self::pieces::{Piece, condition, pieces};
use crate::{Error, Result};

/// Weights that a word may have.
const WEIGHTS: std::ops::RangeInclusive<f32> = 0.1..=10.0;

/// A line that was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    /// The words that count once, in their order.
    pub words: String,
    /// Words with weights of their own.
    pub weighted: Vec<(String, f32)>,
    /// What is not wanted.
    pub not: Vec<String>,
    /// What items must have as it stands.
    pub phrases: Vec<String>,
    /// Only items that this is true of.
    pub filter: Option<Filter>,
    /// What is to be found, where the line says so.
    pub modality: Option<Modality>,
    /// Items that the hits are like.
    pub like: Vec<i64>,
    /// Files of pictures that the hits are like.
    pub images: Vec<String>,
    /// What stands before a colon, is no field and looks like one, with that field: it was read as words.
    pub misspelt: Vec<(String, &'static str)>,
    /// What stands before a colon as a field does, and is like none: it was read as words too.
    pub unknown: Vec<String>,
}

impl Line {
    /// Reads a line.
    ///
    /// ```
    /// use tuwen_retrieve::language::Line;
    /// let line = Line::parse("a dog -people 2:红色 year:2020..2023 16:9")?;
    /// assert_eq!((&*line.words, &line.not[..]), ("a dog 16:9", &["people".to_owned()][..]));
    /// assert_eq!(line.weighted, [("红色".to_owned(), 2.0)]);
    /// assert!(line.filter.is_some());
    /// # Ok::<(), tuwen_retrieve::Error>(())
    /// ```
    ///
    /// # Errors
    /// A known field with a value that it cannot have.
    pub fn parse(text: &str) -> Result<Self> {
        let (mut line, mut words, mut conditions) = (Self::default(), Vec::new(), Vec::new());
        for piece in pieces(text) {
            if let Some(key) = &piece.key
                && line.keyed(key, &piece, &mut conditions)?
            {
                continue;
            }
            match piece.misspelt() {
                Some(slip) => line.misspelt.push(slip),
                None => line.unknown.extend(piece.unknown()),
            }
            let whole = match &piece.key {
                Some(key) => format!("{key}:{}", piece.value),
                None => piece.value.clone(),
            };
            match (piece.minus, piece.quoted && piece.key.is_none()) {
                (true, _) => line.not.push(whole),
                (false, true) => {
                    words.push(whole.clone());
                    line.phrases.push(whole);
                }
                (false, false) => words.push(whole),
            }
        }
        line.words = words.join(" ");
        if !conditions.is_empty() {
            let expression = conditions.join(" AND ");
            let filter = Filter::parse(&expression);
            line.filter = Some(filter.map_err(|error| Error::Usage(error.to_string()))?);
        }
        Ok(line)
    }

    /// Whether it is nothing but words.
    pub fn is_plain(&self) -> bool {
        let (words, misspelt) = (self.words.clone(), self.misspelt.clone());
        let unknown = self.unknown.clone();
        *self == Self { words, misspelt, unknown, ..Self::default() }
    }

    /// What was understood otherwise than it may have been meant.
    pub fn remarks(&self) -> impl Iterator<Item = String> {
        let misspelt = self.misspelt.iter().map(|(written, field)| {
            format!("`{written}:` is no field and was read as words: did you mean `{field}:`?")
        });
        let unknown = self.unknown.iter().map(|written| {
            format!("`{written}:` is no field of this language and was read as words; a `where` has any field")
        });
        misspelt.chain(unknown)
    }

    /// Takes a piece with a key, where the key is known.
    fn keyed(&mut self, key: &str, piece: &Piece, conditions: &mut Vec<String>) -> Result<bool> {
        let Piece { minus, value, quoted, .. } = piece;
        match key {
            "kind" | "类型" if !minus => {
                self.modality = Some(match value.as_str() {
                    "image" | "图" | "图片" => Modality::Image,
                    "text" | "文" | "文字" => Modality::Text,
                    "fused" | "图文" => Modality::Fused,
                    _ => {
                        let known = "it is `image`, `text` or `fused`";
                        return Err(Error::Usage(format!("kind:{value}: {known}")));
                    }
                });
                return Ok(true);
            }
            "image" | "like" if !minus && !value.is_empty() => {
                match value.parse() {
                    Ok(id) if !quoted => self.like.push(id),
                    _ => self.images.push(value.clone()),
                }
                return Ok(true);
            }
            _ => {}
        }
        if let Ok(weight) = key.parse::<f32>()
            && WEIGHTS.contains(&weight)
            && !minus
            && !value.is_empty()
            && !value.chars().all(|c| c.is_ascii_digit())
        {
            self.weighted.push((value.clone(), weight));
            return Ok(true);
        }
        let Some(condition) = condition(key, value, *quoted) else { return Ok(false) };
        conditions.push(if *minus { format!("NOT {condition}") } else { condition });
        Ok(true)
    }
}
