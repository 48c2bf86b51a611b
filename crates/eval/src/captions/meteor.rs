//! METEOR, exact and stem: words of a caption aligned with words of a reference.

mod align;

use tuwen_text::caption::{for_meteor, stem};

use super::{Item, Language};
use align::align;

/// Words that count less than others: those of more than one in a thousand in English text, as METEOR 1.5 lists
/// them.
const FUNCTION_WORDS: [&str; 93] = [
    "\"", "$", "'", "'s", "'t", "(", ")", ",", "-", "--", "-lrb-", "-rrb-", ".", ":", "?", "a",
    "about", "after", "all", "also", "an", "and", "are", "as", "at", "be", "been", "but", "by",
    "can", "could", "first", "for", "from", "had", "has", "have", "he", "her", "his", "i", "if",
    "in", "into", "is", "it", "its", "last", "more", "new", "no", "not", "of", "on", "one", "or",
    "other", "out", "over", "people", "s", "said", "she", "so", "some", "than", "that", "the",
    "their", "there", "they", "this", "time", "to", "two", "up", "was", "we", "were", "what",
    "when", "which", "who", "will", "with", "would", "year", "years", "you", "—", "’", "“", "”",
];

/// How a language is scored.
struct Parameters {
    /// How much more recall counts than precision.
    alpha: f64,
    /// How steeply the penalty grows with the number of chunks.
    beta: f64,
    /// The largest penalty.
    gamma: f64,
    /// How much content words count; function words count the rest.
    delta: f64,
    /// How much an exact match counts, and one of stems.
    weights: [f64; 2],
}

impl Language {
    fn parameters(self) -> Parameters {
        match self {
            Self::English => {
                Parameters { alpha: 0.85, beta: 0.2, gamma: 0.6, delta: 0.75, weights: [1.0, 0.6] }
            }
            // Those that METEOR has for languages without judgements.
            Self::Chinese => {
                Parameters { alpha: 0.75, beta: 1.4, gamma: 0.7, delta: 0.5, weights: [1.0, 0.5] }
            }
        }
    }
}

/// What METEOR of any set of captions is made of: the sums over its captions. Of the pairs the first is the
/// caption's number, the second the reference's, of the inner ones the first that of exact matches.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Meteor {
    length: [f64; 2],
    function_words: [f64; 2],
    /// Matched content words and function words, by stage.
    content: [[f64; 2]; 2],
    function: [[f64; 2]; 2],
    /// Runs of matched words that stand side by side in both; none where caption and reference are the same.
    chunks: f64,
}

/// A text as METEOR compares it.
struct Words {
    words: Vec<String>,
    stems: Vec<String>,
    is_function: Vec<bool>,
}

impl Words {
    fn of(tokens: &[String], language: Language) -> Self {
        let english = language == Language::English;
        let words = if english { for_meteor(tokens) } else { tokens.to_vec() };
        let is_function = |word: &String| english && FUNCTION_WORDS.contains(&&**word);
        Self {
            stems: if english {
                words.iter().map(|word| stem(word)).collect()
            } else {
                words.clone()
            },
            is_function: words.iter().map(is_function).collect(),
            words,
        }
    }
}

impl Meteor {
    /// Number of sums.
    pub(super) const SUMS: usize = 13;

    /// The sums of one caption: those of the reference that it scores best against, of equals the first.
    pub fn of(item: &Item<'_>, language: Language) -> Self {
        let candidate = Words::of(item.candidate, language);
        let mut best = None;
        for reference in item.references {
            let found = Self::against(&candidate, &Words::of(reference, language));
            let score = found.score(language);
            if best.is_none_or(|(_, before)| score > before) {
                best = Some((found, score));
            }
        }
        best.map(|(found, _)| found).unwrap_or_default()
    }

    fn against(candidate: &Words, reference: &Words) -> Self {
        let mut sums = Self::default();
        for (side, text) in [candidate, reference].into_iter().enumerate() {
            sums.length[side] = text.words.len() as f64;
            sums.function_words[side] = text.is_function.iter().filter(|is| **is).count() as f64;
        }
        let aligned = align(candidate, reference);
        for found in &aligned.matches {
            let sides = [candidate.is_function[found.from], reference.is_function[found.at]];
            for (side, is_function) in sides.into_iter().enumerate() {
                let count = if is_function { &mut sums.function } else { &mut sums.content };
                count[side][found.stage] += 1.0;
            }
        }
        let matches = aligned.matches.len();
        let whole = [candidate, reference].iter().all(|text| text.words.len() == matches);
        sums.chunks = if whole && aligned.chunks == 1 { 0.0 } else { aligned.chunks as f64 };
        sums
    }

    pub(super) fn sums(&self) -> [f64; Self::SUMS] {
        let Self { length: [a, b], function_words: [c, d], content, function, chunks } = *self;
        let ([[e, f], [g, h]], [[i, j], [k, l]]) = (content, function);
        [a, b, c, d, e, f, g, h, i, j, k, l, chunks]
    }

    pub(super) fn from_sums([a, b, c, d, e, f, g, h, i, j, k, l, chunks]: [f64; 13]) -> Self {
        let (content, function) = ([[e, f], [g, h]], [[i, j], [k, l]]);
        Self { length: [a, b], function_words: [c, d], content, function, chunks }
    }

    /// METEOR: `F (1 - γ (chunks / matches)^β)` with `F = 1 / ((1 - α)/P + α/R)`, where precision `P` and recall `R`
    /// count an exact match as 1 and one of stems as 0.6, content words with `δ` and function words with `1 - δ`.
    ///
    /// Denkowski and Lavie, "Meteor Universal: Language Specific Translation Evaluation for Any Target Language"
    /// (2014): `meteor-1.5.jar -l en -norm -m "exact stem"`. What coco-caption calls METEOR has matches of WordNet's
    /// synonyms and of a table of paraphrases too, which are left out here, so that these numbers are lower. Of
    /// Chinese only exact matches are known, with the parameters of `-l other -t li`.
    pub fn score(&self, language: Language) -> f64 {
        let Parameters { alpha, beta, gamma, delta, weights } = language.parameters();
        let [precision, recall] = [0, 1].map(|side| {
            let weigh = |counts: [f64; 2]| counts[0] * weights[0] + counts[1] * weights[1];
            let matched =
                weigh(self.content[side]) * delta + weigh(self.function[side]) * (1.0 - delta);
            let functions = self.function_words[side];
            matched / (delta * (self.length[side] - functions) + (1.0 - delta) * functions)
        });
        let matches: f64 = self.content.iter().chain(&self.function).flatten().sum();
        let mean = 1.0 / ((1.0 - alpha) / precision + alpha / recall);
        let score = mean * (1.0 - gamma * (self.chunks / (matches / 2.0)).powf(beta));
        // No match at all divides by zero.
        if score.is_nan() { 0.0 } else { score.max(0.0) }
    }
}
