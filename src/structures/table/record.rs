//! An element of a collection: a small head of fixed size and some bytes, in one allocation.
//!
//! ```text
//! 0          4
//! | length   | head | bytes: first the key, then what else belongs to it
//! ```
//! What the head says, and so what the element is, is up to whoever implements [`Head`]; memory safety rests on the length
//! alone.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::marker::PhantomData;
use std::ptr::NonNull;

use super::Element;
use crate::base::alloc::size_class;

/// The bytes' length.
const LENGTH: usize = size_of::<u32>();

/// The fixed part of a record.
pub trait Head: Copy + Send + 'static {
    /// How many of the record's `len` bytes are its key.
    #[inline]
    fn key_len(self, len: usize) -> usize {
        len
    }

    /// Whether the element may become due.
    #[inline]
    fn is_volatile(self) -> bool {
        false
    }
}

/// An element: a head and bytes.
pub struct Record<H: Head> {
    pointer: NonNull<u8>,
    head: PhantomData<H>,
}

// SAFETY: a record owns all it points to; heads are Send.
unsafe impl<H: Head> Send for Record<H> {}

#[inline]
fn layout<H>(len: usize) -> Layout {
    let size = size_class(LENGTH + size_of::<H>() + len);
    // SAFETY: the alignment is a power of two and the size, of at most 4 GiB of bytes, is far below isize::MAX.
    unsafe { Layout::from_size_align_unchecked(size, 8) }
}

impl<H: Head> Record<H> {
    /// A record of a head and the bytes of `parts`, one behind the other.
    ///
    /// # Panics
    /// When they are longer than 4 GiB.
    #[inline]
    pub fn new(head: H, parts: &[&[u8]]) -> Self {
        let len = parts.iter().map(|part| part.len()).sum::<usize>();
        let stored = u32::try_from(len).expect("elements are shorter than 4 GiB");
        let layout = layout::<H>(len);
        // SAFETY: the layout is never of size zero: it holds the length.
        let Some(pointer) = NonNull::new(unsafe { alloc(layout) }) else {
            handle_alloc_error(layout)
        };
        // SAFETY: the fresh allocation has room for the length, the head and all parts.
        unsafe {
            let base = pointer.as_ptr();
            base.cast::<u32>().write(stored);
            base.add(LENGTH).cast::<H>().write_unaligned(head);
            let mut at = LENGTH + size_of::<H>();
            for part in parts {
                base.add(at)
                    .copy_from_nonoverlapping(part.as_ptr(), part.len());
                at += part.len();
            }
        }
        Self {
            pointer,
            head: PhantomData,
        }
    }
}

impl<H: Head> Drop for Record<H> {
    #[inline]
    fn drop(&mut self) {
        let layout = layout::<H>(self.borrowed().len());
        // SAFETY: the length tells the layout that the record was allocated with.
        unsafe { dealloc(self.pointer.as_ptr(), layout) };
    }
}

// SAFETY: a record is one allocation aligned to 8 that moves nowhere; views read nothing but it.
unsafe impl<H: Head> Element for Record<H> {
    type Ref<'a> = RecordRef<'a, H>;
    type Mut<'a> = RecordMut<'a, H>;

    #[inline]
    fn borrowed(&self) -> RecordRef<'_, H> {
        // SAFETY: the record is alive and borrowed for as long as the view.
        unsafe { Self::view(self.pointer) }
    }

    #[inline]
    fn into_raw(self) -> NonNull<u8> {
        let pointer = self.pointer;
        std::mem::forget(self);
        pointer
    }

    #[inline]
    unsafe fn from_raw(pointer: NonNull<u8>) -> Self {
        Self {
            pointer,
            head: PhantomData,
        }
    }

    #[inline]
    unsafe fn view<'a>(pointer: NonNull<u8>) -> RecordRef<'a, H> {
        RecordRef {
            pointer,
            lifetime: PhantomData,
        }
    }

    #[inline]
    unsafe fn exclusive<'a>(pointer: NonNull<u8>) -> RecordMut<'a, H> {
        RecordMut {
            // SAFETY: exclusive access includes shared access.
            view: unsafe { Self::view(pointer) },
            lifetime: PhantomData,
        }
    }

    #[inline]
    fn key<'a>(record: RecordRef<'a, H>) -> &'a [u8]
    where
        Self: 'a,
    {
        record.key()
    }

    #[inline]
    fn is_volatile(record: RecordRef<'_, H>) -> bool {
        record.head().is_volatile()
    }
}

/// A shared look at a record.
pub struct RecordRef<'a, H: Head> {
    pointer: NonNull<u8>,
    lifetime: PhantomData<&'a Record<H>>,
}

impl<H: Head> Clone for RecordRef<'_, H> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<H: Head> Copy for RecordRef<'_, H> {}

