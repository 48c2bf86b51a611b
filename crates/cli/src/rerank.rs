//! Looking again at what was found: what a user asks for, and requests to rerankers at addresses.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tuwen_retrieve::rerank::{Send, Stage, parse_stages};
use ureq::Agent;

/// A reranker may take so long.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of an answer that are read.
const LARGEST: u64 = 16 << 20;
/// Names the key of rerankers at addresses.
const KEY: &str = "TUWEN_RERANK_KEY";

/// Who looks again.
#[derive(Clone, Default, clap::Args)]
pub struct RerankArgs {
    /// Look again at the first hits: `late:128` (words look at patches), `itm:128` (the matching head), `both:64`,
    /// several one after the other (`late:128,itm:32`), or an address that answers rerank requests as Cohere and Jina do
    /// (`http://localhost:8080/rerank:50`; TUWEN_RERANK_KEY is sent as its key)
    #[arg(long, value_name = "STAGES")]
    pub rerank: Option<String>,
    /// The folder of the heads, from `tuwen heads train`; without it those that belong to the model
    #[arg(long, value_name = "DIR")]
    pub heads: Option<PathBuf>,
}

impl RerankArgs {
    /// The stages; none where nobody looks again.
    ///
    /// # Errors
    /// A name or number that makes no sense.
    pub fn stages(&self) -> Result<Vec<Stage>> {
        let stages = self.rerank.as_deref().map(parse_stages).transpose()?;
        Ok(stages.unwrap_or_default())
    }
}

/// Sends a request to an address; a status that is none of success is an error with what was answered.
pub fn sender() -> Arc<Send> {
    let config =
        Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE)).build();
    let agent = Agent::from(config);
    let key = std::env::var(KEY).ok().filter(|key| !key.is_empty());
    Arc::new(move |url: &str, body: &[u8]| {
        let mut request = agent.post(url).header("content-type", "application/json");
        if let Some(key) = &key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let mut response = request.send(body).map_err(|e| e.to_string())?;
        let status = response.status().as_u16();
        let answer = response.body_mut().with_config().limit(LARGEST).read_to_vec();
        let answer = answer.map_err(|e| e.to_string())?;
        if status != 200 {
            let said: String = String::from_utf8_lossy(&answer).chars().take(200).collect();
            return Err(format!("it answers {status} `{said}`"));
        }
        Ok(answer)
    })
}
