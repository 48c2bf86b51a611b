use super::*;
use crate::set::Features;

const TEXT: &str = r#"
    name = "tiny"
    train.images.file = "a.npy"
    train.texts.file = "b.npy"
    train.labels = { file = "c.list", column = 3 }
    test.images.file = "/abs/a.npy"
    test.texts.file = "b2.npy"
    test.labels.file = "c2.list"
    compare = [["CCA", "MASLN"]]
    [[methods]]
    name = "CCA"
    learn.cca = { components = 9, ridge = 1e-3 }
    [[methods]]
    name = "MASLN"
    [methods.learn.masln]
    schedule = { epochs = 2, batch = 8, rates = { lr = 1e-3 } }
    hidden = 8
    code = 4
    corr = 0.1
    rec = 0.1
    adv = 0.1
    dis = 1.0
    [[methods]]
    name = "without L_rec"
    like = "MASLN"
    with = { rec = 0.0 }
"#;

fn load(text: &str) -> Result<Config> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("c.toml");
    std::fs::write(&path, text).expect("written");
    let mut config = Config::load(&path)?;
    for file in config.sources() {
        *file = file.strip_prefix(folder.path()).unwrap_or(file).to_path_buf();
    }
    Ok(config)
}

#[test]
fn paths_are_the_files_and_like_takes_over() {
    let config = load(TEXT).expect("a configuration");
    assert_eq!(config.train.images.file, Path::new("a.npy"));
    assert_eq!(config.test.images.file, Path::new("/abs/a.npy"));
    let Method::Masln(whole) = &config.methods[1].learn else { panic!("MASLN") };
    let Method::Masln(without) = &config.methods[2].learn else { panic!("MASLN") };
    assert_eq!((whole.rec, without.rec, without.hidden), (0.1, 0.0, 8));
    assert_eq!(config.protocol, Protocol::default());
}

#[test]
fn typos_and_nonsense_are_errors_that_name_them() {
    let wrong = |from: &str, to: &str| load(&TEXT.replace(from, to)).expect_err(to).to_string();
    assert!(wrong("hidden = 8", "hiden = 8").contains("hiden"));
    assert!(wrong("ridge = 1e-3", "rigde = 1e-3").contains("rigde"));
    assert!(wrong("name = \"tiny\"", "nane = \"tiny\"").contains("nane"));
    assert!(wrong("[\"CCA\", \"MASLN\"]", "[\"CCA\", \"X\"]").contains("no method X"));
    assert!(wrong("like = \"MASLN\"", "like = \"Y\"").contains("\"Y\""));
    assert!(wrong("with = { rec = 0.0 }", "with = { reck = 0.0 }").contains("reck"));
    assert!(wrong("name = \"without L_rec\"", "name = \"CCA\"").contains("two methods"));
    let shares = format!("{TEXT}\n[protocol]\nvalid = 1.5\n");
    assert!(load(&shares).expect_err("too much").to_string().contains("1.5"));
}

#[test]
fn meanings_have_a_row_for_each_class() {
    let names = ["cat".to_owned(), "dog".to_owned()];
    let tower = |names: &[String]| Ok(Features { values: vec![0.5; names.len() * 3], width: 3 });
    assert_eq!(Meanings::Tower.rows(&names, tower).expect("rows").width, 3);
    assert_eq!(Meanings::OneHot.rows(&names, tower).expect("rows").values, [1.0, 0.0, 0.0, 1.0]);
    let short = |_: &[String]| Ok(Features { values: vec![0.5; 3], width: 3 });
    assert!(
        Meanings::Tower.rows(&names, short).expect_err("one").to_string().contains("1 rows for 2")
    );
}
