//! `tuwen explain` and `tuwen eval explain` on the demo's drawn pictures.

mod common;

use std::path::Path;

use common::{TUWEN, copy_pictures, demo_pictures, fail, succeed, tuwen, word_piece_model};
use serde_json::Value;

const DOG: &str = "A dog stands on the beach by the sea.";

fn home() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    copy_pictures(&["dog_beach.png", "cat_sofa.png", "sailboat.png"], folder.path());
    folder
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn explained(folder: &Path, more: &[&str]) -> Value {
    let args = [&["explain", "--image", "dog_beach.png", "--text", DOG, "--json"], more].concat();
    json(&succeed(folder, &args))
}

#[test]
fn every_method_gives_a_map_and_a_weight_for_each_word() {
    let folder = home();
    let usual = explained(folder.path(), &[]);
    let score = usual["score"].as_f64().expect("a score");
    assert!(score > 0.1, "the model knows the picture: {score}");
    let methods = [
        "occlusion",
        "gradient",
        "gradcam",
        "rollout",
        "chefer",
        "legrad",
        "grad-eclip",
        "patches",
        "surgery",
        "lime",
        "shap",
        "owen",
        "fixlip",
    ];
    for method in methods {
        let found = explained(folder.path(), &["--method", method, "--samples", "120"]);
        assert_eq!(found["method"], method);
        let own = found["score"].as_f64().expect("a score");
        assert!((own - score).abs() < 0.01, "{method}: {own}, not {score}");
        let map = found["map"].as_array().expect("a map");
        let across = found["across"].as_u64().expect("a number") as usize;
        assert_eq!(map.len(), across * across, "{method}");
        assert!(map.iter().any(|value| value.as_f64() != map[0].as_f64()), "{method}: a flat map");
        let words = found["words"].as_array().expect("words");
        assert_eq!(words.len(), 9, "{method}");
        assert_eq!(words[1]["text"], "dog");
        if let Some(pairs) = found.get("pairs") {
            assert_eq!(pairs.as_array().expect("pairs").len(), 9 * map.len(), "{method}");
        }
    }
}

/// The dog is what the words are about, and the sky is not.
#[test]
fn words_and_parts_that_matter_weigh_more_by_hiding_them() {
    let folder = home();
    let found = explained(folder.path(), &["--method", "occlusion"]);
    let weight = |at: usize| found["words"][at]["weight"].as_f64().expect("a weight");
    let (dog, beach) = (weight(1), weight(5));
    assert!(dog + beach > 4.0 * weight(4).abs(), "`the` weighs {}, dog {dog}", weight(4));
    let against = explained(folder.path(), &["--method", "occlusion", "--against", "A red car."]);
    let difference = against["score"].as_f64().expect("a score");
    assert!(difference > 0.1, "{difference}");
    assert_eq!(against["against"], "A red car.");
}

#[test]
fn files_are_written_and_what_others_wrote_is_kept() {
    let folder = home();
    let out = |name: &str, more: &[&str]| {
        let args = [
            &[
                "explain",
                "--image",
                "dog_beach.png",
                "--text",
                "海滩上的狗",
                "--method",
                "fixlip",
                "--samples",
                "64",
                "--out",
                name,
            ],
            more,
        ];
        args.concat().into_iter().map(str::to_owned).collect::<Vec<String>>()
    };
    let run = |args: &[String]| {
        tuwen(folder.path(), &args.iter().map(String::as_str).collect::<Vec<_>>())
    };
    for name in ["why.png", "why.svg", "why.html", "why.json"] {
        let done = run(&out(name, &[]));
        assert!(done.status.success(), "{name}: {}", String::from_utf8_lossy(&done.stderr));
        let bytes = std::fs::read(folder.path().join(name)).expect(name);
        assert!(bytes.len() > 1000, "{name}");
        match name {
            "why.png" => {
                let size =
                    |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four"));
                // The picture in its own resolution, with room for the words.
                assert!(size(16) >= 256 + 24 && size(20) > 256, "{} x {}", size(16), size(20));
            }
            "why.json" => {
                assert_eq!(json(str::from_utf8(&bytes).expect("UTF-8"))["text"], "海滩上的狗")
            }
            "why.svg" => {
                let text = str::from_utf8(&bytes).expect("UTF-8");
                for wanted in
                    [">狗</text>", "data:image/png;base64,", "7 x 7 parts", "fixlip", "64 pictures"]
                {
                    assert!(text.contains(wanted), "{wanted}");
                }
                assert!(text.contains("blue speaks for the score"), "what lines under words mean");
            }
            _ => {
                let text = str::from_utf8(&bytes).expect("UTF-8");
                assert!(
                    text.contains("<table>") && text.contains("id=\"w0\""),
                    "a matrix of pairs"
                );
            }
        }
    }
    // A method that says nothing of words and parts has no matrix, and its files no place for one.
    let plain = ["--method", "chefer", "--out"];
    for name in ["plain.png", "plain.svg"] {
        let args = ["explain", "--image", "dog_beach.png", "--text", "海滩上的狗"];
        succeed(folder.path(), &[&args[..], &plain, &[name]].concat());
    }
    let read = |name: &str| std::fs::read(folder.path().join(name)).expect(name);
    let height = |name: &str| u32::from_be_bytes(read(name)[20..24].try_into().expect("four"));
    // Five words' rows and their legend.
    let more = height("why.png") - height("plain.png");
    assert!(more > 80, "{more} pixels for the matrix");
    let plain = String::from_utf8(read("plain.svg")).expect("UTF-8");
    assert!(plain.contains("chefer") && !plain.contains("image/png"), "no matrix");
    // Ours are replaced, others' are not.
    assert!(run(&out("why.png", &[])).status.success());
    std::fs::write(folder.path().join("mine.svg"), "<svg>mine</svg>").expect("a file");
    for name in ["mine.svg", "why.json", "dog_beach.png"] {
        let refused = run(&out(name, &[]));
        assert!(!refused.status.success(), "{name} was overwritten");
    }
    assert!(run(&out("mine.svg", &["--force"])).status.success());
    let original = std::fs::read(demo_pictures().join("dog_beach.png")).expect("a picture");
    assert_eq!(std::fs::read(folder.path().join("dog_beach.png")).expect("a picture"), original);
}

