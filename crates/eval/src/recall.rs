//! Recall@k, mean and median rank in both directions.

use rayon::prelude::*;
use serde::Serialize;
use tuwen_index::dot;

/// The cut-offs of the field.
pub const CUTOFFS: [usize; 3] = [1, 5, 10];

/// One direction of retrieval.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Direction {
    /// Number of queries that have a true item.
    pub queries: usize,
    /// Number of gallery items.
    pub gallery: usize,
    /// Share of queries with a true item among the first 1, 5 and 10, in percent.
    pub recall: [f64; 3],
    /// The same for random ranking, in percent.
    pub chance: [f64; 3],
    /// Mean of the queries' ranks, the best rank being 1.
    pub mean_rank: f64,
    /// Median of the queries' ranks.
    pub median_rank: f64,
    /// Queries whose best true item shares its score with another item.
    pub ties: usize,
}

/// Both directions over pictures with captions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Captions look for their picture.
    pub text_to_image: Direction,
    /// Pictures look for any of their captions.
    pub image_to_text: Direction,
    /// Mean of the six recalls, in percent.
    pub mean_recall: f64,
}

/// The rank of each query's best true item, counted from 1, and whether it is tied.
///
/// # Shapes
/// `queries`: Q * D, `gallery`: N * D, `truth`: for each query the true gallery positions. Queries
/// without any are left out.
pub fn rank_all(
    queries: &[f32],
    gallery: &[f32],
    dim: usize,
    truth: &[Vec<usize>],
) -> Vec<(usize, bool)> {
    let with_truth =
        queries.par_chunks_exact(dim).zip(truth).filter(|(_, truth)| !truth.is_empty());
    with_truth
        .map(|(query, truth)| {
            let scores: Vec<f32> = gallery.chunks_exact(dim).map(|item| dot(query, item)).collect();
            rank(&scores, truth)
        })
        .collect()
}

/// Best rank of a true position; equal scores go to the lower position.
fn rank(scores: &[f32], truth: &[usize]) -> (usize, bool) {
    let best =
        truth.iter().copied().max_by(|&a, &b| scores[a].total_cmp(&scores[b]).then(b.cmp(&a)));
    let best = best.expect("a query without truth is left out");
    let score = scores[best];
    let before = |(at, &other): (usize, &f32)| other > score || (other == score && at < best);
    let rank = 1 + scores.iter().enumerate().filter(|&pair| before(pair)).count();
    let tied = scores.iter().enumerate().any(|(at, &other)| at != best && other == score);
    (rank, tied)
}

fn direction(ranks: &[(usize, bool)], gallery: usize, truth: &[Vec<usize>]) -> Direction {
    let queries = ranks.len();
    let share = |k: usize| {
        100.0 * ranks.iter().filter(|(rank, _)| *rank <= k).count() as f64 / queries.max(1) as f64
    };
    let chance = |k: usize| {
        let known = truth.iter().filter(|truth| !truth.is_empty());
        let sum: f64 = known.map(|truth| chance_of_hit(gallery, truth.len(), k)).sum();
        100.0 * sum / queries.max(1) as f64
    };
    let mut sorted: Vec<usize> = ranks.iter().map(|(rank, _)| *rank).collect();
    sorted.sort_unstable();
    let middle = |i: usize| sorted.get(i).map_or(f64::NAN, |&rank| rank as f64);
    Direction {
        queries,
        gallery,
        recall: CUTOFFS.map(share),
        chance: CUTOFFS.map(chance),
        mean_rank: sorted.iter().sum::<usize>() as f64 / queries as f64,
        median_rank: (middle(queries.saturating_sub(1) / 2) + middle(queries / 2)) / 2.0,
        ties: ranks.iter().filter(|(_, tied)| *tied).count(),
    }
}

/// Probability that k random items of n contain one of t true ones.
fn chance_of_hit(n: usize, t: usize, k: usize) -> f64 {
    let missed = (0..k.min(n)).map(|i| (n - t).saturating_sub(i) as f64 / (n - i) as f64);
    1.0 - missed.product::<f64>()
}

/// Scores captions against pictures both ways.
///
/// # Shapes
/// `images`: N * D, `texts`: M * D unit vectors; `owner[j]` is the picture that caption j describes.
pub fn evaluate(images: &[f32], texts: &[f32], dim: usize, owner: &[usize]) -> Report {
    let to_image: Vec<Vec<usize>> = owner.iter().map(|&image| vec![image]).collect();
    let mut to_text = vec![Vec::new(); images.len() / dim];
    owner.iter().enumerate().for_each(|(text, &image)| to_text[image].push(text));
    let ranks = rank_all(texts, images, dim, &to_image);
    let text_to_image = direction(&ranks, to_text.len(), &to_image);
    let ranks = rank_all(images, texts, dim, &to_text);
    let image_to_text = direction(&ranks, owner.len(), &to_text);
    let six = text_to_image.recall.iter().chain(&image_to_text.recall);
    let mean_recall = six.sum::<f64>() / 6.0;
    Report { text_to_image, image_to_text, mean_recall }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four pictures, eight captions (two each), scores a reader can check by eye: with D = 4 and
    /// pictures as unit axes, a caption's vector is its row of scores.
    #[test]
    fn four_pictures_and_eight_captions_by_eye() {
        let images: Vec<f32> = (0..16).map(|i| f32::from(u8::from(i % 5 == 0))).collect();
        #[rustfmt::skip]
        let texts = [
            0.9, 0.1, 0.0, 0.0, // of 0: first
            0.2, 0.8, 0.0, 0.0, // of 0: second
            0.0, 0.5, 0.5, 0.0, // of 1: tied with 2, the lower position wins: first
            0.3, 0.2, 0.1, 0.0, // of 1: second
            0.0, 0.5, 0.5, 0.0, // of 2: tied with 1: second
            0.0, 0.0, 0.7, 0.0, // of 2: first
            0.4, 0.3, 0.2, 0.1, // of 3: fourth
            0.0, 0.0, 0.0, 0.6, // of 3: first
        ];
        let owner = [0, 0, 1, 1, 2, 2, 3, 3];
        let truth: Vec<Vec<usize>> = owner.iter().map(|&o| vec![o]).collect();
        let ranks = rank_all(&texts, &images, 4, &truth);
        let found: Vec<usize> = ranks.iter().map(|r| r.0).collect();
        assert_eq!(found, [1, 2, 1, 2, 2, 1, 4, 1]);
        let report = evaluate(&images, &texts, 4, &owner);
        let t2i = &report.text_to_image;
        assert_eq!((t2i.recall, t2i.ties), ([50.0, 100.0, 100.0], 2));
        assert_eq!((t2i.mean_rank, t2i.median_rank), (1.75, 1.5));
        assert_eq!(t2i.chance[0], 25.0);
        // Picture 0 finds caption 0 first (0.9); 1 finds caption 1 (0.8) before its own 2 (0.5, tied
        // with 4 behind it); 2 finds 5; 3 finds 7.
        let i2t = &report.image_to_text;
        assert_eq!((i2t.recall, i2t.ties), ([75.0, 100.0, 100.0], 1));
        assert_eq!(i2t.mean_rank, 1.25);
    }
}
