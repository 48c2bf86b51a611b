//! Maps from attention and its gradients, as pure functions of what the backward pass told ([`Attended`]): rollout, GAE
//! (Chefer), LeGrad and Grad-ECLIP.
//!
//! An attention has one query where a class token or a probe asks, and as many as keys where rows ask each other. A map
//! is that of the queries that the feature is made of: [`Pooled`].

use tuwen_nn::Attended;

/// Which queries of the last attention become the feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooled {
    /// The first row, or the only one.
    First,
    /// The last row, or the only one.
    Last,
    /// All, in equal shares.
    Mean,
    /// A trained query that is no row itself.
    Probe,
}

impl Pooled {
    /// The share of each of so many queries.
    fn shares(self, queries: usize) -> Vec<f32> {
        let one = |at: usize| {
            let mut shares = vec![0.0; queries];
            shares[at] = 1.0;
            shares
        };
        match self {
            _ if queries == 0 => Vec::new(),
            Self::First | Self::Probe => one(0),
            Self::Last => one(queries - 1),
            Self::Mean => vec![1.0 / queries as f32; queries],
        }
    }
}

/// Keys of an attention.
fn keys(attended: &Attended) -> usize {
    let wide = attended.queries.len() / queries(attended).max(1);
    attended.keys.len() / wide.max(1)
}

/// Queries of an attention: its map is (H, queries, keys), its queries (queries, W), its keys (keys, W).
fn queries(attended: &Attended) -> usize {
    // q W and q k H and k W are known: q^2 = (q W) (q k H) / (k W) / H.
    let product = attended.queries.len() as f64 * attended.map.len() as f64;
    let square = product / attended.keys.len().max(1) as f64 / attended.heads.max(1) as f64;
    square.sqrt().round() as usize
}

/// The mean over heads of a function of map and gradient, (queries, keys).
fn over_heads(attended: &Attended, of: impl Fn(f32, f32) -> f32) -> Vec<f32> {
    let head = (queries(attended) * keys(attended)).max(1);
    let mut mean = vec![0.0; head];
    let share = 1.0 / attended.heads as f32;
    let heads = attended.map.chunks_exact(head).zip(attended.map_gradient.chunks_exact(head));
    for (map, gradient) in heads {
        for ((mean, &a), &g) in mean.iter_mut().zip(map).zip(gradient) {
            *mean += share * of(a, g);
        }
    }
    mean
}

/// `shares`, (queries), through a map, (queries, keys): (keys).
fn through(shares: &[f32], map: &[f32], keys: usize) -> Vec<f32> {
    let mut out = vec![0.0; keys];
    for (share, row) in shares.iter().zip(map.chunks_exact(keys.max(1))) {
        out.iter_mut().zip(row).for_each(|(out, value)| *out += share * value);
    }
    out
}

/// What each row of the first attention's input is worth to the feature, going back from it through all attentions:
/// `r <- r + r M` (with `half`: `r <- (r + r M) / 2`, whose rows sum to 1).
fn back(
    layers: &[Attended],
    pooled: Pooled,
    half: bool,
    map: impl Fn(&Attended) -> Vec<f32>,
) -> Vec<f32> {
    let mut relevance: Option<Vec<f32>> = None;
    for attended in layers.iter().rev() {
        let (queries, keys) = (queries(attended), keys(attended));
        let probes = relevance.is_none() && pooled == Pooled::Probe;
        let asked = relevance.unwrap_or_else(|| pooled.shares(queries));
        let mut next = through(&asked, &map(attended), keys);
        // The residual stream carries a row on to itself; a single query is one of the rows, a probe is none.
        match queries == keys {
            _ if probes => {}
            true => next.iter_mut().zip(&asked).for_each(|(next, own)| *next += own),
            false => next[if pooled == Pooled::Last { keys - 1 } else { 0 }] += asked[0],
        }
        if half && !probes {
            next.iter_mut().for_each(|value| *value /= 2.0);
        }
        relevance = Some(next);
    }
    relevance.unwrap_or_default()
}

/// Attention rollout (Abnar and Zuidema 2020, <https://arxiv.org/abs/2005.00928>): the product over all blocks of
/// `(mean over heads of A + I) / 2`. It knows nothing of the score, nor therefore of the text.
///
/// # Shapes
/// All blocks in their order, of (keys) rows each. Returns (keys).
pub fn rollout(layers: &[Attended], pooled: Pooled) -> Vec<f32> {
    back(layers, pooled, true, |attended| over_heads(attended, |a, _| a))
}

/// Generic attention explainability (Chefer et al. 2021, <https://arxiv.org/abs/2103.15679>): `R <- R + M R` with
/// `M = mean over heads of max(A * dA, 0)` over the blocks that are given. Its authors' notebook for CLIP takes the last
/// block alone.
///
/// # Shapes
/// As [`rollout`].
pub fn chefer(layers: &[Attended], pooled: Pooled) -> Vec<f32> {
    back(layers, pooled, false, |attended| over_heads(attended, |a, g| (a * g).max(0.0)))
}

