//! Translation by a model that talks.

use anyhow::{Error, Result, anyhow};
use serde_json::json;

use crate::chat::{Chat, short};

/// Translates texts.
pub struct Translator {
    chat: Chat,
    language: String,
}

impl Translator {
    /// `language` is a name that the model understands.
    pub fn new(chat: Chat, language: &str) -> Self {
        Self { chat, language: language.to_owned() }
    }

    /// As many texts as are given, in their order.
    ///
    /// # Errors
    /// The server does not answer, refuses, or gives something else than translations.
    pub fn translate(&self, texts: &[String]) -> Result<Vec<String>> {
        let answer = self.ask(texts)?;
        let found = strings(&answer).filter(|found| found.len() == texts.len());
        match (found, texts) {
            (Some(found), _) => Ok(found),
            // A model that loses count translates one at a time.
            (None, [_, _, ..]) => texts
                .iter()
                .map(|text| Ok(self.translate(std::slice::from_ref(text))?.remove(0)))
                .collect(),
            (None, _) => Err(self.failed(format!("no translation but `{}`", short(&answer)))),
        }
    }

    fn ask(&self, texts: &[String]) -> Result<String> {
        let system = format!(
            "You translate image captions. Translate every string of the JSON array into {}. Answer with a \
             JSON array of as many strings, in the same order, and nothing else.",
            self.language
        );
        let messages = [
            json!({ "role": "system", "content": system }),
            json!({ "role": "user", "content": json!(texts).to_string() }),
        ];
        self.chat.complete(&messages).map_err(|what| self.failed(what))
    }

    fn failed(&self, what: String) -> Error {
        anyhow!(
            "{}: {what}; what is translated is kept, the same command goes on from there",
            self.chat.url()
        )
    }
}

/// The JSON array in an answer, which some models put between words.
fn strings(answer: &str) -> Option<Vec<String>> {
    let (start, end) = (answer.find('[')?, answer.rfind(']')?);
    serde_json::from_str(answer.get(start..=end)?).ok()
}
