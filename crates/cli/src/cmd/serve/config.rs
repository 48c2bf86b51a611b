//! What a server is told: by flags, else by the environment, else by a file, else what is usual. One structure for
//! all of them, so that each has the same keys.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args as _;
use serde::{Deserialize, Serialize};
use tracing_subscriber::filter::LevelFilter;
use tuwen_files::encoding::TextFile;
use tuwen_retrieve::{Device, LongText, Options};
use tuwen_serve::{Connections, Followed, Keys, Limits, Settings, Source};

use crate::gallery::Place;
use crate::query::{PRECISIONS, Usage, products};

/// What can be set, by flag (`--max-body`), in the environment (`TUWEN_SERVE_MAX_BODY`) and in a file
/// (`max-body = 1000000`).
#[derive(Clone, Debug, Default, clap::Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// A gallery's folder, and the name that clients call it; several times for several galleries, of which the
    /// first one is meant where a client names none. Without it: the environment's TUWEN_GALLERY, else .tuwen
    /// here, else .tuwen in the nearest folder above
    #[arg(long, value_name = "[NAME=]DIR", env = "TUWEN_SERVE_GALLERY")]
    pub gallery: Vec<PathBuf>,
    /// A folder whose pictures are indexed into a gallery (the first one where none is named), now and whenever
    /// something changes in it; several times
    #[arg(long, value_name = "[NAME=]DIR", env = "TUWEN_SERVE_WATCH")]
    pub watch: Vec<PathBuf>,
    /// The address, 127.0.0.1:8787 unless another is given; port 0 takes a free one
    #[arg(long, env = "TUWEN_SERVE_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// A name by which clients may call the server, beside localhost; several times, or with commas between
    #[arg(long, value_name = "NAME", env = "TUWEN_SERVE_HOST", value_delimiter = ',')]
    pub host: Vec<String>,
    /// The address of a proxy through which many clients come, so that the limit of connections of one address is
    /// none for it; several times, or with commas between
    #[arg(long, value_name = "ADDRESS", env = "TUWEN_SERVE_PROXY", value_delimiter = ',')]
    pub proxy: Vec<IpAddr>,
    /// Who may ask: a file with a key on each line
    #[arg(long, value_name = "FILE", env = "TUWEN_SERVE_KEY_FILE")]
    pub key_file: Option<PathBuf>,
    /// Let everybody who reaches the address ask, without keys; nothing can be changed then
    #[arg(long, num_args = 0, default_missing_value = "true", env = "TUWEN_SERVE_INSECURE",
        value_parser = clap::builder::BoolishValueParser::new())]
    pub insecure: Option<bool>,
    /// Let nobody change galleries who has no key for it; without keys people at this machine may
    #[arg(long, num_args = 0, default_missing_value = "true", env = "TUWEN_SERVE_READ_ONLY",
        value_parser = clap::builder::BoolishValueParser::new())]
    pub read_only: Option<bool>,
    /// Fetch pictures by their addresses, where a client sends one instead of a picture; never from this machine
    /// or a private network
    #[arg(long, num_args = 0, default_missing_value = "true", env = "TUWEN_SERVE_FETCH_IMAGES",
        value_parser = clap::builder::BoolishValueParser::new())]
    pub fetch_images: Option<bool>,
    /// Bytes that a request may have, 20000000 unless another number is given
    #[arg(long, value_name = "BYTES", env = "TUWEN_SERVE_MAX_BODY",
        value_parser = clap::value_parser!(u64).range(BODY))]
    pub max_body: Option<u64>,
    /// Seconds after which a request is given up, 30 unless another number is given
    #[arg(long, value_name = "SECONDS", env = "TUWEN_SERVE_DEADLINE",
        value_parser = clap::value_parser!(u64).range(DEADLINE))]
    pub deadline: Option<u64>,
    /// What is told on standard error: error, warn, info (the usual) or debug, which has a line for each request
    #[arg(long, env = "TUWEN_SERVE_LOG", value_parser = LEVELS)]
    pub log: Option<String>,
    /// The model; the gallery knows its own
    #[arg(long, env = "TUWEN_SERVE_MODEL")]
    pub model: Option<String>,
    /// Texts beyond the model's context: `cut` their end (the usual), or embed `window`s of whole sentences and
    /// take the mean
    #[arg(long, env = "TUWEN_SERVE_LONG_TEXT", value_parser = LONG_TEXT)]
    pub long_text: Option<String>,
    /// What the model's blocks multiply: `auto` (the usual; bytes for a model that is stored in 8 bits), `f32`,
    /// `bf16` or `int8`
    #[arg(long, env = "TUWEN_SERVE_PRECISION", value_parser = PRECISIONS)]
    pub precision: Option<String>,
    /// The folder of the heads that rerank, from `tuwen heads train`; without it those that belong to the model
    #[arg(long, value_name = "DIR", env = "TUWEN_SERVE_HEADS")]
    pub heads: Option<PathBuf>,
    /// The file of the network that joins words and a picture of one query, from `tuwen fuse train`
    #[arg(long, value_name = "FILE", env = "TUWEN_SERVE_COMBINER")]
    pub combiner: Option<PathBuf>,
}

