//! Galleries that are rebuilt, locked, damaged, lie in a folder above, or have captions from elsewhere.

mod common;
mod home;

use std::path::Path;
use std::process::{Command, Stdio};

use common::{TUWEN, fail, index, search, succeed, tuwen};
use home::{home, numbers, put, summary};
use serde_json::Value;

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
