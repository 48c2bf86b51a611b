//! Whole numbers as ids, for the formats that demand them: an id that is one keeps it, any other gets the
//! next that is free.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

/// Numbers by what they stand for.
pub(crate) struct Numbers<K> {
    given: HashMap<K, u64>,
    taken: HashSet<u64>,
    next: u64,
}

impl<K> Default for Numbers<K> {
    fn default() -> Self {
        Self { given: HashMap::new(), taken: HashSet::new(), next: 1 }
    }
}

impl<K: Eq + Hash> Numbers<K> {
    /// The number of a key, and whether it is new. `id` is what the set calls it.
    pub(crate) fn of(&mut self, key: K, id: Option<&str>) -> (u64, bool) {
        if let Some(&number) = self.given.get(&key) {
            return (number, false);
        }
        let number = self.free(id);
        self.given.insert(key, number);
        (number, true)
    }

    /// A number for something that comes once.
    pub(crate) fn free(&mut self, id: Option<&str>) -> u64 {
        let own = id.and_then(|id| id.parse().ok().filter(|n: &u64| n.to_string() == id));
        let number = own.filter(|number| !self.taken.contains(number)).unwrap_or_else(|| {
            while self.taken.contains(&self.next) {
                self.next += 1;
            }
            self.next
        });
        self.taken.insert(number);
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_and_names_get_the_next() {
        let mut numbers = Numbers::default();
        assert_eq!(numbers.of("a", Some("7")), (7, true));
        assert_eq!(numbers.of("b", Some("x")), (1, true));
        assert_eq!(numbers.of("a", Some("7")), (7, false));
        assert_eq!(numbers.of("c", Some("1")), (2, true), "taken");
        assert_eq!(numbers.of("d", Some("007")), (3, true), "another name than 7");
    }
}
