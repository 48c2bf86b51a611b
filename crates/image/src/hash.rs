//! Pictures that look alike: a hash of 64 bits to find candidates, a small grey copy to be sure.

use std::collections::HashMap;

use ::image::RgbImage;

use super::resize::{Filter, resize};

/// Bits in which the hashes of near-duplicates may differ.
const BITS: u32 = 4;
/// Bits of each of the parts that a hash is cut into to find candidates: 64 over BITS + 1.
const PART: u32 = 13;
/// Mean difference of grey values, of 255, that near-duplicates may have: a paler or recompressed copy
/// has less, two different things on white paper have more.
const GREY: u32 = 8;
/// Side of the small copy.
const SIDE: u32 = 16;

/// What remains of a picture to tell whether another looks like it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PerceptualHash {
    /// The difference hash: of a grey picture of 9 x 8, whether each value is darker than its right
    /// neighbour's. <https://www.hackerfactor.com/blog/index.php?/archives/529-Kind-of-Like-That.html>
    hash: u64,
    /// Grey values of 16 x 16.
    small: Vec<u8>,
}

impl PerceptualHash {
    /// Of a picture of any size.
    pub fn of(picture: &RgbImage) -> Self {
        let grey = |picture: &RgbImage| -> Vec<u32> {
            let value = |p: &::image::Rgb<u8>| {
                let [r, g, b] = p.0.map(u32::from);
                (299 * r + 587 * g + 114 * b) / 1000
            };
            picture.pixels().map(value).collect()
        };
        let strip = grey(&resize(picture, 9, 8, Filter::Bilinear));
        let bits =
            strip.chunks_exact(9).flat_map(|row| row.windows(2).map(|pair| pair[0] < pair[1]));
        let hash = bits.fold(0, |hash, bit| hash << 1 | u64::from(bit));
        let small = grey(&resize(picture, SIDE, SIDE, Filter::Bilinear));
        Self { hash, small: small.into_iter().map(|value| value as u8).collect() }
    }

    /// Whether the two pictures are nearly the same.
    pub fn is_like(&self, other: &Self) -> bool {
        let differ = |(a, b): (&u8, &u8)| u32::from(a.abs_diff(*b));
        let difference = || self.small.iter().zip(&other.small).map(differ).sum::<u32>();
        (self.hash ^ other.hash).count_ones() <= BITS && difference() <= GREY * SIDE * SIDE
    }
}

/// For each picture the number of its group, the position of its first member: two that are alike are
/// in the same one, and so are all that a chain of such pairs joins.
///
/// ```
/// use tuwen_image::{PerceptualHash, RgbImage, duplicate_groups};
///
/// let slope = |strength: u32| {
///     RgbImage::from_fn(64, 64, |x, _| [(x * strength) as u8; 3].into())
/// };
/// let [a, paler, other] = [slope(3), slope(2), RgbImage::from_fn(64, 64, |x, _| [200 - 3 * x as u8; 3].into())]
///     .map(|picture| PerceptualHash::of(&picture));
/// assert_eq!(duplicate_groups(&[&a, &other, &a, &paler])[..3], [0, 1, 0]);
/// ```
pub fn duplicate_groups(pictures: &[&PerceptualHash]) -> Vec<usize> {
    fn root(parent: &mut [usize], mut at: usize) -> usize {
        while parent[at] != at {
            parent[at] = parent[parent[at]];
            at = parent[at];
        }
        at
    }
    // The same again joins its first: of many copies only one is compared.
    let mut firsts: HashMap<&PerceptualHash, usize> = HashMap::new();
    let mut parent: Vec<usize> =
        pictures.iter().enumerate().map(|(at, &one)| *firsts.entry(one).or_insert(at)).collect();
    let mut distinct: Vec<usize> = firsts.into_values().collect();
    distinct.sort_unstable();
    // Hashes that differ in at most BITS bits are equal in one of BITS + 1 parts.
    for part in 0..=BITS {
        let mut same: HashMap<u64, Vec<usize>> = HashMap::new();
        for &a in &distinct {
            let picture = pictures[a];
            let known = same.entry(picture.hash >> (part * PART) & ((1 << PART) - 1)).or_default();
            for &b in known.iter().filter(|&&b| picture.is_like(pictures[b])) {
                let (a, b) = (root(&mut parent, a), root(&mut parent, b));
                parent[a.max(b)] = a.min(b);
            }
            known.push(a);
        }
    }
    (0..pictures.len()).map(|at| root(&mut parent, at)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::image::Rgb;

    fn picture(phase: f32, gain: f32) -> RgbImage {
        RgbImage::from_fn(90, 70, |x, y| {
            let wave = (x as f32 / 9.0 + phase).sin() * (y as f32 / 7.0 + phase).cos();
            Rgb([(128.0 + 100.0 * gain * wave) as u8; 3])
        })
    }

    /// A black bar on white paper.
    fn bar(left: u32, top: u32) -> RgbImage {
        RgbImage::from_fn(90, 90, |x, y| {
            let inside = (left..left + 20).contains(&x) && (top..top + 50).contains(&y);
            Rgb([if inside { 0 } else { 255 }; 3])
        })
    }

    #[test]
    fn a_paler_copy_is_alike_and_another_picture_is_not() {
        let [one, paler, other] = [picture(0.0, 1.0), picture(0.0, 0.9), picture(1.6, 1.0)]
            .map(|p| PerceptualHash::of(&p));
        assert!(one.is_like(&paler) && !one.is_like(&other));
        assert_eq!(duplicate_groups(&[&one, &other, &paler, &other]), [0, 1, 0, 1]);
        assert_eq!(duplicate_groups(&[]), Vec::<usize>::new());
    }

    #[test]
    fn groups_are_those_of_comparing_all_pairs() {
        let mut rng = crate::rng::Rng::new(&[2]);
        let mut all: Vec<PerceptualHash> = Vec::new();
        for _ in 0..400 {
            let mut one = match all.len() {
                0 => PerceptualHash { hash: 0, small: vec![100; 256] },
                len => all[rng.below(len)].clone(),
            };
            (0..rng.below(9)).for_each(|_| one.hash ^= 1 << rng.below(64));
            all.push(one);
        }
        let all: Vec<&PerceptualHash> = all.iter().collect();
        let mut slow: Vec<usize> = (0..all.len()).collect();
        for a in 0..all.len() {
            for b in 0..a {
                if all[a].is_like(all[b]) && slow[a] != slow[b] {
                    let (from, to) = (slow[a].max(slow[b]), slow[a].min(slow[b]));
                    slow.iter_mut().filter(|group| **group == from).for_each(|group| *group = to);
                }
            }
        }
        assert_eq!(duplicate_groups(&all), slow);
        assert!(slow.iter().collect::<std::collections::HashSet<_>>().len() > 5);
    }

    #[test]
    fn different_things_on_white_paper_are_not_alike() {
        let (one, other) = (PerceptualHash::of(&bar(35, 5)), PerceptualHash::of(&bar(35, 35)));
        assert!(one.is_like(&one) && !one.is_like(&other));
    }
}
