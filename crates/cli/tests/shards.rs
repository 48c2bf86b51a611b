//! `tuwen data embed --shard I/N` and `tuwen data merge`: parts of a set by processes that know nothing of each other.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{TUWEN, copy_pictures, demo_pictures, fail, succeed, tuwen, word_piece_model};

/// Names of all drawn pictures.
fn names() -> Vec<String> {
    let entries = fs::read_dir(demo_pictures()).expect("pictures");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("one").file_name().into_string().expect("a name"))
        .collect();
    names.sort();
    names
}

/// A folder of so many of them, each with a caption beside it.
fn pictures(home: &Path, count: usize) {
    let names = names();
    let some: Vec<&str> = names.iter().take(count).map(String::as_str).collect();
    copy_pictures(&some, &home.join("photos"));
    for name in some {
        let beside = home.join("photos").join(name).with_extension("txt");
        fs::write(beside, format!("a picture called {name}")).expect("a file");
    }
}

fn shard(home: &Path, set: &str, part: &str) -> String {
    succeed(home, &["data", "embed", set, "parts", "--shard", part])
}

/// All files of a folder with what is in them.
fn content(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("one").path());
    let mut files: Vec<_> = entries
        .map(|path| (path.file_name().expect("a name").into(), fs::read(&path).expect("a file")))
        .collect();
    files.sort();
    files
}

fn lines(path: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(path).expect("lines");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn parts_put_together_are_the_whole_to_the_byte() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    pictures(home, 10);
    fs::write(home.join("photos/broken.png"), b"\x89PNG nothing").expect("a file");
    // Two at once, and one after them.
    let start = |part: &str| {
        let args = ["data", "embed", "photos", "parts", "--shard", part];
        Command::new(TUWEN).args(args).current_dir(home).output().expect("the program starts")
    };
    std::thread::scope(|scope| {
        let two = ["2/3", "0/3"].map(|part| scope.spawn(move || start(part)));
        for output in two.map(|thread| thread.join().expect("no panic")) {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    });
    let missing = fail(home, &["data", "merge", "parts", "rows"], 1);
    assert!(missing.contains("1 of 3 parts") && missing.contains("--shard 1/3"), "{missing}");
    assert!(!home.join("rows").exists() && !home.join("rows.part").exists());
    shard(home, "photos", "1/3");
    let said = succeed(home, &["data", "merge", "parts", "rows"]);
    assert!(said.contains("3 parts put together: 10 pictures, 10 captions"), "{said}");
    assert!(said.contains("1 failed"), "{said}");
    succeed(home, &["data", "embed", "photos", "whole", "--shard", "0/1"]);
    let (whole, rows) =
        (content(&home.join("whole/shard-00000-of-00001")), content(&home.join("rows")));
    assert_eq!(whole, rows);
    let failed = lines(&home.join("rows/failed.jsonl"));
    assert_eq!((failed.len(), &failed[0]["id"]), (1, &"broken".into()));
    // The same vectors as those of the command without parts, and a gallery of them.
    succeed(home, &["data", "embed", "photos", "plain", "--to", "npy"]);
    for name in ["images.npy", "images.jsonl", "texts.npy", "texts.jsonl"] {
        let read = |folder: &str| fs::read(home.join(folder).join(name)).expect("a file");
        assert_eq!(read("plain"), read("rows"), "{name}");
    }
    let said = succeed(home, &["gallery", "import", "rows", "--gallery", "g"]);
    assert_eq!(said.matches("10 vectors added").count(), 2, "{said}");
    let hits =
        succeed(home, &["search", "--image", "photos/beach.png", "--gallery", "g", "-k", "1"]);
    assert!(hits.contains("beach.png"), "{hits}");
}

#[test]
fn a_finished_part_is_left_and_a_killed_one_begins_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    pictures(home, 84);
    let place = home.join("parts/shard-00000-of-00001");
    // Killed while it embeds, as soon as there is something of it.
    let mut killed = 0;
    for _ in 0..3 {
        let mut child = Command::new(TUWEN)
            .args(["data", "embed", "photos", "parts", "--shard", "0/1"])
            .current_dir(home)
            .stdout(Stdio::null())
            .spawn()
            .expect("the program starts");
        let (part, begun) = (place.with_extension("part"), Instant::now());
        while !part.join("images.npy").exists() && begun.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(1));
        }
        // Nobody else may write this part meanwhile.
        if killed == 0 {
            let busy = fail(home, &["data", "embed", "photos", "parts", "--shard", "0/1"], 1);
            assert!(busy.contains("another tuwen"), "{busy}");
        }
        child.kill().and_then(|()| child.wait()).expect("killed");
        assert!(!place.exists(), "nothing has the final name");
        killed += usize::from(part.exists());
        let error = fail(home, &["data", "merge", "parts", "rows"], 1);
        assert!(error.contains("no part of a set"), "{error}");
    }
    assert_eq!(killed, 3, "each was killed in the middle");
    let said = shard(home, "photos", "0/1");
    assert!(said.contains("84 pictures, 84 captions"), "{said}");
    let before = content(&place);
    let modified =
        fs::metadata(place.join("images.npy")).and_then(|data| data.modified()).expect("a time");
    let said = shard(home, "photos", "0/1");
    assert!(said.contains("there already and whole") && said.contains("nothing to do"), "{said}");
    assert_eq!(content(&place), before);
    let now =
        fs::metadata(place.join("images.npy")).and_then(|data| data.modified()).expect("a time");
    assert_eq!(now, modified);
    // One that was changed is no finished one.
    fs::write(place.join("images.jsonl"), "").expect("a file");
    let error = fail(home, &["data", "embed", "photos", "parts", "--shard", "0/1"], 1);
    assert!(error.contains("images.jsonl") && error.contains("remove the folder"), "{error}");
}

