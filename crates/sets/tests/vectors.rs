//! Vectors with what each is of, as pyarrow, faiss and NumPy write them (`scripts/golden/vectors.py`), and files that are
//! damaged, cut or lie.

mod damage;

use std::fs;
use std::path::{Path, PathBuf};

use damage::{damaged, rounds};
use serde_json::Value;
use tuwen_image::rng::Rng;
use tuwen_sets::vectors::{Input, Kind, Line, VectorFile};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/vectors").join(name)
}

fn wanted() -> Value {
    let text = fs::read_to_string(golden("rows.json")).expect("goldens are committed");
    serde_json::from_str(&text).expect("JSON")
}

/// A folder with a golden file under another name, and lines beside it.
fn folder(name: &str, to: &str, lines: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::copy(golden(name), folder.path().join(to)).expect("a golden file");
    fs::write(folder.path().join("images.txt"), lines).expect("a file");
    folder
}

type Row = (Line, Vec<f32>);

/// All rows of one kind, or what is wrong with them.
fn read(path: &Path, kind: Kind) -> Result<Vec<Row>, String> {
    let words = |e: tuwen_sets::Error| e.to_string();
    let (mut all, mut row) = (Vec::new(), Vec::new());
    for input in Input::all(path).map_err(words)?.iter().filter(|input| input.kind == kind) {
        let mut rows = input.open().map_err(words)?;
        while let Some(line) = rows.next(&mut row).map_err(words)? {
            assert_eq!(row.len(), rows.dim());
            all.push((line, row.clone()));
        }
    }
    Ok(all)
}

/// That rows are the golden ones, by paths, of which none is missing.
fn same(found: &[Row], paths: &str, of: &str, case: &str) {
    let wanted = wanted();
    let of = &wanted[of];
    let paths: Vec<&str> =
        wanted[paths].as_array().expect("paths").iter().filter_map(Value::as_str).collect();
    assert_eq!(found.len(), paths.len(), "{case}");
    for (at, (line, row)) in found.iter().enumerate() {
        assert_eq!(line.path, paths[at], "{case}");
        for (value, other) in row.iter().zip(of[at].as_array().expect("a row")) {
            assert!(
                (f64::from(*value) - other.as_f64().expect("a number")).abs() < 1e-6,
                "{case}, row {at}"
            );
        }
    }
}

fn paths() -> Vec<String> {
    serde_json::from_value(wanted()["paths"].clone()).expect("texts")
}

#[test]
fn tables_of_every_type_of_number_are_the_same_rows() {
    for name in ["list.parquet", "fixed.parquet", "double.parquet", "half.parquet"] {
        same(&read(&golden(name), Kind::Pictures).expect(name), "paths", "images", name);
        assert_eq!(read(&golden(name), Kind::Texts), Ok(Vec::new()), "{name}");
    }
    let found = read(&golden("list.parquet"), Kind::Pictures).expect("rows");
    assert_eq!(found[2].0.metadata["caption"], "caption 2");
    // A folder of such files, and one without.
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(read(folder.path(), Kind::Pictures), Ok(Vec::new()));
    fs::copy(golden("fixed.parquet"), folder.path().join("part-0.parquet")).expect("a copy");
    same(&read(folder.path(), Kind::Pictures).expect("rows"), "paths", "images", "a folder");
}

#[test]
fn laions_names_and_clip_retrievals_folders_are_known() {
    let pictures = read(&golden("laion.parquet"), Kind::Pictures).expect("rows");
    same(&pictures, "urls", "images", "laion");
    assert_eq!(
        (&pictures[3].0.metadata["WIDTH"], &pictures[3].0.metadata["TEXT"]),
        (&"3".into(), &"caption 3".into())
    );
    // The last caption is missing, and so is its row.
    let texts = read(&golden("laion.parquet"), Kind::Texts).expect("rows");
    assert_eq!(texts.len(), 7);
    assert_eq!(
        (texts[6].0.text.as_deref(), texts[6].0.image.as_deref()),
        (Some("caption 6"), Some("https://example.org/6.jpg"))
    );

    let found = read(&golden("folder"), Kind::Pictures).expect("rows");
    same(&found, "paths", "images", "each picture once");
    let texts = read(&golden("folder"), Kind::Texts).expect("rows");
    assert_eq!(texts.len(), 9);
    assert_eq!(texts[1].0.image, Some(paths()[0].clone()));
    same(&texts[1..], "paths", "texts", "captions");
}

#[test]
fn flat_indices_of_faiss_are_rows_with_lines_beside_them() {
    let lines = paths().join("\n") + "\n";
    for (name, to) in [("ip.faiss", "images.faiss"), ("l2.faiss", "images.index")] {
        let folder = folder(name, to, &lines);
        same(&read(folder.path(), Kind::Pictures).expect(name), "paths", "images", name);
    }
    let ids: Vec<i64> = serde_json::from_value(wanted()["ids"].clone()).expect("numbers");
    for name in ["ids.faiss", "ids2.faiss"] {
        // Lines are known by their own ids, in any order, and there may be more of them.
        let folder = folder(name, "images.faiss", "");
        let line =
            |(id, path): (&i64, &String)| format!("{{\"id\": \"{id}\", \"path\": \"{path}\"}}\n");
        let mut lines: Vec<String> = ids.iter().zip(&paths()).map(line).collect();
        lines.push("{\"id\": \"77\", \"path\": \"more.jpg\"}\n".into());
        lines.reverse();
        fs::write(folder.path().join("images.jsonl"), lines.concat()).expect("a file");
        same(&read(folder.path(), Kind::Pictures).expect(name), "paths", "images", name);
        fs::write(
            folder.path().join("images.jsonl"),
            lines[1..].concat().replace("\"41\"", "\"42\""),
        )
        .expect("a file");
        let error = read(folder.path(), Kind::Pictures).expect_err("an id without a line");
        assert!(error.contains("the id 41") && error.contains("images.jsonl"), "{error}");
        fs::write(
            folder.path().join("images.jsonl"),
            lines[1..].concat().replace("\"41\"", "\"x\""),
        )
        .expect("a file");
        let error = read(folder.path(), Kind::Pictures).expect_err("no number");
        assert!(error.contains("its id is `x`"), "{error}");
        // Lines without ids are counted from 0.
        fs::remove_file(folder.path().join("images.jsonl")).expect("removed");
        let named: String = (0..=70)
            .map(|at| match ids.iter().position(|id| *id == at) {
                Some(row) => format!("{}\n", paths()[row]),
                None => format!("other{at}.jpg\n"),
            })
            .collect();
        fs::write(folder.path().join("images.txt"), named).expect("a file");
        same(&read(folder.path(), Kind::Pictures).expect(name), "paths", "images", name);
    }
}

