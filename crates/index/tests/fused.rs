//! Fused vectors: a second vector of each picture, made as a whole, old when an item changes.

use std::path::Path;

use tuwen_index::{Gallery, Modality, ModelId, NewItem, Parts};

const DIM: usize = 4;

fn model() -> ModelId {
    ModelId { name: "test".into(), fingerprint: "test-1".into(), dim: DIM }
}

fn vector(of: usize) -> Vec<f32> {
    (0..DIM).map(|column| ((of * 31 + column * 17) % 23) as f32 - 11.0).collect()
}

fn item(of: usize, owner: Option<i64>) -> NewItem {
    NewItem {
        modality: if owner.is_some() { Modality::Text } else { Modality::Image },
        origin: of.to_string().into_bytes(),
        owner,
        metadata: "{}".into(),
        vector: vector(of),
        ..NewItem::default()
    }
}

/// Pictures with 0, 1 or 2 texts each.
fn filled(folder: &Path, pictures: usize) -> (Gallery, Vec<i64>) {
    let gallery = Gallery::open_for_writing(folder, &model()).expect("a gallery");
    let put = |gallery: &Gallery| {
        let one = |of: usize| {
            let id = gallery.insert(&item(of, None))?;
            (0..of % 3)
                .try_for_each(|text| gallery.insert(&item(7 * of + text, Some(id))).map(drop))?;
            Ok(id)
        };
        (0..pictures).map(one).collect()
    };
    let ids = gallery.transaction(put).expect("committed");
    (gallery, ids)
}

/// Twice the picture, and all texts.
fn sum(parts: &Parts) -> Vec<f32> {
    let one = |(image, texts): (&[f32], &Vec<f32>)| {
        let mut sum: Vec<f32> = image.iter().map(|value| 2.0 * value).collect();
        for text in texts.chunks_exact(DIM) {
            sum.iter_mut().zip(text).for_each(|(sum, value)| *sum += value);
        }
        sum
    };
    parts.images.chunks_exact(DIM).zip(&parts.texts).flat_map(one).collect()
}

fn best(folder: &Path, query: &[f32], k: usize) -> Vec<(i64, f32)> {
    let gallery = Gallery::open(folder).expect("a gallery");
    let hits = gallery.vectors(Modality::Fused).and_then(|vectors| vectors.search(query, k, None));
    hits.expect("hits").into_iter().map(|hit| (hit.id as i64, hit.score)).collect()
}

#[test]
fn every_picture_has_one_made_of_its_own_and_its_texts() {
    let folder = tempfile::tempdir().expect("a folder");
    let pictures = 2_500;
    let (gallery, ids) = filled(folder.path(), pictures);
    assert_eq!(gallery.fused().expect("an answer"), None);
    gallery.fuse("sum", sum).expect("fused");
    let fused = gallery.fused().expect("an answer").expect("there are some");
    assert_eq!((&*fused.recipe, fused.is_old), ("sum", false));
    drop(gallery);
    let query = [1.0, -2.0, 3.0, 0.5];
    let dot = |vector: &[f32]| vector.iter().zip(&query).map(|(a, b)| a * b).sum::<f32>();
    let mut wanted: Vec<(i64, f32)> = (0..pictures)
        .map(|of| {
            let texts = (0..of % 3).map(|text| dot(&vector(7 * of + text))).sum::<f32>();
            (ids[of], 2.0 * dot(&vector(of)) + texts)
        })
        .collect();
    wanted.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    assert_eq!(best(folder.path(), &query, pictures), wanted);
    assert_eq!(best(folder.path(), &query, 5), wanted[..5]);
}

#[test]
fn any_change_makes_them_old_and_making_them_again_replaces_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let (gallery, ids) = filled(folder.path(), 6);
    let is_old = |gallery: &Gallery| gallery.fused().expect("an answer").is_some_and(|f| f.is_old);
    let changes: [&dyn Fn(&Gallery); 6] = [
        &|gallery| assert!(gallery.insert(&item(90, None)).is_ok()),
        &|gallery| assert!(gallery.insert(&item(91, Some(ids[0]))).is_ok()),
        &|gallery| gallery.update(ids[1], &item(92, None)).expect("updated"),
        &|gallery| assert!(gallery.exclude(ids[2]).expect("excluded")),
        &|gallery| assert!(gallery.restore(ids[2]).expect("restored")),
        &|gallery| gallery.remove(ids[3]).expect("removed"),
    ];
    for change in changes {
        gallery.fuse("sum", sum).expect("fused");
        assert!(!is_old(&gallery));
        change(&gallery);
        assert!(is_old(&gallery));
    }
    gallery.exclude(ids[4]).expect("excluded");
    gallery.fuse("sum", sum).expect("fused");
    let found: Vec<i64> =
        best(folder.path(), &[1.0; DIM], 99).into_iter().map(|hit| hit.0).collect();
    assert_eq!(found.len(), gallery.ids(Modality::Image).expect("ids").len() as usize);
    assert!(!found.contains(&ids[3]) && !found.contains(&ids[4]));
    // One segment of pictures, one of texts, one of both.
    let files = std::fs::read_dir(folder.path().join("vectors")).expect("a folder");
    let segments = files.filter(|file| {
        let path = file.as_ref().expect("a file").path();
        path.extension().is_some_and(|end| end == "vectors")
    });
    assert_eq!(segments.count(), 3);
    gallery.unfuse().expect("done");
    assert_eq!(gallery.fused().expect("an answer"), None);
    assert_eq!(best(folder.path(), &[1.0; DIM], 9), []);
}

#[test]
fn a_recipe_that_fails_half_way_leaves_the_old_ones() {
    let folder = tempfile::tempdir().expect("a folder");
    let (gallery, _) = filled(folder.path(), 4);
    gallery.fuse("sum", sum).expect("fused");
    let before = best(folder.path(), &[1.0; DIM], 9);
    let wrong = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        gallery.fuse("other", |_| vec![0.0; 3])
    }));
    assert!(wrong.is_err(), "three values are no vectors of four pictures");
    drop(gallery);
    assert_eq!(best(folder.path(), &[1.0; DIM], 9), before);
    let gallery = Gallery::open(folder.path()).expect("a gallery");
    assert_eq!(gallery.fused().expect("an answer").expect("some").recipe, "sum");
}
