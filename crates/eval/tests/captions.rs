//! Metrics of captions against pycocoevalcap's and METEOR's own (`scripts/golden/captions.py`), on captions that
//! nobody's data set has.

use serde_json::Value;
use tuwen_eval::captions::{
    Bleu, Item, Language, Meteor, Report, cider, clip_score, distinct, ref_clip_score, rouge_l,
};

/// Captions, references, and what the reference programs say of them.
struct Golden {
    candidates: Vec<Vec<String>>,
    references: Vec<Vec<Vec<String>>>,
    numbers: Value,
}

impl Golden {
    fn read(text: &str) -> Self {
        let golden: Value = serde_json::from_str(text).expect("JSON");
        let tokens = |line: &Value| {
            let line = line.as_str().expect("tokens");
            line.split_whitespace().map(str::to_owned).collect::<Vec<String>>()
        };
        let rows = golden["rows"].as_array().expect("rows");
        let rows = rows.iter().map(|row| {
            let mut texts = row["tokens"].as_array().expect("tokens").iter().map(tokens);
            (texts.next().expect("a caption"), texts.collect::<Vec<_>>())
        });
        let (candidates, references) = rows.unzip();
        Self { candidates, references, numbers: golden["numbers"].clone() }
    }

    fn items(&self) -> Vec<Item<'_>> {
        let pairs = self.candidates.iter().zip(&self.references);
        pairs.map(|(candidate, references)| Item { candidate, references }).collect()
    }

    fn check(&self, name: &str, found: f64) {
        close(name, found, self.numbers[name].as_f64().expect("a number"));
    }

    fn check_each(&self, name: &str, found: impl Iterator<Item = f64>) {
        let wanted = self.numbers["each"][name].as_array().expect("numbers");
        let found: Vec<f64> = found.collect();
        assert_eq!(found.len(), wanted.len());
        for (at, (found, wanted)) in found.into_iter().zip(wanted).enumerate() {
            close(&format!("{name} of row {at}"), found, wanted.as_f64().expect("a number"));
        }
    }
}

fn close(name: &str, found: f64, wanted: f64) {
    assert!((found - wanted).abs() < 1e-6, "{name}: {found}, not {wanted}");
}

fn all_are_equal(golden: &Golden, language: Language) {
    let items = golden.items();
    assert!(items.len() > 25);
    golden.check_each("rouge_l", items.iter().map(rouge_l));
    golden.check_each("bleu_4", items.iter().map(|item| Bleu::of(item).scores()[3]));
    golden.check_each("cider", cider(&items).iter().map(|found| found.plain));
    golden.check_each("cider_d", cider(&items).iter().map(|found| found.d));
    golden
        .check_each("meteor", items.iter().map(|item| Meteor::of(item, language).score(language)));
    let report = Report::new(&golden.candidates, &golden.references, language);
    for (at, bleu) in report.bleu.iter().enumerate() {
        close("bleu", bleu.value, golden.numbers["bleu"][at].as_f64().expect("a number"));
    }
    golden.check("rouge_l", report.rouge_l.value);
    golden.check("cider", report.cider.value);
    golden.check("cider_d", report.cider_d.value);
    golden.check("meteor", report.meteor.value);
    let named = [report.rouge_l, report.meteor, report.cider, report.cider_d];
    for measured in report.bleu.iter().chain(&named) {
        let [low, high] = measured.interval;
        assert!(low < measured.value && measured.value < high, "{measured:?}");
    }
    assert_eq!(report, Report::new(&golden.candidates, &golden.references, language), "again");
}

#[test]
fn english_is_what_pycocoevalcap_says() {
    let golden = Golden::read(include_str!("golden/captions/english.json"));
    all_are_equal(&golden, Language::English);
    let empty = golden.candidates.iter().filter(|tokens| tokens.is_empty()).count();
    assert_eq!(empty, Report::new(&golden.candidates, &golden.references, Language::English).empty);
    assert!(empty > 0, "captions of which nothing is left are among them");
}

#[test]
fn chinese_is_what_pycocoevalcap_says() {
    let golden = Golden::read(include_str!("golden/captions/chinese.json"));
    all_are_equal(&golden, Language::Chinese);
}

fn tokens(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn a_few_numbers_by_hand() {
    let candidate = tokens("a dog runs");
    let references = [tokens("a dog runs fast today"), tokens("the dog ran")];
    let item = Item { candidate: &candidate, references: &references };
    let bleu = Bleu::of(&item);
    // Of lengths 5 and 3 the second is nearest; all three words and both pairs are in the first.
    assert_eq!((bleu.correct, bleu.guesses), ([3.0, 2.0, 1.0, 0.0], [3.0, 2.0, 1.0, 0.0]));
    assert_eq!((bleu.length, bleu.reference_length), (3.0, 3.0));
    // P = 3/3 and R = 3/5 of the first reference.
    close("rouge", rouge_l(&item), 2.44 * 0.6 / (0.6 + 1.44));
    let captions = [candidate.clone(), tokens("a cat runs")];
    close("distinct-1", distinct(&captions, 1), 4.0 / 6.0);
    close("distinct-2", distinct(&captions, 2), 1.0);
    close("none", distinct(&[], 1), 0.0);
    close("clip", clip_score(0.3), 0.75);
    close("clip below nothing", clip_score(-0.3), 0.0);
    close("both", ref_clip_score(0.3, &[0.25, -0.5, 0.5]), 2.0 * 0.75 * 0.5 / 1.25);
    close("nothing in common", ref_clip_score(0.3, &[-0.1]), 0.0);
}

#[test]
fn copies_of_references_score_best_and_other_captions_nothing() {
    let references: Vec<Vec<Vec<String>>> =
        ["a red bus stops here", "two cats sleep on sofas", "people eat noodles at night"]
            .map(|text| vec![tokens(text)])
            .to_vec();
    let same: Vec<Vec<String>> = references.iter().map(|all| all[0].clone()).collect();
    let found = Report::new(&same, &references, Language::English);
    assert!(found.bleu.iter().all(|bleu| (bleu.value - 1.0).abs() < 1e-6), "{:?}", found.bleu);
    for (measured, best) in [(found.rouge_l, 1.0), (found.cider_d, 10.0), (found.cider, 10.0)] {
        close("best", measured.value, best);
    }
    close("meteor", found.meteor.value, 1.0);
    let others = vec![tokens("x y z"); 3];
    let found = Report::new(&others, &references, Language::English);
    for measured in [found.rouge_l, found.cider_d, found.cider, found.meteor] {
        close("none", measured.value, 0.0);
    }
}
