//! BLIP through the program: its vectors, its own matching head, and what is refused by name. The reference's numbers are
//! those of `scripts/golden/blip.py`.

mod common;

use std::path::{Path, PathBuf};

use tuwen_caption::{Control, Speaker, Way, describe};
use tuwen_encode::{Captioner, Sentences, Shown};

use common::{copy_pictures, fail, index, search, succeed, tuwen};
use serde_json::Value;

const NAMES: [&str; 3] = ["red_car.png", "pizza.png", "sunset.png"];

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../encode/tests/golden").join(name)
}

fn wanted(part: &str) -> Value {
    let text = std::fs::read_to_string(golden("blip.json")).expect("goldens are committed");
    serde_json::from_str::<Value>(&text).expect("JSON")[part].clone()
}

/// A gallery of the golden's picture and three others, by the golden's model.
fn gallery(home: &Path) -> String {
    let pictures = home.join("pictures");
    copy_pictures(&NAMES, &pictures);
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/model_files/picture.png");
    std::fs::copy(own, pictures.join("picture.png")).expect("a copy");
    let model = golden("blip").to_string_lossy().into_owned();
    index(home, &["pictures", "--model", &model]);
    model
}

fn hit_of(hits: &[Value]) -> &Value {
    let own =
        |hit: &&Value| hit["path"].as_str().is_some_and(|path| path.ends_with("/picture.png"));
    hits.iter().find(own).expect("the golden's picture")
}

#[test]
fn a_search_has_the_cosines_and_the_reranking_the_logits_of_transformers() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    let model = gallery(home);
    let wanted = wanted("retrieval");
    let asked = wanted["asked"].as_str().expect("a text");
    let (cosine, logit) = (&wanted["asked_cosine"], &wanted["asked_match"][1]);
    let (cosine, logit) = (cosine.as_f64().expect("a number"), logit.as_f64().expect("a number"));
    let close = |found: &Value, wanted: f64| {
        let found = found.as_f64().expect("a score");
        assert!((found - wanted).abs() < 2e-5, "{found} instead of {wanted}");
    };
    let plain = search(home, &[asked, "--model", &model]);
    close(&hit_of(&plain)["score"], cosine);
    let args = ["search", asked, "--model", &model, "--rerank", "itm:4", "--json"];
    let output = tuwen(home, &args);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.contains("17 rows of each of 4 reranked"), "{said}");
    let hits: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    // BLIP's own program adds the cosine to the logit of a match.
    close(&hit_of(&hits)["score"], logit + cosine);
    assert!(hits.iter().all(|hit| hit["reranked"]["by"] == "itm"), "{hits:?}");
    assert!(hits.is_sorted_by(|a, b| a["score"].as_f64() >= b["score"].as_f64()));
    // Late interaction needs no training here either, and both go together.
    for stages in ["late:4", "both:3", "late:4,itm:2"] {
        let hits = search(home, &[asked, "--model", &model, "--rerank", stages]);
        assert_eq!(hits.len(), 4, "{stages}");
    }
    std::fs::remove_file(home.join("pictures/pizza.png")).expect("removed");
    let output = tuwen(home, &args);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("1 of 4 photos could not be looked at again"), "{said}");
}

#[test]
fn an_evaluation_looks_again_with_the_models_own_head() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    let model = gallery(home);
    let captions = "image,caption\nred_car.png,a red car\npizza.png,a cup of coffee\npizza.png,three books\n\
        sunset.png,sea gulls at sunset\npicture.png,a woman in a red coat\n";
    std::fs::write(home.join("captions.csv"), captions).expect("a file");
    let args = |more: &[&str]| {
        let common = [
            "eval",
            "--images",
            "pictures",
            "--captions",
            "captions.csv",
            "--model",
            &model,
            "--json",
        ];
        let output = tuwen(home, &[&common, more].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        serde_json::from_slice::<Value>(&output.stdout).expect("JSON")
    };
    let (plain, again) = (args(&[]), args(&["--rerank", "itm:4"]));
    assert_ne!(plain, again, "the order is another");
    // The search says the same of each caption: the rank of its picture.
    let mut first = 0u32;
    for line in captions.lines().skip(1) {
        let (picture, caption) = line.split_once(',').expect("two columns");
        let hits = search(home, &[caption, "--model", &model, "--rerank", "itm:4", "-k", "1"]);
        first += u32::from(hits[0]["path"].as_str().is_some_and(|path| path.ends_with(picture)));
    }
    let report = again.as_object().and_then(|all| all.values().next()).expect("a report");
    let recall = report["text_to_image"]["recall"][0].as_f64().expect("a recall in percent");
    assert!((recall - 20.0 * f64::from(first)).abs() < 1e-3, "{recall} and {first} of 5");
    args(&["--rerank", "late:4,both:2"]);
}

