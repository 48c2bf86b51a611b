//! Folders as people have them: hidden files, links, other media, disks that are not there, names in any
//! bytes; and galleries that are rebuilt, locked, damaged, or lie in a folder above.

mod common;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::{TUWEN, copy_pictures, demo_pictures, fail, index, search, succeed, tuwen};
use serde_json::Value;

const NAMES: [&str; 3] = ["red_car.png", "pizza.png", "sunset.png"];

/// A home with three pictures in `photos`.
fn home() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    copy_pictures(&NAMES, &folder.path().join("photos"));
    folder
}

/// One of the demo's pictures under another name; the folder is made.
fn put(name: &str, to: &Path) {
    std::fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
    std::fs::copy(demo_pictures().join(name), to).expect("a picture");
}

fn numbers<const N: usize>(summary: &Value, keys: [&str; N]) -> [u64; N] {
    keys.map(|key| summary[key].as_u64().unwrap_or_else(|| panic!("{key} in {summary}")))
}

fn summary(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

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
fn a_rebuild_leaves_the_old_gallery_until_the_new_one_is_finished() {
    let folder = home();
    let home = folder.path();
    std::fs::write(home.join("t.txt"), "a text\n").expect("a file");
    index(home, &["photos", "--captions", "t.txt"]);
    let before = search(home, &["a pizza"]);
    let same = |what: &str| assert_eq!(search(home, &["a pizza"]), before, "{what}");
    assert!(fail(home, &["index", "TYPO", "--rebuild"], 1).contains("TYPO"));
    same("a place that is not there");
    fail(home, &["index", "photos", "--captions", "no.txt", "--rebuild"], 1);
    same("texts that are not there");
    std::fs::create_dir(home.join("empty")).expect("a folder");
    assert!(fail(home, &["index", "empty", "--rebuild"], 1).contains("4 items"));
    same("nothing to index");

    put("cow.png", &home.join("photos/cow.png"));
    for copy in 0..200 {
        put("cow.png", &home.join(format!("many/{copy}.png")));
    }
    let mut killed = Command::new(TUWEN)
        .args(["index", "many", "--rebuild"])
        .current_dir(home)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let started = std::time::Instant::now();
    while !home.join(".tuwen/new.sqlite").exists() {
        assert!(started.elapsed().as_secs() < 60, "the rebuild does not begin");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    killed.kill().expect("SIGKILL");
    killed.wait().expect("it ends");
    same("killed");
    std::fs::rename(home.join("t.txt"), home.join("moved.txt")).expect("renamed");
    assert!(fail(home, &["index", "photos", "--rebuild"], 1).contains("1 text of"));
    same("texts whose file is gone");
    std::fs::rename(home.join("moved.txt"), home.join("t.txt")).expect("renamed");
    let found = index(home, &["photos", "--rebuild"]);
    assert_eq!(numbers(&found, ["added", "texts"]), [4, 0], "{found}");
    assert_eq!(search(home, &["a pizza"]).len(), 4);
    assert!(search(home, &["a text", "--kind", "text"]).is_empty(), "from nothing");
    let left: Vec<String> = std::fs::read_dir(home.join(".tuwen"))
        .expect("the gallery")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("new"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn damage_is_called_damage_with_a_cure_that_can_be_pasted() {
    let folder = home();
    let home = folder.path();
    index(home, &["photos", "--gallery", "my gallery"]);
    let database = home.join("my gallery/gallery.sqlite");
    let whole = std::fs::read(&database).expect("the database");
    let other = tempfile::NamedTempFile::new().expect("a file");
    let db = rusqlite::Connection::open(other.path()).expect("a database");
    db.execute_batch("CREATE TABLE other (x); PRAGMA user_version = 1").expect("a table");
    drop(db);
    let other = std::fs::read(other.path()).expect("a database");
    for (bytes, what) in [
        (&whole[..0], "empty"),
        (&whole[..5000], "cut"),
        (b"no database", "overwritten"),
        (&other, "another program's"),
    ] {
        std::fs::write(&database, bytes).expect("our own file");
        for args in [
            &["search", "a dog", "--gallery", "my gallery"][..],
            &["index", "photos", "--gallery", "my gallery"],
        ] {
            let message = fail(home, args, 1);
            assert!(message.contains("damaged"), "{what}: {message}");
            assert!(message.contains("--rebuild --gallery 'my gallery'"), "{what}: {message}");
        }
    }
    let found = index(home, &["photos", "--rebuild", "--gallery", "my gallery"]);
    assert_eq!(numbers(&found, ["added"]), [3]);
    assert_eq!(search(home, &["a dog", "--gallery", "my gallery"]).len(), 3);
}

#[test]
fn captions_meet_their_pictures_or_are_reported() {
    let folder = home();
    let home = folder.path();
    put("cow.png", &home.join("photos/a/1.png"));
    put("dog_grass.png", &home.join("photos/b/1.png"));
    // The letter with its accent apart, as some systems store it.
    put("cat_sofa.png", &home.join("photos/cafe\u{301}.png"));
    let rows = [
        "caf\u{e9}.png,composed",
        "a/1.png,by its folder",
        "1.png,one of two",
        "./photos/pizza.png,from here",
        "sunset,by its id",
        r"photos\b\1.png,backslashes",
        "nowhere.png,none",
    ];
    std::fs::write(home.join("c.csv"), format!("image,caption\n{}\n", rows.join("\n")))
        .expect("a file");
    let found = index(home, &["photos", "--captions", "c.csv"]);
    assert_eq!(numbers(&found, ["added", "texts"]), [6, 7], "{found}");
    let reasons: Vec<&str> = found["texts_alone"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|f| f["reason"].as_str())
        .collect();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert!(
        reasons[0].contains("fits 2 pictures") && reasons[0].contains("one of two"),
        "{reasons:?}"
    );
    assert!(reasons[1].contains("nowhere.png"), "{reasons:?}");
    let again = index(home, &["--captions", "c.csv"]);
    assert_eq!(numbers(&again, ["texts", "removed"]), [0, 0], "{again}");
    let db = rusqlite::Connection::open(home.join(".tuwen/gallery.sqlite")).expect("the gallery");
    let owner = |text: &str| -> Option<String> {
        let sql = "SELECT p.origin FROM item t JOIN item p ON p.id = t.owner WHERE t.text = ?1";
        let origin = db.query_row(sql, [text], |row| row.get::<_, Vec<u8>>(0)).ok()?;
        Some(String::from_utf8(origin).expect("UTF-8").split("/photos/").nth(1)?.to_owned())
    };
    for (text, picture) in [
        ("composed", Some("cafe\u{301}.png")),
        ("by its folder", Some("a/1.png")),
        ("one of two", None),
        ("from here", Some("pizza.png")),
        ("by its id", Some("sunset.png")),
        ("backslashes", Some("b/1.png")),
    ] {
        assert_eq!(owner(text).as_deref(), picture, "{text}");
    }
}

#[test]
fn texts_outlive_their_file_until_they_are_pruned() {
    let folder = home();
    let home = folder.path();
    assert!(fail(home, &["index", "photos", "--captions", "no.txt"], 1).contains("no.txt"));
    assert!(!home.join(".tuwen").exists(), "noticed before anything was done");
    std::fs::create_dir(home.join("words")).expect("a folder");
    for name in ["words/a.txt", "words/b.txt"] {
        std::fs::write(home.join(name), "one text\n").expect("a file");
    }
    let output = tuwen(home, &["index", "photos", "--captions", "words/a.txt"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains(" 1 text added"));
    index(home, &["--captions", "words/b.txt"]);
    std::fs::write(home.join("words/b.txt"), "\n").expect("a file");
    assert!(fail(home, &["index", "--captions", "words/b.txt"], 1).contains("no text"));
    std::fs::remove_file(home.join("words/a.txt")).expect("our own file");
    let found = index(home, &["photos"]);
    assert_eq!(found["texts_without_file"][0]["items"], 1, "{found}");
    assert_eq!(search(home, &["x", "--kind", "text"]).len(), 2);
    assert_eq!(numbers(&index(home, &["photos", "--prune"]), ["removed"]), [1]);
    assert_eq!(search(home, &["x", "--kind", "text"]).len(), 1);
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
fn a_gallery_is_found_by_name_by_environment_here_and_above() {
    let folder = home();
    let home = folder.path();
    index(home, &["photos"]);
    index(home, &["photos/pizza.png", "--gallery", "other"]);
    let below = home.join("photos/deep");
    std::fs::create_dir(&below).expect("a folder");
    assert_eq!(search(&below, &["a pizza"]).len(), 3, "above");
    let with = |folder: &Path, args: &[&str]| {
        let mut command = Command::new(TUWEN);
        command.args(args).current_dir(folder).env("TUWEN_GALLERY", home.join("other"));
        command.output().expect("the program starts")
    };
    let hits: Value = summary(&with(&below, &["search", "a pizza", "--json"]));
    assert_eq!(hits.as_array().map(Vec::len), Some(1), "the environment");
    let named = ["search", "a pizza", "--json", "--gallery", "../../.tuwen"];
    assert_eq!(summary(&with(&below, &named)).as_array().map(Vec::len), Some(3), "a name");
    put("cow.png", &below.join("cow.png"));
    let output = tuwen(&below, &["index", "."]);
    let notes = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && notes.contains("the gallery is "), "{notes}");
    assert_eq!(search(home, &["a cow"]).len(), 4);
    assert!(fail(&below, &["index", ".", "--rebuild"], 2).contains("--gallery"));
    assert_eq!(search(home, &["a cow"]).len(), 4);
}

#[test]
fn words_need_no_quotes_and_many_queries_one_start() {
    let folder = home();
    let home = folder.path();
    index(home, &["photos"]);
    assert_eq!(search(home, &["a", "red", "car"]), search(home, &["a red car"]));
    std::fs::write(home.join("q.txt"), "a red car\n\n披萨\n").expect("a file");
    let lines = succeed(home, &["search", "--queries", "q.txt", "--json"]);
    let lines: Vec<Value> = lines.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["query"], &lines[1]["query"]), (&"a red car".into(), &"披萨".into()));
    assert_eq!(lines[0]["hits"], Value::from(search(home, &["a red car"])));
    let mut child = Command::new(TUWEN)
        .args(["search", "--queries", "-", "-k", "1"])
        .current_dir(home)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut input = child.stdin.take().expect("a pipe");
    std::io::Write::write_all(&mut input, "披萨\n".as_bytes()).expect("a query");
    drop(input);
    let out = child.wait_with_output().expect("it ends").stdout;
    let out = String::from_utf8(out).expect("UTF-8");
    assert!(out.starts_with("披萨\n") && out.contains("pizza.png"), "{out}");
    std::fs::write(home.join("q.txt"), "\n").expect("a file");
    assert!(fail(home, &["search", "--queries", "q.txt"], 2).contains("no query"));
    assert!(fail(home, &["search", "--queries", "/dev/zero"], 1).contains("device"));

    let output = tuwen(home, &["embed", "--text", "", "--text", "a dog"]);
    let notes = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(notes.contains("--text \"\""), "{notes}");
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 1);
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