#[test]
fn parts_that_do_not_belong_together_are_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    pictures(home, 4);
    word_piece_model(&home.join("m"));
    shard(home, "photos", "0/2");
    let part = ["data", "embed", "photos", "parts", "--shard"];
    let with = |more: &[&'static str]| -> Vec<&str> {
        part.iter().copied().chain(more.iter().copied()).collect()
    };
    // Before anything is embedded, and in the merge of what was written apart.
    let error = fail(home, &with(&["1/2", "--model", "m"]), 1);
    assert!(error.contains("the model is") && error.contains("words"), "{error}");
    let error = fail(home, &with(&["0/2", "--precision", "f32"]), 1);
    assert!(error.contains("--precision is auto, not f32"), "{error}");
    let apart = ["data", "embed", "photos", "apart", "--shard", "1/2", "--model", "m"];
    succeed(home, &apart);
    let (theirs, ours) =
        (home.join("apart/shard-00001-of-00002"), home.join("parts/shard-00001-of-00002"));
    fs::rename(&theirs, &ours).expect("moved");
    let error = fail(home, &["data", "merge", "parts", "rows"], 1);
    assert!(error.contains("shard-00001-of-00002") && error.contains("the model is"), "{error}");
    fs::remove_dir_all(&ours).expect("removed");
    // A list that is another one.
    fs::rename(home.join("photos").join(&names()[3]), home.join("photos/zzz.png"))
        .expect("renamed");
    let error = fail(home, &with(&["1/2"]), 1);
    assert!(error.contains("the list is") && error.contains("4 inputs"), "{error}");
    fs::rename(home.join("photos/zzz.png"), home.join("photos").join(&names()[3]))
        .expect("renamed");
    shard(home, "photos", "1/2");
    // Other numbers of parts.
    succeed(home, &["data", "embed", "photos", "apart", "--shard", "0/3"]);
    let other = home.join("parts/shard-00000-of-00003");
    fs::rename(home.join("apart/shard-00000-of-00003"), &other).expect("moved");
    let error = fail(home, &["data", "merge", "parts", "rows"], 1);
    assert!(error.contains("one of 3 parts") && error.contains("one of 2"), "{error}");
    fs::remove_dir_all(&other).expect("removed");
    // A changed byte.
    let vectors = ours.join("images.npy");
    let mut bytes = fs::read(&vectors).expect("vectors");
    *bytes.last_mut().expect("a byte") ^= 1;
    fs::write(&vectors, &bytes).expect("written");
    let error = fail(home, &["data", "merge", "parts", "rows"], 1);
    assert!(error.contains("images.npy") && error.contains("not as it was written"), "{error}");
    *bytes.last_mut().expect("a byte") ^= 1;
    fs::write(&vectors, &bytes).expect("written");
    succeed(home, &["data", "merge", "parts", "rows"]);
    // Vectors that say of which model they are.
    let error = fail(home, &["gallery", "import", "rows", "--gallery", "g", "--model", "m"], 2);
    assert!(error.contains("its vectors are of the model tuwen-small"), "{error}");
    for (wrong, cure) in
        [("2/2", "1/2"), ("0/0", "part 0 of 0"), ("x", "I/N"), ("1/100000", "99999")]
    {
        let error = fail(home, &with(&[wrong]), 2);
        assert!(error.contains(cure), "{wrong}: {error}");
    }
    let error = fail(home, &with(&["0/2", "--to", "fbin"]), 2);
    assert!(error.contains("data merge"), "{error}");
}

/// A webdataset shard of these pictures, with a number as each key.
fn archive(path: &Path, names: &[String]) {
    let mut builder = tar::Builder::new(fs::File::create(path).expect("a file"));
    for (number, name) in names.iter().enumerate() {
        let picture = fs::read(demo_pictures().join(name)).expect("a picture");
        for (end, bytes) in [("png", &picture[..]), ("txt", name.as_bytes())] {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            builder
                .append_data(&mut header, format!("{number:03}.{end}"), bytes)
                .expect("a member");
        }
    }
    builder.finish().expect("an archive");
}

