//! Patches of oblong pictures and positions resized to their grids, beside PyTorch's (`scripts/golden/places.py`).

use std::borrow::Cow;

use serde_json::Value as Json;
use tuwen_nn::{Patches, Tape, Weight, grads};

fn golden() -> Json {
    let text = include_str!("golden/places.json");
    serde_json::from_str(text).expect("JSON")
}

fn list(json: &Json) -> Vec<f32> {
    serde_json::from_value(json.clone()).expect("numbers")
}

/// The numbers of the script.
fn wave(count: usize, step: f64) -> Vec<f32> {
    (0..count).map(|i| (i as f64 * step).sin() as f32).collect()
}

fn cuts(json: &Json) -> Vec<Patches> {
    let grids: Vec<[usize; 2]> = serde_json::from_value(json["grids"].clone()).expect("grids");
    let patch = json["patch"].as_u64().expect("a side") as usize;
    grids.into_iter().map(|[rows, columns]| Patches { rows, columns, patch }).collect()
}

fn close(found: &[f32], wanted: &[f32]) {
    assert_eq!(found.len(), wanted.len());
    let worst = found.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 1e-5, "differs by {worst}");
}

#[test]
fn patches_of_oblong_pictures_equal_pytorchs() {
    let json = golden();
    let cuts = cuts(&json);
    let pixels: Vec<f32> = cuts.iter().flat_map(|cut| wave(cut.values(), 0.37)).collect();
    let all: Vec<Vec<usize>> = cuts.iter().map(|cut| (0..cut.count()).collect()).collect();
    let kept: Vec<&[usize]> = all.iter().map(Vec::as_slice).collect();
    let mut tape = Tape::recording();
    let leaf = tape.leaf(pixels.clone(), 1, true);
    let rows = tape.patches(&pixels, Some(&leaf), &cuts, &kept);
    close(&rows, &list(&json["rows"]));
    // Each pixel is in one patch: what goes back are the pixels.
    let values = rows.to_vec();
    let (_, mut found) = grads::collect(vec![tape], |tape, grads| {
        tape.backward(vec![(&rows, values.clone())], grads).take(&leaf).expect("it learns")
    });
    assert_eq!(found.pop().expect("of one tape"), pixels);
}

#[test]
fn positions_resized_to_a_grid_equal_pytorchs_with_their_gradient() {
    let json = golden();
    let cuts = cuts(&json);
    let (side, width) = (4, 3);
    let values = Cow::Owned(wave(side * side * width, 0.7));
    let table = Weight::new("places".into(), vec![side * side, width], values, true);
    let all: Vec<Vec<usize>> = cuts.iter().map(|cut| (0..cut.count()).collect()).collect();
    let kept: Vec<&[usize]> = all.iter().map(Vec::as_slice).collect();
    let rows: usize = all.iter().map(Vec::len).sum();
    let mut tape = Tape::recording();
    let x = tape.leaf(vec![0.0; rows * width], width, true);
    let y = tape.add_resized_places(x.clone(), &table, &cuts, &kept);
    close(&y, &list(&json["places"]));
    // A grid of the table's own shape takes it bit for bit.
    assert_eq!(y[..side * side * width], table.values[..]);
    let slope = wave(rows * width, 1.3);
    let (grads, mut found) = grads::collect(vec![tape], |tape, grads| {
        tape.backward(vec![(&y, slope.clone())], grads).take(&x).expect("it learns")
    });
    assert_eq!(found.pop().expect("of one tape"), slope);
    close(&grads.get("places").expect("it learns").data, &list(&json["gradient"]));
}
