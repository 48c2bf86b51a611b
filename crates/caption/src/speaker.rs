//! Who says words, as a search sees it: the decoder of this crate in one language, or one of another kind.

use crate::config::{BEGIN, UNKNOWN};
use crate::decoder::Decoder;
use crate::saying::{Looked, Saying};

/// A decoder that has looked at pictures and says one token after the other, in several captions side by side.
pub trait Speaker {
    /// Captions that grow together.
    type Saying;

    /// The token before the first word.
    fn begin(&self) -> usize;

    /// The one behind the last.
    fn end(&self) -> usize;

    /// Tokens that it reads and never says.
    fn never(&self) -> &[usize];

    /// Captions of which nothing is said yet, each of one of the pictures, with room for so many tokens.
    fn start(&self, pictures: Vec<usize>, room: usize) -> Self::Saying;

    /// Says one more token in each caption: logits of what comes next, (captions, V).
    fn say(&self, saying: &mut Self::Saying, tokens: &[usize]) -> Vec<f32>;

    /// Each caption becomes a copy of caption `from[i]`, as the beams of a search do.
    fn reorder(&self, saying: &mut Self::Saying, from: &[usize]);
}

/// A decoder in one language.
pub(crate) struct Voice<'v> {
    pub(crate) decoder: &'v Decoder<'v>,
    pub(crate) looked: &'v Looked,
    pub(crate) language: usize,
}

impl Speaker for Voice<'_> {
    type Saying = Saying;

    fn begin(&self) -> usize {
        BEGIN
    }

    fn end(&self) -> usize {
        BEGIN
    }

    fn never(&self) -> &[usize] {
        &[UNKNOWN]
    }

    fn start(&self, pictures: Vec<usize>, _room: usize) -> Saying {
        self.decoder.begin(self.language, pictures)
    }

    fn say(&self, saying: &mut Saying, tokens: &[usize]) -> Vec<f32> {
        self.decoder.say(self.looked, saying, tokens)
    }

    fn reorder(&self, saying: &mut Saying, from: &[usize]) {
        saying.reorder(from);
    }
}
