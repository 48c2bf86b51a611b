//! Scenes drawn from pictures made here, a plain shape for each thing: what captions say is looked for in the places
//! and the pixels.

use std::collections::HashSet;

use tuwen_image::rng::Rng;
use tuwen_image::{Picture, RgbImage};
use tuwen_sets::scenes::things::{self, ThingKind};
use tuwen_sets::scenes::words::{Relation, SizeWord};
use tuwen_sets::scenes::{Placed, Scene, Stock, scene};

const SIDE: u32 = 96;

/// A brown box on white paper for each thing of the table, of different proportions.
fn stock() -> Stock {
    let mut stock = Stock::default();
    for (at, thing) in things::all().iter().enumerate() {
        let mut rng = Rng::new(&[at as u64]);
        let [width, height] = [(); 2].map(|()| 20 + rng.below(20) as u32);
        let picture = RgbImage::from_fn(44, 44, |x, y| {
            let inside = (2..2 + width).contains(&x) && (2..2 + height).contains(&y);
            if inside { BROWN.into() } else { [255; 3].into() }
        });
        stock.add(Stock::actor(thing, &Picture::Rgb(picture)).expect("a thing on white"));
    }
    stock
}

const BROWN: [u8; 3] = [120, 80, 50];

fn each(stock: &Stock, numbers: std::ops::Range<u64>) -> impl Iterator<Item = Scene<'_>> {
    numbers.map(move |number| scene(stock, SIDE, 7, number).expect("a scene"))
}

#[test]
fn a_scene_is_a_function_of_seed_and_number() {
    let stock = stock();
    let one = |seed, number| {
        let scene = scene(&stock, SIDE, seed, number).expect("a scene");
        (scene.picture, scene.captions)
    };
    assert_eq!(one(7, 3), one(7, 3));
    assert_ne!(one(7, 3), one(7, 4));
    assert_ne!(one(7, 3), one(8, 3));
}

#[test]
fn nothing_in_stock_is_no_scene() {
    assert!(scene(&Stock::default(), SIDE, 7, 0).is_none());
}

/// Every thing here is a full box, so that its pixels are those of its place, but for what lies over it.
#[test]
fn what_is_seen_at_each_pixel_is_the_thing_that_lies_over_the_others() {
    let stock = stock();
    for scene in each(&stock, 0..100) {
        assert_eq!(scene.seen.len(), (SIDE * SIDE) as usize);
        let mut counts = vec![0.0; scene.placed.len()];
        for (pixel, &seen) in (0..).zip(&scene.seen) {
            let Some(at) = usize::from(seen).checked_sub(1) else { continue };
            let placed = &scene.placed[at];
            let share = |at: u32| (at as f32 + 0.5) / SIDE as f32;
            let (x, y) = (share(pixel % SIDE), share(pixel / SIDE));
            let slack = 1.5 / SIDE as f32;
            let inside = |at: f32, start: f32, length: f32| {
                (start - slack..start + length + slack).contains(&at)
            };
            assert!(
                inside(x, placed.left, placed.width) && inside(y, placed.top, placed.height),
                "{x} {y} is no part of {placed:?}"
            );
            counts[at] += 1.0;
        }
        let last = scene.placed.last().expect("a thing");
        let area = last.width * last.height * (SIDE * SIDE) as f32;
        let found = counts[scene.placed.len() - 1] / area;
        assert!((0.8..1.2).contains(&found), "nothing lies over the last one: {found}");
    }
}

#[test]
fn captions_name_what_is_there_in_both_languages() {
    let stock = stock();
    let is_chinese = |c: char| ('\u{3400}'..='\u{9fff}').contains(&c);
    for scene in each(&stock, 0..400) {
        let said: usize = scene.phrases.iter().map(|phrase| phrase.count).sum();
        assert_eq!(said, scene.placed.len(), "{:?}", scene.captions);
        let captions = &scene.captions;
        for phrase in &scene.phrases {
            let there = scene.placed.iter().filter(|p| std::ptr::eq(p.actor.thing, phrase.thing));
            assert!(there.count() >= phrase.count, "{captions:?}");
            for text in [&captions.english, &captions.english_2] {
                assert!(text.contains(&phrase.english()), "{phrase:?}: {text}");
            }
            for text in [&captions.chinese, &captions.chinese_2] {
                assert!(text.contains(&phrase.bare_chinese()), "{phrase:?}: {text}");
            }
        }
        let english = [&captions.english, &captions.english_2];
        assert!(!english.iter().any(|text| text.chars().any(is_chinese)), "{captions:?}");
        let chinese = [&captions.chinese, &captions.chinese_2];
        let latin = |text: &str| text.replace('T', "").contains(|c: char| c.is_ascii_alphabetic());
        assert!(!chinese.iter().any(|text| latin(text)), "{captions:?}");
    }
}

