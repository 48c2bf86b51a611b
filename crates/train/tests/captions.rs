//! A decoder is trained on drawn pictures, is stopped, goes on, and ends with the same weights to the last bit.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tuwen_train::Error;
use tuwen_train::captions::{
    CONFIG_FILE, CaptionsEvent, CaptionsTrainConfig, WEIGHTS_FILE, Watch, train_captions,
};

/// A set of drawn pictures with captions in both languages, and a configuration of a tiny decoder on them.
fn config(folder: &Path, out: &str, change: impl Fn(String) -> String) -> PathBuf {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/demo");
    let images = folder.join("images");
    std::fs::create_dir_all(&images).expect("a folder");
    let (mut names, mut lines) = (Vec::new(), [String::new(), String::new()]);
    let captions = std::fs::read_to_string(demo.join("captions.tsv")).expect("captions");
    for line in captions.lines() {
        let parts: Vec<&str> = line.split('\t').collect();
        if !names.contains(&parts[0]) && names.len() < 14 {
            std::fs::copy(demo.join("png").join(parts[0]), images.join(parts[0])).expect("copied");
            names.push(parts[0]);
        }
        if names.contains(&parts[0]) {
            lines[usize::from(parts[1] == "zh")] += &format!("{}#0\t{}\n", parts[0], parts[2]);
        }
    }
    for (name, lines) in ["en.txt", "zh.txt"].iter().zip(&lines) {
        std::fs::write(folder.join(name), lines).expect("written");
    }
    let ids = |names: &[&str]| -> String {
        names.iter().map(|name| name.trim_end_matches(".png").to_owned() + "\n").collect()
    };
    std::fs::write(folder.join("train.ids"), ids(&names[..10])).expect("written");
    std::fs::write(folder.join("valid.ids"), ids(&names[10..])).expect("written");
    let set = |ids: &str| {
        format!(
            "format = \"flickr\"\nimages = \"images\"\nids = \"{ids}\"\ncaptions = [{{ file = \"en.txt\", source = \
             \"en\" }}, {{ file = \"zh.txt\", source = \"zh\" }}]\n"
        )
    };
    let text = format!(
        "out = \"{out}\"\ncache = \"cache\"\nname = \"tiny\"\nmodel = \"tuwen-small\"\nseed = 3\nheld_out = 3\n\
         measure_every = 3\nsources = [{{ name = \"en\", language = \"en\" }}, {{ name = \"zh\", language = \"zh\" }}]\n\
         [decoder]\nwidth = 16\nlayers = 1\nheads = 2\nmlp = 24\nlongest = 12\nrare = 1\n\
         [words]\ncaptions = 2\npatches = 20\ndropout = 0.1\nword_drop = 0.1\nsmoothing = 0.1\n\
         optim = {{ batch = 5, steps = 7, warmup = 2, lr = 3e-3, weight_decay = 0.05 }}\n\
         [reward]\nsamples = 2\npatches = 20\n\
         optim = {{ batch = 5, steps = 4, warmup = 1, lr = 1e-3, weight_decay = 0.0 }}\n\
         [[train]]\n{}[valid]\n{}",
        set("train.ids"),
        set("valid.ids")
    );
    let path = folder.join(format!("{out}.toml"));
    std::fs::write(&path, change(text)).expect("written");
    path
}

/// Trains until there were so many losses; what was told.
fn train(path: &Path, steps: usize) -> (Result<(), Error>, Vec<String>) {
    let config = CaptionsTrainConfig::load(path).expect("a configuration");
    let (asked, told) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let tell = |event: CaptionsEvent| told.lock().expect("no panic").push(format!("{event:?}"));
    let stop = || asked.fetch_add(1, Ordering::Relaxed) >= steps;
    let done = train_captions(&config, Watch { tell: &tell, stop: &stop });
    (done, told.into_inner().expect("no panic"))
}

#[test]
fn a_training_that_is_stopped_anywhere_ends_with_the_same_decoder() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let whole = config(folder, "whole", |text| text);
    let (done, told) = train(&whole, usize::MAX);
    done.expect("trained");
    let has = |what: &str| told.iter().any(|event| event.contains(what));
    assert!(has("Loss(\"loss\", 7, 11") && has("Loss(\"reward\", 11, 11"), "{told:?}");
    assert!(has("the nearest picture's caption") && has("the decoder"), "{told:?}");
    let file = |run: &str, name: &str| std::fs::read(folder.join(run).join(name)).expect("a file");

    let parted = config(folder, "parted", |text| text);
    let mut stopped = 0;
    // Each time it gets a little further; between two measurements nothing is kept.
    for steps in (6..60).step_by(3) {
        match train(&parted, steps).0 {
            Err(Error::Stopped) => stopped += 1,
            done => {
                done.expect("trained");
                break;
            }
        }
    }
    assert!(stopped >= 2, "it was stopped {stopped} times");
    for name in [CONFIG_FILE, WEIGHTS_FILE, "best.safetensors"] {
        assert!(file("whole", name) == file("parted", name), "{name} differs");
    }

    let other = config(folder, "parted", |text| text.replace("seed = 3", "seed = 4"));
    let error = train(&other, usize::MAX).0.expect_err("another run lies there").to_string();
    assert!(error.contains("other settings"), "{error}");
}

#[test]
fn pictures_without_captions_of_a_language_and_too_few_pictures_are_no_surprise() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let path = config(folder, "few", |text| text.replace("held_out = 3", "held_out = 10"));
    let error = train(&path, usize::MAX).0.expect_err("nothing is left").to_string();
    assert!(error.contains("10 are held out"), "{error}");
    let path = config(folder, "rare", |text| text.replace("rare = 1", "rare = 1000"));
    let error = train(&path, usize::MAX).0.expect_err("no word is left").to_string();
    assert!(error.contains("lower `rare`"), "{error}");
    // Half of the pictures have no Chinese caption.
    let zh = std::fs::read_to_string(folder.join("zh.txt")).expect("captions");
    let path = config(folder, "half", |text| text);
    let half: String =
        zh.lines().take(zh.lines().count() / 2).map(|l| l.to_owned() + "\n").collect();
    std::fs::write(folder.join("zh.txt"), half).expect("written");
    train(&path, usize::MAX).0.expect("trained all the same");
}
