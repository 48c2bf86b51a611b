//! Folders as people have them: hidden files, links, other media, disks that are not there, names in any bytes.

mod common;
mod home;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use common::{copy_pictures, fail, index, search, succeed, tuwen};
use home::{NAMES, home, numbers, put, summary};

#[test]
fn hidden_and_excluded_files_are_left_out_and_stay_until_they_are_pruned() {
    let folder = home();
    let home = folder.path();
    let photos = home.join("photos");
    for hidden in [".Trashes/a.png", "@eaDir/b.png", "._pizza.png", "$RECYCLE.BIN/c.png"] {
        put("cow.png", &photos.join(hidden));
    }
    std::fs::write(photos.join("Thumbs.db"), b"\xff\xd8\xff as a picture begins").expect("a file");
    let found = index(home, &["photos"]);
    assert_eq!(numbers(&found, ["added", "hidden", "excluded", "kept"]), [3, 5, 0, 0], "{found}");
    let all = index(home, &["photos", "--hidden"]);
    assert_eq!(numbers(&all, ["added", "unchanged", "hidden", "removed"]), [4, 3, 0, 0], "{all}");
    assert_eq!(all["failed"].as_array().map(Vec::len), Some(1), "Thumbs.db is no picture: {all}");
    let again = index(home, &["photos", "--exclude", "/pizza.png"]);
    assert_eq!(numbers(&again, ["hidden", "excluded", "kept", "removed"]), [5, 1, 5, 0], "{again}");
    assert_eq!(search(home, &["pizza", "-k", "99"]).len(), 7);

    put("cow.png", &photos.join("cache/deep/cow.gif"));
    put("cow.png", &photos.join("cache/keep.png"));
    std::fs::write(photos.join("cache/.tuwenignore"), "# small ones\n*.gif\n").expect("a file");
    let ignored = index(home, &["photos", "--prune", "--exclude", "sun*"]);
    let counts = numbers(&ignored, ["added", "unchanged", "excluded", "removed", "kept"]);
    assert_eq!(counts, [1, 2, 2, 5, 0], "{ignored}");
    assert!(fail(home, &["index", "photos", "--exclude", "a{b"], 2).contains("a{b"));
    std::fs::write(photos.join(".tuwenignore"), "a{b\n").expect("a file");
    let message = fail(home, &["index", "photos"], 1);
    assert!(message.contains(".tuwenignore, line 1"), "{message}");
}

#[test]
fn a_walk_stays_inside_and_takes_every_file_once() {
    let folder = home();
    let home = folder.path();
    let photos = home.join("photos");
    put("cow.png", &home.join("elsewhere/cow.png"));
    put("dog_grass.png", &photos.join("sub/dog.png"));
    put("cat_sofa.png", &photos.join(".annex/object"));
    symlink("/proc/self", photos.join("process")).expect("a link");
    symlink("/", photos.join("everything")).expect("a link");
    symlink("../elsewhere/cow.png", photos.join("cow.png")).expect("a link");
    symlink(&photos, photos.join("sub/loop")).expect("a link");
    symlink("pizza.png", photos.join("also-pizza.png")).expect("a link");
    symlink(".annex/object", photos.join("cat.png")).expect("a link");
    symlink("loop.png", photos.join("loop.png")).expect("a link");
    std::fs::hard_link(photos.join("sunset.png"), photos.join("sub/sunset.png")).expect("a link");
    let pipe = Command::new("mkfifo").arg(photos.join("pipe.jpg")).status().expect("mkfifo");
    assert!(pipe.success());
    std::os::unix::net::UnixListener::bind(photos.join("socket.png")).expect("a socket");
    symlink("pipe.jpg", photos.join("to-a-pipe.jpg")).expect("a link");
    let found = index(home, &["photos", "photos/sub", "photos/pizza.png"]);
    let keys = ["added", "links_outside", "repeated", "devices", "hidden"];
    // Three, the dog, the cat that only a link shows. Again: a hard link, the loop, two ways to the
    // pizza, and the folder that was given twice.
    assert_eq!(numbers(&found, keys), [5, 3, 5, 3, 1], "{found}");
    assert_eq!(found["failed"].as_array().map(Vec::len), Some(1), "a link to itself: {found}");
    let hits = search(home, &["a cat", "-k", "99"]);
    assert!(hits.iter().any(|hit| hit["path"].as_str().is_some_and(|p| p.ends_with("/cat.png"))));
    let again = index(home, &["photos"]);
    assert_eq!(numbers(&again, ["added", "unchanged", "removed"]), [0, 5, 0], "{again}");
}

