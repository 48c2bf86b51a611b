//! A small captioned set, and what lies in a folder.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::fs;
use std::path::Path;

use super::common::copy_pictures;

/// Four pictures with captions in a table.
pub fn set(folder: &Path) {
    let names = ["airplane.png", "beach.png", "cow.png", "night.png"];
    copy_pictures(&names, &folder.join("images"));
    let rows = "image,caption,kind\nairplane.png,一架飞机,air\nairplane.png,a plane,air\nbeach.png,海滩,sea\n\
        cow.png,a cow,land\nnight.png,\"夜晚, 月亮\",air\n";
    fs::write(folder.join("set.csv"), rows).expect("a file");
}

pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

pub fn text(path: &Path) -> String {
    fs::read_to_string(path).expect("a text")
}
