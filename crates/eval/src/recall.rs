//! Both directions of a captioned set.

use std::collections::HashMap;
use std::hash::Hash;

use serde::{Deserialize, Serialize};

use crate::metrics::{Ask, Direction};
use crate::ranks::{Ranked, Ranking, rank_all};

/// Both directions over pictures with captions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Captions look for their picture.
    pub text_to_image: Direction,
    /// Pictures look for any of their captions.
    pub image_to_text: Direction,
    /// Mean of the six recalls, in percent.
    pub mean_recall: f64,
}

/// What a captioned set is ranked by. The truth is a relation: a text may describe several pictures, a
/// picture may have several texts, and each of both may have none.
#[derive(Clone, Copy, Debug)]
pub struct Captioned<'a> {
    /// N * D unit vectors.
    pub images: &'a [f32],
    /// M * D unit vectors.
    pub texts: &'a [f32],
    /// D.
    pub dim: usize,
    /// For each text the pictures that it describes.
    pub truth: &'a [Vec<usize>],
}

impl Captioned<'_> {
    /// For each picture its texts.
    pub fn captions(&self) -> Vec<Vec<usize>> {
        let mut captions = vec![Vec::new(); self.images.len() / self.dim];
        for (text, images) in self.truth.iter().enumerate() {
            images.iter().for_each(|&image| captions[image].push(text));
        }
        captions
    }

    /// Texts look for any of their pictures.
    pub fn text_to_image(&self, ranking: Ranking) -> Vec<Ranked> {
        rank_all(self.texts, self.images, self.dim, self.truth, ranking)
    }

    /// Pictures look for any of their texts.
    pub fn image_to_text(&self, ranking: Ranking) -> Vec<Ranked> {
        rank_all(self.images, self.texts, self.dim, &self.captions(), ranking)
    }

    /// For each text what it is drawn with in the bootstrap: its first picture, and itself where it
    /// has none, which is never asked.
    fn clusters(&self) -> Vec<usize> {
        self.truth.iter().map(|images| images.first().copied().unwrap_or(usize::MAX)).collect()
    }
}

impl Report {
    /// Summarises both directions of a set; `cutoffs` beside 1, 5 and 10.
    pub fn new(
        set: Captioned<'_>,
        text_to_image: &[Ranked],
        image_to_text: &[Ranked],
        cutoffs: &[usize],
    ) -> Self {
        let clusters = set.clusters();
        let images = Ask { gallery: set.images.len() / set.dim, cutoffs, clusters: &clusters };
        let texts = Ask { gallery: set.truth.len(), cutoffs, clusters: &[] };
        Self::of(Direction::new(text_to_image, images), Direction::new(image_to_text, texts))
    }

    fn of(text_to_image: Direction, image_to_text: Direction) -> Self {
        let six = text_to_image.recall.iter().chain(&image_to_text.recall);
        let mean_recall = six.sum::<f64>() / 6.0;
        Self { text_to_image, image_to_text, mean_recall }
    }
}

/// Scores captions against pictures both ways.
///
/// ```
/// // Two pictures and three texts on the axes of a plane; the last text describes the other picture.
/// let images = [1.0, 0.0, 0.0, 1.0];
/// let texts = [1.0, 0.0, 0.0, 1.0, 0.0, 1.0];
/// let report = tuwen_eval::evaluate(&images, &texts, 2, &[vec![0], vec![1], vec![0]]);
/// assert!((report.text_to_image.recall[0] - 200.0 / 3.0).abs() < 1e-9, "R@1 of three texts");
/// assert_eq!(report.image_to_text.recall[0], 100.0);
/// ```
///
/// # Shapes
/// `images`: N * D, `texts`: M * D unit vectors; `truth[j]` are the pictures that text j describes.
pub fn evaluate(images: &[f32], texts: &[f32], dim: usize, truth: &[Vec<usize>]) -> Report {
    let set = Captioned { images, texts, dim, truth };
    let ranking = Ranking::default();
    Report::new(set, &set.text_to_image(ranking), &set.image_to_text(ranking), &[])
}

/// Pictures or texts, each of one class.
#[derive(Clone, Copy, Debug)]
pub struct Classified<'a, C> {
    /// N * D unit vectors.
    pub vectors: &'a [f32],
    /// N classes.
    pub classes: &'a [C],
}

/// Scores by class: right is whatever has the query's class, pictures for texts and texts for pictures.
/// This is the mAP of cross-modal hashing and common-space learning.
pub fn by_class<C: Eq + Hash>(
    images: Classified<'_, C>,
    texts: Classified<'_, C>,
    dim: usize,
    cutoffs: &[usize],
) -> Report {
    let direction = |queries: &Classified<'_, C>, gallery: &Classified<'_, C>| {
        let mut members: HashMap<&C, Vec<usize>> = HashMap::new();
        for (at, class) in gallery.classes.iter().enumerate() {
            members.entry(class).or_default().push(at);
        }
        let truth = |class: &C| members.get(class).cloned().unwrap_or_default();
        let truth: Vec<Vec<usize>> = queries.classes.iter().map(truth).collect();
        let ranked = rank_all(queries.vectors, gallery.vectors, dim, &truth, Ranking::default());
        Direction::new(&ranked, Ask { gallery: gallery.classes.len(), cutoffs, clusters: &[] })
    };
    Report::of(direction(&texts, &images), direction(&images, &texts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ranks::Ties;

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
        let truth: Vec<Vec<usize>> = [0, 0, 1, 1, 2, 2, 3, 3].map(|o| vec![o]).to_vec();
        let best = |ties| -> Vec<usize> {
            let ranking = Ranking { top: 2, ties };
            let ranked = rank_all(&texts, &images, 4, &truth, ranking);
            assert_eq!(ranked[3].top, [0, 1]);
            ranked.iter().map(|ranked| ranked.ranks[0]).collect()
        };
        assert_eq!(best(Ties::LowerFirst), [1, 2, 1, 2, 2, 1, 4, 1]);
        assert_eq!(best(Ties::HigherFirst), [1, 2, 2, 2, 1, 1, 4, 1]);
        let report = evaluate(&images, &texts, 4, &truth);
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

    /// Three texts over four pictures: the first describes two of them, the last none.
    #[test]
    fn a_text_with_several_pictures_is_one_query() {
        let images: Vec<f32> = (0..16).map(|i| f32::from(u8::from(i % 5 == 0))).collect();
        #[rustfmt::skip]
        let texts = [
            0.1, 0.9, 0.3, 0.0, // of 0 and 2: its best is second
            0.0, 0.8, 0.0, 0.1, // of 3: second
            0.9, 0.0, 0.0, 0.0, // of none: no query, but in picture 0's way
        ];
        let report = evaluate(&images, &texts, 4, &[vec![0, 2], vec![3], vec![]]);
        let t2i = &report.text_to_image;
        assert_eq!((t2i.queries, t2i.recall), (2, [0.0, 100.0, 100.0]));
        assert!((t2i.map - ((1.0 / 2.0 + 2.0 / 3.0) / 2.0 + 1.0 / 2.0) / 2.0).abs() < 1e-9);
        let i2t = &report.image_to_text;
        // Picture 0 finds the text of none first; 2 and 3 find theirs; 1 has none.
        assert_eq!((i2t.queries, i2t.gallery), (3, 3));
        assert!((i2t.recall[0] - 200.0 / 3.0).abs() < 1e-9);
    }
}
