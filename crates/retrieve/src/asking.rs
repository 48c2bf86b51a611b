//! Questions about a picture, as far as a dual encoder can answer them: is a statement true of it, and which of some
//! choices is.
//!
//! A statement's cosine with the picture is compared with those of 200 names of things (those of
//! [`Calibration::background`]), most of which no picture shows. How many deviations it is above their mean, and how many words
//! it has, say how probable it is: long statements reach more than a single word. The curve is a logistic regression over captions of
//! Flickr8k's validation photos, whole and cut after 2 to 12 words, their own and another photo's, and over 16 names of
//! things, with the built-in model; `tuwen eval ask` says how often it is right.

use tuwen_encode::{CpuEncoder, Encoder};
use tuwen_index::exact;

use tuwen_text::simplify;

use crate::{Calibration, Error, Result};

/// What a deviation adds to the logarithm of the odds, what the logarithm of the number of words does, and what there
/// is without either.
const CURVE: [f32; 3] = [1.457, -0.928, -1.130];
/// Chinese characters of a word, on the average.
const HAN_WORD: f32 = 1.7;

/// What English questions of yes or no begin with, the longest first where one begins with another.
const BEGINNINGS: [&str; 24] = [
    "is there anything like ",
    "are there any ",
    "are there some ",
    "are there ",
    "is there any ",
    "is there an ",
    "is there a ",
    "is there ",
    "does the picture show ",
    "does this picture show ",
    "does it show ",
    "can you see ",
    "can we see ",
    "do you see ",
    "is it ",
    "is this ",
    "is that ",
    "are these ",
    "are those ",
    "is ",
    "are ",
    "does ",
    "do ",
    "has ",
];
/// What may stand before any question.
const JOINED: [&str; 4] = ["and ", "but ", "so ", "or "];
/// Where a thing is does not say what it is.
const ENDS: [&str; 8] = [
    " in the picture",
    " in this picture",
    " in the photo",
    " in this photo",
    " in the image",
    " in this image",
    " in it",
    " here",
];
/// The same of Chinese.
const HAN_PLACES: [&str; 18] = [
    "这张图片里",
    "这张图片中",
    "这张照片里",
    "这张照片中",
    "这张图里",
    "这张图中",
    "图片里面",
    "图片里",
    "图片中",
    "照片里",
    "照片上",
    "照片中",
    "画面里",
    "画面中",
    "图里",
    "图中",
    "这里",
    "那",
];
const HAN_BEGINNINGS: [&str; 12] = [
    "有没有",
    "是不是",
    "是否有",
    "是否",
    "能不能看到",
    "能看到",
    "能看见",
    "看得到",
    "可以看到",
    "存在",
    "有",
    "是",
];
const HAN_ENDS: [&str; 8] = ["吗", "么", "呢", "吧", "没有", "在图里", "在图片里", "在照片里"];
/// Words that ask for more than yes or no.
const OPEN: [&str; 9] = ["what", "who", "whose", "whom", "where", "when", "why", "which", "how"];
const HAN_OPEN: [&str; 15] = [
    "什么",
    "谁",
    "哪",
    "怎么",
    "怎样",
    "为什么",
    "几个",
    "几只",
    "几",
    "多少",
    "何时",
    "如何",
    "描述",
    "介绍",
    "说说",
];
/// What orders begin with.
const TELL: [&str; 6] = ["describe", "tell", "show", "list", "name", "explain"];
/// What is left out of a question whose choices are given, besides [`OPEN`].
const SMALL: [&str; 17] = [
    "is", "are", "does", "do", "the", "a", "an", "this", "that", "it", "of", "kind", "picture",
    "photo", "in", "there", "many",
];

/// Why a question has no answer of yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswerable {
    /// It asks what, who, where, or for a description.
    #[error(
        "it wants more than yes or no, which a dual encoder cannot say: give --choices, or --endpoint with a model that talks"
    )]
    Open,
    /// It asks which of two.
    #[error("it asks for one of several: give --choices")]
    Either,
    /// It asks for what is not there.
    #[error("what is not there looks to a dual encoder like what is: ask whether it is there")]
    Negated,
    /// It is several questions.
    #[error("it is more than one question: ask one question at a time")]
    Several,
}

