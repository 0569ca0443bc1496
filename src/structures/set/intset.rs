//! Integers in ascending order in one allocation, in Redis's byte layout, so that a dump holds it as it is.
//!
//! | bytes | what |
//! |---|---|
//! | 4 | bytes of each integer: 2, 4 or 8; little endian like all that follows |
//! | 4 | how many there are |
//! | … | the integers |

use crate::base::alloc::size_class;

const HEADER: usize = 8;

/// A set of integers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntSet {
    bytes: Vec<u8>,
}

/// Integers in bytes that lie elsewhere.
#[derive(Debug, Clone, Copy)]
pub struct Ints<'a> {
    bytes: &'a [u8],
}

impl<'a> Ints<'a> {
    /// Bytes that an [`IntSet`] has given.
    #[inline]
    pub fn of_bytes(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// All its bytes, in Redis's layout.
    #[inline]
    pub fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    #[inline]
    fn width(self) -> usize {
        usize::from(self.bytes[0])
    }

    /// How many integers there are.
    #[inline]
    pub fn len(self) -> usize {
        (self.bytes.len() - HEADER) / self.width()
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.bytes.len() == HEADER
    }

    /// The `at`th integer in ascending order; `at` is below the length.
    #[inline]
    pub fn get(self, at: usize) -> i64 {
        read(self.bytes, self.width(), at)
    }

    /// Whether an integer is there.
    #[inline]
    pub fn contains(self, value: i64) -> bool {
        self.search(value).is_ok()
    }

    /// Where an integer is, or where it belongs.
    fn search(self, value: i64) -> Result<usize, usize> {
        let (width, len) = (self.width(), self.len());
        if width_of(value) > width {
            return Err(if value < 0 { 0 } else { len });
        }
        // Ascending insertions are the common ones.
        match len.checked_sub(1).map(|last| read(self.bytes, width, last)) {
            None => return Err(0),
            Some(last) if last < value => return Err(len),
            Some(_) => {}
        }
        let (mut low, mut high) = (0, len);
        while low < high {
            let middle = low.midpoint(high);
            match read(self.bytes, width, middle) {
                known if known == value => return Ok(middle),
                known if known < value => low = middle + 1,
                _ => high = middle,
            }
        }
        Err(low)
    }
}

impl Default for IntSet {
    fn default() -> Self {
        let mut bytes = Vec::with_capacity(HEADER + 8);
        bytes.extend_from_slice(&2u32.to_le_bytes());
        bytes.extend_from_slice(&0u32.to_le_bytes());
        Self { bytes }
    }
}

/// The bytes that an integer needs.
#[inline]
fn width_of(value: i64) -> usize {
    if i16::try_from(value).is_ok() {
        2
    } else if i32::try_from(value).is_ok() {
        4
    } else {
        8
    }
}

#[inline]
fn read(bytes: &[u8], width: usize, at: usize) -> i64 {
    let start = HEADER + at * width;
    match width {
        2 => i16::from_le_bytes([bytes[start], bytes[start + 1]]).into(),
        4 => {
            let chunk = bytes[start..].first_chunk().copied();
            i32::from_le_bytes(chunk.unwrap_or_default()).into()
        }
        _ => {
            let chunk = bytes[start..].first_chunk().copied();
            i64::from_le_bytes(chunk.unwrap_or_default())
        }
    }
}

impl IntSet {
    /// Takes bytes from outside; `None` unless they are an intset down to the last byte.
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        let width = u32::from_le_bytes(*bytes.first_chunk()?);
        let len = u32::from_le_bytes(*bytes.get(4..)?.first_chunk()?) as usize;
        let size = len.checked_mul(width as usize)?.checked_add(HEADER)?;
        if !matches!(width, 2 | 4 | 8) || size != bytes.len() {
            return None;
        }
        let set = Self { bytes };
        set.iter()
            .is_sorted_by(|one, next| one < next)
            .then_some(set)
    }

