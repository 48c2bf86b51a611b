//! Every committed configuration is one.

use std::path::Path;

use tuwen_train::TrainConfig;

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