#[test]
fn things_are_inside_large_enough_and_seen() {
    let stock = stock();
    let mut seen = 0;
    for scene in each(&stock, 0..400) {
        for placed in &scene.placed {
            assert!(placed.width.max(placed.height) >= 0.23, "{placed:?}");
            let inside = [placed.left, placed.top, placed.left + placed.width, placed.base()];
            assert!(inside.iter().all(|edge| (0.0..=1.0).contains(edge)), "{inside:?}");
        }
        // What was drawn last is hidden by nothing; rain and a tint change it a little.
        let last = scene.placed.last().expect("a thing");
        let middle =
            [last.middle(), last.top + last.height / 2.0].map(|at| (at * SIDE as f32) as u32);
        let pixel = scene.picture.get_pixel(middle[0], middle[1]);
        seen += usize::from((0..3).all(|channel| pixel[channel].abs_diff(BROWN[channel]) < 20));
    }
    assert!(seen >= 385, "{seen} of 400");
}

/// What a relation's word means, apart from how the layout finds it.
fn holds(relation: Relation, first: &Placed<'_>, second: &Placed<'_>) -> bool {
    let apart = (first.middle() - second.middle()).abs();
    let half = (first.width + second.width) / 2.0;
    match relation {
        Relation::NextTo => apart > half - 0.04 && (first.base() - second.base()).abs() < 0.1,
        Relation::Above => first.base() <= second.top + 0.001 && apart < half,
        Relation::Under => first.top > second.top && first.base() > second.base() && apart < half,
        Relation::InFrontOf => {
            first.base() > second.base() && apart < half && first.width < second.width
        }
        Relation::On => apart < second.width / 2.0 && (first.base() - second.top).abs() < 0.1,
    }
}

#[test]
fn relations_and_sizes_are_true_and_all_occur() {
    let stock = stock();
    let (mut met, mut uneven) = (HashSet::new(), 0);
    for scene in each(&stock, 0..800) {
        if let Some(relation) = scene.relation {
            met.insert(relation);
            let [second, first] = &scene.placed[..] else { panic!("two things") };
            assert!(std::ptr::eq(first.actor.thing, scene.phrases[0].thing));
            assert!(holds(relation, first, second), "{:?} {first:?} {second:?}", scene.captions);
            let words = [relation.english(), " and "];
            let texts = [&scene.captions.english, &scene.captions.english_2];
            assert!(texts.iter().all(|text| words.iter().any(|word| text.contains(word))));
            assert!(scene.captions.chinese.contains(relation.chinese()), "{:?}", scene.captions);
        }
        if scene.phrases.iter().any(|phrase| phrase.size == Some(SizeWord::Big)) {
            uneven += 1;
            let size = |placed: &Placed<'_>| placed.width.max(placed.height);
            let [a, b] = [size(&scene.placed[0]), size(&scene.placed[1])];
            assert!(a.max(b) > 1.6 * a.min(b), "{:?}", scene.captions);
        }
    }
    assert_eq!(met.len(), Relation::ALL.len(), "{met:?}");
    assert!(uneven > 10, "{uneven}");
}

#[test]
fn kinds_are_where_they_belong() {
    let stock = stock();
    for scene in each(&stock, 0..800) {
        let (text, kinds) = (&scene.captions.english, scene.phrases.iter().map(|p| p.thing.kind));
        for kind in kinds {
            if text.contains("on the sea") || text.contains("on a lake") {
                assert!(
                    !matches!(kind, ThingKind::Vehicle | ThingKind::Person | ThingKind::Food),
                    "{text}"
                );
            }
            if text.contains("under water") || text.contains("at the bottom of the sea") {
                assert_eq!(kind, ThingKind::Fish, "{text}");
            }
            if text.contains("on the street") || text.contains("on the road") {
                assert!(
                    !matches!(kind, ThingKind::Boat | ThingKind::Food | ThingKind::Fish),
                    "{text}"
                );
            }
        }
    }
}