    /// The integers, to be read.
    #[inline]
    pub fn view(&self) -> Ints<'_> {
        Ints { bytes: &self.bytes }
    }

    /// A copy of integers, in a buffer that was in use before.
    #[inline]
    pub fn copied(ints: Ints<'_>, mut room: Vec<u8>) -> Self {
        room.clear();
        room.extend_from_slice(ints.bytes);
        Self { bytes: room }
    }

    /// Takes its buffer, to be used again; nothing may be done with it any more.
    #[inline]
    pub fn take_room(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// Bytes allocated.
    pub fn allocated(&self) -> usize {
        self.bytes.capacity()
    }

    #[inline]
    fn width(&self) -> usize {
        self.view().width()
    }

    /// How many integers there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.view().len()
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.view().is_empty()
    }

    /// The `at`th integer in ascending order; `at` is below the length.
    #[inline]
    pub fn get(&self, at: usize) -> i64 {
        self.view().get(at)
    }

    /// The smallest.
    pub fn first(&self) -> Option<i64> {
        (!self.is_empty()).then(|| self.get(0))
    }

    /// The largest.
    pub fn last(&self) -> Option<i64> {
        self.len().checked_sub(1).map(|at| self.get(at))
    }

    /// All in ascending order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = i64> + '_ {
        (0..self.len()).map(|at| self.get(at))
    }

    /// Whether an integer is there.
    #[inline]
    pub fn contains(&self, value: i64) -> bool {
        self.view().contains(value)
    }

    /// Adds an integer; false when it is there already.
    pub fn insert(&mut self, value: i64) -> bool {
        if width_of(value) > self.width() {
            self.widen(width_of(value));
        }
        let Err(at) = self.view().search(value) else {
            return false;
        };
        let (width, old) = (self.width(), self.bytes.len());
        let start = HEADER + at * width;
        self.make_room(width);
        self.bytes.resize(old + width, 0);
        self.bytes.copy_within(start..old, start + width);
        self.bytes[start..start + width].copy_from_slice(&value.to_le_bytes()[..width]);
        self.set_len();
        true
    }

    /// Removes an integer; false when it is not there.
    pub fn remove(&mut self, value: i64) -> bool {
        let Ok(at) = self.view().search(value) else {
            return false;
        };
        let width = self.width();
        let start = HEADER + at * width;
        self.bytes.drain(start..start + width);
        if self.bytes.capacity() / 2 > size_class(self.bytes.len()) {
            self.bytes.shrink_to(size_class(self.bytes.len()));
        }
        self.set_len();
        true
    }

    /// Grows the allocation to what the allocator hands out anyway.
    fn make_room(&mut self, more: usize) {
        let needed = self.bytes.len() + more;
        if needed > self.bytes.capacity() {
            let class = size_class(needed);
            self.bytes.reserve_exact(class - self.bytes.len());
        }
    }

    fn widen(&mut self, width: usize) {
        let len = self.len();
        let mut bytes = Vec::with_capacity(size_class(HEADER + (len + 1) * width));
        bytes.extend_from_slice(&(width as u32).to_le_bytes());
        bytes.extend_from_slice(&(len as u32).to_le_bytes());
        for value in self.iter() {
            bytes.extend_from_slice(&value.to_le_bytes()[..width]);
        }
        self.bytes = bytes;
    }

    fn set_len(&mut self) {
        let len = self.len() as u32;
        self.bytes[4..HEADER].copy_from_slice(&len.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn number() -> impl Strategy<Value = i64> {
        prop_oneof![
            8 => -50i64..50,
            2 => any::<i16>().prop_map(i64::from),
            1 => any::<i32>().prop_map(i64::from),
            1 => any::<i64>(),
            1 => prop::sample::select(vec![i64::MIN, i64::MAX, 32_767, 32_768, -32_769]),
        ]
    }

    proptest! {
        #[test]
        fn behaves_as_a_set(steps in prop::collection::vec((number(), 0u8..3), 0..400)) {
            let (mut set, mut model) = (IntSet::default(), BTreeSet::new());
            for (value, action) in steps {
                prop_assert_eq!(set.contains(value), model.contains(&value));
                match action {
                    0 => prop_assert_eq!(set.remove(value), model.remove(&value)),
                    _ => prop_assert_eq!(set.insert(value), model.insert(value)),
                }
                prop_assert_eq!((set.len(), set.first(), set.last()), (model.len(), model.first().copied(), model.last().copied()));
            }
            prop_assert!(set.iter().eq(model.iter().copied()));
            prop_assert_eq!(IntSet::from_bytes(set.view().bytes().to_vec()), Some(set));
        }

        #[test]
        fn bytes_from_outside_are_checked(bytes in prop::collection::vec(any::<u8>(), 0..64), width in 0u8..9, len in 0u8..9) {
            let framed = [&[width, 0, 0, 0, len, 0, 0, 0], &bytes[..]].concat();
            for bytes in [bytes, framed] {
                if let Some(set) = IntSet::from_bytes(bytes.clone()) {
                    prop_assert_eq!(set.view().bytes(), &bytes[..]);
                    prop_assert!(set.iter().is_sorted());
                }
            }
        }
    }

    #[test]
    fn has_the_layout_of_redis() {
        let mut set = IntSet::default();
        assert!(set.insert(5) && set.insert(-1));
        assert_eq!(
            set.view().bytes(),
            [2, 0, 0, 0, 2, 0, 0, 0, 0xff, 0xff, 5, 0]
        );
        assert!(set.insert(65_536));
        let wide = [
            4, 0, 0, 0, 3, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 5, 0, 0, 0, 0, 0, 1, 0,
        ];
        assert_eq!(set.view().bytes(), wide);
    }
}
