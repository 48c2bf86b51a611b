//! `tuwen gallery import` of what other programs wrote, and one that is killed and goes on.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{TUWEN, copy_pictures, fail, search, succeed, tuwen};
use serde_json::Value;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../sets/tests/golden/vectors").join(name)
}

fn items(home: &Path, gallery: &str) -> Vec<u64> {
    let info = succeed(home, &["gallery", "info", "--gallery", gallery, "--json"]);
    let info: Value = serde_json::from_str(&info).expect("JSON");
    let kinds = info["kinds"].as_array().expect("kinds").iter();
    kinds.map(|kind| kind["items"].as_u64().expect("a number")).collect()
}

/// A flat index of the rows of a `.npy` of ours, as faiss writes it, with ids where such are given.
fn faiss(npy: &Path, dim: usize, ids: Option<&[i64]>) -> Vec<u8> {
    let bytes = fs::read(npy).expect("vectors");
    let values = &bytes[128..];
    let rows = values.len() / 4 / dim;
    let header = |letters: &[u8; 4]| {
        let mut out = letters.to_vec();
        out.extend((dim as i32).to_le_bytes());
        out.extend((rows as i64).to_le_bytes());
        out.extend([1i64 << 20; 2].iter().flat_map(|unused| unused.to_le_bytes()));
        out.push(1);
        out.extend(0i32.to_le_bytes());
        out
    };
    let mut out = ids.map_or(Vec::new(), |_| header(b"IxMp"));
    out.extend(header(b"IxFI"));
    out.extend(((rows * dim) as u64).to_le_bytes());
    out.extend(values);
    if let Some(ids) = ids {
        out.extend((ids.len() as u64).to_le_bytes());
        out.extend(ids.iter().flat_map(|id| id.to_le_bytes()));
    }
    out
}

#[test]
fn the_same_vectors_in_every_layout_are_the_same_gallery() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    let names = ["red_car.png", "pizza.png", "sunset.png", "beach.png"];
    copy_pictures(&names, &home.join("set"));
    let rows = names.map(|name| format!("{name},a caption of {name}\n{name},another of {name}\n"));
    fs::write(home.join("set.csv"), format!("image,caption\n{}", rows.concat())).expect("a file");
    for to in ["npy", "clip-retrieval"] {
        succeed(home, &["data", "embed", "set.csv", to, "--images", "set", "--to", to]);
        let said = succeed(home, &["gallery", "import", to, "--gallery", &format!("from-{to}")]);
        assert!(said.contains("4 vectors added") && said.contains("8 vectors added"), "{said}");
        assert_eq!(items(home, &format!("from-{to}"))[..2], [4, 8], "{to}");
    }
    // faiss keeps pictures alone here.
    for (name, ids) in [("flat", None), ("ids", Some(&[3i64, 1, 0, 2][..]))] {
        let to = home.join(name);
        fs::create_dir(&to).expect("a folder");
        fs::write(to.join("images.faiss"), faiss(&home.join("npy/images.npy"), 256, ids))
            .expect("a file");
        let lines = fs::read_to_string(home.join("npy/images.jsonl")).expect("lines");
        let mut paths: Vec<String> = lines
            .lines()
            .map(|line| {
                serde_json::from_str::<Value>(line).expect("JSON")["path"]
                    .as_str()
                    .expect("a path")
                    .to_owned()
                    + "\n"
            })
            .collect();
        if let Some(ids) = ids {
            let rows = paths.clone();
            ids.iter().zip(rows).for_each(|(id, path)| paths[*id as usize] = path);
        }
        fs::write(to.join("images.txt"), paths.concat()).expect("a file");
        succeed(home, &["gallery", "import", name, "--gallery", &format!("from-{name}")]);
    }
    let hits = |gallery: &str| -> Vec<(String, Value)> {
        let hits = search(home, &["a red car", "--gallery", gallery]).into_iter();
        let name = |path: &Value| {
            path.as_str().expect("a path").rsplit('/').next().expect("a name").replace(".png", "")
        };
        hits.map(|hit| (name(&hit["path"]), hit["score"].clone())).collect()
    };
    let wanted = hits("from-npy");
    assert_eq!(wanted[0].0, "red_car");
    for gallery in ["from-clip-retrieval", "from-flat", "from-ids"] {
        assert_eq!(hits(gallery), wanted, "{gallery}");
    }
}

#[test]
fn tables_of_another_width_and_other_indices_are_refused_and_nothing_is_made() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    let path = |name: &str| golden(name).to_str().expect("a path").to_owned();
    let error = fail(home, &["gallery", "import", &path("laion.parquet")], 2);
    assert!(
        error.contains("6 values") && error.contains("256") && error.contains("laion.parquet"),
        "{error}"
    );
    let error = fail(home, &["gallery", "import", &path("none.parquet")], 1);
    assert!(error.contains("no column of vectors"), "{error}");
    fs::create_dir(home.join("rows")).expect("a folder");
    fs::copy(golden("hnsw.faiss"), home.join("rows/images.index")).expect("a copy");
    let error = fail(home, &["gallery", "import", "rows"], 1);
    assert!(error.contains("HNSW") && error.contains("images.index"), "{error}");
    fs::write(home.join("rows.txt"), "x").expect("a file");
    assert!(fail(home, &["gallery", "import", "rows.txt"], 2).contains("rows.txt"));
    assert!(!home.join(".tuwen").exists(), "nothing is made");
}

#[test]
fn a_killed_import_goes_on() {
    const ROWS: usize = 30_000;
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    fs::create_dir(home.join("rows")).expect("a folder");
    let mut bytes: Vec<u8> = [ROWS, 256].iter().flat_map(|&n| (n as u32).to_le_bytes()).collect();
    let value = |at: usize| ((at * 7919 % 10_007) as f32 / 10_007.0 - 0.5).to_le_bytes();
    bytes.extend((0..ROWS * 256).flat_map(value));
    fs::write(home.join("rows/images.fbin"), bytes).expect("a file");
    let names: String = (0..ROWS).map(|row| format!("{row}.jpg\n")).collect();
    fs::write(home.join("rows/images.txt"), names).expect("a file");
    let args = ["gallery", "import", "rows"];
    let child = Command::new(TUWEN)
        .args(args)
        .current_dir(home)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut child = child.expect("the program starts");
    let stored = || {
        let files = fs::read_dir(home.join(".tuwen/vectors")).into_iter().flatten().flatten();
        let rows = files.filter(|file| file.path().extension().is_some_and(|end| end == "vectors"));
        rows.filter_map(|file| Some(file.metadata().ok()?.len())).sum::<u64>()
    };
    // The second portion's rows are written once the first is committed.
    let begun = Instant::now();
    while stored() < 11_500 * 256 * 4 && begun.elapsed() < Duration::from_secs(120) {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().and_then(|()| child.wait()).expect("killed");
    let before = items(home, ".tuwen")[0];
    assert!((10_000..ROWS as u64).contains(&before), "{before} rows when it was killed");
    let output = tuwen(home, &args);
    let said = String::from_utf8_lossy(&output.stdout);
    let rest = ROWS as u64 - before;
    assert!(said.contains(&format!("{rest} vectors added, {before} there before")), "{said}");
    assert_eq!(items(home, ".tuwen")[0], ROWS as u64);
    succeed(home, &["gallery", "verify"]);
}