/// Long work says how far it is where no terminal shows a bar, and Ctrl-C leaves nothing behind.
#[cfg(unix)]
#[test]
fn long_explanations_say_how_far_they_are_and_are_stopped() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    let folder = home();
    let before = std::fs::read_dir(folder.path()).expect("a folder").count();
    let mut child = Command::new(TUWEN)
        .current_dir(folder.path())
        .args(["explain", "--image", "dog_beach.png", "--text", DOG, "--method", "lime"])
        .args(["--samples", "100000", "--out", "why.svg"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program");
    let mut said = String::new();
    BufReader::new(child.stderr.take().expect("a pipe")).read_line(&mut said).expect("a line");
    // 100,000 pictures and 256 texts.
    assert!(said.contains("of 100256 pictures and texts"), "{said}");
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(interrupted.expect("kill").success());
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!((ended.status.code(), ended.stdout.len()), (Some(130), 0));
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), before);
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let folder = home();
    std::fs::write(folder.path().join("no.png"), "no picture").expect("a file");
    let on = |image: &str, text: &str, more: &[&str], code: i32| {
        let args = [&["explain", "--image", image, "--text", text], more].concat();
        fail(folder.path(), &args, code)
    };
    let said = on("no.png", "a dog", &[], 1);
    assert!(said.contains("no.png"), "{said}");
    let said = on("dog_beach.png", "  ", &[], 2);
    assert!(said.contains("no word"), "{said}");
    let said = on("dog_beach.png", "a dog", &["--method", "lime", "--samples", "1000000"], 2);
    assert!(said.contains("1000000") && said.contains("100000"), "{said}");
    let said = on("dog_beach.png", "a dog", &["--method", "fixlip", "--samples", "10"], 2);
    assert!(said.contains("10 samples") && said.contains("51"), "{said}");
    let said = on("dog_beach.png", "a dog", &["--out", "why.bmp"], 2);
    assert!(said.contains("why.bmp") && said.contains(".png"), "{said}");
    let said = on("dog_beach.png", "a dog", &["--method", "magic"], 2);
    assert!(said.contains("magic") && said.contains("legrad"), "{said}");
    let said = on("dog_beach.png", "a dog", &["--rival", "dog_beach.png"], 2);
    assert!(said.contains("--rival dog_beach.png") && said.contains("same picture"), "{said}");
    let said = on("dog_beach.png", "a dog", &["--decoder", "."], 2);
    assert!(said.contains("--decoder") && said.contains("--caption"), "{said}");
    let said = on("dog_beach.png", "a dog", &["--method", "lime", "--samples", "40"], 2);
    assert!(said.contains("40 samples") && said.contains("lime needs"), "{said}");
    let args = [
        "explain",
        "--image",
        "dog_beach.png",
        "--text",
        "a dog",
        "--cells",
        "3",
        "--fill",
        "grey",
    ];
    let done = tuwen(folder.path(), &args);
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && said.contains("--cells: chefer takes none"), "{said}");
    assert!(said.contains("--fill") && !said.contains("--samples"), "{said}");
    for option in [&["--sanity", "2"][..], &["--steps", "3"], &["--measure-fill", "blur"]] {
        let args = [&["eval", "explain", "--scenes", "scenes.toml"], option].concat();
        let said = fail(folder.path(), &args, 2);
        assert!(said.contains("--scenes") && said.contains(option[0]), "{said}");
    }
    let net = Path::new(env!("CARGO_MANIFEST_DIR")).join("../encode/tests/golden/siglip");
    let net = net.to_str().expect("UTF-8");
    let said = on("dog_beach.png", "a dog", &["--model", net, "--method", "patches"], 2);
    assert!(said.contains("probe") && said.contains("gradcam"), "{said}");
}