#[test]
fn media_that_are_not_read_are_counted_by_kind_and_named_ones_are_errors() {
    let folder = home();
    let home = folder.path();
    let photos = home.join("photos");
    let heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic and more";
    for name in ["a.HEIC", "b.heic", "really.jpg"] {
        std::fs::write(photos.join(name), heic).expect("a file");
    }
    std::fs::write(photos.join("c.mp4"), b"\0\0\0\x18ftypisom\0\0\0\0isommp41").expect("a file");
    std::fs::write(photos.join("d.zip"), b"PK\x03\x04 and more").expect("a file");
    std::fs::write(photos.join("e.docx"), b"PK\x03\x04 and more").expect("a file");
    let avif = Path::new(env!("CARGO_MANIFEST_DIR")).join("../image/tests/golden/avif/420.avif");
    std::fs::copy(avif, photos.join("IMG_1.HEIC")).expect("a golden");
    let found = index(home, &["photos"]);
    assert_eq!(numbers(&found, ["added"]), [4], "the AVIF by its content: {found}");
    let kinds = serde_json::json!({ "HEIC": 3, "MP4": 1, "ZIP": 1 });
    assert_eq!((&found["unsupported"], &found["failed"]), (&kinds, &serde_json::json!([])));
    let output = tuwen(home, &["index", "photos"]);
    let notes = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(notes.contains("3 HEIC, 1 MP4, 1 ZIP"), "{notes}");

    for (name, wanted) in [("a.HEIC", "HEIC"), ("really.jpg", "HEIC"), ("d.zip", "archive")] {
        let name = format!("photos/{name}");
        let message = fail(home, &["index", "photos/pizza.png", &name], 1);
        assert!(message.contains(&name) || message.contains("really.jpg"), "{message}");
        assert!(message.contains(wanted), "{message}");
    }
    let message = fail(home, &["classify", "photos/pizza.png", "photos/a.HEIC", "--label", "x"], 1);
    assert!(message.contains("HEIC"), "{message}");
    assert!(fail(home, &["index", "/dev/zero"], 1).contains("device"));
    for device in ["/dev/zero", "photos"] {
        assert!(fail(home, &["search", "--image", device], 1).contains(device));
    }
}

#[test]
fn a_disk_that_is_not_mounted_loses_nothing() {
    let folder = home();
    let home = folder.path();
    let photos = home.join("photos");
    put("cow.png", &photos.join("card/cow.png"));
    index(home, &["photos"]);
    std::fs::remove_file(photos.join("card/cow.png")).expect("the disk is gone");
    let one = tuwen(home, &["index", "photos", "--json"]);
    assert_eq!(one.status.code(), Some(1));
    let found = summary(&one);
    assert_eq!(
        (found["missing"][0]["items"].as_u64(), found["removed"].as_u64()),
        (Some(1), Some(0))
    );
    assert!(found["missing"][0]["path"].as_str().is_some_and(|path| path.ends_with("/card")));

    std::fs::remove_dir_all(&photos).expect("our own folder");
    std::fs::create_dir(&photos).expect("an empty mount point");
    let message = fail(home, &["index", "photos"], 1);
    assert!(message.contains("4 pictures") && message.contains("--force"), "{message}");
    assert_eq!(search(home, &["a cow", "-k", "99"]).len(), 4);
    copy_pictures(&NAMES, &photos);
    std::fs::remove_file(photos.join("pizza.png")).expect("our own file");
    let back = index(home, &["photos"]);
    assert_eq!(numbers(&back, ["unchanged", "removed"]), [2, 2], "what is gone is gone: {back}");
    std::fs::remove_dir_all(&photos).expect("our own folder");
    std::fs::create_dir(&photos).expect("an empty folder");
    assert_eq!(numbers(&index(home, &["photos", "--force"]), ["removed"]), [2]);
}

#[test]
fn contents_are_compared_when_asked_for() {
    let folder = home();
    let home = folder.path();
    index(home, &["photos"]);
    let path = home.join("photos/pizza.png");
    let old = std::fs::metadata(&path).expect("a file").modified().expect("a time");
    let mut bytes = std::fs::read(&path).expect("a picture");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).expect("other bytes of the same number");
    std::fs::File::options()
        .write(true)
        .open(&path)
        .and_then(|f| f.set_modified(old))
        .expect("a time");
    let keys = ["updated", "unchanged"];
    assert_eq!(numbers(&index(home, &["photos"]), keys), [0, 3]);
    let found = index(home, &["photos", "--verify"]);
    assert_eq!(numbers(&found, ["unchanged"]), [2], "{found}");
}

#[test]
fn names_of_any_bytes_survive() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    let name = OsStr::from_bytes(b"caf\xe9 #1\n\x1b[31m.png");
    put("cow.png", &home.join("photos").join(name));
    index(home, &["photos"]);
    let path = std::fs::canonicalize(home.join("photos").join(name)).expect("our own file");
    let hits = search(home, &["a cow"]);
    let hex: String =
        path.as_os_str().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hits[0]["path_bytes"], hex);
    let output = tuwen(home, &["search", "a", "cow", "--paths", "-0"]);
    assert_eq!(output.stdout, [path.as_os_str().as_bytes(), b"\0"].concat());
    let out = succeed(home, &["search", "a cow", "--html", "hits.html"]);
    assert!(out.contains(r"\n\u001b[31m.png") && out.lines().count() == 1, "{out}");
    let page = std::fs::read_to_string(home.join("hits.html")).expect("the page");
    assert!(page.contains("caf%E9%20%231%0A%1B%5B31m.png"), "{page}");
    assert!(page.contains("name=\"viewport\"") && page.contains("href=\"file:///"));
}