/// What a question says if it is answered with yes.
///
/// # Errors
/// It asks for something else.
///
/// ```
/// use tuwen_retrieve::asking::{Unanswerable, statement};
///
/// assert_eq!(statement("Is there a dog in the picture?").as_deref(), Ok("a dog"));
/// assert_eq!(statement("图里有没有狗？").as_deref(), Ok("狗"));
/// assert_eq!(statement("what is it?"), Err(Unanswerable::Open));
/// ```
pub fn statement(question: &str) -> Result<String, Unanswerable> {
    let question = simplify(question);
    let plain = question.trim().trim_end_matches(['?', '？', '.', '。', '!', '！', ' ']);
    if plain.contains(['?', '？']) {
        return Err(Unanswerable::Several);
    }
    let lower = plain.to_lowercase();
    // `what's` and `isn't` too.
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).collect();
    let has = |all: &[&str]| words.iter().any(|word| all.contains(word));
    let is_open = has(&OPEN)
        || words.first().is_some_and(|first| TELL.contains(first))
        || HAN_OPEN.iter().any(|word| plain.contains(word));
    if is_open {
        return Err(Unanswerable::Open);
    }
    if has(&["or"]) || plain.contains("还是") {
        return Err(Unanswerable::Either);
    }
    let stripped = if has_han(plain) { han_statement(plain) } else { english_statement(plain) };
    let negated = has(&["no", "not", "without", "never"])
        || lower.contains("n't")
        || ["没", "不是", "不在"].iter().any(|word| stripped.contains(word));
    match (negated, stripped.is_empty()) {
        (true, _) => Err(Unanswerable::Negated),
        (_, true) => Err(Unanswerable::Open),
        _ => Ok(stripped),
    }
}

fn has_han(text: &str) -> bool {
    text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
}

/// How many words a text has, at least one.
pub(crate) fn words(statement: &str) -> f32 {
    let han = |c: &char| ('\u{4e00}'..='\u{9fff}').contains(c);
    let others =
        statement.split(|c: char| c.is_whitespace() || han(&c)).filter(|word| !word.is_empty());
    (statement.chars().filter(han).count() as f32 / HAN_WORD + others.count() as f32).max(1.0)
}

fn english_statement(plain: &str) -> String {
    let lower = plain.to_lowercase();
    let joined = JOINED.iter().find_map(|word| lower.strip_prefix(word)).unwrap_or(&lower);
    let begins = BEGINNINGS.iter().find(|beginning| joined.starts_with(*beginning));
    let article = match begins {
        Some(&"is there a ") => "a ",
        Some(&"is there an ") => "an ",
        _ => "",
    };
    let rest = joined.strip_prefix(begins.copied().unwrap_or_default()).unwrap_or(joined);
    let rest = ENDS.iter().find_map(|end| rest.strip_suffix(end)).unwrap_or(rest);
    format!("{article}{}", rest.trim())
}

fn han_statement(plain: &str) -> String {
    let mut rest = plain;
    for places in [&HAN_PLACES[..], &HAN_BEGINNINGS[..]] {
        rest = places.iter().find_map(|word| rest.strip_prefix(word)).unwrap_or(rest).trim_start();
    }
    for _ in 0..2 {
        rest = HAN_ENDS.iter().find_map(|end| rest.strip_suffix(end)).unwrap_or(rest).trim_end();
    }
    rest.to_owned()
}

/// What a question is about, without the words that ask.
fn about(question: &str) -> String {
    let plain = question.trim().trim_end_matches(['?', '？', ' ']);
    if has_han(plain) {
        let mut rest =
            HAN_PLACES.iter().find_map(|p| plain.strip_prefix(p)).unwrap_or(plain).to_owned();
        HAN_OPEN.iter().chain(&["是", "的", "颜色"]).for_each(|word| rest = rest.replace(word, ""));
        return rest;
    }
    let asks = |word: &&str| {
        let word = word.to_lowercase();
        !OPEN.contains(&&*word) && !SMALL.contains(&&*word)
    };
    plain.split_whitespace().filter(asks).collect::<Vec<_>>().join(" ")
}

/// Whether a statement is true of a picture.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Verdict {
    /// What was compared with the picture.
    pub statement: String,
    /// Whether it is more probable than not.
    pub yes: bool,
    /// How probable it is.
    pub probability: f32,
    /// Deviations above what names of things reach.
    pub z: f32,
}

/// One of the choices.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Choice {
    /// As it was given.
    pub choice: String,
    /// Its share among all of them.
    pub probability: f32,
}

/// Answers by a dual encoder.
pub struct Asker<'a> {
    encoder: &'a CpuEncoder,
    /// (B, D).
    names: Vec<f32>,
}

impl<'a> Asker<'a> {
    /// Embeds the names that statements are compared with.
    ///
    /// # Errors
    /// The model cannot be read.
    pub fn new(encoder: &'a CpuEncoder) -> Result<Self> {
        let names = Calibration::background();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let names = encoder.encode_texts(&names)?;
        Ok(Self { encoder, names })
    }

