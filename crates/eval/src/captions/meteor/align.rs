//! Which words of a caption stand for which words of a reference.

use super::Words;

/// Partial alignments that are followed: METEOR's beam.
const BEAM: usize = 40;

/// A word of the reference and the word of the caption that it is matched with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Match {
    /// Position in the reference.
    pub at: usize,
    /// Position in the caption.
    pub from: usize,
    /// 0 for the same word, 1 for the same stem.
    pub stage: usize,
}

/// The alignment that counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Alignment {
    /// In the reference's order.
    pub matches: Vec<Match>,
    /// Runs of matches that stand side by side in both texts.
    pub chunks: usize,
}

/// A path through the reference's words, up to one of them.
#[derive(Clone)]
struct Path {
    matches: Vec<Match>,
    used: Vec<bool>,
    /// Exact matches: those of stems weigh one half each, which METEOR's counter rounds to nothing.
    exact: usize,
    chunks: usize,
    distance: usize,
    /// The caption's word behind the last match, while nothing was skipped.
    open: Option<usize>,
}

impl Path {
    fn take(&mut self, found: Match) {
        self.exact += usize::from(found.stage == 0);
        self.chunks += usize::from(self.open.is_some_and(|next| next != found.from));
        self.open = Some(found.from + 1);
        self.used[found.from] = true;
        self.matches.push(found);
    }

    fn skip(&mut self) {
        self.chunks += usize::from(self.open.take().is_some());
    }
}

/// Most exact matches, then fewest chunks, then the shortest distances: METEOR's beam search, with its order of
/// what is equal.
pub(super) fn align(candidate: &Words, reference: &Words) -> Alignment {
    let possible = possible(candidate, reference);
    let fixed = fixed(&possible, candidate.words.len());
    let mut used = vec![false; candidate.words.len()];
    fixed.iter().flatten().for_each(|found| used[found.from] = true);
    let start = Path { matches: Vec::new(), used, exact: 0, chunks: 0, distance: 0, open: None };
    let mut paths = vec![start];
    for (at, matches) in possible.iter().enumerate() {
        paths.sort_by_key(order);
        paths.truncate(BEAM);
        paths = match fixed[at] {
            Some(found) => paths
                .into_iter()
                .map(|mut path| {
                    path.distance += found.at.abs_diff(found.from);
                    path.take(found);
                    path
                })
                .collect(),
            None => paths.into_iter().flat_map(|path| followed(path, matches)).collect(),
        };
    }
    paths.sort_by_key(order);
    paths.truncate(BEAM);
    paths.iter_mut().for_each(Path::skip);
    paths.sort_by_key(order);
    let best = paths.swap_remove(0);
    Alignment { matches: best.matches, chunks: best.chunks }
}

fn order(path: &Path) -> (std::cmp::Reverse<usize>, usize, usize) {
    (std::cmp::Reverse(path.exact), path.chunks, path.distance)
}

/// A path with each match of the next word, and without one.
fn followed(mut path: Path, matches: &[Match]) -> Vec<Path> {
    let mut all = Vec::with_capacity(matches.len() + 1);
    for &found in matches {
        if path.used[found.from] {
            continue;
        }
        let mut other = path.clone();
        other.take(found);
        all.push(other);
        // METEOR adds the distance to the path that goes on without the match; so do we, to align as it does.
        path.distance += found.at.abs_diff(found.from);
    }
    path.skip();
    all.push(path);
    all
}

/// All matches of each of the reference's words, exact ones first.
fn possible(candidate: &Words, reference: &Words) -> Vec<Vec<Match>> {
    // Of two texts that are the same only exact matches count.
    let stages = if candidate.words == reference.words { 0..=0 } else { 0..=1 };
    let of_word = |at: usize| {
        let of_stage = |stage: usize| {
            let is_match = move |from: &usize| {
                let same = candidate.words[*from] == reference.words[at];
                let same_stem = || candidate.stems[*from] == reference.stems[at];
                if stage == 0 { same } else { !same && same_stem() }
            };
            let all = (0..candidate.words.len()).filter(is_match);
            all.map(move |from| Match { at, from, stage })
        };
        stages.clone().flat_map(of_stage).collect()
    };
    (0..reference.words.len()).map(of_word).collect()
}

/// The matches of words that can be matched with each other alone: they are certain.
fn fixed(possible: &[Vec<Match>], candidate: usize) -> Vec<Option<Match>> {
    let mut covered = vec![0; candidate];
    possible.iter().flatten().for_each(|found| covered[found.from] += 1);
    let alone = |matches: &Vec<Match>| match matches[..] {
        [found] if covered[found.from] == 1 => Some(found),
        _ => None,
    };
    possible.iter().map(alone).collect()
}
