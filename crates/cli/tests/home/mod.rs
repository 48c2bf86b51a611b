//! A home with pictures, and what a run of indexing says of it.

#![allow(dead_code, reason = "every test file uses some of it")]

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use super::common::{copy_pictures, demo_pictures};

pub const NAMES: [&str; 3] = ["red_car.png", "pizza.png", "sunset.png"];

/// A home with three pictures in `photos`.
pub fn home() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    copy_pictures(&NAMES, &folder.path().join("photos"));
    folder
}

/// One of the demo's pictures under another name; the folder is made.
pub fn put(name: &str, to: &Path) {
    std::fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
    std::fs::copy(demo_pictures().join(name), to).expect("a picture");
}

pub fn numbers<const N: usize>(summary: &Value, keys: [&str; N]) -> [u64; N] {
    keys.map(|key| summary[key].as_u64().unwrap_or_else(|| panic!("{key} in {summary}")))
}

pub fn summary(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}
