//! A gallery as a whole, seen through its vectors: where pictures and texts lie, which pictures belong together, which
//! stand alone, and which captions hardly fit their picture.
//!
//! All vectors are of length 1. What is drawn are neighbourhoods (t-SNE, van der Maaten and Hinton 2008, with van der Maaten's
//! Barnes-Hut sums of 2014: only who is near whom means something) or the two directions along which vectors
//! differ most (principal components: distances mean something, most of the differences are lost).

use std::cmp::Reverse;

use rayon::prelude::*;
use tuwen_index::exact;
use tuwen_space::linalg::{Matrix, eigen};

use crate::image::kmeans;

/// How many others a point of a t-SNE has near it, about.
const PERPLEXITY: f32 = 30.0;
/// Steps of a t-SNE.
const STEPS: usize = 750;
/// How far away points count as one (Barnes-Hut).
const THETA: f32 = 0.5;
/// Steps of k-means at most.
const MEANS: usize = 50;

/// Each row's place along the two principal components, of rows (N, D).
pub fn principal(rows: &[f32], dim: usize) -> Vec<[f32; 2]> {
    let centred = Matrix::of(rows, dim).centred();
    let (_, vectors) = eigen(&centred.t().times(&centred));
    let count = vectors.columns.min(2);
    let places = centred.times(&vectors.columns_at(&(0..count).collect::<Vec<_>>()));
    let place = |at: usize| {
        let row = places.row(at);
        [row.first().copied().unwrap_or(0.0) as f32, row.get(1).copied().unwrap_or(0.0) as f32]
    };
    (0..rows.len() / dim).map(place).collect()
}

/// Each row's place where near rows stay near each other (t-SNE), of rows (N, D); the principal components' where
/// there are too few for neighbourhoods. It begins at the principal components, so that the same rows give the same
/// picture.
pub fn neighbourhoods(rows: &[f32], dim: usize) -> Vec<[f32; 2]> {
    let start = principal(rows, dim);
    let perplexity = PERPLEXITY.min((start.len() as f32 - 1.0) / 3.0);
    let others = rows.chunks_exact(dim).any(|row| dissimilar(row, &rows[..dim]));
    // Of equal rows no distance is left to keep.
    if perplexity < 2.0 || !others {
        return start;
    }
    // As small as van der Maaten's: far from each other at once, points never meet again.
    let widest = start.iter().flatten().fold(1e-12_f32, |most, value| most.max(value.abs()));
    let small: Vec<f32> = start.iter().flatten().map(|value| 1e-4 * value / widest).collect();
    let points: Vec<&[f32]> = rows.chunks_exact(dim).collect();
    let far = |(index, score): &(usize, f32)| bhtsne::Neighbor {
        index: *index,
        distance: (2.0 - 2.0 * score).max(0.0).sqrt(),
    };
    let near = nearest(rows, dim, (3.0 * perplexity) as usize);
    let near: Vec<Vec<_>> = near.iter().map(|near| near.iter().map(far).collect()).collect();
    let embed = || {
        let mut tsne = bhtsne::tSNE::<f32, &[f32], 2>::new(&points);
        tsne.perplexity(perplexity).epochs(STEPS).initial_embedding(small);
        tsne.barnes_hut_with_neighbors(THETA, &near).embedding()
    };
    // Several threads would add in another order each time.
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("one thread");
    let places = alone.install(embed);
    match places.iter().all(|value| value.is_finite()) {
        true => places.chunks_exact(2).map(|place| [place[0], place[1]]).collect(),
        // Many rows that have only equal ones near them.
        false => start,
    }
}

/// Whether two rows differ by more than rounding.
fn dissimilar(a: &[f32], b: &[f32]) -> bool {
    a.iter().zip(b).any(|(a, b)| (a - b).abs() > 1e-6)
}

/// The `k` other rows that each is most like, the most like first, with their cosines; fewer where there are fewer.
fn nearest(rows: &[f32], dim: usize, k: usize) -> Vec<Vec<(usize, f32)>> {
    let count = rows.len() / dim;
    let mut scores = vec![0.0; count * count];
    exact::scores(rows, rows, dim, &mut scores, count);
    let one = |(at, scores): (usize, &[f32])| {
        let mut others: Vec<(usize, f32)> =
            scores.iter().copied().enumerate().filter(|&(other, _)| other != at).collect();
        others.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        others.truncate(k);
        others
    };
    scores.par_chunks(count.max(1)).enumerate().map(one).collect()
}