/// LeGrad (Bousselham et al. 2024, <https://arxiv.org/abs/2404.03214>): of each block's own readout the gradient of its
/// attention map, positive parts alone, mean over heads and queries, summed over blocks. Of a tower that a probe pools
/// the probe's attention counts in the block's place.
///
/// # Shapes
/// As [`rollout`].
pub fn legrad(layers: &[Attended], probe: bool) -> Vec<f32> {
    let mut sum: Vec<f32> = Vec::new();
    for attended in layers.iter().filter(|attended| !probe || queries(attended) == 1) {
        let keys = keys(attended);
        let shares = Pooled::Mean.shares(queries(attended));
        let map = through(&shares, &over_heads(attended, |_, g| g.max(0.0)), keys);
        sum.resize(keys, 0.0);
        sum.iter_mut().zip(map).for_each(|(sum, value)| *sum += value);
    }
    sum
}

/// Grad-ECLIP (Zhao et al. 2024, <https://arxiv.org/abs/2502.18816>): in the last attention, heads merged,
/// `max(sum over c of g_c v_ic, 0) * lambda_i`, with g the gradient of what the query gathered and lambda the cosine of
/// query and key, stretched over 0 to 1. Contested: it is an attention rule on a modified model and so not faithful to
/// this one (<https://arxiv.org/abs/2605.12952>).
///
/// # Shapes
/// One attention. Returns (keys).
pub fn grad_eclip(attended: &Attended, pooled: Pooled) -> Vec<f32> {
    let (queries, keys) = (queries(attended), keys(attended));
    let shares = pooled.shares(queries);
    let wide = attended.queries.len() / queries.max(1);
    let mean = |rows: &[f32]| through(&shares, rows, wide);
    let (gradient, query) = (sum_of(&attended.gradient, wide), mean(&attended.queries));
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let length = |a: &[f32]| dot(a, a).sqrt().max(1e-12);
    let cosine = |key: &[f32]| dot(key, &query) / (length(key) * length(&query));
    let cosines: Vec<f32> = attended.keys.chunks_exact(wide.max(1)).map(cosine).collect();
    let least = cosines.iter().copied().fold(f32::INFINITY, f32::min);
    let span = cosines.iter().copied().fold(f32::NEG_INFINITY, f32::max) - least;
    let values = attended.values.chunks_exact(wide.max(1)).zip(&cosines).take(keys);
    values
        .map(|(value, cosine)| dot(value, &gradient).max(0.0) * (cosine - least) / span.max(1e-12))
        .collect()
}

/// The sum of rows.
fn sum_of(rows: &[f32], wide: usize) -> Vec<f32> {
    let mut sum = vec![0.0; wide];
    for row in rows.chunks_exact(wide.max(1)) {
        sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One head, width 1, two rows that ask each other, then one query.
    fn layers() -> Vec<Attended> {
        let first = Attended {
            heads: 1,
            map: vec![0.5, 0.5, 0.25, 0.75],
            map_gradient: vec![1.0, -1.0, 2.0, 4.0],
            queries: vec![1.0, 1.0],
            keys: vec![1.0, -1.0],
            values: vec![2.0, 3.0],
            gradient: vec![1.0, 0.0],
        };
        let last = Attended {
            map: vec![0.2, 0.8],
            map_gradient: vec![1.0, 3.0],
            queries: vec![1.0],
            gradient: vec![2.0],
            ..first.clone()
        };
        vec![first, last]
    }

    fn close(found: &[f32], wanted: &[f32]) {
        assert_eq!(found.len(), wanted.len());
        let far = found.iter().zip(wanted).find(|(a, b)| (*a - *b).abs() > 1e-5);
        assert!(far.is_none(), "{found:?}, not {wanted:?}");
    }

    #[test]
    fn maps_are_those_that_one_computes_by_hand() {
        let layers = layers();
        // Last: ([0.2, 0.8] + [1, 0]) / 2 = [0.6, 0.4]; first: ([0.6, 0.4] + [0.6, 0.4] A) / 2.
        close(&rollout(&layers, Pooled::First), &[0.5, 0.5]);
        // Last: [0.2, 2.4] + [1, 0] = [1.2, 2.4]; first: M = [0.5, 0; 0.5, 3].
        close(&chefer(&layers, Pooled::First), &[1.2 + 0.6 + 1.2, 2.4 + 7.2]);
        close(&chefer(&layers[1..], Pooled::First), &[1.2, 2.4]);
        // First: means over queries of max(g, 0) = [1.5, 2]; last [1, 3].
        close(&legrad(&layers, false), &[2.5, 5.0]);
        close(&legrad(&layers, true), &[1.0, 3.0]);
        // g = 2, v = [2, 3]; the second key looks away.
        close(&grad_eclip(&layers[1], Pooled::First), &[4.0, 0.0]);
    }

    #[test]
    fn rollout_keeps_its_sum() {
        let layers = layers();
        for pooled in [Pooled::First, Pooled::Last, Pooled::Probe] {
            let sum: f32 = rollout(&layers, pooled).iter().sum();
            assert!((sum - 1.0).abs() < 1e-6, "{pooled:?}: {sum}");
        }
        let sum: f32 = rollout(&layers[..1], Pooled::Mean).iter().sum();
        assert!((sum - 1.0).abs() < 1e-6, "{sum}");
    }
}