impl<'a, H: Head> RecordRef<'a, H> {
    #[inline]
    fn len(self) -> usize {
        // SAFETY: every record begins with its length.
        unsafe { self.pointer.as_ptr().cast::<u32>().read() as usize }
    }

    /// The head.
    #[inline]
    pub fn head(self) -> H {
        // SAFETY: the head follows the length, at whatever alignment.
        unsafe {
            self.pointer
                .as_ptr()
                .add(LENGTH)
                .cast::<H>()
                .read_unaligned()
        }
    }

    /// All bytes behind the head.
    #[inline]
    pub fn bytes(self) -> &'a [u8] {
        // SAFETY: the length says how many bytes follow the head.
        unsafe {
            let start = self.pointer.as_ptr().add(LENGTH + size_of::<H>());
            std::slice::from_raw_parts(start, self.len())
        }
    }

    /// The key.
    #[inline]
    pub fn key(self) -> &'a [u8] {
        let bytes = self.bytes();
        &bytes[..self.head().key_len(bytes.len())]
    }

    /// The bytes behind the key.
    #[inline]
    pub fn rest(self) -> &'a [u8] {
        let bytes = self.bytes();
        &bytes[self.head().key_len(bytes.len())..]
    }

    /// A record of its own with the same contents.
    pub fn copied(self) -> Record<H> {
        Record::new(self.head(), &[self.bytes()])
    }

    /// Bytes of the allocation.
    #[inline]
    pub fn allocated(self) -> usize {
        layout::<H>(self.len()).size()
    }

    /// Where the record is. It stays there until it is replaced or taken out.
    #[inline]
    pub fn address(self) -> NonNull<u8> {
        self.pointer
    }
}

/// An exclusive look at a record.
pub struct RecordMut<'a, H: Head> {
    view: RecordRef<'a, H>,
    lifetime: PhantomData<&'a mut Record<H>>,
}

impl<H: Head> RecordMut<'_, H> {
    /// The record to be read.
    #[inline]
    pub fn view(&self) -> RecordRef<'_, H> {
        self.view
    }

    /// Changes the head, but not how long the key is nor whether the element may become due.
    #[inline]
    pub fn set_head(&mut self, head: H) {
        // SAFETY: the head follows the length, and the borrow is exclusive.
        unsafe {
            self.view
                .pointer
                .as_ptr()
                .add(LENGTH)
                .cast::<H>()
                .write_unaligned(head);
        }
    }

    /// Puts other bytes behind the key where they take the same allocation; false when they do not fit.
    #[inline]
    pub fn set_rest(&mut self, parts: &[&[u8]]) -> bool {
        let key_len = self.view.key().len();
        let len = key_len + parts.iter().map(|part| part.len()).sum::<usize>();
        let Ok(stored) = u32::try_from(len) else {
            return false;
        };
        if layout::<H>(len) != layout::<H>(self.view.len()) {
            return false;
        }
        // SAFETY: the new length has the same layout, thus the bytes lie in the allocation; the borrow is exclusive.
        unsafe {
            let base = self.view.pointer.as_ptr();
            base.cast::<u32>().write(stored);
            let mut at = LENGTH + size_of::<H>() + key_len;
            for part in parts {
                base.add(at)
                    .copy_from_nonoverlapping(part.as_ptr(), part.len());
                at += part.len();
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone, Copy, PartialEq)]
    struct Split(u16, f64);

    impl Head for Split {
        fn key_len(self, len: usize) -> usize {
            len.min(self.0.into())
        }
    }

    proptest! {
        #[test]
        fn a_record_gives_back_what_it_was_given(
            key in prop::collection::vec(any::<u8>(), 0..300),
            value in prop::collection::vec(any::<u8>(), 0..300),
            next in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let head = Split(key.len() as u16, 1.5);
            let record = Record::new(head, &[&key, &value]);
            prop_assert_eq!(record.borrowed().head(), head);
            prop_assert_eq!(record.borrowed().key(), &key[..]);
            prop_assert_eq!(record.borrowed().rest(), &value[..]);
            let copy = record.borrowed().copied();
            let pointer = record.into_raw();
            // SAFETY: the record has just been given up.
            let mut exclusive = unsafe { Record::<Split>::exclusive(pointer) };
            if exclusive.set_rest(&[&next[..next.len() / 2], &next[next.len() / 2..]]) {
                prop_assert_eq!(exclusive.view().rest(), &next[..]);
            } else {
                prop_assert_ne!(next.len(), value.len());
            }
            let head = Split(key.len() as u16, -2.5);
            exclusive.set_head(head);
            prop_assert_eq!(exclusive.view().key(), &key[..]);
            prop_assert_eq!(exclusive.view().head(), head);
            // SAFETY: as before.
            drop(unsafe { Record::<Split>::from_raw(pointer) });
            prop_assert_eq!(copy.borrowed().rest(), &value[..]);
        }
    }
}
