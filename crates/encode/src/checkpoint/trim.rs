//! A model with a smaller vocabulary: of a Unigram tokenizer (SentencePiece's) with many pieces those that
//! given texts need, every single character, and the likeliest others. A word whose piece is gone is spelt by
//! shorter ones; texts whose pieces all stay have the same tokens as before, because the likeliest way to
//! cut them is still there.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use serde_json::Value;
use tuwen_text::token::{Cleaning, Tokens};

use super::TokenizerFile;
use crate::layers::Weights;
use crate::{Error, ModelConfig, Result};

/// The tables that have a row for each token.
const TABLES: [&str; 2] = ["text.token_embed.weight", "text.words.weight"];

/// The weights of fewer tokens, and the tokenizer that goes with them.
pub struct Trimmed<'w> {
    weights: &'w dyn Weights<'static>,
    config: ModelConfig,
    /// For each new token the old one.
    rows: Vec<usize>,
    tokenizer: Vec<u8>,
}

impl<'w> Trimmed<'w> {
    /// The same model with `wanted` tokens; those of `texts` stay.
    ///
    /// # Errors
    /// No Unigram tokenizer, or more tokens that must stay than are wanted.
    pub fn new<'t>(
        config: &ModelConfig,
        weights: &'w dyn Weights<'static>,
        tokenizer: &TokenizerFile,
        texts: impl Iterator<Item = &'t str>,
        wanted: usize,
    ) -> Result<Self> {
        let wrong = |what: String| Error::malformed(tokenizer.path(), what);
        let mut json: Value = serde_json::from_slice(&tokenizer.bytes()?)
            .map_err(|e| wrong(format!("no tokenizer.json: {e}")))?;
        let pieces = pieces(&json)
            .ok_or_else(|| wrong("only a Unigram tokenizer's vocabulary can be cut".into()))?;
        let mut kept = needed(config, &config.tokens(Some(tokenizer))?, texts)?;
        kept.extend(characters(config, &pieces));
        if kept.len() > wanted {
            return Err(wrong(format!(
                "{} tokens must stay (those of the texts and names, and every single character) and {wanted} \
                 are wanted: want more",
                kept.len()
            )));
        }
        let mut others: Vec<usize> = (0..pieces.len())
            .filter(|at| !kept.contains(at) && can_occur(config, &pieces[*at].0))
            .collect();
        others.sort_by(|&a, &b| pieces[b].1.total_cmp(&pieces[a].1).then(a.cmp(&b)));
        others.truncate(wanted - kept.len());
        let mut rows: Vec<usize> = kept.into_iter().chain(others).collect();
        rows.sort_unstable();

        let vocabulary = &mut json["model"]["vocab"];
        *vocabulary = rows.iter().map(|&row| vocabulary[row].clone()).collect();
        let places: HashMap<usize, usize> = rows.iter().copied().zip(0..).collect();
        let moved = |id: &u32| places[&(*id as usize)] as u32;
        let config = ModelConfig {
            vocab: rows.len(),
            prefix: config.prefix.iter().map(moved).collect(),
            ..config.clone()
        };
        let tokenizer = serde_json::to_vec(&json).expect("it was JSON");
        Ok(Self { weights, config, rows, tokenizer })
    }

    /// The architecture with the smaller vocabulary.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Its `tokenizer.json`.
    pub fn tokenizer(&self) -> &[u8] {
        &self.tokenizer
    }
}

/// Pieces with their log-probabilities, in the order of their ids.
fn pieces(json: &Value) -> Option<Vec<(String, f64)>> {
    let model = &json["model"];
    // Tokens beside the vocabulary would keep their numbers.
    let plain = json["added_tokens"].as_array().is_none_or(Vec::is_empty);
    let piece = |piece: &Value| Some((piece[0].as_str()?.to_owned(), piece[1].as_f64()?));
    (model["type"] == "Unigram" && plain)
        .then(|| model["vocab"].as_array()?.iter().map(piece).collect())
        .flatten()
}

/// The tokens of some texts, those around every text, and the unknown one.
fn needed<'t>(
    config: &ModelConfig,
    tokens: &Tokens,
    texts: impl Iterator<Item = &'t str>,
) -> Result<HashSet<usize>> {
    let mut kept: HashSet<usize> = config.prefix.iter().map(|&id| id as usize).collect();
    kept.extend(tokens.unknown().map(|id| id as usize));
    // What every text begins and ends with has the first numbers, and the padding between them.
    kept.extend(0..4);
    for text in texts {
        let (ids, _) = tokens.encode(text, config.context).map_err(Error::Data)?;
        kept.extend(ids.into_iter().map(|id| id as usize));
    }
    Ok(kept)
}

/// Pieces of one character, alone or at the beginning of a word.
fn characters(config: &ModelConfig, pieces: &[(String, f64)]) -> Vec<usize> {
    let is_one = |piece: &str| piece.trim_start_matches('▁').chars().count() <= 1;
    let all = pieces.iter().enumerate();
    all.filter(|(_, (piece, _))| is_one(piece) && can_occur(config, piece))
        .map(|(at, _)| at)
        .collect()
}

/// Whether a text can have the piece: where texts become lower case, none with a capital letter.
fn can_occur(config: &ModelConfig, piece: &str) -> bool {
    config.cleaning != Cleaning::Lower || piece.to_lowercase() == piece
}

impl Weights<'static> for Trimmed<'_> {
    fn find(&self, name: &str) -> Result<(Vec<usize>, Cow<'static, [f32]>)> {
        let (shape, values) = self.weights.find(name)?;
        let (true, &[_, width]) = (TABLES.contains(&name), &shape[..]) else {
            return Ok((shape, values));
        };
        let rows = self.rows.iter().flat_map(|&row| &values[row * width..][..width]);
        let values: Vec<f32> = rows.copied().collect();
        Ok((vec![self.rows.len(), width], Cow::Owned(values)))
    }
}