/// A probe and a class token, of any weights: what each can do works, by its own usual method too.
#[test]
fn families_are_explained_by_what_they_can() {
    let folder = home();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../encode/tests/golden");
    let small = word_piece_model(&folder.path().join("small"));
    let models = [golden.join("siglip"), small];
    for model in models {
        let model = model.to_str().expect("UTF-8");
        for method in [
            None,
            Some("gradcam"),
            Some("grad-eclip"),
            Some("gradient"),
            Some("legrad"),
            Some("fixlip"),
        ] {
            let mut args = vec![
                "explain",
                "--image",
                "sailboat.png",
                "--text",
                "a boat",
                "--model",
                model,
                "--json",
            ];
            args.extend(["--samples", "80", "--cells", "4"]);
            args.extend(method.iter().flat_map(|method| ["--method", method]));
            let done = tuwen(folder.path(), &args);
            let error = String::from_utf8_lossy(&done.stderr);
            assert!(done.status.success(), "{model} {method:?}: {error}");
            let found = json(&String::from_utf8(done.stdout).expect("UTF-8"));
            assert!(
                found["map"].as_array().is_some_and(|map| !map.is_empty()),
                "{model} {method:?}"
            );
        }
    }
}

#[test]
fn blank_pictures_and_single_words_are_explained_with_a_note() {
    let folder = home();
    let blank = tuwen_image::RgbImage::from_pixel(50, 30, [120; 3].into());
    std::fs::write(folder.path().join("blank.png"), tuwen_image::encode_png(&blank))
        .expect("a file");
    let args = ["explain", "--image", "blank.png", "--text", "狗", "--method", "occlusion"];
    let done = tuwen(folder.path(), &args);
    let note = String::from_utf8_lossy(&done.stderr);
    assert!(
        done.status.success() && note.contains("one colour") && note.contains("one word"),
        "{note}"
    );
}

#[test]
fn explanations_are_measured_beside_a_random_order_and_the_middle() {
    let folder = home();
    let lines = [
        ("dog_beach", DOG),
        ("cat_sofa", "A grey cat sits on a red sofa."),
        ("sailboat", "A boat on the water."),
    ];
    let lines: String =
        lines.iter().map(|(name, text)| format!("{name}.png#0\t{text}\n")).collect();
    std::fs::write(folder.path().join("captions.txt"), lines).expect("a file");
    let args = [
        "eval",
        "explain",
        "--images",
        ".",
        "--captions",
        "captions.txt",
        "--json",
        "--steps",
        "7",
        "--method",
        "legrad",
        "--method",
        "fixlip",
        "--method",
        "occlusion",
        "--samples",
        "64",
        "--sanity",
        "1",
        "--measure-fill",
        "grey",
        "--measure-fill",
        "blur",
    ];
    let report = json(&succeed(folder.path(), &args));
    assert_eq!(report["pictures"], 3);
    for fill in ["grey", "blur"] {
        let rows = report["faith"][fill].as_array().expect("rows");
        let names: Vec<&str> = rows.iter().filter_map(|row| row["name"].as_str()).collect();
        assert_eq!(names, ["random", "centre", "occlusion", "legrad", "fixlip"]);
        for row in rows {
            let areas = &row["probability"];
            for key in ["insertion", "deletion"] {
                let area = areas[key].as_f64().expect("an area");
                assert!((0.0..=1.0).contains(&area), "{row}");
            }
        }
        assert_eq!(rows[0]["probability"]["above_random"]["mean"], 0.0);
        let careful = rows[4]["cosine"]["above_random"]["mean"].as_f64().expect("a mean");
        assert!(
            careful > 0.0,
            "hiding what fixlip names costs more than hiding anything: {careful}"
        );
    }
    assert_eq!(report["sanity"].as_array().expect("rows").len(), 3);
    let one = [&args[..6], &["--method", "chefer", "--pictures", "1", "--steps", "2"]].concat();
    let said = succeed(folder.path(), &one);
    assert!(said.contains("(one picture: no interval)"), "{said}");
    let sanity = |pictures: &'static str| {
        let more = ["--method", "gradcam", "--steps", "2", "--sanity", pictures];
        [&args[..6], &more].concat()
    };
    let found = json(&succeed(folder.path(), &[&sanity("3")[..], &["--json"]].concat()));
    let row = &found["sanity"][0];
    let means = row["random"].as_array().expect("means").iter().chain([&row["noise"]]);
    for mean in means {
        let number = |value: &Value| value.as_f64().expect("a number");
        let [low, own, high] =
            [&mean["interval"][0], &mean["mean"], &mean["interval"][1]].map(number);
        assert!(low <= own && own <= high && low < high, "{mean}");
    }
    let said = succeed(folder.path(), &sanity("1"));
    let (_, of_one) = said.split_once("rank correlation").expect("the checks");
    assert!(of_one.contains("(one picture: no interval)"), "{said}");
    let few = [&args[..6], &["--method", "shap", "--samples", "20"]].concat();
    let refused = fail(folder.path(), &few, 2);
    assert!(refused.contains("shap needs at least 98 for the 49 parts"), "{refused}");
}
