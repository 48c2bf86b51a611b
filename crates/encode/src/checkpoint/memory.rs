//! Digests of files that nobody has touched since they were hashed: hashing a model of a gigabyte takes longer
//! than a search.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tuwen_files::file;

use super::digest::DIGITS;
use crate::Result;

/// Bytes of text that remembered digests may take up.
const LARGEST: u64 = 1 << 20;
/// Digests that are remembered; beyond these the oldest are forgotten.
const MOST: usize = 256;

/// A text file of digests: on each line the key, which stands for an architecture and the state of its files,
/// the digest, and the hash of both, so that a damaged line is no digest.
pub(super) struct Memory {
    /// None where there is no place for it.
    file: Option<PathBuf>,
    /// A file that changed so shortly before it was read may have changed again within the same tick of the
    /// file system's clock.
    settled: Duration,
    /// Files of fewer bytes in all are hashed sooner than remembered.
    least: u64,
}

impl Memory {
    /// `tuwen/digests` in the user's cache.
    pub(super) fn of_user() -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let home = || Some(std::env::home_dir()?.join(".cache"));
        let file = set("XDG_CACHE_HOME").or_else(home).map(|cache| cache.join("tuwen/digests"));
        Self { file, settled: Duration::from_secs(2), least: 8 << 20 }
    }

    /// What is remembered of these files, or else what `compute` gives. That something cannot be remembered
    /// is no error.
    pub(super) fn digest(
        &self,
        description: &[u8],
        files: &[PathBuf],
        compute: impl FnOnce() -> Result<String>,
    ) -> Result<String> {
        let before = self.key(description, files);
        let (Some(file), Some(key)) = (&self.file, &before) else { return compute() };
        if let Some(digest) = lines(file).iter().find_map(|line| parse(line, key)) {
            return Ok(digest);
        }
        let digest = compute()?;
        // Unless somebody wrote to them while they were read.
        if self.key(description, files) == before {
            remember(file, key, &digest);
        }
        Ok(digest)
    }

    /// What the description and the files are together; none where they may change unnoticed, or are small.
    fn key(&self, description: &[u8], files: &[PathBuf]) -> Option<String> {
        let mut hasher = blake3::Hasher::new();
        let mut bytes = 0;
        hasher.update(&(description.len() as u64).to_le_bytes()).update(description);
        for file in files {
            let state = State::of(file)?;
            if state.since_change()? < self.settled {
                return None;
            }
            bytes += state.size;
            hasher.update(&state.path_bytes).update(&state.numbers());
        }
        (bytes >= self.least).then(|| hasher.finalize().to_hex()[..2 * DIGITS].to_owned())
    }
}

/// What changes when a file does: the time of the last change of its entry (ctime), which no program can set,
/// included.
#[cfg_attr(not(unix), allow(dead_code, reason = "there it is never made"))]
struct State {
    /// With their number in front.
    path_bytes: Vec<u8>,
    size: u64,
    /// Seconds and nanoseconds.
    modified: [i64; 2],
    changed: [i64; 2],
    device: u64,
    inode: u64,
}

impl State {
    #[cfg(unix)]
    fn of(path: &Path) -> Option<Self> {
        use std::os::unix::ffi::OsStrExt;
        use std::os::unix::fs::MetadataExt;
        let path = path.canonicalize().ok()?;
        let found = path.metadata().ok()?;
        let name = path.as_os_str().as_bytes();
        Some(Self {
            path_bytes: [&(name.len() as u64).to_le_bytes(), name].concat(),
            size: found.size(),
            modified: [found.mtime(), found.mtime_nsec()],
            changed: [found.ctime(), found.ctime_nsec()],
            device: found.dev(),
            inode: found.ino(),
        })
    }

    /// Elsewhere there is no such time, and nothing is remembered.
    #[cfg(not(unix))]
    fn of(_: &Path) -> Option<Self> {
        None
    }

    /// Time since the last change; none where that lies in the future.
    fn since_change(&self) -> Option<Duration> {
        let now = std::time::UNIX_EPOCH.elapsed().ok()?;
        let [seconds, nanoseconds] = self.modified.max(self.changed);
        let then = Duration::new(seconds.try_into().ok()?, nanoseconds.try_into().ok()?);
        now.checked_sub(then)
    }

    fn numbers(&self) -> Vec<u8> {
        let times = [self.modified, self.changed].concat();
        let times = times.into_iter().map(i64::cast_unsigned);
        let all = [self.size, self.device, self.inode].into_iter().chain(times);
        all.flat_map(u64::to_le_bytes).collect()
    }
}

/// The remembered lines, the oldest first; none where they cannot be read.
fn lines(file: &Path) -> Vec<String> {
    let bytes = file::read(file, LARGEST).unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_default().lines().map(str::to_owned).collect()
}

fn line(key: &str, digest: &str) -> String {
    let check = blake3::hash(format!("{key} {digest}").as_bytes()).to_hex();
    format!("{key} {digest} {}", &check[..DIGITS])
}

/// The digest of a line, where it is the key's.
fn parse(found: &str, key: &str) -> Option<String> {
    let digest = found.strip_prefix(key)?.split(' ').nth(1)?;
    (found == line(key, digest)).then(|| digest.to_owned())
}

