//! Whoever looks on is told of all that is asked, and ends it.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{additive, patches};
use tuwen_explain::{
    Error, Explanation, Judge, Judged, Method, Result, SaidWord, Settings, Watch, explain,
    explain_judge, explain_said,
};
use tuwen_image::RgbImage;

const TEXT: &str = "一只狗在跑";
const HIDING: [Method; 4] = [Method::Occlusion, Method::Lime, Method::Shap, Method::Owen];

/// Scores that cost nothing.
struct Bright;

impl Judge for Bright {
    fn name(&self) -> String {
        "brightness".into()
    }

    fn of_pictures(&self, pictures: &[RgbImage], _: &str) -> Judged {
        Ok(pictures.iter().map(bright).collect())
    }

    fn of_texts(&self, _: &RgbImage, texts: &[&str]) -> Judged {
        Ok(texts.iter().map(|text| text.len() as f32).collect())
    }
}

fn bright(picture: &RgbImage) -> f32 {
    picture.as_raw().iter().map(|&value| f32::from(value)).sum::<f32>() / 1e6
}

/// Settings under the eyes of somebody who counts, and ends it after `most`.
fn watched(method: Method, most: usize) -> (Settings, Arc<AtomicUsize>) {
    let told = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&told);
    let watch = Watch::new(move |batch| count.fetch_add(batch, Ordering::Relaxed) + batch <= most);
    (Settings { samples: 200, cells: 4, watch, ..Settings::new(method) }, told)
}

fn all_are_told_of(method: Method, make: &dyn Fn(&Settings) -> Result<Explanation>) {
    let name = method.name();
    let (settings, told) = watched(method, usize::MAX);
    let found = make(&settings).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(told.load(Ordering::Relaxed), found.calls.iter().sum::<usize>(), "{name}");
    // The first batch is asked for and no other.
    let (settings, told) = watched(method, 0);
    let ended = make(&settings).expect_err(name);
    assert!(matches!(ended, Error::Stopped), "{name}: {ended}");
    assert!(told.load(Ordering::Relaxed) <= 64, "{name}");
}

#[test]
fn two_towers_are_watched() {
    let (encoder, square) = (additive(), patches(112, 1));
    for method in HIDING.into_iter().chain([Method::Fixlip]) {
        all_are_told_of(method, &|settings| explain(&encoder, &square, TEXT, settings));
    }
}

/// Of few parts and words, of which all sets are asked, and of many.
#[test]
fn how_much_is_asked_is_known_before() {
    let (encoder, square) = (additive(), patches(112, 1));
    let long = "一只狗在海边的沙滩上跑着玩 a dog runs";
    for method in HIDING.into_iter().chain([Method::Fixlip, Method::Chefer, Method::Gradient]) {
        for (text, cells, samples) in [(TEXT, 4, 200), (TEXT, 2, 40), (long, 4, 60), (long, 1, 9)] {
            let settings = Settings { samples, cells, ..Settings::new(method) };
            let words = tuwen_explain::Words::new(text).len();
            let found = explain(&encoder, &square, text, &settings);
            let Ok(found) = found else { continue };
            let named = format!("{} {text} {cells} {samples}", method.name());
            for (asked, of) in settings.asks(words).into_iter().zip(found.calls) {
                let sure = match method {
                    Method::Owen => of <= asked,
                    Method::Lime if cells < 4 => of <= asked,
                    // Its own passes are no pictures with hidden parts.
                    Method::Chefer | Method::Gradient if asked == 0 => of == 1,
                    _ => of == asked,
                };
                assert!(sure, "{named}: {of} of {asked}");
            }
        }
    }
}

#[test]
fn a_judge_is_watched() {
    let square = patches(112, 1);
    for method in HIDING {
        all_are_told_of(method, &|settings| explain_judge(&Bright, &square, TEXT, None, settings));
    }
}

#[test]
fn a_decoder_is_watched() {
    let square = patches(112, 1);
    let said = [("dog", 0), ("runs", 4)].map(|(text, start)| SaidWord { text: text.into(), start });
    let log_probs = |pictures: &[RgbImage]| {
        Ok(pictures.iter().map(|picture| vec![-bright(picture), -1.0]).collect())
    };
    for method in HIDING {
        all_are_told_of(method, &|settings| {
            explain_said("a decoder", &square, &said, settings, &log_probs)
        });
    }
}
