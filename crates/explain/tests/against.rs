//! Why this and not that: rivals among texts and pictures, directions, judges that are no inner product, and captions.

mod common;

use common::{additive, patches};
use tuwen_encode::{CpuEncoder, Encoder};
use tuwen_explain::{
    Error, Explanation, Fill, Judge, Judged, Method, Regions, Rivals, SaidWord, Settings, explain,
    explain_against, explain_direction, explain_judge, explain_said, words_apart,
};
use tuwen_image::RgbImage;

const TEXT: &str = "一只狗在跑";
const OTHER: &str = "红色的汽车";

fn settings(method: Method) -> Settings {
    Settings { samples: 200, fill: Fill::Grey, cells: 4, ..Settings::new(method) }
}

fn against(
    encoder: &CpuEncoder,
    square: &RgbImage,
    rivals: Rivals<'_>,
    method: Method,
) -> Explanation {
    explain_against(encoder, square, TEXT, rivals, &settings(method)).expect("an explanation")
}

fn near(a: &[f32], b: &[f32], what: &str) {
    let large = a.iter().chain(b).map(|v| v.abs()).fold(1e-9, f32::max);
    assert_eq!(a.len(), b.len(), "{what}");
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() < 1e-3 * large, "{what}: {a} {b} of {large}");
    }
}

#[test]
fn a_text_against_another_is_the_difference_where_a_method_is_linear() {
    let (encoder, square) = (additive(), patches(112, 5));
    let rivals = Rivals { texts: &[OTHER], ..Rivals::default() };
    for method in [Method::Occlusion, Method::Shap, Method::Lime, Method::Gradient, Method::Patches]
    {
        let both = against(&encoder, &square, rivals, method);
        let one = |text| explain(&encoder, &square, text, &settings(method)).expect("a map");
        let (own, other) = (one(TEXT), one(OTHER));
        let wanted: Vec<f32> = own.map.iter().zip(&other.map).map(|(a, b)| a - b).collect();
        near(&both.map, &wanted, method.name());
        assert!((both.score - (own.score - other.score)).abs() < 1e-5, "{}", method.name());
        let weights = |e: &Explanation| e.words.iter().map(|word| word.weight).collect::<Vec<_>>();
        near(&weights(&both), &weights(&own), method.name());
    }
}

#[test]
fn what_speaks_for_one_text_speaks_against_the_other() {
    let (encoder, square) = (additive(), patches(112, 6));
    for method in [Method::Chefer, Method::Legrad, Method::Gradcam, Method::GradEclip] {
        let one = |text: &str, other: &str| {
            let rivals = Rivals { texts: &[other], ..Rivals::default() };
            explain_against(&encoder, &square, text, rivals, &settings(method)).expect("a map")
        };
        let (there, back) = (one(TEXT, OTHER), one(OTHER, TEXT));
        let turned: Vec<f32> = back.map.iter().map(|value| -value).collect();
        near(&there.map, &turned, method.name());
        assert!((there.score + back.score).abs() < 1e-5);
    }
}

#[test]
fn words_weigh_what_they_add_beyond_other_pictures() {
    let (encoder, square, rival) = (additive(), patches(112, 7), patches(112, 8));
    let vector = encoder.encode_images(std::slice::from_ref(&rival)).expect("a vector");
    let rivals = Rivals { pictures: &vector, ..Rivals::default() };
    let both = against(&encoder, &square, rivals, Method::Occlusion);
    let one =
        |square| explain(&encoder, square, TEXT, &settings(Method::Occlusion)).expect("a map");
    let (own, other) = (one(&square), one(&rival));
    let weights = |e: &Explanation| e.words.iter().map(|word| word.weight).collect::<Vec<_>>();
    let wanted: Vec<f32> = weights(&own).iter().zip(weights(&other)).map(|(a, b)| a - b).collect();
    near(&weights(&both), &wanted, "words");
    near(&both.map, &own.map, "the map is the picture's own");
    // The same of many hits at once, without a picture through the model.
    let own_vector = encoder.encode_images(std::slice::from_ref(&square)).expect("a vector");
    let hits = [own_vector.clone(), vector.clone()].concat();
    let apart = words_apart(&encoder, TEXT, &hits).expect("weights");
    let first: Vec<f32> = apart[0].iter().map(|word| word.weight).collect();
    near(&first, &wanted, "hits");
    let second: Vec<f32> = apart[1].iter().map(|word| -word.weight).collect();
    near(&second, &wanted, "the other hit");
    let alone = words_apart(&encoder, TEXT, &own_vector).expect("weights");
    near(&alone[0].iter().map(|w| w.weight).collect::<Vec<_>>(), &weights(&own), "one hit");
    assert!(words_apart(&encoder, " ", &hits).is_err());
}

