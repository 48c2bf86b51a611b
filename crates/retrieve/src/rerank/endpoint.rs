//! Whoever answers rerank requests in the JSON of Cohere (<https://docs.cohere.com/reference/rerank>) and Jina
//! (<https://jina.ai/reranker>): `{query, documents, top_n}` in, `{results: [{index, relevance_score}]}` out. It is sent
//! captions, as it knows no pictures.

use serde::Deserialize;
use serde_json::json;

use super::{Asked, Candidate, Reranker, Scores};
use crate::{Error, Result};

/// Sends a body of JSON to an address and returns the answer's; who links this crate says how.
pub type Send = dyn Fn(&str, &[u8]) -> Result<Vec<u8>, String> + std::marker::Send + Sync;

/// An address that answers.
pub struct Endpoint {
    url: String,
    model: Option<String>,
    send: Box<Send>,
}

#[derive(Deserialize)]
struct Answer {
    results: Vec<One>,
}

#[derive(Deserialize)]
struct One {
    index: usize,
    relevance_score: f32,
}

impl Endpoint {
    /// `model` is named in each request where there is one.
    pub fn new(url: impl Into<String>, model: Option<String>, send: Box<Send>) -> Self {
        Self { url: url.into(), model, send }
    }

    fn error(&self, what: impl std::fmt::Display) -> Error {
        Error::Reranker { url: self.url.clone(), what: what.to_string() }
    }
}

impl Reranker for Endpoint {
    fn name(&self) -> String {
        self.url.clone()
    }

    fn score(&self, query: Asked<'_>, items: &[Candidate]) -> Result<Scores> {
        let told: Vec<usize> =
            (0..items.len()).filter(|&at| !document(&items[at]).is_empty()).collect();
        let mut values = vec![None; items.len()];
        let mut remarks = Vec::new();
        if told.len() < items.len() {
            remarks.push(format!(
                "{} of {} items have no caption for {} to read and stand behind the others",
                items.len() - told.len(),
                items.len(),
                self.url
            ));
        }
        if told.is_empty() {
            return Ok(Scores { values, remarks });
        }
        let documents: Vec<String> = told.iter().map(|&at| document(&items[at])).collect();
        let mut body = json!({
            "query": query.words,
            "documents": documents,
            "top_n": told.len(),
            "return_documents": false,
        });
        if let Some(model) = &self.model {
            body["model"] = json!(model);
        }
        let bytes = serde_json::to_vec(&body).map_err(|e| self.error(e))?;
        let answer = (self.send)(&self.url, &bytes).map_err(|e| self.error(e))?;
        let answer: Answer = serde_json::from_slice(&answer).map_err(|e| {
            self.error(format!(
                "its answer is none of a reranker (`results` of `index` and `relevance_score`): {e}"
            ))
        })?;
        for One { index, relevance_score } in answer.results {
            let Some(&at) = told.get(index) else {
                return Err(self.error(format!(
                    "its answer names the document {index} of {}: it counts from 0",
                    told.len()
                )));
            };
            if !relevance_score.is_finite() {
                return Err(self.error(format!("the document {index} has no number for a score")));
            }
            values[at] = Some(relevance_score);
        }
        Ok(Scores { values, remarks })
    }
}

/// What is said of an item: the words of a text, the captions of a picture.
fn document(candidate: &Candidate) -> String {
    candidate.item.text.clone().unwrap_or_else(|| candidate.captions.join("\n"))
}
