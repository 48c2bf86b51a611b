//! Tokens beside a gallery: found by their content, right or none whatever happens to the file.

use std::path::Path;

use tuwen_index::tokens::token_bytes;
use tuwen_index::{Gallery, ModelId, TokenStore};

fn gallery(folder: &Path) -> Gallery {
    let model = ModelId { name: "toy".into(), fingerprint: "toy-1".into(), dim: 2 };
    Gallery::open_for_writing(folder, &model).expect("a gallery")
}

fn hash(at: usize) -> [u8; 32] {
    *blake(at).first_chunk().expect("32 bytes")
}

fn blake(at: usize) -> Vec<u8> {
    (0..32)
        .map(|i| (at * 7919 + i * 31 + at / 256) as u8)
        .chain((at as u64).to_le_bytes())
        .rev()
        .collect()
}

fn tokens(at: usize) -> Vec<u8> {
    (0..40).map(|i| (at * 13 + i) as u8).collect()
}

const ALL: fn(&[u8]) -> bool = |_| true;

#[test]
fn what_was_added_is_found_by_its_content_and_nothing_else_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let gallery = gallery(folder.path());
    let mut store = TokenStore::open_for_writing(&gallery, "toy/1", 40, &ALL).expect("a store");
    (0..600).for_each(|at| store.add(&gallery, &hash(at), &tokens(at)).expect("added"));
    store.finish().expect("on the disk");
    let read = TokenStore::open(folder.path(), "toy/1", 40).expect("a store");
    assert_eq!(read.count(), 600);
    for at in [0, 255, 256, 599] {
        assert_eq!(read.get(&hash(at)), Some(tokens(at)), "{at}");
    }
    assert_eq!(read.get(&hash(600)), None);
    let other = TokenStore::open(folder.path(), "toy-2", 40).expect("a store");
    assert_eq!((other.count(), other.get(&hash(0))), (0, None));
}

#[test]
fn a_file_that_is_cut_or_damaged_anywhere_gives_right_tokens_or_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let gallery = gallery(folder.path());
    let mut store = TokenStore::open_for_writing(&gallery, "toy", 40, &ALL).expect("a store");
    (0..300).for_each(|at| store.add(&gallery, &hash(at), &tokens(at)).expect("added"));
    let path = folder.path().join("vectors/toy.tokens");
    let whole = std::fs::read(&path).expect("the file");
    let mut lost = 0;
    for at in (0..whole.len()).step_by(97) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x5a;
        for bytes in [&whole[..at], &damaged[..]] {
            std::fs::write(&path, bytes).expect("written");
            let read = TokenStore::open(folder.path(), "toy", 40).expect("a store");
            for at in 0..300 {
                let found = read.get(&hash(at));
                lost += usize::from(found.is_none());
                assert!(found.is_none_or(|found| found == tokens(at)));
            }
        }
    }
    assert!(lost > 0, "damage is noticed");
    // What is lost is added again behind what is there.
    std::fs::write(&path, &whole[..whole.len() - 10]).expect("written");
    let mut store = TokenStore::open_for_writing(&gallery, "toy", 40, &ALL).expect("a store");
    assert_eq!(store.get(&hash(299)), None);
    store.add(&gallery, &hash(299), &tokens(299)).expect("added");
    let read = TokenStore::open(folder.path(), "toy", 40).expect("a store");
    assert_eq!(read.get(&hash(299)), Some(tokens(299)));
    assert_eq!(read.get(&hash(298)), Some(tokens(298)));
}

#[test]
fn tokens_of_pictures_that_are_gone_leave_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let gallery = gallery(folder.path());
    let mut store = TokenStore::open_for_writing(&gallery, "toy", 40, &ALL).expect("a store");
    (0..1000).for_each(|at| store.add(&gallery, &hash(at), &tokens(at)).expect("added"));
    let reader = TokenStore::open(folder.path(), "toy", 40).expect("a store");
    let few: Vec<[u8; 32]> = (0..100).map(hash).collect();
    let wanted = |found: &[u8]| few.iter().any(|hash| hash[..16] == *found);
    let store = TokenStore::open_for_writing(&gallery, "toy", 40, &wanted).expect("a store");
    assert_eq!((store.count(), store.get(&hash(99))), (100, Some(tokens(99))));
    let len = std::fs::metadata(folder.path().join("vectors/toy.tokens")).expect("a file").len();
    assert!(len < token_bytes(101, 40) + 1, "{len}");
    assert_eq!(reader.get(&hash(999)), Some(tokens(999)), "who has it open goes on");
}
