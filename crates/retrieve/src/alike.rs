//! What is nearly the same, told by vectors: hits that repeat an earlier one, and groups in a whole gallery.

use std::cmp::Reverse;
use std::collections::HashMap;

use rayon::prelude::*;
use tuwen_index::{Hit, IdSet, Vectors, exact};

use crate::Result;

/// The cosine from which two pictures are nearly the same.
///
/// Measured with the built-in model (tuwen-small-31e4cc2fb4d3e2d6) by `tests/alike.rs`, on 1,000 photos of Flickr8k: how many
/// of 1,000 changed copies of 200 of them are folded (saved again as JPEG of quality 40, half as large, a quarter as
/// large, cropped by a tenth, a fifth brighter; 200 each), and how many of the 499,500 pairs of photos.
///
/// | from | copies | again | half | quarter | cropped | brighter | pairs |
/// |---|---|---|---|---|---|---|---|
/// | 0.90 | 798 | 200 | 185 | 14 | 199 | 200 | 5 |
/// | 0.91 | 781 | 200 | 177 | 7 | 198 | 199 | 3 |
/// | 0.92 | 762 | 199 | 166 | 4 | 194 | 199 | 3 |
/// | 0.93 | 727 | 199 | 138 | 1 | 190 | 199 | 1 |
/// | 0.94 | 692 | 198 | 116 | 0 | 181 | 197 | 1 |
/// | 0.95 | 634 | 196 | 79 | 0 | 162 | 197 | 0 |
/// | 0.96 | 564 | 193 | 43 | 0 | 133 | 195 | 0 |
/// | 0.97 | 474 | 179 | 10 | 0 | 91 | 194 | 0 |
/// | 0.98 | 357 | 127 | 2 | 0 | 40 | 188 | 0 |
///
/// A catalogue is another thing: of 400 pictures of clothing and shoes on white, each of another article, 41% have a
/// neighbour from 0.93 on, 21% from 0.95, 12% from 0.96 and 6% from 0.97.
pub const ALIKE: f32 = 0.95;
/// The least similarity that groups can be asked for, in thousandths; below it most pictures are alike.
pub const FLOOR: u16 = 800;
/// Vectors that are compared with all others at once.
const TOGETHER: usize = 64;
/// Up to so many pictures each is compared with each, which takes a second; the time grows with their square.
pub const COMPARED: usize = 20_000;
/// Of more each is compared with so many that a search finds nearest: copies of copies hold a group together.
const NEAREST: usize = 32;
/// Pictures whose nearest are searched before somebody is asked whether it goes on.
const ASKED: usize = 256;

/// For each vector (N, D) the place of an earlier one whose similarity is `least` or more, and that repeats none itself. What happens to
/// one does not depend on those behind it.
pub fn repeats(vectors: &[f32], dim: usize, least: f32) -> Vec<Option<usize>> {
    let count = vectors.len() / dim;
    let mut scores = vec![0.0; count * count];
    exact::scores(vectors, vectors, dim, &mut scores, count);
    let mut first: Vec<Option<usize>> = Vec::with_capacity(count);
    for at in 0..count {
        let own = &scores[at * count..][..at];
        let kept = (0..at).filter(|&other| first[other].is_none() && own[other] >= least);
        first.push(kept.reduce(|best, other| if own[other] > own[best] { other } else { best }));
    }
    first
}

/// The links between pictures of a gallery, by their places among `ids`: of all pairs where there are up to
/// [`COMPARED`], else of each picture with the 32 that a search finds nearest (in cells where the gallery has some).
/// `pictures` are the gallery's; `read` gives the vectors (N, D) of some; `goes_on` is told how many are done. Nothing
/// where it says no.
///
/// # Errors
/// The gallery cannot be read.
pub fn links_among(
    pictures: &Vectors,
    ids: &[i64],
    read: &dyn Fn(&[i64]) -> tuwen_index::Result<Vec<f32>>,
    goes_on: &dyn Fn(usize) -> bool,
) -> Result<Option<Vec<Link>>> {
    if ids.len() <= COMPARED {
        let mut vectors = Vec::with_capacity(ids.len() * pictures.dim());
        for some in ids.chunks(ASKED) {
            vectors.extend(read(some)?);
        }
        return Ok(Some(links(&vectors, pictures.dim())));
    }
    let among: IdSet = ids.iter().map(|&id| id as u64).collect();
    let among = Some(among).filter(|_| ids.len() < pictures.len());
    let places: HashMap<u64, usize> =
        ids.iter().enumerate().map(|(at, &id)| (id as u64, at)).collect();
    let (mut found, mut done) = (Vec::new(), 0);
    for some in ids.chunks(ASKED) {
        let nearest = pictures.search_all(&read(some)?, NEAREST, among.as_ref())?;
        for (at, hits) in (done..).zip(&nearest) {
            let other = |hit: &Hit| Some((*places.get(&hit.id)?, level(hit.score)));
            let others = hits.iter().filter_map(other);
            let alike = others.filter(|&(other, level)| other != at && level >= FLOOR);
            found.extend(alike.map(|(other, level)| Link {
                ends: [at.min(other) as u32, at.max(other) as u32],
                level,
            }));
        }
        if found.len() > (4 * ids.len()).max(1 << 16) {
            strongest(&mut found, ids.len());
        }
        done += some.len();
        if !goes_on(done) {
            return Ok(None);
        }
    }
    strongest(&mut found, ids.len());
    Ok(Some(found))
}

