//! How long a gallery takes to open, and a search in it: the first one, which maps and verifies, and those after.
//!
//! `cargo bench -p tuwen-index --bench open [ROWS]`: so many vectors of 256 values (1,000,000 where nothing is
//! given), written into a temporary folder first.

use std::time::Instant;

use tuwen_index::{Gallery, IdSet, Modality, ModelId, NewItem};

const DIM: usize = 256;

fn main() {
    let rows = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(1_000_000);
    let folder = tempfile::tempdir().expect("a folder");
    let begun = Instant::now();
    fill(folder.path(), rows);
    println!("{rows} x {DIM} written in {:.1} s", begun.elapsed().as_secs_f64());
    for attempt in 1..=3 {
        let begun = Instant::now();
        let gallery = Gallery::open(folder.path()).expect("the gallery");
        let opened = begun.elapsed();
        let vectors = gallery.vectors(Modality::Image).expect("vectors");
        let mapped = begun.elapsed();
        println!("{attempt}: open {:.1} ms, vectors {:.1} ms", ms(opened), ms(mapped - opened));
        let search = |what: &str, among: Option<&IdSet>| {
            let begun = Instant::now();
            let hits = vectors.search(&vector(7), 10, among).expect("hits");
            println!("   {what}: {:.1} ms, best {:.3}", ms(begun.elapsed()), hits[0].score);
        };
        search("first search", None);
        search("second search", None);
        for step in [1000, 100, 10, 2] {
            let among: IdSet = (1..=rows as u64).step_by(step).collect();
            search(&format!("1 of {step} items"), Some(&among));
        }
    }
}

fn ms(time: std::time::Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn vector(of: usize) -> Vec<f32> {
    let raw = |i: usize| ((of * 2_654_435_761 + i * 40_503) % 65_521) as f32 / 65_521.0 - 0.5;
    let values: Vec<f32> = (0..DIM).map(raw).collect();
    let length = values.iter().map(|v| v * v).sum::<f32>().sqrt();
    values.into_iter().map(|v| v / length).collect()
}

fn fill(folder: &std::path::Path, rows: usize) {
    let model = ModelId { name: "bench".into(), fingerprint: "bench".into(), dim: DIM };
    let gallery = Gallery::open_for_writing(folder, &model).expect("a gallery");
    for start in (0..rows).step_by(10_000) {
        let put = |gallery: &Gallery| {
            (start..(start + 10_000).min(rows)).try_for_each(|of| {
                let item = NewItem {
                    origin: format!("/pictures/{of}.jpg").into_bytes(),
                    metadata: "{}".into(),
                    vector: vector(of),
                    ..NewItem::default()
                };
                gallery.insert(&item).map(drop)
            })
        };
        gallery.transaction(put).expect("written");
    }
}
