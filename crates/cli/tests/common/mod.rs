//! Running the real program on real files in a folder of its own.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The program under test.
pub const TUWEN: &str = env!("CARGO_BIN_EXE_tuwen");

/// The demo's drawn pictures.
pub fn demo_pictures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/demo/png")
}

/// Runs the program in `folder`.
pub fn tuwen(folder: &Path, args: &[&str]) -> Output {
    Command::new(TUWEN).args(args).current_dir(folder).output().expect("the program starts")
}

/// Runs it and expects success; returns what it printed.
pub fn succeed(folder: &Path, args: &[&str]) -> String {
    let output = tuwen(folder, args);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?} failed: {error}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Runs it and expects that exit code; returns the error message.
pub fn fail(folder: &Path, args: &[&str], code: i32) -> String {
    let output = tuwen(folder, args);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {error}");
    error
}

/// Copies some of the demo's pictures.
pub fn copy_pictures(names: &[&str], to: &Path) {
    std::fs::create_dir_all(to).expect("a writable folder");
    for name in names {
        std::fs::copy(demo_pictures().join(name), to.join(name)).expect("a demo picture");
    }
}

/// The summary of `tuwen index --json`.
pub fn index(folder: &Path, args: &[&str]) -> serde_json::Value {
    let all: Vec<&str> = ["index", "--json"].iter().chain(args).copied().collect();
    serde_json::from_str(&succeed(folder, &all)).expect("JSON")
}

/// The hits of `tuwen search --json`.
pub fn search(folder: &Path, args: &[&str]) -> Vec<serde_json::Value> {
    let all: Vec<&str> = ["search", "--json"].iter().chain(args).copied().collect();
    serde_json::from_str(&succeed(folder, &all)).expect("JSON")
}
