//! Stems of English words: Porter's second algorithm (Porter2, Snowball's `english`), which METEOR compares.
//!
//! <https://snowballstem.org/algorithms/english/stemmer.html>, as it stood until 2020 and as `meteor-1.5.jar` has
//! it. Only for comparing words with each other: no stem is shown or indexed.

/// Words that no rule makes, and words that stay as they are.
const SPECIAL: [(&str, &str); 18] = [
    ("skis", "ski"),
    ("skies", "sky"),
    ("dying", "die"),
    ("lying", "lie"),
    ("tying", "tie"),
    ("idly", "idl"),
    ("gently", "gentl"),
    ("ugly", "ugli"),
    ("early", "earli"),
    ("only", "onli"),
    ("singly", "singl"),
    ("sky", "sky"),
    ("news", "news"),
    ("howe", "howe"),
    ("atlas", "atlas"),
    ("cosmos", "cosmos"),
    ("bias", "bias"),
    ("andes", "andes"),
];
/// Words that stay as they are once a plural's ending is off.
const AFTER_PLURAL: [&str; 8] =
    ["inning", "outing", "canning", "herring", "earring", "proceed", "exceed", "succeed"];
/// Beginnings behind which the first region begins.
const BEGINNINGS: [&str; 3] = ["gener", "commun", "arsen"];
const DOUBLES: [&str; 9] = ["bb", "dd", "ff", "gg", "mm", "nn", "pp", "rr", "tt"];

/// Endings of the second step, longest first, with what takes their place.
const SECOND: [(&str, &str); 22] = [
    ("ization", "ize"),
    ("ational", "ate"),
    ("fulness", "ful"),
    ("ousness", "ous"),
    ("iveness", "ive"),
    ("tional", "tion"),
    ("biliti", "ble"),
    ("lessli", "less"),
    ("entli", "ent"),
    ("ation", "ate"),
    ("alism", "al"),
    ("aliti", "al"),
    ("ousli", "ous"),
    ("iviti", "ive"),
    ("fulli", "ful"),
    ("enci", "ence"),
    ("anci", "ance"),
    ("abli", "able"),
    ("izer", "ize"),
    ("ator", "ate"),
    ("alli", "al"),
    ("bli", "ble"),
];
/// Endings of the third step.
const THIRD: [(&str, &str); 8] = [
    ("ational", "ate"),
    ("tional", "tion"),
    ("alize", "al"),
    ("icate", "ic"),
    ("iciti", "ic"),
    ("ical", "ic"),
    ("ness", ""),
    ("ful", ""),
];
/// Endings of the fourth step, which go.
const FOURTH: [&str; 16] = [
    "ement", "ance", "ence", "able", "ible", "ment", "ant", "ent", "ism", "ate", "iti", "ous",
    "ive", "ize", "al", "er",
];

/// The stem of a lower-case word; words of fewer than three letters are their own.
///
/// ```
/// use tuwen_text::caption::stem;
///
/// assert_eq!(["running", "runs", "ponies", "happily"].map(stem), ["run", "run", "poni", "happili"]);
/// ```
pub fn stem(word: &str) -> String {
    if let Some((_, stem)) = SPECIAL.iter().find(|(special, _)| *special == word) {
        return (*stem).to_owned();
    }
    if word.chars().count() < 3 {
        return word.to_owned();
    }
    let mut word = Word::new(word);
    word.apostrophe();
    word.plural();
    if !AFTER_PLURAL.contains(&&*word.text()) {
        word.past();
        word.final_y();
        word.second();
        word.third();
        word.fourth();
        word.final_e();
    }
    word.text().replace('Y', "y")
}

/// A word in work: a `y` that is a consonant is written `Y`.
struct Word {
    letters: Vec<char>,
    /// Where the two regions begin in which endings are looked for.
    regions: [usize; 2],
}

fn is_vowel(c: char) -> bool {
    matches!(c, 'a' | 'e' | 'i' | 'o' | 'u' | 'y')
}

impl Word {
    fn new(word: &str) -> Self {
        let mut letters: Vec<char> = word.strip_prefix('\'').unwrap_or(word).chars().collect();
        for at in 0..letters.len() {
            let behind_vowel = at == 0 || is_vowel(letters[at - 1]);
            if letters[at] == 'y' && behind_vowel {
                letters[at] = 'Y';
            }
        }
        let text: String = letters.iter().collect();
        let special = BEGINNINGS.iter().find(|beginning| text.starts_with(**beginning));
        let first = special.map_or_else(|| region(&letters, 0), |beginning| beginning.len());
        let regions = [first, region(&letters, first)];
        Self { letters, regions }
    }

    fn text(&self) -> String {
        self.letters.iter().collect()
    }

    fn ends(&self, end: &str) -> bool {
        let count = end.chars().count();
        self.letters.len() >= count
            && self.letters[self.letters.len() - count..].iter().copied().eq(end.chars())
    }

