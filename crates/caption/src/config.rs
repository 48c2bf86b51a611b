//! What a decoder is, as JSON that is read strictly: the shape of its network, and its words.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The token that stands before the first word, where it says which language is spoken, and behind the last one.
pub const BEGIN: usize = 0;
/// The token of all words that the decoder has no token for. It reads it and never says it.
pub const UNKNOWN: usize = 1;
/// Tokens before the first word's.
pub const RESERVED: usize = 2;
/// More words, blocks or width than any decoder of this kind has; what is beyond is a damaged file.
const MOST: usize = 1 << 20;

/// A decoder over the rows of one model's image tower.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecoderConfig {
    /// A name for people.
    pub name: String,
    /// Fingerprint of the model whose rows it knows.
    pub model: String,
    /// Rows of a picture, P: its pooled feature and its patches.
    pub rows: usize,
    /// Values of a row as the tower gives it.
    pub row_width: usize,
    /// W.
    pub width: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Heads of both kinds of attention.
    pub heads: usize,
    /// Width of the MLPs.
    pub mlp: usize,
    /// Longest caption in words.
    pub longest: usize,
    /// What it speaks.
    pub languages: Vec<Language>,
}

/// The words of a language.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Language {
    /// Such as `en`.
    pub name: String,
    /// Whether words are written with spaces between them.
    pub spaces: bool,
    /// The words; the first one's token is [`RESERVED`].
    pub words: Vec<String>,
}

impl Language {
    /// V: words and reserved tokens.
    pub fn tokens(&self) -> usize {
        self.words.len() + RESERVED
    }

    /// The token of each word.
    pub fn ids(&self) -> HashMap<&str, usize> {
        self.words.iter().enumerate().map(|(at, word)| (&**word, at + RESERVED)).collect()
    }

    /// Tokens as people write them: what the PTB rules parted (`n't`, `'s`) together again, Chinese without spaces but
    /// between letters. Tokens that stand for no word are left out.
    pub fn write(&self, tokens: &[usize]) -> String {
        let mut text = String::new();
        for &token in tokens {
            let Some(word) = token.checked_sub(RESERVED).and_then(|at| self.words.get(at)) else {
                continue;
            };
            let spaced = match self.spaces {
                true => !(word.starts_with('\'') || word == "n't"),
                false => text.ends_with(is_letter) && word.starts_with(is_letter),
            };
            if spaced && !text.is_empty() {
                text.push(' ');
            }
            text.push_str(word);
        }
        text
    }
}

/// A letter or digit of a script that parts words with spaces.
fn is_letter(c: char) -> bool {
    c.is_alphanumeric() && (c as u32) < 0x2e80
}

impl DecoderConfig {
    /// Reads it.
    ///
    /// # Errors
    /// It is no such JSON, or describes what cannot be.
    pub fn parse(json: &str) -> Result<Self> {
        let config: Self = serde_json::from_str(json)
            .map_err(|e| Error::Config(format!("the decoder's configuration: {e}")))?;
        config.check()?;
        Ok(config)
    }

    /// Whether such a decoder can be.
    ///
    /// # Errors
    /// What cannot.
    pub fn check(&self) -> Result<()> {
        let Self { rows, row_width, width, layers, heads, mlp, longest, .. } = *self;
        let numbers = [rows, row_width, width, layers, heads, mlp, longest];
        if numbers.contains(&0) || numbers.iter().any(|&n| n > MOST) || width % heads.max(1) != 0 {
            return Err(Error::Config(format!(
                "a decoder of width {width} with {heads} heads, {layers} blocks, MLPs of {mlp}, at most {longest} words \
                 and {rows} rows of {row_width} values: each is at least 1 and at most {MOST}, and the heads divide \
                 the width"
            )));
        }
        let mut names = HashSet::new();
        for Language { name, words, .. } in &self.languages {
            let different: HashSet<&String> = words.iter().collect();
            let fault = match () {
                () if !names.insert(name) => "is there twice",
                () if words.is_empty() => "has no words",
                () if different.len() != words.len() => "has a word twice",
                () if words.len() > MOST || words.iter().any(|word| word.trim().is_empty()) => {
                    "has too many words, or an empty one"
                }
                () => continue,
            };
            return Err(Error::Config(format!("the decoder's language `{name}` {fault}")));
        }
        match self.languages.is_empty() {
            true => Err(Error::Config("the decoder has no language".into())),
            false => Ok(()),
        }
    }

    /// The place of a language.
    ///
    /// # Errors
    /// It is not spoken: which are.
    pub fn language(&self, name: &str) -> Result<usize> {
        let found = self.languages.iter().position(|language| language.name == name);
        found.ok_or_else(|| Error::Language {
            name: self.name.clone(),
            language: name.to_owned(),
            known: self.languages.iter().map(|l| &*l.name).collect::<Vec<_>>().join(", "),
        })
    }

    /// Name and shape of every weight.
    pub fn weight_shapes(&self) -> Vec<(String, Vec<usize>)> {
        let width = self.width;
        let mut all = vec![
            ("row.mean".to_owned(), vec![self.row_width]),
            ("row.deviation".to_owned(), vec![self.row_width]),
            ("row.places".to_owned(), vec![self.rows, width]),
            // One more for the token before the first word.
            ("places".to_owned(), vec![self.longest + 1, width]),
        ];
        let mut affine = |name: &str, out: usize, wide: usize| {
            all.push((format!("{name}.weight"), vec![out, wide]));
            all.push((format!("{name}.bias"), vec![out]));
        };
        affine("row.proj", width, self.row_width);
        for layer in 0..self.layers {
            affine(&format!("blocks.{layer}.qkv"), 3 * width, width);
            affine(&format!("blocks.{layer}.proj"), width, width);
            affine(&format!("blocks.{layer}.ask"), width, width);
            affine(&format!("blocks.{layer}.seen"), 2 * width, width);
            affine(&format!("blocks.{layer}.told"), width, width);
            affine(&format!("blocks.{layer}.fc1"), self.mlp, width);
            affine(&format!("blocks.{layer}.fc2"), width, self.mlp);
        }
        for language in &self.languages {
            all.push((format!("words.{}.weight", language.name), vec![language.tokens(), width]));
            all.push((format!("words.{}.bias", language.name), vec![language.tokens()]));
        }
        let norms = (0..self.layers)
            .flat_map(|layer| [1, 2, 3].map(|norm| format!("blocks.{layer}.norm{norm}")));
        for name in norms.chain(["norm".to_owned(), "row.norm".to_owned()]) {
            all.push((format!("{name}.weight"), vec![width]));
            all.push((format!("{name}.bias"), vec![width]));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn language(spaces: bool, words: &[&str]) -> Language {
        Language {
            name: "x".into(),
            spaces,
            words: words.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn words_are_written_as_people_write_them() {
        let english = language(true, &["a", "man", "'s", "dog", "ca", "n't", "run"]);
        assert_eq!(english.write(&[2, 3, 4, 5, 6, 7, 8]), "a man's dog can't run");
        assert_eq!(english.write(&[UNKNOWN, 2, BEGIN, 99]), "a");
        let chinese = language(false, &["穿", "t", "恤", "的", "nike", "2"]);
        assert_eq!(chinese.write(&[2, 3, 4, 5]), "穿t恤的");
        assert_eq!(chinese.write(&[6, 7, 5]), "nike 2的");
    }
}
