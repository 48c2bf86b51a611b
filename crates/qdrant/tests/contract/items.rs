//! The items that claims are made of: pictures with captions, fields of each type, names that no language of paths likes,
//! tags of a person, and some that nothing finds.

use std::path::Path;

use tuwen_index::filter::Fields;
use tuwen_index::{Gallery, Modality, ModelId, NewItem};

pub const DIM: usize = 16;
pub const PICTURES: usize = 600;

pub fn model() -> ModelId {
    ModelId { name: "test".into(), fingerprint: "test-1".into(), dim: DIM }
}

/// A unit vector that looks random, and is the same each time.
pub fn vector(seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    let values: Vec<f32> = (0..DIM).map(|_| next()).collect();
    let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
    values.into_iter().map(|value| value / length).collect()
}

pub fn picture(at: usize) -> NewItem {
    let mut fields = Fields::default();
    fields.number("year", 2000.0 + (at % 30) as f64);
    fields.number("share", 1.0 / (at + 3) as f64);
    fields.text("folder", ["假期", "Holiday Pictures", "工作"][at % 3]);
    fields.text("name", &format!("img_{at:04}.jpg"));
    fields.date(1_500_000_000 + 86_400 * at as i64);
    fields.text("a \"quoted\".name 100%", ["x", "y"][at % 2]);
    if at.is_multiple_of(5) {
        fields.text("tag", "狗");
        fields.text("tag", "Dog");
    }
    let origin = match at % 50 {
        // Names of files need not be UTF-8.
        7 => [b"/pictures/\xff".as_slice(), at.to_string().as_bytes()].concat(),
        _ => format!("/pictures/{at}.jpg").into_bytes(),
    };
    NewItem {
        origin,
        hash: *blake3::hash(&at.to_le_bytes()).as_bytes(),
        size: at as u64,
        mtime_ns: -7,
        metadata: "{\"width\":3}".into(),
        words: format!("picture {at}\n海边的狗"),
        vector: vector(at as u64 + 1),
        fields,
        ..NewItem::default()
    }
}

pub fn caption(owner: i64, at: usize) -> NewItem {
    let mut fields = Fields::default();
    fields.text("tag", "写的");
    NewItem {
        modality: Modality::Text,
        text: Some(format!("第{at}句: \"a dog\"\n")),
        owner: Some(owner),
        words: "a dog".into(),
        vector: vector(at as u64 + 10_000),
        fields,
        ..picture(at)
    }
}

/// A gallery with all of them.
pub fn filled(folder: &Path) -> Gallery {
    let gallery = Gallery::open_for_writing(folder, &model()).expect("a gallery");
    let fill = |gallery: &Gallery| {
        for at in 0..PICTURES {
            let id = gallery.insert(&picture(at))?;
            if at % 3 == 0 {
                gallery.insert(&caption(id, at))?;
            }
            if at % 7 == 0 {
                gallery.add_tag(id, "Favourite")?;
            }
            if at % 11 == 0 {
                gallery.exclude(id)?;
            }
        }
        Ok(())
    };
    gallery.transaction(fill).expect("filled");
    gallery
}