/// Rows that belong together.
#[derive(Clone, Debug, PartialEq)]
pub struct Topic {
    /// Places of its rows, the nearest to its middle first.
    pub members: Vec<usize>,
    /// Its middle without the mean of all rows, of length 1, (D).
    pub direction: Vec<f32>,
}

/// Rows (N, D) in `count` groups, the largest first (k-means).
pub fn topics(rows: &[f32], dim: usize, count: usize, seed: u64) -> Vec<Topic> {
    let centres = kmeans::learn(rows, dim, count.min(rows.len() / dim), MEANS, seed, &|| false);
    let centres = centres.expect("nobody asks for the end");
    let (near, mean) = (centres.nearest(rows), mean(rows, dim));
    let topic = |(at, middle): (usize, &[f32])| {
        let mut members: Vec<usize> = (0..near.len()).filter(|&row| near[row].0 == at).collect();
        members.sort_by(|&a, &b| near[a].1.total_cmp(&near[b].1));
        Topic { members, direction: apart(middle, &mean) }
    };
    let mut topics: Vec<Topic> = centres.values.chunks_exact(dim).enumerate().map(topic).collect();
    topics.retain(|topic| !topic.members.is_empty());
    topics.sort_by_key(|topic| (Reverse(topic.members.len()), topic.members[0]));
    topics
}

/// For each topic the places of the `k` texts (T, D) that say best how it differs from all others: both without what their
/// side shares.
pub fn named(topics: &[Topic], texts: &[f32], dim: usize, k: usize) -> Vec<Vec<usize>> {
    let mean = mean(texts, dim);
    let texts: Vec<Vec<f32>> = texts.chunks_exact(dim).map(|text| apart(text, &mean)).collect();
    let best = |topic: &Topic| {
        let score = |at: usize| exact::score(&topic.direction, &texts[at]);
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by(|&a, &b| score(b).total_cmp(&score(a)));
        order.truncate(k);
        order
    };
    topics.iter().map(best).collect()
}

/// Each row's mean cosine with its `k` nearest, the loneliest first.
pub fn lonely(rows: &[f32], dim: usize, k: usize) -> Vec<(usize, f32)> {
    let mean = |(at, near): (usize, &Vec<(usize, f32)>)| {
        let sum: f32 = near.iter().map(|(_, score)| score).sum();
        (!near.is_empty()).then(|| (at, sum / near.len() as f32))
    };
    let mut found: Vec<(usize, f32)> =
        nearest(rows, dim, k).iter().enumerate().filter_map(mean).collect();
    found.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
    found
}

/// A caption that hardly fits its picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Doubt {
    /// Its place among the texts.
    pub text: usize,
    /// How many deviations the cosine with its picture is above that with all of them; less than 1 is no better than by chance.
    pub z: f32,
    /// How many pictures fit better.
    pub better: usize,
}

/// Captions (T, D) by how badly they fit their own of the pictures (N, D), the worst first; `owners` says whose they
/// are.
pub fn doubts(pictures: &[f32], texts: &[f32], owners: &[usize], dim: usize) -> Vec<Doubt> {
    let count = pictures.len() / dim;
    let mut scores = vec![0.0; owners.len() * count];
    exact::scores(texts, pictures, dim, &mut scores, count);
    let one = |(text, scores): (usize, &[f32])| {
        let own = scores[owners[text]];
        let mean = scores.iter().sum::<f32>() / count as f32;
        let variance =
            scores.iter().map(|score| (score - mean).powi(2)).sum::<f32>() / count as f32;
        let better = scores.iter().filter(|&&score| score > own).count();
        Doubt { text, z: (own - mean) / variance.sqrt().max(1e-6), better }
    };
    let mut found: Vec<Doubt> = scores.chunks_exact(count).enumerate().map(one).collect();
    found.sort_by(|a, b| a.z.total_cmp(&b.z).then(a.text.cmp(&b.text)));
    found
}

fn mean(rows: &[f32], dim: usize) -> Vec<f32> {
    let mut sums = vec![0f64; dim];
    for row in rows.chunks_exact(dim) {
        sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
    }
    let count = (rows.len() / dim).max(1) as f64;
    sums.into_iter().map(|sum| (sum / count) as f32).collect()
}

