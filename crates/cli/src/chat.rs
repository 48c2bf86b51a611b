//! Whatever speaks OpenAI's chat completions (<https://platform.openai.com/docs/api-reference/chat>): a server on this
//! machine (llama.cpp, vLLM, Ollama) or a service.

use std::time::Duration;

use serde_json::{Value, json};
use ureq::Agent;

/// A model may think for so long.
const PATIENCE: Duration = Duration::from_secs(300);
const TRIES: usize = 4;
/// Bytes of an answer that are read.
const LARGEST: u64 = 16 << 20;

/// A model behind an address.
pub struct Chat {
    agent: Agent,
    url: String,
    key: Option<String>,
    model: String,
}

impl Chat {
    /// `url` is the API's, such as `http://localhost:8080/v1`.
    pub fn new(url: &str, key: Option<String>, model: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            // Whoever is sent elsewhere would be asked without the question.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .build();
        let url = format!("{}/chat/completions", url.trim_end_matches('/'));
        Self { agent: config.into(), url, key, model: model.to_owned() }
    }

    /// Where it is asked.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What the model is called there.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// What the model says to a conversation, messages as the API has them. Asked again where that may help.
    ///
    /// # Errors
    /// In words, without the address: it does not answer, refuses, or gives no chat completion.
    pub fn complete(&self, messages: &[Value]) -> Result<String, String> {
        let body = json!({ "model": self.model, "temperature": 0, "messages": messages });
        let mut last = String::new();
        for attempt in 0..TRIES {
            if attempt > 0 {
                std::thread::sleep(Duration::from_millis(200 << attempt));
            }
            match self.send(&body) {
                Ok((200, answer)) => {
                    let content = answer["choices"][0]["message"]["content"].as_str();
                    return content.map(str::to_owned).ok_or_else(|| {
                        format!("no chat completion but `{}`", short(&answer.to_string()))
                    });
                }
                // Asking again changes nothing.
                Ok((status @ (300..=407 | 410..=428), answer)) => {
                    let cure = match status {
                        300..=399 => ": it sends elsewhere: give that address",
                        401 | 403 => ": is the key right?",
                        404 => ": do URL (with its /v1) and model exist?",
                        _ => "",
                    };
                    let what = short(&answer.to_string());
                    return Err(format!("it answers {status} `{what}`{cure}"));
                }
                Ok((status, answer)) => {
                    last = format!("it answers {status} `{}`", short(&answer.to_string()));
                }
                Err(ureq::Error::Timeout(_)) => {
                    return Err(format!("no answer within {} seconds", PATIENCE.as_secs()));
                }
                Err(error) => last = error.to_string(),
            }
        }
        Err(format!("{last} (tried {TRIES} times)"))
    }

    fn send(&self, body: &Value) -> Result<(u16, Value), ureq::Error> {
        let mut request = self.agent.post(&self.url).header("content-type", "application/json");
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let mut response = request.send(body.to_string())?;
        let text = response.body_mut().with_config().limit(LARGEST).read_to_string()?;
        let answer = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok((response.status().as_u16(), answer))
    }
}

/// As much of an answer as an error shows.
pub fn short(text: &str) -> String {
    text.chars().take(200).collect()
}