    /// Where an ending begins.
    fn before(&self, end: &str) -> usize {
        self.letters.len() - end.len()
    }

    fn replace(&mut self, end: &str, by: &str) {
        let start = self.before(end);
        self.letters.truncate(start);
        self.letters.extend(by.chars());
    }

    fn has_vowel(&self, until: usize) -> bool {
        self.letters[..until].iter().any(|&c| is_vowel(c))
    }

    /// Whether the letters up to there end in a short syllable.
    fn is_short_syllable(&self, until: usize) -> bool {
        match self.letters[..until] {
            [a, b] => is_vowel(a) && !is_vowel(b),
            [.., a, b, c] => !is_vowel(a) && is_vowel(b) && !is_vowel(c) && !"wxY".contains(c),
            _ => false,
        }
    }

    fn is_short(&self) -> bool {
        self.regions[0] >= self.letters.len() && self.is_short_syllable(self.letters.len())
    }

    fn apostrophe(&mut self) {
        if let Some(end) = ["'s'", "'s", "'"].into_iter().find(|end| self.ends(end)) {
            self.replace(end, "");
        }
    }

    fn plural(&mut self) {
        if self.ends("sses") {
            self.replace("sses", "ss");
        } else if let Some(end) = ["ied", "ies"].into_iter().find(|end| self.ends(end)) {
            let by = if self.letters.len() > 4 { "i" } else { "ie" };
            self.replace(end, by);
        } else if self.ends("s") && !self.ends("us") && !self.ends("ss") {
            // Not where the only vowel stands right before it: gas, this.
            if self.letters.len() > 2 && self.has_vowel(self.letters.len() - 2) {
                self.replace("s", "");
            }
        }
    }

    fn past(&mut self) {
        if let Some(end) = ["eedly", "eed"].into_iter().find(|end| self.ends(end)) {
            if self.before(end) >= self.regions[0] {
                self.replace(end, "ee");
            }
            return;
        }
        let end = ["ingly", "edly", "ing", "ed"].into_iter().find(|end| self.ends(end));
        let Some(end) = end.filter(|end| self.has_vowel(self.before(end))) else { return };
        self.replace(end, "");
        if ["at", "bl", "iz"].iter().any(|end| self.ends(end)) {
            self.letters.push('e');
        } else if DOUBLES.iter().any(|end| self.ends(end)) {
            self.letters.pop();
        } else if self.is_short() {
            self.letters.push('e');
        }
    }

    fn final_y(&mut self) {
        let count = self.letters.len();
        if count > 2 && (self.ends("y") || self.ends("Y")) && !is_vowel(self.letters[count - 2]) {
            self.letters[count - 1] = 'i';
        }
    }

    fn second(&mut self) {
        if let Some((end, by)) = SECOND.iter().find(|(end, _)| self.ends(end)) {
            if self.before(end) >= self.regions[0] {
                self.replace(end, by);
            }
        } else if self.ends("ogi") {
            if self.before("ogi") >= self.regions[0] && self.ends("logi") {
                self.letters.pop();
            }
        } else if self.ends("li") && self.before("li") >= self.regions[0] {
            let before = self.before("li").checked_sub(1).map(|at| self.letters[at]);
            if before.is_some_and(|c| "cdeghkmnrt".contains(c)) {
                self.replace("li", "");
            }
        }
    }

    fn third(&mut self) {
        if let Some((end, by)) = THIRD.iter().find(|(end, _)| self.ends(end)) {
            if self.before(end) >= self.regions[0] {
                self.replace(end, by);
            }
        } else if self.ends("ative") && self.before("ative") >= self.regions[1] {
            self.replace("ative", "");
        }
    }

    fn fourth(&mut self) {
        if let Some(end) = FOURTH.iter().find(|end| self.ends(end)) {
            if self.before(end) >= self.regions[1] {
                self.replace(end, "");
            }
        } else if self.ends("sion") || self.ends("tion") {
            if self.before("ion") >= self.regions[1] {
                self.replace("ion", "");
            }
        } else if self.ends("ic") && self.before("ic") >= self.regions[1] {
            self.replace("ic", "");
        }
    }

    fn final_e(&mut self) {
        let Some(at) = self.letters.len().checked_sub(1) else { return };
        let goes = match self.letters[at] {
            'e' => at >= self.regions[1] || (at >= self.regions[0] && !self.is_short_syllable(at)),
            'l' => at >= self.regions[1] && at > 0 && self.letters[at - 1] == 'l',
            _ => false,
        };
        if goes {
            self.letters.pop();
        }
    }
}

/// The region behind the first consonant that follows a vowel.
fn region(letters: &[char], from: usize) -> usize {
    let vowel = letters[from..].iter().position(|&c| is_vowel(c)).map(|at| from + at);
    let consonant = vowel
        .and_then(|vowel| letters[vowel..].iter().position(|&c| !is_vowel(c)).map(|at| vowel + at));
    consonant.map_or(letters.len(), |at| at + 1)
}
