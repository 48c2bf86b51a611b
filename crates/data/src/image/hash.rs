//! Pictures that look alike: a hash of 64 bits that small changes leave nearly the same.

use ::image::RgbImage;

use super::resize::{Filter, resize};

/// The difference hash: of a grey picture of 9 x 8, whether each value is darker than its right
/// neighbour's. <https://www.hackerfactor.com/blog/index.php?/archives/529-Kind-of-Like-That.html>
pub fn difference_hash(picture: &RgbImage) -> u64 {
    let small = resize(picture, 9, 8, Filter::Bilinear);
    let grey = |x: u32, y: u32| {
        let [r, g, b] = small.get_pixel(x, y).0.map(u32::from);
        299 * r + 587 * g + 114 * b
    };
    let bits = (0..8).flat_map(|y| (0..8).map(move |x| (x, y)));
    bits.fold(0, |hash, (x, y)| hash << 1 | u64::from(grey(x, y) < grey(x + 1, y)))
}

/// For each hash the number of its group: two hashes that differ in at most `bits` bits are in the
/// same one, and so are all that a chain of such pairs joins.
pub fn groups(hashes: &[u64], bits: u32) -> Vec<usize> {
    let mut parent: Vec<usize> = (0..hashes.len()).collect();
    fn root(parent: &mut [usize], mut at: usize) -> usize {
        while parent[at] != at {
            parent[at] = parent[parent[at]];
            at = parent[at];
        }
        at
    }
    for (a, &hash) in hashes.iter().enumerate() {
        for (b, &other) in hashes[..a].iter().enumerate() {
            if (hash ^ other).count_ones() <= bits {
                let (a, b) = (root(&mut parent, a), root(&mut parent, b));
                parent[a.max(b)] = a.min(b);
            }
        }
    }
    (0..hashes.len()).map(|at| root(&mut parent, at)).collect()
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

    #[test]
    fn a_paler_copy_is_alike_and_another_picture_is_not() {
        let [one, paler, other] =
            [picture(0.0, 1.0), picture(0.0, 0.8), picture(1.6, 1.0)].map(|p| difference_hash(&p));
        assert!((one ^ paler).count_ones() <= 3);
        assert!((one ^ other).count_ones() > 10);
        assert_eq!(groups(&[one, other, paler, other], 3), [0, 1, 0, 1]);
    }

    #[test]
    fn a_chain_is_one_group() {
        assert_eq!(groups(&[0b0000, 0b1111, 0b0011], 2), [0, 0, 0]);
        assert_eq!(groups(&[], 2), Vec::<usize>::new());
    }
}