    /// How probable it is that a statement is true of a picture, by their vectors (D), and the deviations above the
    /// names' mean.
    pub fn fits(&self, picture: &[f32], statement: &str, vector: &[f32]) -> [f32; 2] {
        let scores: Vec<f32> = self
            .names
            .chunks_exact(picture.len())
            .map(|name| exact::score(name, picture))
            .collect();
        let count = scores.len() as f32;
        let mean = scores.iter().sum::<f32>() / count;
        let variance = scores.iter().map(|score| (score - mean).powi(2)).sum::<f32>() / count;
        let z = (exact::score(vector, picture) - mean) / variance.sqrt().max(1e-6);
        let [by_z, by_words, without] = CURVE;
        let odds = by_z * z + by_words * words(statement).ln() + without;
        [1.0 / (1.0 + (-odds).exp()), z]
    }

    /// Answers a question of yes or no; `picture` is the picture's vector (D).
    ///
    /// # Errors
    /// It asks for more than yes or no; the text cannot be embedded.
    pub fn yes_or_no(&self, picture: &[f32], question: &str) -> Result<Verdict> {
        let statement = statement(question)
            .map_err(|why| Error::Usage(format!("`{}`: {why}", question.trim())))?;
        let vector = self.encoder.encode_texts(&[&statement])?;
        let [probability, z] = self.fits(picture, &statement, &vector);
        Ok(Verdict { statement, yes: probability >= 0.5, probability, z })
    }

    /// The choices, the most probable first: each is compared by itself and behind what the question is about.
    ///
    /// # Errors
    /// Fewer than two choices; they cannot be embedded.
    pub fn choose(
        &self,
        picture: &[f32],
        question: &str,
        choices: &[String],
    ) -> Result<Vec<Choice>> {
        if choices.len() < 2 || choices.iter().any(|choice| choice.trim().is_empty()) {
            let what = "--choices: give two or more, with a comma between";
            return Err(Error::Usage(what.into()));
        }
        let twice = |(at, choice): &(usize, &String)| choices[..*at].contains(choice);
        if let Some((_, choice)) = choices.iter().enumerate().find(twice) {
            let what = format!("--choices: `{choice}` is there twice: give each once");
            return Err(Error::Usage(what));
        }
        let about = about(question);
        let gap = if has_han(&about) { "" } else { " " };
        let mut texts: Vec<String> = choices.to_vec();
        if !about.is_empty() {
            texts.extend(choices.iter().map(|choice| format!("{about}{gap}{choice}")));
        }
        let vectors =
            self.encoder.encode_texts(&texts.iter().map(String::as_str).collect::<Vec<_>>())?;
        let mut scores = vec![0.0; choices.len()];
        let ways = (texts.len() / choices.len()) as f32;
        for (at, vector) in vectors.chunks_exact(picture.len()).enumerate() {
            scores[at % choices.len()] += exact::score(vector, picture) / ways;
        }
        let best = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let (scale, _) = self.encoder.logits()?;
        let shares: Vec<f32> = scores.iter().map(|score| (scale * (score - best)).exp()).collect();
        let sum: f32 = shares.iter().sum();
        let mut found: Vec<Choice> = choices
            .iter()
            .zip(shares)
            .map(|(choice, share)| Choice { choice: choice.clone(), probability: share / sum })
            .collect();
        found.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_become_statements() {
        let wanted = [
            ("Is there a dog in the picture?", "a dog"),
            ("Are there any people here", "people"),
            ("is the dog running?", "the dog running"),
            ("And a cat?", "a cat"),
            ("a red car", "a red car"),
            ("圖裡有沒有狗", "狗"),
            ("有狗没有", "狗"),
            ("图片里有狗吗？", "狗"),
            ("这张照片中有没有人在跑步？", "人在跑步"),
            ("是不是在下雪？", "在下雪"),
            ("那猫呢？", "猫"),
            ("草地上有一只狗", "草地上有一只狗"),
        ];
        for (question, told) in wanted {
            assert_eq!(statement(question).as_deref(), Ok(told), "{question}");
        }
        for open in
            ["What is it?", "how many dogs are there?", "这是什么？", "有几只狗？", "?", "有没有"]
        {
            assert_eq!(statement(open), Err(Unanswerable::Open), "{open}");
        }
        assert_eq!(
            ["a dog", "狗", "", "两只狗 red"].map(words),
            [2.0, 1.0, 1.0, 3.0 / HAN_WORD + 1.0]
        );
        assert_eq!(about("What colour is the shirt?"), "colour shirt");
        assert_eq!(about("图里是什么动物？"), "动物");
    }
}