/// Two vectors by their places, and how similar they are in thousandths.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    ends: [u32; 2],
    level: u16,
}

/// A similarity in thousandths, rounded down; what is next to a thousandth by the sum's last bits counts as it.
fn level(score: f32) -> u16 {
    (score * 1000.0 + 0.01) as u16
}

/// The strongest links that hold vectors (N, D) together: whatever similarity from [`FLOOR`] on is asked for, the groups
/// of all links are those of these, of which there are fewer than vectors.
pub fn links(vectors: &[f32], dim: usize) -> Vec<Link> {
    let count = vectors.len() / dim;
    let most = (4 * count).max(1 << 16);
    let blocks: Vec<usize> = (0..count).step_by(TOGETHER).collect();
    let gathered = blocks.into_par_iter().fold(Vec::new, |mut found, first| {
        compare(vectors, dim, first, &mut found);
        if found.len() > most {
            strongest(&mut found, count);
        }
        found
    });
    gathered.reduce(Vec::new, |mut found, others| {
        found.extend(others);
        strongest(&mut found, count);
        found
    })
}

/// The links of a block of vectors with themselves and those behind them.
fn compare(vectors: &[f32], dim: usize, first: usize, found: &mut Vec<Link>) {
    let others = &vectors[first * dim..];
    let rows = &others[..others.len().min(TOGETHER * dim)];
    let width = others.len() / dim;
    let mut scores = vec![0.0; rows.len() / dim * width];
    exact::scores(rows, others, dim, &mut scores, width);
    for (row, scores) in scores.chunks_exact(width).enumerate() {
        for (other, &score) in scores.iter().enumerate().skip(row + 1) {
            if level(score) >= FLOOR {
                let ends = [(first + row) as u32, (first + other) as u32];
                found.push(Link { ends, level: level(score) });
            }
        }
    }
}

/// Leaves of links those that join what stronger ones do not (Kruskal).
fn strongest(links: &mut Vec<Link>, count: usize) {
    links.sort_unstable_by_key(|link| Reverse(link.level));
    let mut sets = Sets::new(count);
    links.retain(|link| sets.join(link.ends));
}

/// The groups of two or more places that links of at least so many thousandths make, in each of which all are as near as
/// that to its first: what only hangs together from one to the next is not the same. The largest first, then by
/// their first place. `read` gives the vectors (N, D) of places.
///
/// # Errors
/// Those of `read`.
pub fn groups(
    count: usize,
    links: &[Link],
    least: u16,
    dim: usize,
    read: &dyn Fn(&[usize]) -> tuwen_index::Result<Vec<f32>>,
) -> Result<Vec<Vec<usize>>> {
    let mut found = Vec::new();
    for chain in chains(count, links, least) {
        match chain.len() {
            2 => found.push(chain),
            _ => around(&chain, &read(&chain)?, dim, least, &mut found),
        }
    }
    found.sort_by_key(|group| (Reverse(group.len()), group[0]));
    Ok(found)
}

/// Divides a chain, whose vectors are (N, D), into groups around their first places.
fn around(chain: &[usize], vectors: &[f32], dim: usize, least: u16, to: &mut Vec<Vec<usize>>) {
    let mut left: Vec<usize> = (0..chain.len()).collect();
    let row = |at: usize| &vectors[at * dim..][..dim];
    while let Some((&first, rest)) = left.split_first() {
        let is_near = |&at: &usize| level(exact::score(row(first), row(at))) >= least;
        let (near, far): (Vec<usize>, Vec<usize>) = rest.iter().partition(|at| is_near(at));
        if !near.is_empty() {
            to.push(std::iter::once(first).chain(near).map(|at| chain[at]).collect());
        }
        left = far;
    }
}

