//! `tuwen taidi` on a small folder in the contest's layout.

mod common;

use std::path::Path;

use common::{copy_pictures, fail, succeed, tuwen};

const PICTURES: [&str; 7] = [
    "airplane.png",
    "apples.png",
    "balloon.png",
    "bananas.png",
    "beach.png",
    "dog_ball.png",
    "night.png",
];
const WORDS: [&str; 7] = ["飞机", "苹果", "气球", "香蕉", "海滩", "狗和球", "夜晚"];

/// 附件1 in GB18030, 附件2 and 附件3 in UTF-8 with and without its mark.
fn contest(root: &Path) {
    let parts = ["附件1", "附件2", "附件3"].map(|part| root.join(part));
    parts.iter().for_each(|part| copy_pictures(&PICTURES, &part.join("ImageData")));
    let lines = |start: &str, rows: Vec<String>| format!("{start}\n{}\n", rows.join("\n"));
    let pairs = PICTURES.iter().zip(WORDS);
    let train =
        lines("image_id,caption", pairs.map(|(p, w)| format!("{p},一张{w}的图片")).collect());
    let words = |first: usize| {
        let rows = WORDS.iter().enumerate();
        lines("text_id,caption", rows.map(|(i, w)| format!("Word-{},{w}", first + i)).collect())
    };
    let images = lines("image_id", PICTURES.iter().map(|p| (*p).to_owned()).collect());
    let (gbk, ..) = encoding_rs::GB18030.encode(&train);
    std::fs::write(parts[0].join("ImageWordData.csv"), gbk).expect("a file");
    std::fs::write(parts[1].join("word_test.csv"), format!("\u{feff}{}", words(1_000_004_254)))
        .expect("a file");
    std::fs::write(parts[1].join("image_data.csv"), &images).expect("a file");
    std::fs::write(parts[2].join("image_test.csv"), &images).expect("a file");
    std::fs::write(parts[2].join("word_data.csv"), words(1_000_050_001)).expect("a file");
}

#[test]
fn predictions_are_what_the_contest_takes() {
    let folder = tempfile::tempdir().expect("a folder");
    contest(folder.path());
    std::fs::write(folder.path().join("附件3/ImageData/night.png"), b"not a picture")
        .expect("a file");
    let output = tuwen(folder.path(), &["taidi", "predict", "."]);
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("night.png"), "named and answered");
    let right = succeed(folder.path(), &["taidi", "validate", "."]);
    assert_eq!(right.matches("7 queries with 5 answers each").count(), 2, "{right}");
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("a file");
    let result = read("result1.csv");
    assert!(
        result.starts_with("text_id,similarity_ranking,result_image_id\nWord-1000004254,1,"),
        "{result}"
    );
    assert_eq!((result.lines().count(), result.contains('\r')), (36, false));
    // The built-in model finds most of these drawings.
    let firsts = result.lines().skip(1).step_by(5).zip(PICTURES);
    let found = firsts.filter(|(line, picture)| line.ends_with(picture)).count();
    assert!(found >= 4, "{found} of 7: {result}");
    assert!(
        read("result2.csv")
            .starts_with("image_id,similarity_ranking,result_text_id\nairplane.png,1,Word-")
    );
}

#[test]
fn several_models_are_fused() {
    let folder = tempfile::tempdir().expect("a folder");
    contest(folder.path());
    let read = |out: &str| {
        std::fs::read_to_string(folder.path().join(out).join("result1.csv")).expect("a file")
    };
    succeed(folder.path(), &["taidi", "predict", ".", "--out", "one"]);
    for (out, more) in
        [("z", &["--weight", "0.5", "--weight", "2"][..]), ("rrf", &["--fuse", "rrf"][..])]
    {
        let args = [
            "taidi",
            "predict",
            ".",
            "--out",
            out,
            "--model",
            "tuwen-small",
            "--model",
            "tuwen-small",
        ];
        succeed(folder.path(), &[&args[..], more].concat());
        assert_eq!(read(out), read("one"), "a model fused with itself");
    }
    let noted =
        succeed(folder.path(), &["taidi", "predict", ".", "--out", "dual", "--dual-softmax"]);
    assert!(noted.contains("structure of the test set"), "{noted}");
    succeed(folder.path(), &["taidi", "validate", "dual", "--data", "."]);
    let noted = succeed(folder.path(), &["taidi", "predict", ".", "--out", "own", "--one-to-one"]);
    assert!(noted.contains("--one-to-one, which uses the structure"), "{noted}");
    succeed(folder.path(), &["taidi", "validate", "own", "--data", "."]);
    let answers = read("own");
    let firsts: Vec<&str> = answers.lines().skip(1).step_by(5).collect();
    let given = |line: &&str| line.rsplit(',').next().expect("an item").to_owned();
    let distinct: std::collections::HashSet<String> = firsts.iter().map(given).collect();
    assert_eq!(distinct.len(), firsts.len(), "{answers}");
    let wrong =
        fail(folder.path(), &["taidi", "predict", ".", "--weight", "1", "--weight", "2"], 2);
    assert!(wrong.contains("2 --weight for 1 --model"), "{wrong}");
}

