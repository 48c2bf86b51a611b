//! From a hub into the cache: resumed after a cut, checked, and never half a file under its name.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ureq::http::Response;
use ureq::{Agent, Body};

use crate::digest::{EtagHash, digest};
use crate::listing::{Entry, Listing, Site, is_plain_name};
use crate::open::by_hand;
use crate::{Cache, Error, Known, Result, Settings};

/// Tries of one request before it counts as failed.
const TRIES: usize = 5;
/// Bytes that are read at once.
const BUFFER: usize = 1 << 18;
/// A server that is silent for so long is as good as gone.
const SILENCE: Duration = Duration::from_secs(30);

/// Bytes of a file that are there.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// The file in the repository.
    pub file: &'a str,
    /// Bytes that are there.
    pub done: u64,
    /// Bytes of the whole file.
    pub total: u64,
}

/// Fetches repositories into a cache.
pub struct Fetcher<'a> {
    settings: Settings,
    cache: Cache,
    agent: Agent,
    stop: &'a AtomicBool,
    tell: &'a (dyn Fn(Progress<'_>) + Sync),
}

/// What the server says of a file before it is fetched.
struct Head {
    etag: String,
    size: u64,
    hash: Option<EtagHash>,
}

/// Keeps other programs from fetching the same file until it is dropped.
struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    fn take(path: PathBuf) -> Result<Self> {
        let locked = File::create(&path).and_then(|file| file.lock().map(|()| file));
        let file = locked.map_err(|e| Error::io(&path, e))?;
        Ok(Self { path, _file: file })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl<'a> Fetcher<'a> {
    /// A fetcher that can be stopped and tells how far it is.
    pub fn new(
        settings: Settings,
        cache: Cache,
        stop: &'a AtomicBool,
        tell: &'a (dyn Fn(Progress<'_>) + Sync),
    ) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(SILENCE))
            .timeout_recv_response(Some(SILENCE))
            .timeout_per_read(Some(SILENCE))
            .user_agent(concat!("tuwen/", env!("CARGO_PKG_VERSION")));
        Self { settings, cache, agent: config.build().new_agent(), stop, tell }
    }

    /// Fetches a model by its name or repository; returns the folder with its files. What is there
    /// already is not fetched again.
    ///
    /// # Errors
    /// The network, the server, a checksum, or a disk that fails; an unknown name; the user's stop.
    pub fn fetch(&self, name: &str) -> Result<PathBuf> {
        let hf = crate::open::repo_of(name).ok_or_else(|| Error::Unknown(name.to_owned()))?;
        if self.settings.offline {
            let (files, page, folder) = by_hand(&self.cache, &hf);
            return Err(Error::Offline { files, page, folder });
        }
        let repo = match (self.settings.site, Known::find(&hf)) {
            (Site::ModelScope, Some(known)) => known.modelscope().ok_or_else(|| {
                Error::repository(name, "its name on ModelScope is not known: give it as ORG/NAME")
            })?,
            _ => hf.clone(),
        };
        let listing = self.listing(&repo).map_err(|error| match error {
            // Nobody answers: there may be no network at all.
            Error::Network { url, what, tries, .. } => {
                let (files, page, folder) = by_hand(&self.cache, &hf);
                let folder = folder.display();
                let cure = format!("; without a network, put {files} of {page} into {folder}");
                Error::Network { url, what, tries, cure }
            }
            other => other,
        })?;
        let fetch = |entry: &Entry| {
            let blob = self.blob(&hf, &repo, &listing.commit, entry)?;
            self.cache.link(&hf, &listing.commit, &entry.path, &blob)
        };
        listing.descriptions().iter().try_for_each(fetch)?;
        let folder = self.cache.repo(&hf).join("snapshots").join(&listing.commit);
        let config = folder.join(listing.root()).join("config.json");
        let config = std::fs::read(config).unwrap_or_default();
        let json: serde_json::Value = serde_json::from_slice(&config).unwrap_or_default();
        // timm's repositories have a config.json of the image tower alone.
        let timm = listing.has("open_clip_config.json") && !json["model_type"].is_string();
        let weights = listing.weights(&repo, !timm)?;
        weights.iter().try_for_each(fetch)?;
        self.cache.set_main(&hf, &listing.commit)?;
        Ok(folder)
    }

    fn listing(&self, repo: &str) -> Result<Listing> {
        let url = self.settings.site.listing_url(&self.settings.endpoint, repo);
        self.tried(&url, || {
            let mut response = self.get(&url, None)?;
            let text = response.body_mut().read_to_string().map_err(|e| Try::again(&e))?;
            let json = serde_json::from_str(&text).map_err(|e| Try::again(&e))?;
            self.settings.site.parse(repo, &json).map_err(Try::Never)
        })
    }

    /// Brings one file of `repo` into the cache's blobs of `cached`.
    fn blob(&self, cached: &str, repo: &str, commit: &str, entry: &Entry) -> Result<PathBuf> {
        let url = self.settings.site.file_url(&self.settings.endpoint, repo, commit, &entry.path);
        let head = match &entry.checked {
            Some((size, sha)) => Head { etag: sha.clone(), size: *size, hash: EtagHash::of(sha) },
            None => self.tried(&url, || self.head(&url))?,
        };
        let blobs = self.cache.repo(cached).join("blobs");
        std::fs::create_dir_all(&blobs).map_err(|e| Error::io(&blobs, e))?;
        let blob = blobs.join(&head.etag);
        let part = blobs.join(format!("{}.incomplete", head.etag));
        let _lock = Lock::take(blobs.join(format!("{}.lock", head.etag)))?;
        let told = |done| (self.tell)(Progress { file: &entry.path, done, total: head.size });
        if !blob.exists() {
            self.tried(&url, || self.rest(&url, &part, head.size, &told))?;
            check(&part, &head, &entry.path)?;
            std::fs::rename(&part, &blob).map_err(|e| Error::io(&blob, e))?;
        }
        told(head.size);
        Ok(blob)
    }

    /// Size and checksum of a file, from the answer that HF gives before it sends one elsewhere.
    fn head(&self, url: &str) -> Result<Head, Try> {
        let response =
            self.redirected(url, |url| self.request(self.agent.head(url), url), false)?;
        let header = |name: &str| response.headers().get(name)?.to_str().ok();
        let etag = header("x-linked-etag")
            .or_else(|| header("etag"))
            .map(|etag| etag.trim_start_matches("W/").trim_matches('"').to_owned());
        let size = header("x-linked-size").or_else(|| header("content-length"));
        let size = size.and_then(|size| size.parse().ok());
        match (etag.filter(|etag| is_plain_name(etag)), size) {
            (Some(etag), Some(size)) => Ok(Head { hash: EtagHash::of(&etag), etag, size }),
            _ => Err(Try::Again("the server names neither size nor ETag of the file".into())),
        }
    }

    /// Appends to `part` until it has `size` bytes.
    fn rest(&self, url: &str, part: &Path, size: u64, told: &dyn Fn(u64)) -> Result<(), Try> {
        let failed = |e| Try::Never(Error::io(part, e));
        let mut file = OpenOptions::new().create(true).append(true).open(part).map_err(failed)?;
        let mut done = file.metadata().map_err(failed)?.len();
        if done == size {
            return Ok(());
        }
        if done > size {
            file.set_len(0).map_err(failed)?;
            done = 0;
        }
        let mut response = self.get(url, Some(done))?;
        // A server that does not know ranges sends the whole.
        if done > 0 && response.status().as_u16() != 206 {
            file.set_len(0).map_err(failed)?;
            done = 0;
        }
        let start = done;
        let mut reader = response.body_mut().as_reader();
        let mut buffer = vec![0; BUFFER];
        while done < size {
            if self.stop.load(Ordering::Relaxed) {
                return Err(Try::Never(Error::Stopped));
            }
            let read = reader.read(&mut buffer).map_err(|e| cut(e.to_string(), done > start))?;
            if read == 0 {
                return Err(cut(
                    format!("the connection ends at byte {done} of {size}"),
                    done > start,
                ));
            }
            file.write_all(&buffer[..read]).map_err(failed)?;
            done += read as u64;
            told(done);
        }
        file.sync_all().map_err(failed)
    }

    fn get(&self, url: &str, from: Option<u64>) -> Result<Response<Body>, Try> {
        let request = |url: &str| {
            let mut request = self.agent.get(url);
            if let Some(from) = from.filter(|&from| from > 0) {
                request = request.header("Range", format!("bytes={from}-"));
            }
            self.request(request, url)
        };
        self.redirected(url, request, true)
    }

    /// Sends a request, with the token where it belongs: never to another host.
    fn request(
        &self,
        request: ureq::RequestBuilder<ureq::typestate::WithoutBody>,
        url: &str,
    ) -> Result<Response<Body>, Try> {
        let ours = url.starts_with(&format!("{}/", self.settings.endpoint));
        let request = match self.settings.token.as_ref().filter(|_| ours) {
            Some(token) => request.header("Authorization", format!("Bearer {token}")),
            None => request,
        };
        request.call().map_err(|e| Try::again(&e))
    }

    /// Follows redirects; to other hosts only when `away`.
    fn redirected(
        &self,
        url: &str,
        send: impl Fn(&str) -> Result<Response<Body>, Try>,
        away: bool,
    ) -> Result<Response<Body>, Try> {
        let mut at = url.to_owned();
        for _ in 0..5 {
            let response = send(&at)?;
            let status = response.status().as_u16();
            let to = response.headers().get("location").and_then(|to| to.to_str().ok());
            match (status, to) {
                (300..=399, Some(to)) if to.starts_with('/') => {
                    let host = at.find("://").and_then(|s| Some(at[s + 3..].find('/')? + s + 3));
                    at = format!("{}{to}", &at[..host.unwrap_or(at.len())]);
                }
                (300..=399, Some(to)) if away => at = to.to_owned(),
                (200..=399, _) => return Ok(response),
                (401 | 403 | 404, _) => {
                    return Err(Try::Never(Error::Refused { url: url.to_owned(), status }));
                }
                _ => return Err(Try::Again(format!("the server answers {status}"))),
            }
        }
        Err(Try::Again("it redirects in a circle".into()))
    }

    /// Tries until it works, a try says never, or too many in a row brought nothing.
    fn tried<T>(&self, url: &str, mut once: impl FnMut() -> Result<T, Try>) -> Result<T> {
        let (mut pause, mut tries) = (self.settings.pause, 0);
        loop {
            match once() {
                Ok(value) => return Ok(value),
                Err(Try::Never(error)) => return Err(error),
                Err(Try::Cut) => (pause, tries) = (self.settings.pause, 0),
                Err(Try::Again(what)) => {
                    tries += 1;
                    if tries == TRIES {
                        let (url, cure) = (url.to_owned(), String::new());
                        return Err(Error::Network { url, what, tries, cure });
                    }
                }
            }
            if self.stop.load(Ordering::Relaxed) {
                return Err(Error::Stopped);
            }
            std::thread::sleep(pause);
            pause *= 2;
        }
    }
}

/// Why one try failed.
enum Try {
    /// It may work the next time.
    Again(String),
    /// It brought a part of the file.
    Cut,
    /// It will not.
    Never(Error),
}

impl Try {
    fn again(error: &dyn std::error::Error) -> Self {
        Self::Again(error.to_string())
    }
}

/// A connection that ended too early; `moved` tells whether anything had arrived.
fn cut(what: String, moved: bool) -> Try {
    if moved { Try::Cut } else { Try::Again(what) }
}

/// Whether a file is what the server announced; if not, it is deleted.
fn check(part: &Path, head: &Head, file: &str) -> Result<()> {
    let Some(hash) = head.hash else { return Ok(()) };
    let found = digest(hash, part, head.size).map_err(|e| Error::io(part, e))?;
    if found == head.etag {
        return Ok(());
    }
    std::fs::remove_file(part).map_err(|e| Error::io(part, e))?;
    let (file, what, wanted) = (file.to_owned(), "checksum", head.etag.clone());
    Err(Error::Damaged { file, what, wanted, found })
}
