//! A set of items, asked for once for each row: one bit for each number.

/// A set of items' numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdSet {
    words: Vec<u64>,
    len: usize,
}

impl IdSet {
    /// Whether the item is in it.
    pub fn contains(&self, id: u64) -> bool {
        self.words.get((id / 64) as usize).is_some_and(|word| word >> (id % 64) & 1 == 1)
    }

    /// Which of 64 items from `64 * at` on are in it, a bit for each.
    pub(crate) fn word(&self, at: usize) -> u64 {
        self.words.get(at).copied().unwrap_or(0)
    }

    /// Puts an item in.
    pub fn insert(&mut self, id: u64) {
        let at = (id / 64) as usize;
        if at >= self.words.len() {
            self.words.resize(at + 1, 0);
        }
        let bit = 1 << (id % 64);
        self.len += usize::from(self.words[at] & bit == 0);
        self.words[at] |= bit;
    }

    /// How many items with a lower number are in it.
    pub(crate) fn below(&self, id: u64) -> usize {
        let whole = (id / 64) as usize;
        let words = self.words.iter().take(whole).map(|word| word.count_ones() as usize);
        words.sum::<usize>() + (self.word(whole) & ((1 << (id % 64)) - 1)).count_ones() as usize
    }

    /// How many items are in it.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl FromIterator<u64> for IdSet {
    fn from_iter<I: IntoIterator<Item = u64>>(ids: I) -> Self {
        let mut set = Self::default();
        ids.into_iter().for_each(|id| set.insert(id));
        set
    }
}
