//! Fetching from a real HTTP server on this machine, with the faults that real ones have.

mod common;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::{COMMIT, Faults, Hub, sha256};
use tempfile::TempDir;
use tuwen_hub::{Cache, Error, Fetcher, Progress, Settings, Site};

const REPO: &str = "OFA-Sys/chinese-clip-vit-base-patch16";
const NAME: &str = "chinese-clip-vit-base-patch16";

/// Bytes that are different everywhere.
fn weights() -> Vec<u8> {
    (0..300_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn files() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("config.json", br#"{"model_type": "chinese_clip"}"#.to_vec()),
        ("README.md", b"# not needed".to_vec()),
        ("pytorch_model.bin", weights()),
        ("clip_cn_vit-b-16.pt", weights()),
    ]
}

struct Place {
    folder: TempDir,
    hub: Hub,
}

impl Place {
    fn new(faults: Faults) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { folder, hub: Hub::start(REPO, &files(), faults) }
    }

    fn settings(&self, site: Site) -> Settings {
        Settings {
            site,
            endpoint: self.hub.endpoint.clone(),
            token: None,
            offline: false,
            pause: Duration::from_millis(1),
        }
    }

    fn cache(&self) -> Cache {
        Cache::new(self.folder.path().to_path_buf())
    }

    fn fetch_with(&self, settings: Settings, name: &str) -> Result<PathBuf, Error> {
        let stop = AtomicBool::new(false);
        Fetcher::new(settings, self.cache(), &stop, &|_| {}).fetch(name)
    }

    fn fetch(&self) -> Result<PathBuf, Error> {
        self.fetch_with(self.settings(Site::HuggingFace), NAME)
    }

    /// Where HF's programs keep this repository.
    fn repo(&self) -> PathBuf {
        self.folder.path().join("models--OFA-Sys--chinese-clip-vit-base-patch16")
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder").flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_model_lies_where_hfs_programs_look_for_it_and_is_fetched_once() {
    let place = Place::new(Faults::default());
    let folder = place.fetch().expect("a model");
    assert_eq!(folder, place.repo().join("snapshots").join(COMMIT));
    assert_eq!(names(&folder), ["config.json", "pytorch_model.bin"]);
    assert_eq!(std::fs::read(folder.join("pytorch_model.bin")).expect("weights"), weights());
    let main = std::fs::read_to_string(place.repo().join("refs/main")).expect("a commit");
    assert_eq!(main, COMMIT);
    assert!(place.repo().join("blobs").join(sha256(&weights())).is_file());
    assert_eq!(names(&place.repo().join("blobs")).len(), 2, "nothing is left over");
    assert_eq!(place.cache().snapshot(REPO), Some(folder.clone()));
    assert_eq!(place.fetch().expect("again"), folder);
    assert_eq!(place.hub.requests("GET /cdn/").len(), 1);
    assert_eq!(place.hub.requests("README").len(), 0);
}

#[test]
fn cut_connections_are_taken_up_where_they_ended() {
    // More often than a server that sends nothing would be asked.
    let place = Place::new(Faults { cuts: 8, ..Faults::default() });
    let folder = place.fetch().expect("a model");
    assert_eq!(std::fs::read(folder.join("pytorch_model.bin")).expect("weights"), weights());
    let requests = place.hub.requests("GET /cdn/");
    assert_eq!(requests.len(), 9);
    assert_eq!(requests[0].range, None);
    assert_eq!(requests[1].range.as_deref(), Some("bytes=100000-"));
}

#[test]
fn what_an_earlier_run_left_is_used_and_a_server_without_ranges_starts_again() {
    let place = Place::new(Faults::default());
    let blobs = place.repo().join("blobs");
    std::fs::create_dir_all(&blobs).expect("a folder");
    let part = blobs.join(format!("{}.incomplete", sha256(&weights())));
    std::fs::write(&part, &weights()[..1234]).expect("a part");
    place.fetch().expect("a model");
    assert_eq!(place.hub.requests("GET /cdn/")[0].range.as_deref(), Some("bytes=1234-"));

    let place = Place::new(Faults { cuts: 1, whole: true, ..Faults::default() });
    let folder = place.fetch().expect("a model");
    assert_eq!(std::fs::read(folder.join("pytorch_model.bin")).expect("weights"), weights());
}

#[test]
fn a_wrong_checksum_is_an_error_and_leaves_nothing() {
    let place = Place::new(Faults { corrupt: true, ..Faults::default() });
    let error = place.fetch().expect_err("other bytes").to_string();
    assert!(error.contains("pytorch_model.bin") && error.contains(&sha256(&weights())), "{error}");
    assert_eq!(place.cache().snapshot(REPO), None, "no model without its weights");
    assert_eq!(names(&place.repo().join("blobs")).len(), 1, "the configuration alone");
    place.hub.set(Faults::default());
    place.fetch().expect("the same command, another day");
}

#[test]
fn a_busy_server_is_asked_again_and_a_broken_one_is_named() {
    let place = Place::new(Faults { busy: 3, ..Faults::default() });
    place.fetch().expect("a model after three refusals");
    let place = Place::new(Faults { status: Some(500), ..Faults::default() });
    let error = place.fetch().expect_err("always 500").to_string();
    assert!(error.contains("500") && error.contains("5 times"), "{error}");
    let gone =
        Settings { endpoint: "http://127.0.0.1:9".into(), ..place.settings(Site::HuggingFace) };
    let error = place.fetch_with(gone, NAME).expect_err("nobody there").to_string();
    for part in ["127.0.0.1:9", "pytorch_model.bin", "snapshots/main"] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn what_is_not_there_or_not_allowed_is_said_at_once() {
    for status in [401, 403, 404] {
        let place = Place::new(Faults { status: Some(status), ..Faults::default() });
        let error = place.fetch().expect_err("refused").to_string();
        assert!(error.contains(&status.to_string()) && error.contains("HF_TOKEN"), "{error}");
        assert_eq!(place.hub.requests("GET").len(), 1);
    }
    let place = Place::new(Faults::default());
    let error = place.fetch_with(place.settings(Site::HuggingFace), "no-such-model");
    assert!(error.expect_err("unknown").to_string().contains("no-such-model"));
}

#[test]
fn a_token_goes_to_the_hub_and_to_nobody_else() {
    let place = Place::new(Faults { token: Some("secret"), ..Faults::default() });
    place.fetch().expect_err("no token");
    let settings = Settings { token: Some("secret".into()), ..place.settings(Site::HuggingFace) };
    place.fetch_with(settings, NAME).expect("with a token");
    let elsewhere = place.hub.requests("/cdn/");
    assert!(!elsewhere.is_empty() && elsewhere.iter().all(|seen| seen.token.is_none()));
}

#[test]
fn model_scope_gives_the_same_in_its_own_way() {
    let place = Place::new(Faults { cuts: 1, ..Faults::default() });
    let folder = place.fetch_with(place.settings(Site::ModelScope), NAME).expect("a model");
    assert_eq!(std::fs::read(folder.join("pytorch_model.bin")).expect("weights"), weights());
    let asked = place.hub.requests("/api/v1/models/AI-ModelScope/chinese-clip-vit-base-patch16/");
    assert_eq!(asked.len(), 4, "list, config, weights, and the rest of the weights");
    assert_eq!(place.cache().snapshot(REPO), Some(folder));
    let error = place.fetch_with(place.settings(Site::ModelScope), "clip-rn50");
    assert!(error.expect_err("not there").to_string().contains("ModelScope"));
}

#[test]
fn a_hostile_listing_writes_nothing() {
    for site in [Site::HuggingFace, Site::ModelScope] {
        for hostile in ["../../evil.safetensors", "/etc/evil", "a/../../b"] {
            let place = Place::new(Faults { hostile: Some(hostile), ..Faults::default() });
            let error = place.fetch_with(place.settings(site), NAME).expect_err("hostile");
            assert!(error.to_string().contains(hostile), "{error}");
            assert_eq!(names(place.folder.path()), Vec::<String>::new());
        }
    }
}

#[test]
fn a_checksum_that_is_a_path_neither_writes_nor_deletes() {
    for hostile in ["../../../victim", "..", "/tmp/victim", "refs/../../victim"] {
        let outer = tempfile::tempdir().expect("a folder");
        let victim = outer.path().join("victim");
        std::fs::write(&victim, b"precious").expect("a file");
        for (site, faults) in [
            (Site::ModelScope, Faults { checksum: Some(hostile), ..Faults::default() }),
            (Site::HuggingFace, Faults { etag: Some(hostile), ..Faults::default() }),
        ] {
            let place = Place::new(faults);
            let cache = outer.path().join("cache");
            let (settings, stop) = (place.settings(site), AtomicBool::new(false));
            let fetcher = Fetcher::new(settings, Cache::new(cache.clone()), &stop, &|_| {});
            let error = fetcher.fetch(NAME).expect_err("hostile").to_string();
            assert!(site == Site::HuggingFace || error.contains(hostile), "{error}");
            assert_eq!(names(outer.path()), ["victim"], "{site:?}, {hostile}");
            assert_eq!(std::fs::read(&victim).expect("still there"), b"precious");
        }
    }
}

#[test]
fn offline_is_offline_and_says_what_to_put_where() {
    let place = Place::new(Faults::default());
    let settings = Settings { offline: true, ..place.settings(Site::HuggingFace) };
    let error = place.fetch_with(settings, NAME).expect_err("offline").to_string();
    let folder = place.repo().join("snapshots/main");
    for part in ["HF_HUB_OFFLINE", "pytorch_model.bin", REPO, &folder.to_string_lossy()] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(place.hub.requests("").is_empty());
    // And there it is found.
    std::fs::create_dir_all(&folder).expect("a folder");
    assert_eq!(place.cache().snapshot(REPO), Some(folder));
}

#[test]
fn progress_is_told_and_a_stop_keeps_what_has_arrived() {
    let place = Place::new(Faults { cuts: 1, ..Faults::default() });
    let (stop, told) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let tell = |progress: Progress<'_>| {
        told.lock().expect("no panic").push((
            progress.file.to_owned(),
            progress.done,
            progress.total,
        ));
        if progress.done > 50_000 && progress.done < progress.total {
            stop.store(true, Ordering::Relaxed);
        }
    };
    let fetcher = Fetcher::new(place.settings(Site::HuggingFace), place.cache(), &stop, &tell);
    let error = fetcher.fetch(NAME).expect_err("stopped").to_string();
    assert!(error.contains("again"), "{error}");
    let part = place.repo().join("blobs").join(format!("{}.incomplete", sha256(&weights())));
    assert!(part.metadata().expect("a part").len() > 50_000);
    assert_eq!(place.cache().snapshot(REPO), None);
    stop.store(false, Ordering::Relaxed);
    place.fetch().expect("the rest");
    let told = told.lock().expect("no panic");
    assert!(told.iter().any(|(file, _, total)| file == "pytorch_model.bin" && *total == 300_000));
}