fn remember(file: &Path, key: &str, digest: &str) {
    let mut all = lines(file);
    all.retain(|line| !line.starts_with(key));
    all.push(line(key, digest));
    let kept = &all[all.len().saturating_sub(MOST)..];
    if let Some(folder) = file.parent() {
        let _ = std::fs::create_dir_all(folder);
    }
    // What cannot be written is computed again the next time.
    let _ = file::replace(file, (kept.join("\n") + "\n").as_bytes());
}

#[cfg(all(test, unix))]
mod tests {
    use std::cell::Cell;
    use std::fs::{self, File};

    use super::super::digest::digits;
    use super::*;

    /// A model's file, and digests that count how often they are computed.
    struct Bench {
        folder: tempfile::TempDir,
        memory: Memory,
        computed: Cell<usize>,
    }

    impl Bench {
        fn new() -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            fs::write(folder.path().join("model"), b"weights").expect("a file");
            let file = Some(folder.path().join("cache/tuwen/digests"));
            let memory = Memory { file, settled: Duration::ZERO, least: 0 };
            Self { folder, memory, computed: Cell::new(0) }
        }

        fn model(&self) -> PathBuf {
            self.folder.path().join("model")
        }

        fn digest(&self, description: &str) -> String {
            let compute = || {
                self.computed.set(self.computed.get() + 1);
                let mut hasher = blake3::Hasher::new();
                hasher.update(description.as_bytes());
                hasher.update(&fs::read(self.model()).expect("the file"));
                Ok(digits(&hasher))
            };
            let files = [self.model()];
            self.memory.digest(description.as_bytes(), &files, compute).expect("a digest")
        }
    }

    #[test]
    fn what_nobody_touched_is_hashed_once_for_each_architecture() {
        let bench = Bench::new();
        let digest = bench.digest("a");
        assert_eq!((bench.digest("a"), bench.computed.get()), (digest.clone(), 1));
        assert_ne!(bench.digest("b"), digest);
        assert_eq!((bench.digest("a"), bench.computed.get()), (digest.clone(), 2));
        // By another name it is the same file.
        let link = bench.folder.path().join("link");
        std::os::unix::fs::symlink(bench.model(), &link).expect("a link");
        let other = bench.memory.digest(b"a", &[link], || unreachable!("it is remembered"));
        assert_eq!(other.expect("a digest"), digest);
    }

    /// As `touch -d` leaves it: the same size, the same time of modification.
    #[test]
    fn a_file_of_the_same_size_and_time_is_another() {
        let bench = Bench::new();
        let (digest, model) = (bench.digest("a"), bench.model());
        let modified = model.metadata().and_then(|m| m.modified()).expect("a time");
        let restore = |path: &Path| {
            let file = File::options().write(true).open(path).expect("the file");
            file.set_modified(modified).expect("the old time");
        };
        // Ticks of the file system's clock are up to 10 ms apart.
        std::thread::sleep(Duration::from_millis(30));
        fs::write(&model, b"changed").expect("written in place");
        restore(&model);
        let changed = bench.digest("a");
        assert_ne!(changed, digest);
        let beside = bench.folder.path().join("beside");
        fs::write(&beside, b"renamed").expect("a file");
        restore(&beside);
        fs::rename(&beside, &model).expect("put in its place");
        assert!(![digest, changed].contains(&bench.digest("a")));
        assert_eq!(bench.computed.get(), 3);
    }

    #[test]
    fn what_changed_just_now_or_is_small_is_not_remembered() {
        let mut bench = Bench::new();
        bench.memory.settled = Duration::from_secs(60);
        bench.digest("a");
        bench.memory.settled = Duration::ZERO;
        bench.memory.least = 8;
        bench.digest("a");
        assert!(!bench.memory.file.clone().expect("a place").exists());
        let future = std::time::SystemTime::now() + Duration::from_secs(100);
        bench.memory.least = 0;
        let file = File::options().write(true).open(bench.model()).expect("the file");
        file.set_modified(future).expect("a time");
        bench.digest("a");
        assert!(!bench.memory.file.expect("a place").exists());
    }

    #[test]
    fn damaged_lines_and_places_that_cannot_be_written_only_cost_time() {
        let mut bench = Bench::new();
        let digest = bench.digest("a");
        let file = bench.memory.file.clone().expect("a place");
        let whole = fs::read_to_string(&file).expect("a line");
        let other = whole.replace(&digest, "0123456789abcdef");
        for damaged in [&whole[..20], &whole[..60], &other, "\u{0}\n\n  ", ""] {
            fs::write(&file, damaged).expect("a file");
            assert_eq!(bench.digest("a"), digest, "{damaged:?}");
            assert_eq!(
                fs::read_to_string(&file).expect("a line").lines().last(),
                whole.lines().last()
            );
        }
        fs::write(&file, b"\xff\xfe").expect("a file");
        assert_eq!(bench.digest("a"), digest);
        bench.memory.file = Some(bench.model().join("no/folder"));
        assert_eq!(bench.digest("a"), digest);
        bench.memory.file = None;
        assert_eq!((bench.digest("a"), bench.computed.get()), (digest, 9));
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let bench = Bench::new();
        (0..MOST + 3).for_each(|i| drop(bench.digest(&i.to_string())));
        let file = bench.memory.file.clone().expect("a place");
        assert_eq!(lines(&file).len(), MOST);
        bench.digest("0");
        bench.digest("258");
        assert_eq!(bench.computed.get(), MOST + 4);
    }
}
