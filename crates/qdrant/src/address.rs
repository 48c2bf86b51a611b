//! Where a collection is: `qdrant://host:6334/collection`.

use std::fmt;
use std::time::Duration;

/// How addresses begin: without and with encryption.
pub const SCHEMES: [&str; 2] = ["qdrant://", "qdrants://"];

/// The port of Qdrant's gRPC.
const PORT: u16 = 6334;
/// Longest name of a collection, in bytes.
const LONGEST: usize = 255;
/// How long a question is asked again before it fails, where nobody says it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A collection of a server, and how patiently it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    is_encrypted: bool,
    /// A name or number; one of IPv6 in its brackets.
    host: String,
    port: u16,
    collection: String,
    patience: Duration,
}

impl Address {
    /// Whether a text is meant as an address and not as a folder.
    pub fn is_meant(text: &str) -> bool {
        SCHEMES.iter().any(|scheme| text.starts_with(scheme))
    }

    /// Reads an address.
    ///
    /// ```
    /// use tuwen_qdrant::Address;
    /// let address = Address::parse("qdrant://localhost/图库").expect("an address");
    /// assert_eq!(address.to_string(), "qdrant://localhost:6334/图库");
    /// assert_eq!(address.url(), "http://localhost:6334");
    /// assert!(Address::parse("qdrant://localhost").unwrap_err().contains("no collection"));
    /// ```
    ///
    /// # Errors
    /// What is wrong with it, and how one looks.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| {
            format!("{text}: {what}; an address is {}HOST:{PORT}/COLLECTION", SCHEMES[0])
        };
        let scheme = SCHEMES.iter().position(|scheme| text.starts_with(scheme));
        let scheme =
            scheme.ok_or_else(|| wrong("it does not begin with qdrant:// or qdrants://"))?;
        let rest = &text[SCHEMES[scheme].len()..];
        let Some((server, collection)) = rest.split_once('/') else {
            return Err(wrong("there is no collection in it"));
        };
        if server.contains('@') {
            return Err(wrong(&format!("a key does not belong into it but into {}", crate::KEY)));
        }
        // The colons of IPv6 are inside brackets.
        let port_at = server.rfind(':').filter(|&at| !server[at..].contains(']'));
        let (host, port) = match port_at {
            Some(at) => (&server[..at], server[at + 1..].parse().ok()),
            None => (server, Some(PORT)),
        };
        let is_name = |c: char| c.is_alphanumeric() || "-_.".contains(c);
        let is_number = |c: char| c.is_ascii_hexdigit() || c == ':' || c == '.';
        let is_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(host) => !host.is_empty() && host.chars().all(is_number),
            None => !host.is_empty() && host.chars().all(is_name),
        };
        let port = port
            .filter(|port| *port > 0)
            .ok_or_else(|| wrong("its port is no number from 1 to 65535"))?;
        if !is_host {
            return Err(wrong("its host is no name"));
        }
        let collection = collection.strip_suffix('/').unwrap_or(collection);
        let cannot = |c: char| c.is_control() || c.is_whitespace() || "<>:\"/\\|?*#%".contains(c);
        if collection.is_empty() || collection.len() > LONGEST || collection.contains(cannot) {
            return Err(wrong("its collection is no name"));
        }
        let (host, collection) = (host.to_lowercase(), collection.to_owned());
        Ok(Self { is_encrypted: scheme == 1, host, port, collection, patience: PATIENCE })
    }

    /// The server, as its client wants it.
    pub fn url(&self) -> String {
        let scheme = if self.is_encrypted { "https" } else { "http" };
        format!("{scheme}://{}:{}", self.host, self.port)
    }

    /// The collection's name.
    pub fn collection(&self) -> &str {
        &self.collection
    }

    /// How long a question is asked again before it fails.
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// The same, asked with another patience.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { is_encrypted, host, port, collection, .. } = self;
        write!(f, "{}{host}:{port}/{collection}", SCHEMES[usize::from(*is_encrypted)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_address_is_refused_by_what_is_wrong() {
        for (text, what) in [
            ("http://a/b", "begin with qdrant://"),
            ("qdrant://", "no collection"),
            ("qdrant:///b", "host is no name"),
            ("qdrant://a:0/b", "port"),
            ("qdrant://a:x/b", "port"),
            ("qdrant://a:70000/b", "port"),
            ("qdrant://key@a/b", "TUWEN_QDRANT_API_KEY"),
            ("qdrant://a/", "collection is no name"),
            ("qdrant://a/b/c", "collection is no name"),
            ("qdrant://a b/c", "host is no name"),
            ("qdrant://[::1/c", "host is no name"),
            ("qdrant://a/b?c", "collection is no name"),
        ] {
            let error = Address::parse(text).expect_err(text);
            assert!(error.contains(what) && error.starts_with(text), "{error}");
        }
    }

    #[test]
    fn addresses_are_read_and_written_the_same() {
        for (text, url) in [
            ("qdrant://a:1/b", "http://a:1"),
            ("qdrants://a.example:6334/b", "https://a.example:6334"),
            ("qdrant://[::1]:6334/b", "http://[::1]:6334"),
            ("qdrant://127.0.0.1:6334/b-c_1", "http://127.0.0.1:6334"),
        ] {
            let address = Address::parse(text).expect("an address");
            assert_eq!((address.to_string(), address.url()), (text.into(), url.into()));
        }
        let short = Address::parse("qdrant://[::1]/b/").expect("an address");
        assert_eq!(short.to_string(), "qdrant://[::1]:6334/b");
    }
}
