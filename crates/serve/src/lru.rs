//! A cache with a bound on its bytes: what was not used for longest goes first.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// Keys, values and how much each weighs.
pub(crate) struct Lru<K, V> {
    kept: HashMap<K, Kept<V>>,
    /// By when they were last used.
    order: BTreeMap<u64, K>,
    clock: u64,
    weight: usize,
    most: usize,
}

struct Kept<V> {
    value: V,
    weight: usize,
    used: u64,
}

impl<K: Clone + Eq + Hash, V: Clone> Lru<K, V> {
    /// Keeps values of `most` bytes in all.
    pub fn new(most: usize) -> Self {
        Self { kept: HashMap::new(), order: BTreeMap::new(), clock: 0, weight: 0, most }
    }

    pub fn get(&mut self, key: &K) -> Option<V> {
        let kept = self.kept.get_mut(key)?;
        self.clock += 1;
        let key = self.order.remove(&kept.used).expect("in both maps");
        kept.used = self.clock;
        self.order.insert(self.clock, key);
        Some(kept.value.clone())
    }

    /// Keeps a value of `weight` bytes; one that is heavier than all may be is not kept.
    pub fn put(&mut self, key: K, value: V, weight: usize) {
        self.remove(&key);
        if weight > self.most {
            return;
        }
        while self.weight + weight > self.most {
            let (_, oldest) = self.order.pop_first().expect("something weighs");
            let kept = self.kept.remove(&oldest).expect("in both maps");
            self.weight -= kept.weight;
        }
        self.clock += 1;
        self.weight += weight;
        self.order.insert(self.clock, key.clone());
        self.kept.insert(key, Kept { value, weight, used: self.clock });
    }

    fn remove(&mut self, key: &K) {
        if let Some(kept) = self.kept.remove(key) {
            self.weight -= kept.weight;
            self.order.remove(&kept.used);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_longest_goes_and_the_bound_holds() {
        let mut cache = Lru::new(10);
        for (key, weight) in [("a", 4), ("b", 4)] {
            cache.put(key, key.to_owned(), weight);
        }
        assert_eq!(cache.get(&"a").as_deref(), Some("a"));
        cache.put("c", "c".into(), 4);
        assert_eq!(cache.get(&"b"), None, "a was used after it");
        assert!(cache.get(&"a").is_some() && cache.get(&"c").is_some());
        cache.put("a", "again".into(), 6);
        assert_eq!((cache.weight, cache.kept.len(), cache.order.len()), (10, 2, 2));
        cache.put("d", "too heavy".into(), 11);
        assert!(cache.get(&"d").is_none() && cache.get(&"c").is_some());
        cache.put("e", "alone".into(), 10);
        assert_eq!((cache.weight, cache.kept.len()), (10, 1));
    }
}