#[test]
fn interactions_of_words_and_parts_stay_what_they_are_beside_rivals() {
    let (encoder, square) = (additive(), patches(112, 9));
    let rivals = Rivals { texts: &[OTHER], ..Rivals::default() };
    let both = against(&encoder, &square, rivals, Method::Fixlip);
    let own = explain(&encoder, &square, TEXT, &settings(Method::Fixlip)).expect("a map");
    near(&both.pairs.expect("pairs"), &own.pairs.expect("pairs"), "pairs");
    assert_ne!(both.map, own.map);
}

#[test]
fn a_direction_that_is_a_texts_vector_gives_the_texts_map() {
    let (encoder, square) = (additive(), patches(112, 10));
    let toward = encoder.encode_texts(&[TEXT]).expect("a vector");
    for method in [Method::Occlusion, Method::Gradient, Method::Owen] {
        let own = explain(&encoder, &square, TEXT, &settings(method)).expect("a map");
        let found =
            explain_direction(&encoder, &square, &toward, &settings(method)).expect("a map");
        near(&found.map, &own.map, method.name());
        assert!(found.words.is_empty() && (found.score - own.score).abs() < 1e-5);
    }
    for method in [Method::Fixlip, Method::Rollout] {
        let said = explain_direction(&encoder, &square, &toward, &settings(method));
        let said = said.expect_err("it cannot").to_string();
        assert!(said.contains(method.name()) && said.contains("occlusion"), "{said}");
    }
    let rivals = Rivals { texts: &["一只狗在跑 "], ..Rivals::default() };
    let said = explain_against(&encoder, &square, TEXT, rivals, &settings(Method::Occlusion));
    assert!(said.expect_err("no difference").to_string().contains("the same text"));
    let rivals = Rivals { texts: &[OTHER], ..Rivals::default() };
    let said = explain_against(&encoder, &square, TEXT, rivals, &settings(Method::Rollout));
    assert!(said.expect_err("it cannot").to_string().contains("same for every text"));
}

/// How red the second part of 16 is, times the number of words.
struct Red;

impl Judge for Red {
    fn name(&self) -> String {
        "red".into()
    }

    fn of_pictures(&self, pictures: &[RgbImage], text: &str) -> Judged {
        if text == "fail" {
            return Err("no red is left".into());
        }
        let words = tuwen_explain::Words::new(text).len() as f32;
        let red = |picture: &RgbImage| f32::from(picture.get_pixel(40, 10)[0]) / 255.0 * words;
        Ok(pictures.iter().map(red).collect())
    }

    fn of_texts(&self, picture: &RgbImage, texts: &[&str]) -> Judged {
        let one = |text: &&str| self.of_pictures(std::slice::from_ref(picture), text);
        Ok(texts.iter().map(one).collect::<Result<Vec<_>, _>>()?.concat())
    }
}

