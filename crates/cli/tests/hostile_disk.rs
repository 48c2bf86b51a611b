//! Folders that cannot be read, disks that cannot be written or are full.

mod common;

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::{TUWEN, copy_pictures, demo_pictures, index, search};

/// A user without rights; root may read and write everything, whatever the permissions say.
const NOBODY: u32 = 65_534;

/// A folder that [`NOBODY`] may enter and write, with a copy of the program in it.
fn home_for_all() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    set_mode(folder.path(), 0o777);
    let program = folder.path().join("tuwen");
    std::fs::copy(TUWEN, &program).expect("a copy of the program");
    (folder, program)
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("our own file");
}

/// Runs the program without root's rights.
fn unprivileged(program: &Path, home: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.args(args).current_dir(home).env("HOME", home);
    if std::fs::metadata(home).expect("a folder").uid() == 0 {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.output().expect("the program starts")
}

#[test]
fn an_unreadable_folder_or_file_is_reported_and_the_rest_is_indexed() {
    let (folder, program) = home_for_all();
    let home = folder.path();
    let pictures = home.join("pictures");
    copy_pictures(&["red_car.png", "pizza.png"], &pictures);
    copy_pictures(&["cow.png"], &pictures.join("secret"));
    set_mode(&pictures.join("pizza.png"), 0);
    set_mode(&pictures.join("secret"), 0);
    let output = unprivileged(&program, home, &["index", "pictures", "--json"]);
    set_mode(&pictures.join("secret"), 0o755);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(summary["added"], 1, "{summary}");
    let failed = summary["failed"].to_string();
    for name in ["pizza.png", "secret"] {
        assert!(failed.contains(name) && failed.contains("ermission denied"), "{summary}");
    }
}

#[test]
fn a_gallery_that_cannot_be_written_is_still_searched() {
    let (folder, program) = home_for_all();
    let home = folder.path();
    copy_pictures(&["red_car.png", "pizza.png"], &home.join("pictures"));
    index(home, &["pictures"]);
    for folder in [".tuwen/vectors", ".tuwen"] {
        for entry in std::fs::read_dir(home.join(folder)).expect("the gallery") {
            let path = entry.expect("an entry").path();
            set_mode(&path, if path.is_dir() { 0o555 } else { 0o444 });
        }
        set_mode(&home.join(folder), 0o555);
    }
    let output = unprivileged(&program, home, &["search", "a pizza", "--json"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    let hits: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(hits.len(), 2);
    copy_pictures(&["cow.png"], &home.join("pictures"));
    let output = unprivileged(&program, home, &["index", "pictures"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains(".tuwen") && error.contains("writ"), "{error}");
    set_mode(&home.join(".tuwen"), 0o755);
}

/// A limit on the size of files stands in for the full disk: both end a write with an error.
#[test]
fn a_full_disk_loses_nothing_and_the_next_run_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    copy_pictures(&["red_car.png", "pizza.png"], &home.join("pictures"));
    index(home, &["pictures"]);
    let all = std::fs::read_dir(demo_pictures()).expect("demo pictures");
    let names: Vec<String> = all
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    copy_pictures(&names.iter().map(String::as_str).collect::<Vec<_>>(), &home.join("pictures"));
    // Blocks of 1 kB; without the trap the signal would kill before the write could fail.
    let script = "trap '' XFSZ; ulimit -f 64; exec \"$0\" index pictures";
    let output = Command::new("bash")
        .args(["-c", script, TUWEN])
        .current_dir(home)
        .output()
        .expect("bash starts");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("gallery.sqlite") || error.contains(".tuwen"), "{error}");
    assert!(search(home, &["a pizza"]).len() >= 2, "what was committed is still there");
    let summary = index(home, &["pictures"]);
    let count = |key: &str| summary[key].as_u64().expect("a count");
    assert_eq!(count("added") + count("unchanged"), names.len() as u64, "{summary}");
}