#[test]
fn a_model_of_captions_cannot_search_and_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    copy_pictures(&NAMES, &home.join("pictures"));
    let captions = golden("blip-captions").to_string_lossy().into_owned();
    let indexing = ["index", "pictures", "--model", &captions];
    let evaluation = ["eval", "--images", "pictures", "--captions", "x.csv", "--model", &captions];
    for args in [&indexing[..], &["model", "info", &captions], &evaluation] {
        if args[0] == "eval" {
            std::fs::write(home.join("x.csv"), "image,caption\npizza.png,food\n").expect("a file");
        }
        let error = fail(home, args, 1);
        assert!(error.contains("captions") && error.contains("tuwen caption"), "{error}");
    }
    let retrieval = golden("blip").to_string_lossy().into_owned();
    let shown = succeed(home, &["model", "info", &retrieval]);
    assert!(shown.contains("blip"), "{shown}");
}

/// The golden's captioning model on a picture that is there as pixels.
struct Alone<'c> {
    captioner: &'c Captioner,
    shown: Shown,
}

impl Speaker for Alone<'_> {
    type Saying = Sentences;

    fn begin(&self) -> usize {
        self.captioner.begin() as usize
    }

    fn end(&self) -> usize {
        self.captioner.end() as usize
    }

    fn never(&self) -> &[usize] {
        &[]
    }

    fn start(&self, pictures: Vec<usize>, room: usize) -> Sentences {
        self.captioner.start(pictures.len(), room)
    }

    fn say(&self, saying: &mut Sentences, tokens: &[usize]) -> Vec<f32> {
        let tokens: Vec<u32> = tokens.iter().map(|&token| token as u32).collect();
        self.captioner.say(&self.shown, saying, &tokens)
    }

    fn reorder(&self, saying: &mut Sentences, from: &[usize]) {
        saying.reorder(from);
    }
}

#[test]
fn greedy_search_and_beams_say_the_tokens_of_transformers() {
    let wanted = wanted("captions");
    let captioner = Captioner::open(&golden("blip-captions")).expect("files").expect("captions");
    let pixels: Vec<f32> =
        (0..6 * 3 * 32 * 32).map(|i| 1.5 * ((f64::from(i) * 0.37).sin() * 0.8) as f32).collect();
    // Its longest of 20 tokens begins with the one before the first word.
    let control = Control { least: 0, most: 19, no_repeat: 2, length: 0.7 };
    for (name, width) in [("greedy", 1), ("beams", 3), ("wide", 5)] {
        for (at, picture) in pixels.chunks_exact(3 * 32 * 32).enumerate() {
            let speaker = Alone { captioner: &captioner, shown: captioner.look_at(picture) };
            let way = Way::Beams(width);
            let said = describe(&speaker, captioner.longest(), way, &control, &mut || 0.0);
            let ids: Vec<usize> =
                serde_json::from_value(wanted[name][at].clone()).expect("token ids");
            let ends = ids.last() == Some(&speaker.end());
            let ids = &ids[1..ids.len() - usize::from(ends)];
            assert_eq!(said.expect("captions")[0].tokens, ids, "{name}, picture {at}");
        }
    }
}

#[test]
fn the_program_captions_as_transformers_does_and_refuses_by_name_what_it_cannot() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    copy_pictures(&["pizza.png", "sunset.png", "dog_grass.png"], &home.join("pictures"));
    let model = golden("blip-captions").to_string_lossy().into_owned();
    let wanted = wanted("captions")["written"].clone();
    for (at, beam, repeat) in [(0, "1", "0"), (1, "3", "3")] {
        let how = ["--beam", beam, "--no-repeat", repeat, "--min-words", "0", "--max-words", "19"];
        let args = [&["caption", "pictures", "--json", "--model", &model][..], &how].concat();
        for line in succeed(home, &args).lines() {
            let line: Value = serde_json::from_str(line).expect("JSON");
            let path = line["path"].as_str().expect("a path");
            let name = path.rsplit('/').next().and_then(|name| name.strip_suffix(".png"));
            let (made, decoder) = (&line["captions"][0], &line["decoder"]);
            assert_eq!((&made["language"], decoder), (&"en".into(), &"blip-captions".into()));
            assert_eq!(made["text"], wanted[name.expect("a name")][at], "{path}, {beam} beams");
        }
    }
    let refused = |args: &[&str], code: i32, words: &[&str]| {
        let error = fail(home, &[&["caption", "pictures"], args].concat(), code);
        assert!(words.iter().all(|word| error.contains(word)), "{args:?}: {error}");
    };
    let blip = golden("blip").to_string_lossy().into_owned();
    refused(&["--model", &model, "--lang", "zh"], 2, &["does not speak `zh`", "en"]);
    refused(&["--model", &model, "--rerank"], 2, &["blip-captions", "leave --rerank away"]);
    refused(&["--model", &model, "--max-words", "9999"], 2, &["9999", "63"]);
    refused(&["--model", &model, "--decoder", &model], 2, &["--decoder", "give one of both"]);
    refused(&["--model", &blip], 2, &["BLIP for retrieval", "cannot caption"]);
    // Beside a model that searches it describes a gallery's pictures.
    let all = ["pictures", "--model", &blip, "--caption", "--decoder", &model];
    index(home, &all);
    let hits = search(home, &["dog", "--model", &blip, "--kind", "text"]);
    assert!(!hits.is_empty() && hits.len() <= 3, "{hits:?}");
}
