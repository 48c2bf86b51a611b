//! Filters, words and fields: what files say of themselves and what caption files bring.

mod common;

use std::path::Path;

use common::{copy_pictures, fail, index, search, succeed, tuwen};

/// A gallery of drawn pictures in two folders, a photo with EXIF, and captions with further columns.
fn gallery() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    copy_pictures(&["red_car.png", "pizza.png", "sunset.png"], &home.join("pictures/旅行"));
    copy_pictures(&["cow.png", "piano.png"], &home.join("pictures/backup"));
    let exif = Path::new(env!("CARGO_MANIFEST_DIR")).join("../image/tests/golden/exif/pillow.jpeg");
    std::fs::copy(exif, home.join("pictures/photo.jpg")).expect("a photo");
    let captions = "image,caption,price,tags\n\
        red_car.png,A red car drives on the road.,12.5,\"toy; 汽车\"\n\
        pizza.png,我喜歡番茄披萨,7,food\n\
        sunset.png,Taken with my A7M4 at 12345 feet,300,\"food, sea\"\n";
    std::fs::write(home.join("captions.csv"), captions).expect("a file");
    let summary = index(home, &["pictures", "--captions", "captions.csv"]);
    assert_eq!((&summary["added"], &summary["texts"]), (&6.into(), &3.into()), "{summary}");
    folder
}

/// The names of the hits' files, in their order.
fn names(home: &Path, args: &[&str]) -> Vec<String> {
    let name = |hit: &serde_json::Value| {
        let path = hit["path"].as_str().expect("a path").to_owned();
        path.rsplit('/').next().unwrap_or_default().to_owned()
    };
    search(home, args).iter().map(name).collect()
}

fn sorted(home: &Path, args: &[&str]) -> Vec<String> {
    let mut names = names(home, args);
    names.sort_unstable();
    names
}

#[test]
fn a_filter_finds_those_and_only_those() {
    let folder = gallery();
    let home = folder.path();
    for (filter, wanted) in [
        ("year = 2021", &["photo.jpg"][..]),
        ("date > 2021-12 AND date < 2022-01-02", &[]),
        ("camera CONTAINS canon AND HAS latitude", &["photo.jpg"]),
        ("标签 = “海滩”", &["photo.jpg"]),
        ("folder = 旅行", &["pizza.png", "red_car.png", "sunset.png"]),
        ("NOT folder = 旅行 AND extension = png", &["cow.png", "piano.png"]),
        ("price BETWEEN 5 AND 20", &["pizza.png", "red_car.png"]),
        ("tag = food OR tag = 汽车", &["pizza.png", "red_car.png", "sunset.png"]),
        ("width = 256 AND orientation = square AND name = cow", &["cow.png"]),
    ] {
        assert_eq!(sorted(home, &["a picture", "--where", filter]), wanted, "{filter}");
        assert_eq!(sorted(home, &["--where", filter]), wanted, "{filter}, without a query");
    }
    // The best of those that may be found, though others are better.
    assert_eq!(names(home, &["a red car", "--where", "folder = backup", "-k", "1"]).len(), 1);
    let texts = sorted(home, &["food", "--kind", "text", "--where", "price > 100"]);
    assert_eq!(texts, ["captions.csv"]);
}

#[test]
fn words_are_found_as_they_are_and_count_beside_vectors() {
    let folder = gallery();
    let home = folder.path();
    assert_eq!(names(home, &["A7M4", "--exact-words"]), ["sunset.png"]);
    assert_eq!(names(home, &["12345", "--exact-words"]), ["sunset.png"]);
    assert_eq!(names(home, &["喜欢", "--exact-words"]), ["pizza.png"], "traditional is simplified");
    assert_eq!(names(home, &["cow", "--exact-words"]), ["cow.png"], "a file's name");
    assert_eq!(names(home, &["road red", "--exact-words"]), ["red_car.png"], "in any order");
    assert!(names(home, &["\"road red\"", "--exact-words"]).is_empty(), "not as a phrase");
    assert_eq!(names(home, &["“red car”", "--exact-words"]), ["red_car.png"]);
    let fused = |how: &str| names(home, &["A7M4", "--fuse", how]);
    assert_eq!(fused("ranks").len(), 6, "all that is near, and what has the word");
    assert_eq!((&*fused("ranks")[0], &*fused("1")[0]), ("sunset.png", "sunset.png"));
    assert_eq!(fused("0"), names(home, &["A7M4"]), "vectors alone");
    let error = fail(home, &["search", "--image", "pictures/photo.jpg", "--exact-words"], 2);
    assert!(error.contains("no words"), "{error}");
}

