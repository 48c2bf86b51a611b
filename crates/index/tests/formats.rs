//! Galleries that older programs wrote open for ever.

use std::path::{Path, PathBuf};

use tuwen_index::filter::Filter;
use tuwen_index::fulltext::Match;
use tuwen_index::{Gallery, Hit, Modality, ModelId};

/// A copy of the committed gallery of that format, three pictures with a caption each.
fn copy(format: i64) -> tempfile::TempDir {
    let from =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/galleries/format-{format}"));
    let folder = tempfile::tempdir().expect("a folder");
    copy_into(&from, folder.path());
    folder
}

fn copy_into(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("the gallery") {
        let (path, name): (PathBuf, _) =
            entry.map(|e| (e.path(), e.file_name())).expect("an entry");
        match path.is_dir() {
            true => copy_into(&path, &to.join(name)),
            false => std::fs::copy(&path, to.join(name)).map(drop).expect("copied"),
        }
    }
}

/// All items of a kind by their likeness to the first picture.
fn ranked(gallery: &Gallery, modality: Modality) -> Vec<Hit> {
    let query = gallery.vector(1).expect("the first picture's vector");
    gallery.vectors(modality).expect("vectors").search(&query, 10, None).expect("hits")
}

#[test]
fn the_first_format_is_searched_as_it_is_and_becomes_todays_when_it_is_written() {
    let folder = copy(1);
    let file = folder.path().join("gallery.sqlite");
    let before = std::fs::read(&file).expect("the database");
    let old = Gallery::open(folder.path()).expect("an old gallery");
    let model: ModelId = old.model().expect("its model");
    assert_eq!(model.fingerprint, "tuwen-small-c3b2cb74d55eafef");
    let wanted = [Modality::Image, Modality::Text].map(|modality| ranked(&old, modality));
    assert_eq!([wanted[0].len(), wanted[1].len(), wanted[0][0].id as usize], [3, 3, 1]);
    assert!((wanted[0][0].score - 1.0).abs() < 1e-5);
    drop(old);
    assert_eq!(std::fs::read(&file).expect("the database"), before, "reading changes nothing");
    let new = Gallery::open_for_writing(folder.path(), &model).expect("migrated");
    assert_eq!([Modality::Image, Modality::Text].map(|modality| ranked(&new, modality)), wanted);
    assert_eq!(new.all(Modality::Text).expect("texts")[2].owner, Some(3));
    drop(new);
    let again = Gallery::open(folder.path()).expect("today's format");
    assert_eq!([Modality::Image, Modality::Text].map(|modality| ranked(&again, modality)), wanted);
}

#[test]
fn the_second_format_is_searched_by_vectors_fields_and_words() {
    let folder = copy(2);
    let gallery = Gallery::open(folder.path()).expect("a gallery of the second format");
    assert_eq!([Modality::Image, Modality::Text].map(|m| ranked(&gallery, m).len()), [3, 3]);
    assert!((ranked(&gallery, Modality::Image)[0].score - 1.0).abs() < 1e-5);
    let filter = Filter::parse("width = 256 AND price > 2").expect("a filter");
    let found = gallery.select(&filter, Modality::Image).expect("items");
    assert_eq!(found.len(), 1, "what a caption file says of a picture");
    let query = tuwen_text::for_query("waterfall");
    let hits = gallery.with_words(Match::All(&query), Modality::Image, 5, None).expect("hits");
    assert_eq!(hits.len(), 1);
    let model = gallery.model().expect("its model");
    drop(gallery);
    Gallery::open_for_writing(folder.path(), &model).expect("it can be written");
}

#[test]
fn the_third_format_knows_what_a_person_said() {
    let folder = copy(3);
    let gallery = Gallery::open(folder.path()).expect("a gallery of the third format");
    assert_eq!([Modality::Image, Modality::Text].map(|m| ranked(&gallery, m).len()), [2, 2]);
    assert_eq!(gallery.excluded().expect("excluded items"), [2]);
    assert_eq!(gallery.given_tags(1).expect("tags"), ["夏天"]);
    let filter = Filter::parse("tag = 夏天").expect("a filter");
    assert_eq!(gallery.select(&filter, Modality::Image).expect("items").len(), 1);
    let model = gallery.model().expect("its model");
    drop(gallery);
    let gallery = Gallery::open_for_writing(folder.path(), &model).expect("it can be written");
    assert!(gallery.restore(2).expect("restored"));
    assert_eq!(ranked(&gallery, Modality::Image).len(), 3);
}

#[test]
fn texts_of_the_third_format_are_found_in_either_writing_before_and_after_it_is_written() {
    let folder = copy(3);
    let file = folder.path().join("gallery.sqlite");
    let db = rusqlite::Connection::open(&file).expect("its database");
    // As a program of the third format kept them: one spelling twice.
    let insert = "INSERT INTO field_value SELECT id, ?1, 1, -1, NULL FROM field WHERE name = 'tag'";
    for tag in ["臺灣", "台灣"] {
        assert_eq!(db.execute(insert, [tag]).expect("a row"), 1);
    }
    drop(db);
    let found = |gallery: &Gallery, tag: &str| {
        let filter = Filter::parse(&format!("tag = {tag}")).expect("a filter");
        gallery.select(&filter, Modality::Image).expect("items").iter().collect::<Vec<_>>()
    };
    let old = Gallery::open(folder.path()).expect("an old gallery");
    let tags = ["臺灣", "台湾", "夏天"];
    assert_eq!(tags.map(|tag| found(&old, tag)), [[1], [1], [1]]);
    let model = old.model().expect("its model");
    drop(old);
    let new = Gallery::open_for_writing(folder.path(), &model).expect("migrated");
    assert_eq!(tags.map(|tag| found(&new, tag)), [[1], [1], [1]]);
    assert_eq!(new.given_tags(1).expect("tags").len(), 2, "one tag, and summer");
    assert!(new.remove_tag(1, "臺湾").expect("taken away"));
    assert_eq!(tags.map(|tag| found(&new, tag).len()), [0, 0, 1]);
}

#[test]
fn the_fourth_format_finds_texts_in_either_writing() {
    let folder = copy(4);
    let gallery = Gallery::open(folder.path()).expect("a gallery of the fourth format");
    assert_eq!([Modality::Image, Modality::Text].map(|m| ranked(&gallery, m).len()), [2, 2]);
    for tag in ["臺灣", "台湾", "夏天"] {
        let filter = Filter::parse(&format!("tag = {tag}")).expect("a filter");
        assert_eq!(gallery.select(&filter, Modality::Image).expect("items").len(), 1, "{tag}");
    }
    let shown = gallery.given_tags(1).expect("tags");
    assert!(shown.contains(&"臺灣".to_owned()), "as they were written: {shown:?}");
}
