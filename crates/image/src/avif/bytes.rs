//! Numbers and boxes of ISO base media files, big end first. Nothing beyond the end is read.

/// Bytes that are taken from the front.
#[derive(Clone, Copy)]
pub(super) struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    /// The version of a box that has one, and what follows its flags.
    pub(super) fn versioned(content: &'a [u8]) -> Option<(u8, Self)> {
        Some((*content.first()?, Self(content.get(4..)?)))
    }

    /// A number of up to 8 bytes; of none it is 0.
    pub(super) fn number(&mut self, size: usize) -> Option<u64> {
        let (number, rest) = self.0.split_at_checked(size)?;
        self.0 = rest;
        Some(number.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte)))
    }

    /// Four letters.
    pub(super) fn kind(&mut self) -> Option<[u8; 4]> {
        let (&kind, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(kind)
    }

    /// All that is left.
    pub(super) fn rest(self) -> &'a [u8] {
        self.0
    }
}

/// The boxes in some bytes, each with its kind and content. It ends with the first one that is damaged.
pub(super) struct Boxes<'a>(pub &'a [u8]);

impl<'a> Iterator for Boxes<'a> {
    type Item = ([u8; 4], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let mut bytes = Bytes(self.0);
        let short = bytes.number(4)?;
        let kind = bytes.kind()?;
        let size = match short {
            0 => self.0.len(),
            1 => usize::try_from(bytes.number(8)?).ok()?,
            size => size as usize,
        };
        let head = self.0.len() - bytes.0.len();
        let content = self.0.get(head..size)?;
        self.0 = &self.0[size..];
        Some((kind, content))
    }
}
