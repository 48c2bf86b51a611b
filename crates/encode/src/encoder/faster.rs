//! Whether this processor multiplies bf16 faster than f32: measured when somebody first asks for it, remembered in the
//! user's cache.

use std::io::Read;
use std::path::PathBuf;
use std::sync::OnceLock;

use tuwen_files::file;
use tuwen_gemm::Precision;

use super::Products;

/// Times as fast from which on bits are given away for it.
const LEAST_GAIN: f32 = 1.2;
/// Bytes of what is remembered, at most.
const LARGEST: u64 = 1 << 12;

impl Products {
    /// What is multiplied here where this was asked for, and what to say where that is something else.
    pub(super) fn here(self) -> (Self, Option<String>) {
        if self != Self::Bf16 {
            return (self, None);
        }
        static GAIN: OnceLock<Option<f32>> = OnceLock::new();
        let why = match GAIN.get_or_init(|| remembered(cache().as_ref(), processor().as_ref())) {
            Some(gain) if *gain >= LEAST_GAIN => return (self, None),
            Some(gain) => format!("was measured to multiply it {gain:.1} times as fast as f32"),
            None => "does not multiply it".into(),
        };
        (Self::F32, Some(format!("--precision bf16: this processor {why}: f32 is taken")))
    }
}

/// The gain that is remembered of this processor, or else is measured now. That it cannot be remembered is no error.
fn remembered(cache: Option<&PathBuf>, processor: Option<&String>) -> Option<f32> {
    let (Some(path), Some(name)) = (cache, processor) else {
        return Precision::Bf16.measured_gain();
    };
    let text = file::read(path, LARGEST).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let known = text.as_deref().and_then(|text| text.trim_end().split_once('\t'));
    let known = known.filter(|(_, of)| of == name).and_then(|(gain, _)| gain.parse::<f32>().ok());
    if let Some(gain) = known.filter(|gain| gain.is_finite() && Precision::Bf16.is_here()) {
        return Some(gain);
    }
    let gain = Precision::Bf16.measured_gain()?;
    if let Some(folder) = path.parent() {
        let _ = std::fs::create_dir_all(folder);
    }
    let _ = file::replace(path, format!("{gain}\t{name}\n").as_bytes());
    Some(gain)
}

/// `tuwen/bf16` in the user's cache.
fn cache() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let home = || Some(std::env::home_dir()?.join(".cache"));
    set("XDG_CACHE_HOME").or_else(home).map(|cache| cache.join("tuwen/bf16"))
}

/// What the system calls this processor, where it says that in a file; another program of ours is another one.
fn processor() -> Option<String> {
    let mut text = String::new();
    std::fs::File::open("/proc/cpuinfo").ok()?.take(LARGEST).read_to_string(&mut text).ok()?;
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    Some(format!("{} {}", name?.1.trim(), env!("CARGO_PKG_VERSION")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_measured_once_for_each_processor() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("tuwen/bf16");
        let of = |name: &str| remembered(Some(&path), Some(&name.to_owned()));
        let Some(gain) = of("one") else {
            assert!(!Precision::Bf16.is_here() && !path.exists());
            return;
        };
        assert!(gain > 0.0 && of("one") == Some(gain));
        std::fs::write(&path, "7.5\tone\n").expect("a file");
        assert_eq!(of("one"), Some(7.5));
        assert_ne!(of("other"), Some(7.5));
        for damaged in ["7.5", "NaN\tone\n", "\u{0}\t\t", ""] {
            std::fs::write(&path, damaged).expect("a file");
            assert!(of("one").is_some_and(f32::is_finite), "{damaged:?}");
        }
        assert!(remembered(None, None).is_some());
    }
}