/// A row without a mean, of length 1.
fn apart(row: &[f32], mean: &[f32]) -> Vec<f32> {
    let differs: Vec<f32> = row.iter().zip(mean).map(|(value, mean)| value - mean).collect();
    let length = differs.iter().map(|value| value * value).sum::<f32>().sqrt().max(1e-12);
    differs.into_iter().map(|value| value / length).collect()
}

#[cfg(test)]
mod tests {
    use tuwen_image::rng::Rng;

    use super::*;

    const DIM: usize = 16;

    #[test]
    fn equal_rows_have_places() {
        let one = |axis: usize| (0..DIM).map(move |at| f32::from(u8::from(at == axis)));
        for (equal, others) in [(12, 0), (120, 3)] {
            let rows: Vec<f32> =
                (0..equal).flat_map(|_| one(0)).chain((1..=others).flat_map(one)).collect();
            let places = neighbourhoods(&rows, DIM);
            assert_eq!(places.len(), equal + others);
            assert!(places.iter().flatten().all(|value| value.is_finite()), "{equal} {others}");
        }
    }

    /// `count` unit rows near an axis.
    fn around(axis: usize, count: usize, rng: &mut Rng) -> Vec<f32> {
        let row = |_| {
            let mut row: Vec<f32> = (0..DIM).map(|_| 0.1 * rng.normal()).collect();
            row[axis] += 1.0;
            let length = row.iter().map(|value| value * value).sum::<f32>().sqrt();
            row.into_iter().map(|value| value / length).collect::<Vec<_>>()
        };
        (0..count).flat_map(row).collect()
    }

    fn three() -> Vec<f32> {
        let mut rng = Rng::new(&[5]);
        [(0, 40), (3, 30), (7, 20)]
            .iter()
            .flat_map(|&(axis, count)| around(axis, count, &mut rng))
            .collect()
    }

    #[test]
    fn groups_lie_apart_and_are_found() {
        let rows = three();
        let group = |row: usize| [40, 70, 90].iter().position(|&end| row < end);
        for places in [principal(&rows, DIM), neighbourhoods(&rows, DIM)] {
            assert_eq!(places.len(), 90);
            let far = |a: [f32; 2], b: [f32; 2]| (a[0] - b[0]).hypot(a[1] - b[1]);
            let nearest = |at: usize| {
                let others = (0..90).filter(|&other| other != at);
                others.min_by(|&a, &b| {
                    far(places[at], places[a]).total_cmp(&far(places[at], places[b]))
                })
            };
            let right = (0..90).filter(|&at| group(at) == nearest(at).and_then(group)).count();
            assert!(right >= 88, "{right}");
        }
        assert_eq!(neighbourhoods(&rows, DIM), neighbourhoods(&rows, DIM), "the same each time");
        let topics = topics(&rows, DIM, 3, 1);
        let sizes: Vec<usize> = topics.iter().map(|topic| topic.members.len()).collect();
        assert_eq!(sizes, [40, 30, 20]);
        let texts: Vec<f32> =
            (0..DIM).flat_map(|axis| around(axis, 1, &mut Rng::new(&[9]))).collect();
        let named = named(&topics, &texts, DIM, 1);
        assert_eq!(named, [[0], [3], [7]]);
        assert!(topics.len() == 3 && neighbourhoods(&rows[..3 * DIM], DIM).len() == 3);
    }

    #[test]
    fn who_stands_alone_comes_first() {
        let mut rows = three();
        rows.extend(around(12, 1, &mut Rng::new(&[1])));
        let found = lonely(&rows, DIM, 5);
        assert_eq!((found.len(), found[0].0), (91, 90));
        assert!(found[0].1 < 0.5 && found[1].1 > 0.7);
        assert!(lonely(&rows[..DIM], DIM, 5).is_empty());
    }

    #[test]
    fn a_caption_of_another_picture_is_doubted() {
        let pictures = three();
        let texts =
            [&pictures[..DIM], &pictures[41 * DIM..42 * DIM], &pictures[80 * DIM..81 * DIM]]
                .concat();
        let found = doubts(&pictures, &texts, &[0, 3, 80], DIM);
        assert_eq!(found[0].text, 1);
        assert!(found[0].better >= 30 && found[0].z < 0.5 && found[1].z > 1.0, "{found:?}");
    }
}