#[test]
fn every_mistake_is_named_with_its_line() {
    let folder = tempfile::tempdir().expect("a folder");
    contest(folder.path());
    succeed(folder.path(), &["taidi", "predict", ".", "--out", "out"]);
    let good = std::fs::read_to_string(folder.path().join("out/result1.csv")).expect("a file");
    std::fs::remove_file(folder.path().join("out/result2.csv")).expect("a file");
    let path = folder.path().join("out/result1.csv");
    let problems = |bytes: &[u8]| {
        std::fs::write(&path, bytes).expect("a file");
        let output = tuwen(folder.path(), &["taidi", "validate", "out", "--data", "."]);
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let lines: Vec<&str> = good.lines().collect();
    let with = |at: usize, line: &str| {
        let mut changed = lines.clone();
        changed[at] = line;
        changed.join("\n") + "\n"
    };
    let expect = |text: String, parts: &[&str]| {
        let found = problems(text.as_bytes());
        parts.iter().for_each(|part| assert!(found.contains(part), "{part}: {found}"));
    };
    expect(with(0, "text_id,rank,image"), &["line 1", "similarity_ranking"]);
    expect(with(2, "Word-1000004254,3,beach.png"), &["line 3", "must be 2"]);
    expect(with(2, "Word-1000004254,2,gone.png"), &["line 3", "gone.png", "附件2"]);
    expect(with(2, lines[1]), &["line 3", "twice"]);
    expect(with(2, "nobody,2,beach.png"), &["line 3", "nobody", "4 of 5 rows"]);
    expect(with(2, "Word-1000004254,2"), &["line 3", "2 fields"]);
    // The fault of a published solution: few distinct queries, many rows.
    expect(lines[..6].join("\n") + "\n", &["Word-1000004255", "0 of 5 rows"]);
    expect(
        [&lines[..1], &lines[6..11], &lines[1..6], &lines[11..]].concat().join("\n") + "\n",
        &["line 7", "order"],
    );
    expect(good.replace('\n', "\r\n"), &["line 1", "CR LF"]);
    expect(format!("\u{feff}{good}"), &["byte order mark"]);
    expect(good.trim_end().to_owned(), &["no end"]);
    std::fs::write(&path, &good).expect("a file");
    succeed(folder.path(), &["taidi", "validate", "out", "--data", "."]);
    assert!(
        fail(folder.path(), &["taidi", "validate", "附件1"], 1).contains("neither result1.csv")
    );
}

#[test]
fn preparing_reads_any_encoding_and_training_needs_it() {
    let folder = tempfile::tempdir().expect("a folder");
    contest(folder.path());
    assert!(fail(folder.path(), &["taidi", "train", "."], 1).contains("tuwen taidi prepare"));
    let text = succeed(folder.path(), &["taidi", "prepare", "."]);
    assert!(text.contains("GB18030") && text.contains("pictures            7"), "{text}");
    let ids = |name: &str| {
        let path = folder.path().join("tuwen/split").join(name);
        std::fs::read_to_string(path).expect("ids").lines().count()
    };
    assert_eq!((ids("train.ids"), ids("val.ids")), (6, 1));
    std::fs::remove_file(folder.path().join("附件2/image_data.csv")).expect("a file");
    assert!(fail(folder.path(), &["taidi", "predict", "."], 1).contains("image_data.csv"));
}

#[test]
fn tables_without_rows_and_rows_without_columns_are_errors() {
    let folder = tempfile::tempdir().expect("a folder");
    contest(folder.path());
    let words = folder.path().join("附件2/word_test.csv");
    // Validation needs a result to look at.
    std::fs::create_dir(folder.path().join("out")).expect("a folder");
    std::fs::write(folder.path().join("out/result1.csv"), "x\n").expect("a file");
    for (text, said) in [
        ("text_id,caption\n", "no queries"),
        ("text_id,caption\nWord-1,狗\nWord-2\n", "line 3: 1 fields"),
        ("text_id,caption\nWord-1,狗,和球\n", "line 2: 3 fields"),
        ("text_id,caption\nWord-1,\"狗\nWord-2,猫\n", "never closed"),
        ("text_id,caption\nWord-1,狗\nWord-1,猫\n", "there twice"),
    ] {
        std::fs::write(&words, text).expect("a file");
        for args in [&["taidi", "predict", "."][..], &["taidi", "validate", "out", "--data", "."]] {
            let error = fail(folder.path(), args, 1);
            assert!(error.contains("word_test.csv") && error.contains(said), "{text}: {error}");
        }
    }
    for weight in ["nan", "-1", "inf"] {
        let args = ["taidi", "predict", ".", &format!("--weight={weight}")];
        assert!(fail(folder.path(), &args, 2).contains("--weight"), "{weight}");
    }
    let table = folder.path().join("附件1/ImageWordData.csv");
    std::fs::write(table, "image_id,caption\n").expect("a file");
    fail(folder.path(), &["taidi", "prepare", "."], 1);
}

#[test]
fn a_configuration_that_is_there_is_not_overruled_in_silence() {
    let folder = tempfile::tempdir().expect("a folder");
    contest(folder.path());
    succeed(folder.path(), &["taidi", "prepare", "."]);
    let train =
        |flags: &[&str]| tuwen(folder.path(), &[&["taidi", "train", "."][..], flags].concat());
    let args = ["--preset", "small-frozen", "--epochs", "1", "--batch", "3"];
    let first = train(&args);
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    assert!(train(&args).status.success(), "the same flags say the same");
    assert!(train(&[]).status.success());
    for (flags, said) in [
        (["--epochs", "2"], ["--epochs asks for epochs = 2", "has 1"]),
        (["--batch", "4"], ["--batch asks for batch = 4", "has 3"]),
        (["--model", "other"], ["--model asks for start.model", "\"tuwen-small\""]),
        (["--preset", "small"], ["--preset asks for optim.", "train.toml"]),
    ] {
        let error = fail(folder.path(), &[&["taidi", "train", "."][..], &flags].concat(), 2);
        said.iter().for_each(|part| assert!(error.contains(part), "{part}: {error}"));
    }
}