#[test]
fn archives_and_lists_are_divided_and_a_damaged_archive_finishes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    pictures(home, 3);
    let names = names();
    fs::create_dir(home.join("tars")).expect("a folder");
    for (number, some) in names[..9].chunks(3).enumerate() {
        archive(&home.join(format!("tars/{number:05}.tar")), some);
    }
    for part in ["0/2", "1/2"] {
        shard(home, "tars", part);
    }
    succeed(home, &["data", "merge", "parts", "rows", "--to", "fbin"]);
    let ids: Vec<String> = lines(&home.join("rows/images.jsonl"))
        .iter()
        .map(|line| line["id"].as_str().expect("an id").to_owned())
        .collect();
    assert_eq!(ids[..4], ["00000/000", "00000/001", "00000/002", "00001/000"]);
    assert_eq!(ids.len(), 9);
    succeed(home, &["gallery", "import", "rows", "--gallery", "g"]);
    // A list of both; more parts than lines leave some empty.
    let list: String = [&names[0], &names[1], "tars/00001.tar", "./tars/00002.tar"]
        .map(|line| if line.contains(".tar") { line.to_owned() } else { format!("photos/{line}") })
        .join("\n");
    fs::write(home.join("all.txt"), list + "\n\nphotos/gone.png\n").expect("a list");
    for part in 0..6 {
        let part = format!("{part}/6");
        succeed(home, &["data", "embed", "all.txt", "listed", "--shard", &part]);
    }
    let said = succeed(home, &["data", "merge", "listed", "one"]);
    assert!(said.contains("8 pictures, 8 captions") && said.contains("1 failed"), "{said}");
    let failed = lines(&home.join("one/failed.jsonl"));
    assert!(failed[0]["why"].as_str().expect("why").contains("gone.png"), "{failed:?}");
    let ids = lines(&home.join("one/images.jsonl"));
    let id = format!("photos/{}", names[0].trim_end_matches(".png"));
    assert_eq!((&ids[0]["id"], &ids[2]["id"]), (&id.into(), &"tars/00001/000".into()));
    // The same picture twice in a list.
    fs::write(home.join("twice.txt"), format!("photos/{0}\n./photos/{0}\n", names[0]))
        .expect("a list");
    for part in ["0/2", "1/2"] {
        succeed(home, &["data", "embed", "twice.txt", "twice", "--shard", part]);
    }
    let error = fail(home, &["data", "merge", "twice", "none"], 1);
    assert!(error.contains("there twice") && error.contains("shard-00001-of-00002"), "{error}");
    // A damaged archive is of one part, which is not finished.
    let bytes = fs::read(home.join("tars/00002.tar")).expect("an archive");
    fs::write(home.join("tars/00002.tar"), &bytes[..bytes.len() / 2]).expect("cut");
    let args = |part: &'static str| ["data", "embed", "tars", "cut", "--shard", part];
    succeed(home, &args("0/3"));
    let error = fail(home, &args("2/3"), 1);
    assert!(error.contains("00002.tar") && error.contains("cut"), "{error}");
    assert!(!home.join("cut/shard-00002-of-00003").exists());
    assert!(tuwen(home, &args("1/3")).status.success());
}

#[test]
fn a_file_of_captions_is_divided_and_another_caption_is_another_list() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    pictures(home, 5);
    let rows = |caption: &str| -> Vec<u8> {
        let names = names();
        let rows = names[..5].iter().map(|name| format!("{name},{caption}\n{name},一只狗\n"));
        let text =
            format!("image,caption,title\n{}", rows.collect::<String>().replace('\n', ",x\n"));
        encoding_rs::GBK.encode(&text.replace("title,x", "title")).0.into_owned()
    };
    fs::write(home.join("set.csv"), rows("一张照片")).expect("a file");
    let args = |part: &'static str| {
        ["data", "embed", "set.csv", "parts", "--images", "photos", "--shard", part]
    };
    let output = tuwen(home, &args("1/2"));
    let notes = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && notes.contains("is read as GB18030"), "{notes}");
    fs::write(home.join("set.csv"), rows("另一张照片")).expect("a file");
    let error = fail(home, &args("0/2"), 1);
    assert!(error.contains("the list is") && error.contains("(5 inputs), not"), "{error}");
    fs::write(home.join("set.csv"), rows("一张照片")).expect("a file");
    succeed(home, &args("0/2"));
    let said = succeed(home, &["data", "merge", "parts", "rows"]);
    assert!(said.contains("5 pictures, 10 captions"), "{said}");
    let texts = lines(&home.join("rows/texts.jsonl"));
    assert_eq!((&texts[0]["text"], &texts[9]["text"]), (&"一张照片".into(), &"一只狗".into()));
}