#[test]
fn fields_are_listed_and_their_values_counted() {
    let folder = gallery();
    let home = folder.path();
    let fields = succeed(home, &["fields"]);
    for name in ["width", "date", "camera", "price", "tag", "folder"] {
        assert!(fields.lines().any(|line| line.starts_with(name)), "{name}: {fields}");
    }
    let tags = succeed(home, &["fields", "标签", "--json"]);
    let tags: serde_json::Value = serde_json::from_str(&tags).expect("JSON");
    assert_eq!((&tags[0]["value"], &tags[0]["items"]), (&"food".into(), &2.into()), "{tags}");
    let some = succeed(home, &["fields", "extension", "--where", "folder = backup"]);
    assert_eq!(some.trim(), "2  png");
}

#[test]
fn what_makes_no_sense_is_said_with_its_place() {
    let folder = gallery();
    let home = folder.path();
    let error = fail(home, &["search", "x", "--where", "year >= AND tag = x"], 2);
    assert!(error.contains("column 9") && error.contains("expected a value"), "{error}");
    let error = fail(home, &["search", "x", "--where", "width = wide"], 2);
    assert!(error.contains("width") && error.contains("number"), "{error}");
    // What is no field is refused; one that tuwen gives and nothing here has finds nothing, and that is said.
    for command in [&["search", "x"][..], &["fields"], &["gallery", "dedup"]] {
        let error = fail(home, &[command, &["--where", "prize < 3"]].concat(), 2);
        assert!(error.contains("--where: no item of the gallery has the field `prize`"), "{error}");
        assert!(
            error.contains("did you mean `price`? There are altitude, bytes, camera, "),
            "{error}"
        );
    }
    let output = tuwen(home, &["search", "x", "--where", "HAS made_by", "--json"]);
    let note = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && note.contains("`made_by`"), "{note}");
    // Prices are numbers.
    let output = tuwen(home, &["search", "x", "--where", "price > dear", "--json"]);
    let note = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && note.contains("`price` are of type number"), "{note}");
    let error = fail(home, &["search", "x", "--fuse", "2"], 2);
    assert!(error.contains("from 0 to 1"), "{error}");
    fail(home, &["search"], 2);
    fail(home, &["search", "--not", "people"], 2);
}

#[test]
fn what_is_not_wanted_goes_down() {
    let folder = gallery();
    let home = folder.path();
    let place = |args: &[&str]| {
        let names = names(home, args);
        names.iter().position(|name| name == "red_car.png").expect("found")
    };
    assert_eq!(place(&["a red car on the road"]), 0);
    assert!(place(&["food", "--not", "a red car", "--not", "汽车"]) >= place(&["food"]));
    assert_eq!(place(&["a picture", "--not", "a red car on the road"]), 5);
}

#[test]
fn the_words_of_a_search_may_be_a_line_of_the_language() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    copy_pictures(&["dog_grass.png", "cow.png", "bus.png"], &home.join("photos"));
    index(home, &["photos"]);
    let names = |args: &[&str]| -> Vec<String> {
        let hits = search(home, args);
        hits.iter()
            .map(|hit| {
                hit["path"].as_str().expect("a path").rsplit('/').next().expect("a name").to_owned()
            })
            .collect()
    };
    let all = names(&["a dog"]);
    assert_eq!(names(&["a dog", "--plain"]), all);
    let wide = names(&["a dog width:>=1"]);
    assert_eq!(wide, all, "a filter that is true of all leaves the order");
    assert!(names(&["a dog width:<1"]).is_empty());
    assert_eq!(names(&["a dog", "--where", "width < 1"]), Vec::<String>::new());
    let like = names(&["image:1"]);
    assert_eq!(like.len(), all.len() - 1);
    let others = search(home, &["image:1", "-k", "2"]);
    assert!(others.iter().all(|hit| hit["id"] != 1), "a picture is not like itself");
    assert_eq!((others.len(), &others[1]["rank"]), (2, &2.into()));
    assert_eq!(names(&["image:photos/cow.png"])[0], "cow.png");
    assert!(names(&["kind:text"]).is_empty());
    assert_eq!(names(&["a dog", "--threshold", "-1"]).len(), all.len());
    assert!(names(&["a dog", "--threshold", "0.99"]).is_empty());
    assert!(fail(home, &["search", "image:999"], 2).contains("999"));
    assert!(fail(home, &["search", "--", "-people"], 2).contains("nothing to search for"));
    assert_eq!(names(&["time 12:30"]).len(), all.len(), "any other colon is text");
}