#[test]
fn any_score_is_explained_by_hiding() {
    let square = RgbImage::from_fn(112, 112, |x, y| {
        if (28..56).contains(&x) && y < 28 {
            [250, 0, 0].into()
        } else {
            [0, 90, (x + y) as u8].into()
        }
    });
    for method in [Method::Occlusion, Method::Shap, Method::Owen, Method::Lime] {
        let found = explain_judge(&Red, &square, "狗跑", None, &settings(method)).expect("a map");
        let map = tuwen_explain::faithful::resized(&found.map, found.across, 4);
        let best = (0..16).max_by(|&a, &b| map[a].total_cmp(&map[b])).expect("parts");
        assert_eq!(best, 1, "{}: {map:?}", method.name());
        assert!((found.score - 2.0 * 250.0 / 255.0).abs() < 1e-5, "{}", found.score);
        // LIME's ridge makes less of two words, of which there are four sets.
        assert!(found.words.iter().all(|word| word.weight > 0.15), "{:?}", found.words);
    }
    let less = explain_judge(&Red, &square, "狗跑", Some("猫"), &settings(Method::Occlusion));
    assert!((less.expect("a map").score - 250.0 / 255.0).abs() < 1e-5);
    for method in [Method::Chefer, Method::Fixlip, Method::Gradient] {
        let said = explain_judge(&Red, &square, "狗", None, &settings(method));
        let said = said.expect_err("it cannot").to_string();
        assert!(
            said.contains(method.name()) && said.contains("occlusion, lime, shap, owen"),
            "{said}"
        );
    }
    let said = explain_judge(&Red, &square, "fail", None, &settings(Method::Occlusion));
    assert!(matches!(&said, Err(Error::Judge { .. })), "{said:?}");
    let many = Settings { samples: 1_000_000, ..settings(Method::Lime) };
    let said = explain_judge(&Red, &square, "狗", None, &many).expect_err("too many").to_string();
    assert!(said.contains("1000000") && said.contains("100000"), "{said}");
    assert!(explain_judge(&Red, &square, " ", None, &settings(Method::Lime)).is_err());
}

#[test]
fn every_word_of_a_caption_has_the_part_that_it_was_said_of() {
    let square = RgbImage::from_fn(112, 112, |x, y| [(x * 2) as u8, (y * 2) as u8, 40].into());
    let regions = Regions::grid(112, 4);
    let part = |at: usize| regions.of().iter().position(|&region| region as usize == at);
    let places = [3, 12].map(|at| part(at).expect("a pixel"));
    let whole = places.map(|at| *square.get_pixel(at as u32 % 112, at as u32 / 112));
    // The first word is said of part 3, the second of part 12.
    let log_probs = |pictures: &[RgbImage]| {
        let word = |picture: &RgbImage, at: usize| {
            let pixel = picture.get_pixel(places[at] as u32 % 112, places[at] as u32 / 112);
            if *pixel == whole[at] { -0.5 } else { -3.0 }
        };
        Ok(pictures.iter().map(|p| vec![word(p, 0), word(p, 1)]).collect())
    };
    let said = [("dog", 0), ("runs", 4)];
    let said = said.map(|(text, start)| SaidWord { text: text.into(), start });
    for method in [Method::Occlusion, Method::Shap] {
        let found = explain_said("us", &square, &said, &settings(method), &log_probs);
        let found = found.expect("an explanation");
        let pairs = found.pairs.expect("pairs");
        assert_eq!((pairs.len(), found.words.len()), (32, 2));
        for (word, place) in [(0, 3), (1, 12)] {
            let own = &pairs[word * 16..][..16];
            assert!((own[place] - 2.5).abs() < 1e-3, "{own:?}");
            assert!(own.iter().enumerate().all(|(at, v)| at == place || v.abs() < 1e-3));
        }
        assert!((found.score + 1.0).abs() < 1e-5 && (found.words[1].weight - 2.5).abs() < 1e-5);
        assert_eq!((found.words[1].start, found.words[1].end), (4, 8));
        // Both words are read of the same pictures.
        assert!(found.calls[0] <= 200, "{:?}", found.calls);
    }
    let nothing = explain_said("us", &square, &[], &settings(Method::Occlusion), &log_probs);
    assert!(nothing.expect_err("no word").to_string().contains("says nothing"));
    let fast = explain_said("us", &square, &said, &settings(Method::Chefer), &log_probs);
    assert!(fast.expect_err("it cannot").to_string().contains("caption of us"));
}
