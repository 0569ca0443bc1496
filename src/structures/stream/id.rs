//! Ids of entries: milliseconds and a number within them.

use std::fmt;

/// An entry's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Id {
    /// Milliseconds, as a rule since 1970.
    pub ms: u64,
    /// The number within the millisecond.
    pub seq: u64,
}

impl Id {
    /// The least id, which no entry has.
    pub const MIN: Self = Self { ms: 0, seq: 0 };
    /// The greatest id.
    pub const MAX: Self = Self {
        ms: u64::MAX,
        seq: u64::MAX,
    };

    /// An id of its two parts.
    pub const fn new(ms: u64, seq: u64) -> Self {
        Self { ms, seq }
    }

    /// Whether it is 0-0, which stands for none.
    pub fn is_zero(self) -> bool {
        self == Self::MIN
    }

    /// The id after this one, if there is one.
    pub fn next(self) -> Option<Self> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(Self { seq, ..self }),
            None => Some(Self::new(self.ms.checked_add(1)?, 0)),
        }
    }

    /// The id before this one, if there is one.
    pub fn previous(self) -> Option<Self> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(Self { seq, ..self }),
            None => Some(Self::new(self.ms.checked_sub(1)?, u64::MAX)),
        }
    }

    /// The id as clients write it.
    #[inline]
    pub fn text(self) -> IdText {
        let mut text = IdText {
            bytes: [0; MOST],
            len: 0,
        };
        let mut buffer = itoa::Buffer::new();
        text.push(buffer.format(self.ms).as_bytes());
        match self.seq {
            // The first one of its millisecond, or nearly.
            seq @ 0..10 => text.push(&[b'-', b'0' + seq as u8]),
            seq => {
                text.push(b"-");
                text.push(buffer.format(seq).as_bytes());
            }
        }
        text
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

/// Two numbers of up to 20 digits and a dash.
const MOST: usize = 41;

/// An id as text.
#[derive(Debug, Clone, Copy)]
pub struct IdText {
    bytes: [u8; MOST],
    len: usize,
}

impl IdText {
    #[inline]
    fn push(&mut self, part: &[u8]) {
        self.bytes[self.len..self.len + part.len()].copy_from_slice(part);
        self.len += part.len();
    }
}

impl std::ops::Deref for IdText {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours() {
        assert_eq!(Id::new(1, 2).next(), Some(Id::new(1, 3)));
        assert_eq!(Id::new(1, u64::MAX).next(), Some(Id::new(2, 0)));
        assert_eq!(Id::MAX.next(), None);
        assert_eq!(Id::new(1, 2).previous(), Some(Id::new(1, 1)));
        assert_eq!(Id::new(1, 0).previous(), Some(Id::new(0, u64::MAX)));
        assert_eq!(Id::MIN.previous(), None);
    }

    #[test]
    fn text() {
        for seq in [0, 9, 10, 12_345, u64::MAX] {
            let id = Id::new(12, seq);
            assert_eq!(&*id.text(), id.to_string().as_bytes());
        }
        assert_eq!(Id::MAX.text().len(), MOST);
    }
}
