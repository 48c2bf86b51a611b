//! A vocabulary in which the pieces that a text begins with are found.

/// Pieces with their scores, by number.
#[derive(Debug)]
pub(super) struct Pieces {
    /// All pieces, one behind the other, and where each ends.
    text: String,
    ends: Vec<u32>,
    scores: Vec<f64>,
    /// Numbers, each at the place that its piece's hash says or, where that is taken, at the next free one; a
    /// power of two of places, of which at least half are free.
    places: Vec<u32>,
    /// Bytes of the longest piece.
    longest: usize,
}

/// The number of no piece.
const FREE: u32 = u32::MAX;

/// FNV-1a, <http://www.isthe.com/chongo/tech/comp/fnv/>: the hash of a beginning gives that of a longer one.
const BASIS: u64 = 0xcbf2_9ce4_8422_2325;

fn extend(hash: u64, byte: u8) -> u64 {
    (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
}

impl Pieces {
    /// None where a piece is empty or is there twice.
    pub(super) fn new<'p>(pieces: impl ExactSizeIterator<Item = (&'p str, f64)>) -> Option<Self> {
        let mut all = Self {
            text: String::new(),
            ends: Vec::with_capacity(pieces.len()),
            scores: Vec::with_capacity(pieces.len()),
            places: vec![FREE; (2 * pieces.len()).next_power_of_two()],
            longest: 0,
        };
        for (piece, score) in pieces {
            let hash = piece.bytes().fold(BASIS, extend);
            let (place, found) = all.place(hash, piece.as_bytes());
            if found || piece.is_empty() {
                return None;
            }
            all.places[place] = u32::try_from(all.ends.len()).ok()?;
            all.text.push_str(piece);
            all.ends.push(u32::try_from(all.text.len()).ok()?);
            all.scores.push(score);
            all.longest = all.longest.max(piece.len());
        }
        Some(all)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The lowest score of all.
    pub(super) fn least_score(&self) -> f64 {
        self.scores
            .iter()
            .fold(f64::INFINITY, |least, &score| if score < least { score } else { least })
    }

    /// The bytes of a piece.
    pub(super) fn piece(&self, id: u32) -> &[u8] {
        let id = id as usize;
        let start = if id == 0 { 0 } else { self.ends[id - 1] as usize };
        &self.text.as_bytes()[start..self.ends[id] as usize]
    }

    /// Where the piece is, or would be, and whether it is there.
    fn place(&self, hash: u64, piece: &[u8]) -> (usize, bool) {
        let mask = self.places.len() - 1;
        // FNV leaves the bits of short pieces where they were; the golden ratio spreads them.
        let mut place = (hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize & mask;
        while self.places[place] != FREE {
            if self.piece(self.places[place]) == piece {
                return (place, true);
            }
            place = (place + 1) & mask;
        }
        (place, false)
    }

    /// The number of a piece.
    pub(super) fn id(&self, piece: &[u8]) -> Option<u32> {
        let (place, found) = self.place(piece.iter().copied().fold(BASIS, extend), piece);
        found.then(|| self.places[place])
    }

    /// The pieces that `text` begins with, the shortest first: bytes, number and score of each.
    pub(super) fn beginnings(&self, text: &[u8]) -> impl Iterator<Item = (usize, u32, f64)> {
        let mut hash = BASIS;
        (1..=text.len().min(self.longest)).filter_map(move |len| {
            hash = extend(hash, text[len - 1]);
            // A piece ends where a character does.
            if text.get(len).is_some_and(|byte| byte & 0xc0 == 0x80) {
                return None;
            }
            let (place, found) = self.place(hash, &text[..len]);
            let id = self.places[place];
            found.then(|| (len, id, self.scores[id as usize]))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_are_found_from_the_shortest_to_the_longest() {
        let pieces = [("犬", -1.0), ("a", -2.0), ("abc", -3.0), ("ab", -4.0), ("犬abc", -5.0)];
        let pieces = Pieces::new(pieces.into_iter()).unwrap();
        let found = |text: &str| pieces.beginnings(text.as_bytes()).collect::<Vec<_>>();
        assert_eq!(found("abcd"), [(1, 1, -2.0), (2, 3, -4.0), (3, 2, -3.0)]);
        assert_eq!(found("犬ab"), [(3, 0, -1.0)]);
        assert_eq!(found("犬abcabc"), [(3, 0, -1.0), (6, 4, -5.0)]);
        assert_eq!(found("b"), []);
        assert_eq!((pieces.id(b"ab"), pieces.id(b"abcd"), pieces.len()), (Some(3), None, 5));
    }

    #[test]
    fn pieces_twice_or_empty_are_left_to_others() {
        assert!(Pieces::new([("a", 0.0), ("a", 1.0)].into_iter()).is_none());
        assert!(Pieces::new([("a", 0.0), ("", 1.0)].into_iter()).is_none());
    }
}
