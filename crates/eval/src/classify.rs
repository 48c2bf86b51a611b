//! Classification by the similarity of pictures to labels.

use serde::Serialize;
use tuwen_index::exact;

/// One unit vector for each label: the mean of its prompts' unit vectors, normalised again.
///
/// # Shapes
/// `prompts`: for each label its prompts' vectors, n * D. Returns labels * D.
pub fn classifier(prompts: &[Vec<f32>], dim: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(prompts.len() * dim);
    for prompts in prompts {
        let mut sum = vec![0.0; dim];
        for prompt in prompts.chunks_exact(dim) {
            sum.iter_mut().zip(prompt).for_each(|(sum, value)| *sum += value);
        }
        let length = exact::score(&sum, &sum).sqrt().max(1e-12);
        out.extend(sum.iter().map(|value| value / length));
    }
    out
}

/// How similarities become probabilities.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Probability {
    /// Softmax over the labels of `scale * cosine`: one of them is right (CLIP).
    Softmax {
        /// The model's logit scale.
        scale: f32,
    },
    /// Sigmoid of `scale * cosine + bias` for each label by itself (SigLIP).
    Sigmoid {
        /// The model's logit scale.
        scale: f32,
        /// The model's logit bias.
        bias: f32,
    },
}

impl Probability {
    /// Probabilities of the labels for one picture.
    ///
    /// # Shapes
    /// `picture`: D, `classifier`: labels * D, both of unit vectors.
    pub fn of(self, picture: &[f32], classifier: &[f32]) -> Vec<f32> {
        let labels = classifier.len() / picture.len();
        let mut cosines = vec![0.0; labels];
        exact::scores(picture, classifier, picture.len(), &mut cosines, labels);
        let cosines = cosines.into_iter();
        match self {
            Self::Sigmoid { scale, bias } => {
                cosines.map(|cosine| 1.0 / (1.0 + (-scale * cosine - bias).exp())).collect()
            }
            Self::Softmax { scale } => {
                let logits: Vec<f32> = cosines.map(|cosine| scale * cosine).collect();
                let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let powers: Vec<f32> = logits.iter().map(|logit| (logit - largest).exp()).collect();
                let sum: f32 = powers.iter().sum();
                powers.into_iter().map(|power| power / sum).collect()
            }
        }
    }
}

/// Labels by falling probability; equal ones in the order of the labels.
pub fn ranking(probabilities: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]).then(a.cmp(&b)));
    order
}

/// What a classifier got right.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Accuracy {
    /// Pictures.
    pub pictures: usize,
    /// Labels.
    pub labels: usize,
    /// Share of pictures whose label is the first, in percent.
    pub top1: f64,
    /// The same among the first five, in percent.
    pub top5: f64,
    /// Mean of the classes' own top-1, in percent; classes without pictures are left out.
    pub mean_per_class: f64,
    /// Top-1 of a random guess, in percent.
    pub chance: f64,
    /// How many pictures of each class (row) were taken for which (column).
    pub confusion: Vec<Vec<usize>>,
}

/// Counts what is right.
///
/// # Shapes
/// `truth`: for each picture the number of its label; `rankings`: for each picture
/// [`ranking`]'s result.
pub fn accuracy(truth: &[usize], rankings: &[Vec<usize>], labels: usize) -> Accuracy {
    let mut confusion = vec![vec![0; labels]; labels];
    let (mut first, mut five) = (0, 0);
    for (&truth, ranking) in truth.iter().zip(rankings) {
        confusion[truth][ranking[0]] += 1;
        first += usize::from(ranking[0] == truth);
        five += usize::from(ranking.iter().take(5).any(|&label| label == truth));
    }
    let percent = |count: usize, all: usize| 100.0 * count as f64 / all.max(1) as f64;
    let classes: Vec<f64> = confusion
        .iter()
        .enumerate()
        .map(|(class, row)| (row[class], row.iter().sum::<usize>()))
        .filter(|&(_, all)| all > 0)
        .map(|(right, all)| percent(right, all))
        .collect();
    Accuracy {
        pictures: truth.len(),
        labels,
        top1: percent(first, truth.len()),
        top5: percent(five, truth.len()),
        mean_per_class: classes.iter().sum::<f64>() / classes.len().max(1) as f64,
        chance: 100.0 / labels.max(1) as f64,
        confusion,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_are_averaged_as_unit_vectors() {
        let found = classifier(&[vec![1.0, 0.0, 0.0, 1.0], vec![0.0, -1.0]], 2);
        let half = 0.5f32.sqrt();
        assert_eq!(found, [half, half, 0.0, -1.0]);
    }

    #[test]
    fn probabilities_are_those_of_the_model() {
        let labels = [1.0, 0.0, 0.0, 1.0];
        let soft = Probability::Softmax { scale: 100.0 }.of(&[0.6, 0.58], &labels);
        // torch.softmax(torch.tensor([60., 58.]), 0)
        assert!((soft[0] - 0.880_797).abs() < 1e-4 && (soft[1] - 0.119_203).abs() < 1e-4);
        let own = Probability::Sigmoid { scale: 10.0, bias: -6.0 }.of(&[0.6, 0.8], &labels);
        // torch.sigmoid(torch.tensor([0., 2.]))
        assert!((own[0] - 0.5).abs() < 1e-5 && (own[1] - 0.880_797).abs() < 1e-5);
    }

    #[test]
    fn accuracy_counts_classes_alike() {
        let rankings = vec![vec![0, 1, 2], vec![0, 1, 2], vec![1, 0, 2], vec![0, 2, 1]];
        let found = accuracy(&[0, 0, 0, 2], &rankings, 3);
        assert_eq!((found.top1, found.top5), (50.0, 100.0));
        assert!((found.mean_per_class - 100.0 / 3.0).abs() < 1e-9, "{}", found.mean_per_class);
        assert_eq!(found.confusion, [[2, 1, 0], [0, 0, 0], [1, 0, 0]]);
    }

    #[test]
    fn equal_probabilities_go_to_the_first_label() {
        assert_eq!(ranking(&[0.2, 0.4, 0.4, 0.0]), [1, 2, 0, 3]);
    }
}