#[test]
fn what_cannot_be_read_is_refused_by_name() {
    for (name, says) in [("ivf.faiss", "IVF"), ("hnsw.faiss", "graph"), ("sq8.faiss", "scalars")] {
        let folder = folder(name, "images.faiss", "");
        let error = read(folder.path(), Kind::Pictures).expect_err(name);
        assert!(
            error.contains(says) && error.contains("IndexFlatIP") && error.contains("images.faiss"),
            "{error}"
        );
    }
    for (name, says) in [
        ("uneven.parquet", "has not 6 values"),
        ("null.parquet", "null"),
        ("none.parquet", "no column of vectors"),
        ("nameless.parquet", "which file a row is of"),
    ] {
        let error = read(&golden(name), Kind::Pictures).expect_err(name);
        assert!(error.contains(says) && error.contains(name), "{name}: {error}");
    }
    // A part without its table, and one with another number of rows.
    let home = tempfile::tempdir().expect("a folder");
    for inner in ["img_emb", "metadata"] {
        fs::create_dir(home.path().join(inner)).expect("a folder");
    }
    let copy = |name: &str, to: &str| {
        fs::copy(golden("folder").join(name), home.path().join(to)).expect("a copy")
    };
    copy("img_emb/img_emb_0.npy", "img_emb/img_emb_0.npy");
    let error = read(home.path(), Kind::Pictures).expect_err("no table");
    assert!(error.contains("metadata_0.parquet"), "{error}");
    copy("metadata/metadata_1.parquet", "metadata/metadata_0000.parquet");
    let error = read(home.path(), Kind::Pictures).expect_err("four rows for five");
    assert!(error.contains("fewer lines"), "{error}");
}

#[test]
fn files_that_are_cut_or_lie_are_errors_and_ask_for_no_memory() {
    let lines = paths().join("\n") + "\n";
    for name in ["ip.faiss", "ids.faiss"] {
        let bytes = fs::read(golden(name)).expect("a golden file");
        let folder = folder(name, "images.faiss", &lines);
        let with = |bytes: &[u8]| {
            fs::write(folder.path().join("images.faiss"), bytes).expect("a file");
            read(folder.path(), Kind::Pictures)
        };
        for cut in 0..bytes.len() {
            let error = with(&bytes[..cut]).expect_err("cut");
            assert!(error.contains("images.faiss"), "{cut}: {error}");
        }
        // Counts that no memory holds, or that a product of hides.
        for (rows, dim) in
            [(i64::MAX, 6), (1 << 60, 1 << 30), (-1, 6), (8, 0), (0, -6), (1 << 31, i32::MIN)]
        {
            let mut lie = bytes.clone();
            for at in if name == "ids.faiss" { vec![0, 37] } else { vec![0] } {
                lie[at + 4..at + 8].copy_from_slice(&dim.to_le_bytes());
                lie[at + 8..at + 16].copy_from_slice(&rows.to_le_bytes());
            }
            with(&lie).expect_err("a lie");
        }
        let mut rng = Rng::new(&[name.len() as u64]);
        for _ in 0..rounds(300) {
            // Whatever it is, it ends.
            drop(with(&damaged(&bytes, &mut rng)));
        }
    }
    for name in ["list.parquet", "fixed.parquet", "double.parquet", "half.parquet"] {
        let bytes = fs::read(golden(name)).expect("a golden file");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.parquet");
        let mut rng = Rng::new(&[name.len() as u64]);
        for cut in (0..bytes.len()).step_by(7) {
            fs::write(&path, &bytes[..cut]).expect("a file");
            read(&path, Kind::Pictures).expect_err("cut");
        }
        for _ in 0..rounds(300) {
            fs::write(&path, damaged(&bytes, &mut rng)).expect("a file");
            drop(read(&path, Kind::Pictures));
        }
    }
}

#[test]
fn what_is_written_is_read_again_row_by_row() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows = read(&golden("list.parquet"), Kind::Pictures).expect("rows");
    for end in ["npy", "fbin"] {
        let home = folder.path().join(end);
        fs::create_dir(&home).expect("a folder");
        let mut file = VectorFile::create(home.join(format!("images.{end}")), 6).expect("a file");
        let mut lines = String::new();
        for (line, row) in &rows {
            file.add(row).expect("written");
            lines.push_str(&line.json());
        }
        assert_eq!(file.finish().expect("written"), rows.len());
        fs::write(home.join("images.jsonl"), lines).expect("written");
        assert_eq!(read(&home, Kind::Pictures).expect("rows"), rows, "{end}");
    }
}
