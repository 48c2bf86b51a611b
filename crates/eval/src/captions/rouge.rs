//! ROUGE-L: the longest common subsequence of a caption and its references.

use super::Item;

/// How much more recall counts than precision.
const BETA: f64 = 1.2;

/// ROUGE-L of one caption: `(1 + β²) P R / (R + β² P)` with `P` the longest subsequence that the caption has in
/// common with a reference over the caption's length, `R` the same over the reference's length, each the largest
/// over the references, and `β = 1.2`.
///
/// Lin, "ROUGE: A Package for Automatic Evaluation of Summaries" (2004), as coco-caption has it
/// (`rouge/rouge.py`): a text without tokens counts as one empty token. Of several captions the mean counts.
pub fn rouge_l(item: &Item<'_>) -> f64 {
    let empty = [String::new()];
    let or_empty = |tokens: &'_ [String]| -> Vec<String> {
        if tokens.is_empty() { empty.to_vec() } else { tokens.to_vec() }
    };
    let candidate = or_empty(item.candidate);
    let (mut precision, mut recall) = (0.0f64, 0.0f64);
    for reference in item.references {
        let reference = or_empty(reference);
        let common = common(&candidate, &reference) as f64;
        precision = precision.max(common / candidate.len() as f64);
        recall = recall.max(common / reference.len() as f64);
    }
    if precision == 0.0 || recall == 0.0 {
        return 0.0;
    }
    (1.0 + BETA * BETA) * precision * recall / (recall + BETA * BETA * precision)
}

/// The length of the longest common subsequence.
fn common(a: &[String], b: &[String]) -> usize {
    let mut row = vec![0; b.len() + 1];
    for x in a {
        let mut diagonal = 0;
        for (at, y) in b.iter().enumerate() {
            let above = row[at + 1];
            row[at + 1] = if x == y { diagonal + 1 } else { above.max(row[at]) };
            diagonal = above;
        }
    }
    row[b.len()]
}
