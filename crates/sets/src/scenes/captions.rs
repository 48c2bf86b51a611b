//! Sentences of a scene: one plain and one other wording in each language, drawn from templates.

use tuwen_image::rng::Rng;

use super::words::{Phrase, Relation, chinese_list, english_list};

/// What is said of one scene.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captions {
    /// English, plain.
    pub english: String,
    /// Chinese, plain.
    pub chinese: String,
    /// English in another wording.
    pub english_2: String,
    /// Chinese in another wording.
    pub chinese_2: String,
}

/// What there is to say.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    /// What is there, in the order in which it is said; of a relation the first one and the second.
    pub(super) phrases: Vec<Phrase>,
    /// How the first lies to the second.
    pub(super) relation: Option<Relation>,
    /// Where, in English and Chinese.
    pub(super) place: [&'static str; 2],
}

/// One of several, the first half of the time.
fn one_of(rng: &mut Rng, mut all: Vec<String>) -> String {
    let at = if rng.chance(0.5) { 0 } else { rng.below(all.len()) };
    all.swap_remove(at)
}

impl Facts {
    pub(super) fn say(&self, rng: &mut Rng) -> Captions {
        let all = match (self.relation, &self.phrases[..]) {
            (Some(relation), [first, second]) => self.related(relation, first, second),
            _ => self.listed(),
        };
        let [english, english_2, chinese, chinese_2] = all.map(|wordings| one_of(rng, wordings));
        Captions { english, chinese, english_2, chinese_2 }
    }

    /// Wordings: English, other English, Chinese, other Chinese.
    fn listed(&self) -> [Vec<String>; 4] {
        let [at, place] = self.place;
        let words = english_list(&self.phrases);
        let counted = chinese_list(&self.phrases, Phrase::chinese);
        let bare = chinese_list(&self.phrases, Phrase::bare_chinese);
        let mut english = vec![format!("{words} {at}")];
        // `there is` needs a number that is known: not that of grapes.
        if self.phrases.iter().all(|phrase| phrase.thing.plural.is_some()) {
            let is = if self.phrases[0].count == 1 { "is" } else { "are" };
            english.push(format!("there {is} {words} {at}"));
        }
        let english_2 = vec![
            format!("a drawing of {words} {at}"),
            format!("a picture with {words}"),
            format!("a cartoon of {words} {at}"),
            words,
        ];
        let chinese = vec![
            format!("{place}有{counted}"),
            format!("{place}的{counted}"),
            format!("{counted}在{place}"),
        ];
        let chinese_2 = vec![
            format!("{place}的{bare}"),
            format!("{bare}在{place}"),
            format!("一幅画，{place}有{counted}"),
            format!("画着{counted}的卡通画"),
        ];
        [english, english_2, chinese, chinese_2]
    }

    fn related(&self, relation: Relation, first: &Phrase, second: &Phrase) -> [Vec<String>; 4] {
        let [at, place] = self.place;
        let english = format!("{} {} {}", first.english(), relation.english(), second.english());
        let (of, side) = (second.bare_chinese(), relation.chinese());
        let (counted, bare) = (first.chinese(), first.bare_chinese());
        let both = [*first, *second];
        [
            vec![english.clone(), format!("{english} {at}")],
            vec![
                format!("a drawing of {english}"),
                format!("a cartoon of {english} {at}"),
                format!("{} and {}", second.english(), first.english()),
            ],
            vec![
                format!("{of}{side}有{counted}"),
                format!("{counted}在{of}{side}"),
                format!("{place}，{counted}在{}{side}", second.chinese()),
            ],
            vec![
                format!("{of}{side}的{bare}"),
                format!("一幅画，{place}有{}", chinese_list(&both, Phrase::chinese)),
                chinese_list(&both, Phrase::bare_chinese),
            ],
        ]
    }
}