/// The places that links of at least so many thousandths hang together; the largest chain first, then by
/// their first place.
fn chains(count: usize, links: &[Link], least: u16) -> Vec<Vec<usize>> {
    let mut sets = Sets::new(count);
    for link in links.iter().filter(|link| link.level >= least) {
        sets.join(link.ends);
    }
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); count];
    (0..count).for_each(|at| members[sets.find(at as u32) as usize].push(at));
    members.retain(|group| group.len() > 1);
    members.sort_by_key(|group| (Reverse(group.len()), group[0]));
    members
}

/// The least similarity between any two of some vectors (N, D).
pub fn lowest(vectors: &[f32], dim: usize) -> f32 {
    let count = vectors.len() / dim;
    let of_block = |rows: &[f32]| {
        let mut scores = vec![0.0; rows.len() / dim * count];
        exact::scores(rows, vectors, dim, &mut scores, count);
        scores.into_iter().fold(f32::INFINITY, f32::min)
    };
    vectors.par_chunks(TOGETHER * dim).map(of_block).reduce(|| f32::INFINITY, f32::min)
}

/// Disjoint sets of places.
struct Sets(Vec<u32>);

impl Sets {
    fn new(count: usize) -> Self {
        Self((0..count as u32).collect())
    }

    fn find(&mut self, mut at: u32) -> u32 {
        while self.0[at as usize] != at {
            let above = self.0[self.0[at as usize] as usize];
            self.0[at as usize] = above;
            at = above;
        }
        at
    }

    /// Whether they were apart.
    fn join(&mut self, [one, other]: [u32; 2]) -> bool {
        let (one, other) = (self.find(one), self.find(other));
        // The lower one stands for all, so that nothing depends on the order of links.
        self.0[one.max(other) as usize] = one.min(other);
        one != other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Unit vectors of two dimensions at these angles.
    fn at(angles: &[f32]) -> Vec<f32> {
        angles.iter().flat_map(|angle| [angle.cos(), angle.sin()]).collect()
    }

    #[test]
    fn a_hit_repeats_the_nearest_kept_one_and_chains_do_not_form() {
        // cos 0.2 = 0.980, cos 0.3 = 0.955.
        let vectors = at(&[0.0, 1.5, 0.2, 0.4, 0.01, 1.4]);
        let least = 0.97;
        assert_eq!(repeats(&vectors, 2, least), [None, None, Some(0), None, Some(0), Some(1)]);
        for end in 1..6 {
            let wanted = &repeats(&vectors, 2, least)[..end];
            assert_eq!(repeats(&vectors[..2 * end], 2, least), wanted, "{end}");
        }
    }

    #[test]
    fn in_a_group_all_are_near_to_its_first() {
        // cos 0.2 = 0.980: a chain of five, of which the ends are far apart, and a pair.
        let vectors = at(&[0.0, 3.0, 0.2, 0.4, 0.6, 0.8, 3.1]);
        let read = |places: &[usize]| -> tuwen_index::Result<Vec<f32>> {
            Ok(places.iter().flat_map(|&place| vectors[2 * place..][..2].to_vec()).collect())
        };
        let links = links(&vectors, 2);
        assert_eq!(chains(7, &links, 970), [vec![0, 2, 3, 4, 5], vec![1, 6]]);
        let found = groups(7, &links, 970, 2, &read).expect("vectors");
        assert_eq!(found, [vec![0, 2], vec![1, 6], vec![3, 4]], "nothing is near to the last");
    }

    #[test]
    fn chains_equal_those_of_all_links_at_every_threshold() {
        let count = 300;
        let angles: Vec<f32> = (0..count).map(|i| (i * 7919 % 1013) as f32 * 0.02).collect();
        let (vectors, most) = (at(&angles), 4 * count);
        let links = links(&vectors, 2);
        assert!(links.len() < count);
        let mut all = Vec::new();
        (0..count).step_by(TOGETHER).for_each(|first| compare(&vectors, 2, first, &mut all));
        assert!(all.len() > most, "{}", all.len());
        for least in (FLOOR..=1000).step_by(7) {
            let wanted = chains(count, &all, least);
            assert_eq!(chains(count, &links, least), wanted, "{least}");
            let mut score = 1.0_f32;
            for &a in wanted.first().into_iter().flatten() {
                for &b in &wanted[0] {
                    score = score.min(exact::score(&vectors[2 * a..][..2], &vectors[2 * b..][..2]));
                }
            }
            let first = wanted.first().into_iter().flatten();
            let own: Vec<f32> = first.flat_map(|&a| vectors[2 * a..][..2].to_vec()).collect();
            if !own.is_empty() {
                assert!((lowest(&own, 2) - score).abs() < 1e-6);
            }
        }
        assert_eq!((level(0.97), level(0.969_999), level(1.0), level(-0.5)), (970, 970, 1000, 0));
        assert_eq!(level(0.9699), 969);
        assert!(chains(0, &[], FLOOR).is_empty());
    }
}