const BODY: std::ops::RangeInclusive<u64> = 1_000..=1_000_000_000;
const DEADLINE: std::ops::RangeInclusive<u64> = 1..=3_600;
const LEVELS: [&str; 4] = ["error", "warn", "info", "debug"];
const LONG_TEXT: [&str; 2] = ["cut", "window"];

impl Config {
    /// Reads a file; paths in it are relative to its folder.
    ///
    /// # Errors
    /// It cannot be read, has an unknown key or a value that makes no sense.
    pub fn read(path: &Path) -> Result<Self> {
        let text = TextFile::read(path)?;
        let mut config: Self = toml::from_str(&text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let at = before.matches('\n').count();
            let (line, shown) = (at + 1, text.lines().nth(at).unwrap_or_default().trim());
            anyhow::anyhow!(
                "{}, line {line}, `{shown}`: {}",
                path.display(),
                error.message().trim()
            )
        })?;
        config.check().with_context(|| format!("{}", path.display()))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let beside = |path: &mut PathBuf| {
            let (name, place) = split(path);
            let place = folder.join(place);
            *path = match name {
                Some(name) => PathBuf::from(format!("{name}={}", place.display())),
                None => place,
            };
        };
        config.gallery.iter_mut().chain(&mut config.watch).for_each(beside);
        for path in [&mut config.key_file, &mut config.heads, &mut config.combiner] {
            *path = path.take().map(|path| folder.join(path));
        }
        Ok(config)
    }

    /// What flags are checked for by their parser.
    fn check(&self) -> Result<()> {
        let within =
            |name: &str, value: Option<u64>, range: std::ops::RangeInclusive<u64>| match value
                .filter(|value| !range.contains(value))
            {
                Some(value) => bail!(Usage(format!(
                    "{name}: {value} is not between {} and {}",
                    range.start(),
                    range.end()
                ))),
                None => Ok(()),
            };
        within("max-body", self.max_body, BODY)?;
        within("deadline", self.deadline, DEADLINE)?;
        let one_of = |name: &str, value: &Option<String>, all: &[&str]| match value {
            Some(value) if !all.contains(&value.as_str()) => {
                bail!(Usage(format!("{name}: {value:?} is none of {}", all.join(", "))))
            }
            _ => Ok(()),
        };
        one_of("log", &self.log, &LEVELS)?;
        one_of("long-text", &self.long_text, &LONG_TEXT)?;
        one_of("precision", &self.precision, &PRECISIONS)
    }

    /// What is set here, and for the rest what `lower` says.
    pub fn over(self, lower: Self) -> Self {
        let list = |own: Vec<_>, lower| if own.is_empty() { lower } else { own };
        Self {
            gallery: list(self.gallery, lower.gallery),
            watch: list(self.watch, lower.watch),
            host: if self.host.is_empty() { lower.host } else { self.host },
            proxy: if self.proxy.is_empty() { lower.proxy } else { self.proxy },
            listen: self.listen.or(lower.listen),
            key_file: self.key_file.or(lower.key_file),
            insecure: self.insecure.or(lower.insecure),
            read_only: self.read_only.or(lower.read_only),
            fetch_images: self.fetch_images.or(lower.fetch_images),
            max_body: self.max_body.or(lower.max_body),
            deadline: self.deadline.or(lower.deadline),
            log: self.log.or(lower.log),
            model: self.model.or(lower.model),
            long_text: self.long_text.or(lower.long_text),
            precision: self.precision.or(lower.precision),
            heads: self.heads.or(lower.heads),
            combiner: self.combiner.or(lower.combiner),
        }
    }

    /// The same with what is usual where nothing was said.
    pub fn usual(self) -> Self {
        let usual = Self {
            gallery: vec![Place::usual().folder],
            listen: Some(SocketAddr::from(([127, 0, 0, 1], 8787))),
            insecure: Some(false),
            read_only: Some(false),
            fetch_images: Some(false),
            max_body: Some(Limits::default().body as u64),
            deadline: Some(Settings::default().deadline.as_secs()),
            log: Some("info".into()),
            long_text: Some("cut".into()),
            precision: Some("auto".into()),
            ..Self::default()
        };
        self.over(usual)
    }

    /// The same with full paths, so that it means the same wherever it is read.
    pub fn anywhere(mut self) -> Self {
        let full = |path: &mut PathBuf| {
            let (name, place) = split(path);
            let place = std::path::absolute(place).unwrap_or_else(|_| place.to_path_buf());
            *path = match name {
                Some(name) => PathBuf::from(format!("{name}={}", place.display())),
                None => place,
            };
        };
        let single = [&mut self.key_file, &mut self.heads, &mut self.combiner];
        let single = single.into_iter().flatten();
        self.gallery.iter_mut().chain(&mut self.watch).chain(single).for_each(full);
        self
    }

    /// Refuses variables of the environment that look like settings and are none.
    ///
    /// # Errors
    /// There is one.
    pub fn check_environment() -> Result<()> {
        let known = Self::augment_args(clap::Command::new("serve"));
        let known: Vec<_> = known.get_arguments().filter_map(|arg| arg.get_env()).collect();
        for (name, _) in std::env::vars_os() {
            let shown = name.to_string_lossy();
            let ours = shown.starts_with("TUWEN_SERVE_") && shown != "TUWEN_SERVE_CONFIG";
            if ours && !known.contains(&name.as_os_str()) {
                let all: Vec<_> = known.iter().map(|name| name.to_string_lossy()).collect();
                bail!(Usage(format!(
                    "the environment has {shown}, which is no setting: there are {}",
                    all.join(", ")
                )));
            }
        }
        Ok(())
    }

    pub fn address(&self) -> SocketAddr {
        self.listen.expect("the usual one at least")
    }

    pub fn level(&self) -> LevelFilter {
        let log = self.log.as_deref().unwrap_or("info");
        log.parse().expect("checked by the parser or on reading")
    }

    /// For the server.
    ///
    /// # Errors
    /// An address that others reach without keys, or keys that cannot be read.
    pub fn settings(&self) -> Result<Settings> {
        let (listen, insecure) = (self.address(), self.insecure == Some(true));
        let ip: IpAddr = listen.ip();
        if insecure && self.key_file.is_some() {
            bail!(Usage("insecure and key-file exclude each other: leave one of them out".into()));
        }
        if !ip.is_loopback() && self.key_file.is_none() && !insecure {
            bail!(Usage(format!(
                "--listen {listen}: others than this machine reach it, so it needs --key-file FILE; with \
                 --insecure everybody may ask"
            )));
        }
        let usual = Settings::default();
        Ok(Settings {
            limits: Limits {
                body: self.max_body.map_or(usual.limits.body, |bytes| bytes as usize),
                ..usual.limits
            },
            connections: Connections { proxies: self.proxy.clone(), ..usual.connections },
            deadline: self.deadline.map_or(usual.deadline, Duration::from_secs),
            hosts: self.host.iter().cloned().chain([ip.to_string()]).collect(),
            any_address: ip.is_unspecified(),
            keys: self.key_file.as_deref().map(Keys::read).transpose()?,
            open_to_changes: ip.is_loopback() && !insecure && self.read_only != Some(true),
            fetch_images: self.fetch_images == Some(true),
            followed: self.watch.iter().map(|given| followed(given)).collect(),
            ..usual
        })
    }

    /// The galleries.
    pub fn sources(&self) -> Vec<Source> {
        let long_text = match self.long_text.as_deref() {
            Some("window") => LongText::Window,
            _ => LongText::Cut,
        };
        let products = products(self.precision.as_deref().unwrap_or("auto"));
        let model = self.model.clone();
        let (heads, combiner) = (self.heads.clone(), self.combiner.clone());
        let device = Device::Cpu;
        let options = Options { model, long_text, products, device, heads, combiner };
        let one = |given: &PathBuf| Source { options: options.clone(), ..source(given) };
        self.gallery.iter().map(one).collect()
    }
}

