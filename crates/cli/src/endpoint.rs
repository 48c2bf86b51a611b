//! Models behind an address that look at pictures and talk.

use anyhow::{Result, anyhow, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tuwen_image::{Picture, encode_jpeg, shrink};

use crate::chat::Chat;
use crate::query::Usage;

/// Names the key of the endpoint.
const KEY: &str = "TUWEN_ENDPOINT_KEY";
/// The longest side of a picture that is sent, in pixels, and its JPEG quality.
const SIDE: u32 = 1024;
const QUALITY: u8 = 90;

/// A model at an address.
#[derive(Clone, Default, clap::Args)]
pub struct EndpointArgs {
    /// Ask a model that talks instead: the address of an OpenAI-compatible server that looks at pictures, up to its
    /// `/v1`, such as http://localhost:11434/v1. The picture is sent there; TUWEN_ENDPOINT_KEY is sent as the key
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// With --endpoint: the model's name there
    #[arg(long, value_name = "NAME", requires = "endpoint")]
    endpoint_model: Option<String>,
}

impl EndpointArgs {
    /// The model that is asked; nothing where none is named.
    ///
    /// # Errors
    /// It is no address, or the model has no name.
    pub fn open(&self) -> Result<Option<Chat>> {
        let Some(url) = &self.endpoint else { return Ok(None) };
        if !(url.starts_with("http://") || url.starts_with("https://")) {
            bail!(Usage(format!("--endpoint: `{url}` is no address: give http://HOST:PORT/v1")));
        }
        let Some(model) = self.endpoint_model.clone().filter(|model| !model.trim().is_empty())
        else {
            bail!(Usage("--endpoint needs --endpoint-model, the model's name there".into()));
        };
        let key = std::env::var(KEY).ok().filter(|key| !key.is_empty());
        Ok(Some(Chat::new(url, key, &model)))
    }
}

/// A picture as a part of a message; a large one is sent smaller.
pub fn part_of(picture: &Picture) -> Value {
    let small = shrink(&picture.over_white(), SIDE);
    let jpeg = STANDARD.encode(encode_jpeg(&small, QUALITY));
    json!({ "type": "image_url", "image_url": { "url": format!("data:image/jpeg;base64,{jpeg}") } })
}

/// The model's answer to a conversation, without space at its ends.
///
/// # Errors
/// As [`Chat::complete`], and where it says nothing.
pub fn answer(chat: &Chat, messages: &[Value]) -> Result<String> {
    let said = chat.complete(messages).map(|said| said.trim().to_owned());
    let said = said.and_then(|said| match said.is_empty() {
        true => Err("it answers nothing".to_owned()),
        false => Ok(said),
    });
    said.map_err(|what| anyhow!("{}: {what}", chat.url()))
}
