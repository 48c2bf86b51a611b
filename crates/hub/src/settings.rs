//! Where to fetch from, as the user's environment says it.

use std::path::PathBuf;
use std::time::Duration;

use crate::Site;

/// Where to fetch from, and as whom.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What kind of hub.
    pub site: Site,
    /// Its address, without a slash at the end.
    pub endpoint: String,
    /// Sent as a bearer token.
    pub token: Option<String>,
    /// Whether the user forbids the network.
    pub offline: bool,
    /// Pause before the second try; each further one is twice as long.
    pub pause: Duration,
}

impl Settings {
    /// From `HF_ENDPOINT`, `HF_TOKEN` (or the file that HF's login writes), `HF_HUB_OFFLINE`, and
    /// `MODELSCOPE_ENDPOINT`, `MODELSCOPE_API_TOKEN`.
    pub fn from_env(site: Site) -> Self {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        let (endpoint, default, token) = match site {
            Site::HuggingFace => {
                let token = set("HF_TOKEN").or_else(|| set("HUGGING_FACE_HUB_TOKEN"));
                ("HF_ENDPOINT", "https://huggingface.co", token.or_else(saved_token))
            }
            Site::ModelScope => {
                ("MODELSCOPE_ENDPOINT", "https://modelscope.cn", set("MODELSCOPE_API_TOKEN"))
            }
        };
        let endpoint = set(endpoint).unwrap_or_else(|| default.to_owned());
        let yes = |value: String| ["1", "on", "yes", "true"].contains(&&*value.to_lowercase());
        Self {
            site,
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            token: token.map(|token| token.trim().to_owned()),
            offline: set("HF_HUB_OFFLINE").is_some_and(yes),
            pause: Duration::from_secs(1),
        }
    }
}

/// What `huggingface-cli login` has left.
fn saved_token() -> Option<String> {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let home = || Some(std::env::home_dir()?.join(".cache/huggingface"));
    let file =
        set("HF_TOKEN_PATH").or_else(|| Some(set("HF_HOME").or_else(home)?.join("token")))?;
    std::fs::read_to_string(file).ok().filter(|token| !token.trim().is_empty())
}
