//! Train and validation: by picture, never by caption, the same for the same seed.

use std::collections::BTreeMap;

use tuwen_image::rng::Rng;

/// A set in two parts, as positions in the order of the set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// The first part, about `share` of the pictures.
    pub train: Vec<usize>,
    /// The rest.
    pub val: Vec<usize>,
}

/// Splits pictures. `groups[i]` says which pictures must stay together (near-duplicates), `strata[i]`
/// of which kind a picture is: each kind is split by itself, so that both parts have the same mix. A
/// group belongs to the kind of its first picture.
///
/// ```
/// let kinds = vec![String::new(); 10];
/// // The first two pictures are near-duplicates.
/// let parts = tuwen_sets::split::split(&[0, 0, 2, 3, 4, 5, 6, 7, 8, 9], &kinds, 0.8, 42);
/// assert_eq!(parts.train.len() + parts.val.len(), 10);
/// assert_eq!(parts.train.contains(&0), parts.train.contains(&1));
/// ```
///
/// # Panics
/// When `groups` and `strata` differ in length.
pub fn split(groups: &[usize], strata: &[String], share: f64, seed: u64) -> Split {
    assert_eq!(groups.len(), strata.len(), "a group and a kind for each picture");
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (picture, &group) in groups.iter().enumerate() {
        members.entry(group).or_default().push(picture);
    }
    let mut kinds: BTreeMap<&str, Vec<Vec<usize>>> = BTreeMap::new();
    for pictures in members.into_values() {
        kinds.entry(&strata[pictures[0]]).or_default().push(pictures);
    }
    let mut out = Split { train: Vec::new(), val: Vec::new() };
    for (number, mut groups) in kinds.into_values().enumerate() {
        let mut rng = Rng::new(&[seed, number as u64]);
        for at in (1..groups.len()).rev() {
            groups.swap(at, rng.below(at + 1));
        }
        let total: usize = groups.iter().map(Vec::len).sum();
        let wanted = (share * total as f64).round() as usize;
        let mut taken = 0;
        for pictures in groups {
            // A group goes where it brings the sizes nearer to what is wanted.
            let fits = taken < wanted && taken + pictures.len() / 2 <= wanted;
            taken += if fits { pictures.len() } else { 0 };
            if fits { &mut out.train } else { &mut out.val }.extend(pictures);
        }
    }
    out.train.sort_unstable();
    out.val.sort_unstable();
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alone(count: usize) -> (Vec<usize>, Vec<String>) {
        ((0..count).collect(), vec![String::new(); count])
    }

    #[test]
    fn shares_are_exact_and_the_seed_decides() {
        let (groups, strata) = alone(700);
        let one = split(&groups, &strata, 0.8, 42);
        assert_eq!((one.train.len(), one.val.len()), (560, 140));
        let mut all = [one.train.clone(), one.val.clone()].concat();
        all.sort_unstable();
        assert_eq!(all, groups);
        assert_eq!(one, split(&groups, &strata, 0.8, 42));
        assert_ne!(one, split(&groups, &strata, 0.8, 43));
    }

    #[test]
    fn near_duplicates_stay_together_and_kinds_keep_their_share() {
        let groups: Vec<usize> = (0..300).map(|picture| picture / 3).collect();
        let strata: Vec<String> =
            (0..300).map(|picture| if picture < 60 { "a" } else { "b" }.to_owned()).collect();
        let found = split(&groups, &strata, 0.8, 7);
        let in_train: std::collections::HashSet<usize> =
            found.train.iter().map(|&picture| groups[picture]).collect();
        assert!(found.val.iter().all(|&picture| !in_train.contains(&groups[picture])));
        let kind = |part: &[usize]| part.iter().filter(|&&picture| picture < 60).count();
        assert_eq!((kind(&found.train), kind(&found.val)), (48, 12));
        assert_eq!(found.train.len(), 240);
    }

    #[test]
    fn edges() {
        let (groups, strata) = alone(3);
        assert_eq!(split(&groups, &strata, 1.0, 1).val, Vec::<usize>::new());
        assert_eq!(split(&groups, &strata, 0.0, 1).train, Vec::<usize>::new());
        assert_eq!(split(&[], &[], 0.8, 1).train, Vec::<usize>::new());
    }
}
