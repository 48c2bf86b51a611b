//! Translation by whatever speaks OpenAI's chat completions
//! (<https://platform.openai.com/docs/api-reference/chat>): a server on this machine (llama.cpp, vLLM,
//! Ollama) or a service.

use std::time::Duration;

use anyhow::{Error, Result, anyhow};
use serde_json::{Value, json};
use ureq::Agent;

/// A model may think for so long.
const PATIENCE: Duration = Duration::from_secs(300);
const TRIES: usize = 4;

/// Translates texts.
pub struct Translator {
    agent: Agent,
    url: String,
    key: Option<String>,
    model: String,
    language: String,
}

impl Translator {
    /// `url` is the API's, such as `http://localhost:8080/v1`; `language` a name the model understands.
    pub fn new(url: &str, key: Option<String>, model: &str, language: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build();
        let url = format!("{}/chat/completions", url.trim_end_matches('/'));
        let (model, language) = (model.to_owned(), language.to_owned());
        Self { agent: config.into(), url, key, model, language }
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
        let body = json!({
            "model": self.model,
            "temperature": 0,
            "messages": [
                { "role": "system", "content": system },
                { "role": "user", "content": json!(texts).to_string() },
            ],
        });
        let mut last = String::new();
        for attempt in 0..TRIES {
            if attempt > 0 {
                std::thread::sleep(Duration::from_millis(200 << attempt));
            }
            match self.send(&body) {
                Ok((200, answer)) => {
                    let content = answer["choices"][0]["message"]["content"].as_str();
                    return content.map(str::to_owned).ok_or_else(|| {
                        self.failed(format!(
                            "no chat completion but `{}`",
                            short(&answer.to_string())
                        ))
                    });
                }
                // Asking again changes nothing.
                Ok((status @ (400..=407 | 410..=428), answer)) => {
                    let cure = match status {
                        401 | 403 => ": is the key right?",
                        404 => ": do URL (with its /v1) and model exist?",
                        _ => "",
                    };
                    let what = short(&answer.to_string());
                    return Err(self.failed(format!("it answers {status} `{what}`{cure}")));
                }
                Ok((status, _)) => last = format!("it answers {status}"),
                Err(error) => last = error,
            }
        }
        Err(self.failed(format!("{last} (tried {TRIES} times)")))
    }

    fn send(&self, body: &Value) -> Result<(u16, Value), String> {
        let mut request = self.agent.post(&self.url).header("content-type", "application/json");
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let mut response = request.send(body.to_string()).map_err(|e| e.to_string())?;
        let text = response.body_mut().read_to_string().map_err(|e| e.to_string())?;
        let answer = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok((response.status().as_u16(), answer))
    }

    fn failed(&self, what: String) -> Error {
        anyhow!(
            "{}: {what}; what is translated is kept, the same command goes on from there",
            self.url
        )
    }
}

/// The JSON array in an answer, which some models put between words.
fn strings(answer: &str) -> Option<Vec<String>> {
    let (start, end) = (answer.find('[')?, answer.rfind(']')?);
    serde_json::from_str(answer.get(start..=end)?).ok()
}

fn short(text: &str) -> String {
    text.chars().take(200).collect()
}
