//! A decoder at work: pictures that it has looked at, and captions that grow a word at a time, with the keys and values of
//! the words before them at hand.

use std::ops::Range;

use tuwen_nn::{Cache, Part, Tape, Value};

use crate::decoder::{BranchDrop, Decoder, Drop, Seen, Sight, Text, looks};
use crate::search::log_prob;

/// Pictures as every block sees them.
pub struct Looked {
    /// For each block keys and values, (rows, 2 W).
    seen: Vec<Value>,
    spans: Vec<Range<usize>>,
}

/// Captions that grow together in one language.
pub struct Saying {
    language: usize,
    caches: Vec<Cache>,
    /// For each caption the picture it is of.
    pictures: Vec<usize>,
}

impl Saying {
    /// Words of each caption so far, the token before the first one among them.
    pub fn len(&self) -> usize {
        self.caches.first().map_or(0, Cache::len)
    }

    /// Whether nothing was said yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Each caption becomes a copy of caption `from[i]`, as the beams of a search do.
    pub fn reorder(&mut self, from: &[usize]) {
        self.caches.iter_mut().for_each(|cache| cache.reorder(from));
        self.pictures = from.iter().map(|&at| self.pictures[at]).collect();
    }
}

impl Decoder<'_> {
    /// Looks at pictures, each with all its P rows in their order.
    ///
    /// # Shapes
    /// `pictures`: for each one (P, row width).
    ///
    /// # Panics
    /// When a picture has another number of values.
    pub fn look(&self, pictures: &[&[f32]]) -> Looked {
        let (rows, width) = (self.config().rows, self.config().row_width);
        let places: Vec<usize> = (0..rows).collect();
        assert!(pictures.iter().all(|one| one.len() == rows * width), "the rows of each picture");
        self.look_at(&whole(pictures, &places))
    }

    /// Looks at pictures, each with some of its rows.
    pub fn look_at(&self, pictures: &[Seen<'_>]) -> Looked {
        let mut tape = Tape::forward_only();
        let memory = self.memory(&mut tape, pictures, Drop::default());
        let seen = self.blocks.iter().map(|block| block.keys(&mut tape, &memory.rows)).collect();
        Looked { seen, spans: memory.spans }
    }

    /// How probable a caption is of each of some pictures: the logarithm of each token's probability behind those before
    /// it, (tokens) for each picture.
    ///
    /// # Panics
    /// When a picture has another number of values, the caption is longer than the longest, or a token is none.
    pub fn log_probs(
        &self,
        pictures: &[&[f32]],
        language: usize,
        tokens: &[usize],
    ) -> Vec<Vec<f32>> {
        let places: Vec<usize> = (0..self.config().rows).collect();
        let rows = whole(pictures, &places);
        let text = |picture| Text { language, picture, tokens: tokens.to_vec() };
        let texts: Vec<Text> = (0..pictures.len()).map(text).collect();
        let mut tape = Tape::forward_only();
        let logits = self.logits(&mut tape, &rows, &texts, Drop::default());
        let (logits, width) = (&logits[language], logits[language].width());
        // A row for each token, and one for what stands behind the last.
        let of_picture = |rows: &[f32]| {
            let rows = rows.chunks_exact(width).zip(tokens);
            rows.map(|(row, &token)| log_prob(row, token)).collect()
        };
        logits.chunks_exact(width * (tokens.len() + 1)).map(of_picture).collect()
    }

    /// Captions of which nothing is said yet, each of one of the pictures that were looked at.
    pub fn begin(&self, language: usize, pictures: Vec<usize>) -> Saying {
        let (width, longest) = (2 * self.config().width, self.config().longest + 1);
        let cache = |_| Cache::new(pictures.len(), longest, width);
        Saying { language, caches: (0..self.blocks.len()).map(cache).collect(), pictures }
    }

    /// Says one more token in each caption: logits of what comes next, (captions, V).
    ///
    /// # Panics
    /// When there is not one token for each caption, or a caption has grown to the longest.
    pub fn say(&self, looked: &Looked, saying: &mut Saying, tokens: &[usize]) -> Vec<f32> {
        assert_eq!(tokens.len(), saying.pictures.len(), "a token for each caption");
        let width = self.config().width;
        let mut tape = Tape::forward_only();
        let mut x = self.embed_next(&mut tape, saying.language, tokens, saying.len());
        let each = saying.pictures.iter().enumerate().map(|(at, &picture)| (picture, at..at + 1));
        let at_rows = looks(each, &looked.spans);
        for ((block, seen), cache) in self.blocks.iter().zip(&looked.seen).zip(&mut saying.caches) {
            let own = |tape: &mut Tape<'_>, qkv: &Value| {
                let keys = qkv.chunks_exact(3 * width).flat_map(|row| &row[width..]).copied();
                let keys = tape.leaf(keys.collect(), 2 * width, false);
                cache.push(&keys);
                let part = |column| Part { of: cache.rows(), column };
                let query = Part { of: qkv, column: 0 };
                let sequences = cache.sequences(1);
                tape.attention(self.attention(true), query, part(0), part(width), &sequences)
            };
            let sight = Sight { keys: seen, looks: &at_rows };
            x = self.block(&mut tape, block, x, own, sight, BranchDrop::default());
        }
        self.words(&mut tape, &x, saying.language).into_vec()
    }
}

/// Pictures that have all their rows.
fn whole<'r>(pictures: &[&'r [f32]], places: &'r [usize]) -> Vec<Seen<'r>> {
    pictures.iter().map(|rows| Seen { rows, places }).collect()
}
