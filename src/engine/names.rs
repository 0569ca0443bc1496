//! Names of commands and what they stand for, found in any case. Every command that a client sends is looked up here, so
//! names of up to 16 bytes, which are nearly all, are compared as two words.

use std::collections::HashMap;

use hashbrown::HashTable;

/// The longest name.
pub(super) const MAX_NAME: usize = 64;
/// The longest name that is looked up by its words.
const SHORT: usize = 16;

/// A map from names to numbers.
#[derive(Default)]
pub(super) struct Names {
    short: HashTable<(ShortName, usize)>,
    long: HashMap<Vec<u8>, usize>,
}

/// A name of at most [`SHORT`] bytes: its first and last ones, which overlap where there are fewer, and how many there are.
#[derive(Clone, Copy, PartialEq, Eq)]
struct ShortName {
    words: [u64; 2],
    len: usize,
}

impl ShortName {
    #[inline]
    fn new(name: &[u8]) -> Option<Self> {
        let words = if let (Some(first), Some(last)) = (name.first_chunk(), name.last_chunk()) {
            [u64::from_le_bytes(*first), u64::from_le_bytes(*last)]
        } else if let (Some(first), Some(last)) = (name.first_chunk(), name.last_chunk()) {
            [first, last].map(|bytes| u64::from(u32::from_le_bytes(*bytes)))
        } else {
            let (first, last) = (name.first()?, name.last()?);
            [first, last]
                .map(|byte| u64::from(*byte))
                .map(|word| word | u64::from(name[name.len() / 2]) << 8)
        };
        let words = words.map(lower_case);
        let len = name.len();
        (len <= SHORT).then_some(Self { words, len })
    }

    /// Nobody but the table's maker chooses what is in it, so this need not withstand anybody.
    #[inline]
    fn hash(&self) -> u64 {
        let [first, last] = self.words;
        let mixed =
            (first ^ last.rotate_left(29) ^ self.len as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ mixed >> 32
    }
}

/// Eight ASCII letters at once; other bytes stay.
#[inline]
fn lower_case(word: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let low = word & (0x7f * EACH);
    let from_a = low + (0x80 - b'A' as u64) * EACH;
    let beyond_z = low + (0x7f - b'Z' as u64) * EACH;
    let is_upper = (from_a ^ beyond_z) & !word & (0x80 * EACH);
    word | is_upper >> 2
}

impl Names {
    /// What a name stands for.
    #[inline]
    pub fn find(&self, name: &[u8]) -> Option<usize> {
        let Some(short) = ShortName::new(name) else {
            return self.find_long(name);
        };
        let found = self.short.find(short.hash(), |(known, _)| *known == short);
        found.map(|(_, number)| *number)
    }

    #[cold]
    fn find_long(&self, name: &[u8]) -> Option<usize> {
        if name.len() > MAX_NAME {
            return None;
        }
        self.long.get(&name.to_ascii_lowercase()).copied()
    }

    /// Adds a name that is not there yet.
    pub fn insert(&mut self, name: &str, number: usize) {
        if let Some(short) = ShortName::new(name.as_bytes()) {
            let rehash = |(known, _): &(ShortName, usize)| known.hash();
            self.short
                .insert_unique(short.hash(), (short, number), rehash);
        } else {
            self.long
                .insert(name.to_ascii_lowercase().into_bytes(), number);
        }
    }

    /// Removes a name; gives what it stood for.
    pub fn remove(&mut self, name: &str) -> Option<usize> {
        let name = name.to_ascii_lowercase().into_bytes();
        if let Some(short) = ShortName::new(&name) {
            let found = self
                .short
                .find_entry(short.hash(), |(known, _)| *known == short);
            return found.ok().map(|found| found.remove().0.1);
        }
        self.long.remove(&name)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_found_in_any_case_and_no_others() {
        let texts = [
            "get",
            "GeT|x",
            "zremrangebyscore",
            "georadiusbymember_ro",
            "a",
            "ab",
            "abcd",
        ];
        let mut names = Names::default();
        for (number, text) in texts.iter().enumerate() {
            names.insert(&text.to_ascii_lowercase(), number);
        }
        for (number, text) in texts.iter().enumerate() {
            assert_eq!(names.find(text.as_bytes()), Some(number));
            assert_eq!(
                names.find(text.to_ascii_uppercase().as_bytes()),
                Some(number)
            );
            assert_eq!(names.find(&text.as_bytes()[1..]), None);
            assert_eq!(names.find(format!("{text}\0").as_bytes()), None);
        }
        assert_eq!(names.find(b""), None);
        assert_eq!(names.find(&[b'x'; MAX_NAME + 1]), None);
        assert_eq!(names.remove("GET"), Some(0));
        assert_eq!(names.remove("get"), None);
        assert_eq!(names.find(b"get"), None);
    }

    proptest! {
        #[test]
        fn words_are_lowered_as_bytes_are(bytes: [u8; 8]) {
            let lower = lower_case(u64::from_le_bytes(bytes)).to_le_bytes();
            prop_assert_eq!(lower.as_slice(), bytes.to_ascii_lowercase());
        }

        #[test]
        fn short_names_are_equal_where_their_bytes_are(one in "[a-cA-C]{1,18}", other in "[a-cA-C]{1,18}") {
            let is_same = one.eq_ignore_ascii_case(&other);
            let short = |name: &str| ShortName::new(name.as_bytes());
            if let (Some(one), Some(other)) = (short(&one), short(&other)) {
                prop_assert_eq!(one == other, is_same);
            }
        }
    }
}