/// `NAME=DIR`, or a folder, which may have such a sign in its own name.
fn split(given: &Path) -> (Option<&str>, &Path) {
    let parts = given.to_str().and_then(|text| text.split_once('='));
    match parts.filter(|_| !given.exists()) {
        Some((name, folder)) => (Some(name), Path::new(folder)),
        None => (None, given),
    }
}

fn source(given: &Path) -> Source {
    match split(given) {
        (Some(name), folder) => Source { name: name.to_owned(), ..Source::of(folder) },
        (None, folder) => Source::of(folder),
    }
}

fn followed(given: &Path) -> Followed {
    let (name, folder) = split(given);
    Followed { gallery: name.map(str::to_owned), path: folder.to_path_buf() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("serve.toml");
        std::fs::write(&file, text).expect("a file");
        Config::read(&file)
    }

    #[test]
    fn what_stands_higher_counts_and_what_is_not_said_is_usual() {
        let file = read("deadline = 9\nlog = \"warn\"\nhost = [\"a\"]\n").expect("a configuration");
        let flags = Config { deadline: Some(5), ..Config::default() };
        let all = flags.over(file).usual();
        assert_eq!(
            (all.deadline, all.log.as_deref(), all.max_body),
            (Some(5), Some("warn"), Some(20_000_000))
        );
        assert_eq!(all.host, ["a"]);
        let proxied = read("proxy = [\"10.0.0.9\", \"::1\"]\n").expect("a configuration");
        let settings = proxied.usual().settings().expect("settings");
        let wanted: Vec<IpAddr> = ["10.0.0.9", "::1"].map(|at| at.parse().expect("one")).into();
        assert_eq!(settings.connections.proxies, wanted);
        assert_eq!(all.address().port(), 8787);
    }

    #[test]
    fn a_file_is_read_strictly_and_its_paths_are_beside_it() {
        for (text, says) in [
            ("dedline = 9", "dedline"),
            ("deadline = 0", "between 1 and 3600"),
            ("log = \"loud\"", "loud"),
            ("listen = \"nowhere\"", "listen"),
            ("proxy = [\"nowhere\"]", "proxy"),
            ("max-body = \"1\"", "max-body"),
        ] {
            let error = format!("{:#}", read(text).expect_err(text));
            assert!(error.contains(says) && error.contains("serve.toml"), "{error}");
        }
        let config = read(
            "gallery = [\"shop=data/shop\", \"/abs\"]\nkey-file = \"keys\"\ncombiner = \"c.safetensors\"",
        );
        let config = config.expect("a configuration");
        let shown = config.gallery[0].to_string_lossy().into_owned();
        assert!(shown.starts_with("shop=/") && shown.ends_with("/data/shop"), "{shown}");
        assert_eq!(config.gallery[1], Path::new("/abs"));
        assert!(config.key_file.is_some_and(|file| file.is_absolute()));
        assert!(config.combiner.is_some_and(|file| file.is_absolute()));
    }
}
