//! Every committed configuration is one.

use std::path::Path;

use tuwen_train::TrainConfig;
use tuwen_train::captions::CaptionsTrainConfig;
use tuwen_train::fuse::FuseTrainConfig;
use tuwen_train::heads::HeadsTrainConfig;

#[test]
fn every_committed_configuration_is_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/train");
    let mut read = 0;
    for folder in [folder.clone(), folder.join("flickr8k-cn")] {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                TrainConfig::load(&path).unwrap_or_else(|error| panic!("{error}"));
                read += 1;
            }
        }
    }
    assert!(read >= 8, "{read}");
}

#[test]
fn every_committed_configuration_of_heads_is_read_and_nonsense_is_named() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/train/heads");
    let mut read = 0;
    for entry in std::fs::read_dir(&folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        HeadsTrainConfig::load(&path).unwrap_or_else(|error| panic!("{error}"));
        read += 1;
    }
    assert!(read >= 1, "{read}");
    let good = std::fs::read_to_string(folder.join("tuwen-small.toml")).expect("a file");
    let file = tempfile::NamedTempFile::new().expect("a file");
    for (from, to, says) in [
        ("name =", "nome =", "nome"),
        ("negatives = 3", "negatives = 0", "itm.negatives"),
        ("negatives = 3", "negatives = 400", "itm.negatives"),
        ("word_drop = 0.1", "word_drop = 1.0", "word_drop"),
        ("share = 0.5", "share = -1.0", "sources"),
        ("lr = ", "lr = -", "lr"),
        ("steps = ", "steps = 0 # ", "0 steps"),
    ] {
        assert!(good.contains(from), "{from}");
        std::fs::write(file.path(), good.replace(from, to)).expect("written");
        let error = HeadsTrainConfig::load(file.path()).expect_err(to).to_string();
        assert!(error.contains(says), "{to}: {error}");
    }
}

#[test]
fn every_committed_configuration_of_a_decoder_is_read_and_nonsense_is_named() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/train/captions");
    let mut read = 0;
    for entry in std::fs::read_dir(&folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        CaptionsTrainConfig::load(&path).unwrap_or_else(|error| panic!("{error}"));
        read += 1;
    }
    assert!(read >= 1, "{read}");
    let good = std::fs::read_to_string(folder.join("tuwen-small.toml")).expect("a file");
    let file = tempfile::NamedTempFile::new().expect("a file");
    for (from, to, says) in [
        ("name =", "nome =", "nome"),
        ("language = \"zh\"", "language = \"fr\"", "en or zh"),
        ("dropout = 0.", "dropout = 1.", "dropout"),
        ("smoothing = 0.", "smoothing = -0.", "smoothing"),
        ("lr = ", "lr = -", "lr"),
        ("steps = ", "steps = 0 # ", "no steps"),
        ("held_out = ", "held_out = 0 # ", "held_out"),
        ("name = \"en\", ", "name = \"en\", share = 0.0, ", "share above 0"),
        ("name = \"en\", ", "name = \"en\", measured = false, ", "one is measured"),
    ] {
        assert!(good.contains(from), "{from}");
        std::fs::write(file.path(), good.replace(from, to)).expect("written");
        let error = CaptionsTrainConfig::load(file.path()).expect_err(to).to_string();
        assert!(error.contains(says), "{to}: {error}");
    }
}

#[test]
fn every_committed_configuration_of_fusers_is_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/train/fuse");
    let read = std::fs::read_dir(&folder).expect("a folder").map(|entry| {
        let path = entry.expect("an entry").path();
        FuseTrainConfig::load(&path).unwrap_or_else(|error| panic!("{error}"))
    });
    assert!(read.count() >= 2);
}
