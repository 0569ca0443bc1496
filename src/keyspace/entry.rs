//! One key with its value in one allocation.
//!
//! ```text
//! 0       1       2        5         6           8
//! | kind  | flags | access | key len | value len | [expiry i64] [word] [key len u32] key [inline value]
//! ```
//! `word` is there when the value is an integer or a pointer to an [`Object`]; the expiry when the key has one; the long
//! key length when the key does not fit a byte. The size of the allocation follows from the header alone. Inline values are
//! short strings and the bytes of a [`Small`] hash or set.

mod change;
mod view;

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

use bytes::Bytes;

use crate::base::alloc::{is_sparse, size_class};
use crate::structures::table::Element;
use crate::structures::{Object, ObjectRef, Small};

pub use change::EntryMut;
pub use view::EntryRef;

/// Strings shorter than this live inside their entry; longer ones are shared [`Bytes`].
pub const MAX_INLINE: usize = 16 * 1024;

const HEADER: usize = 8;
const WORD: usize = 8;

const KIND_INLINE: u8 = 0;
const KIND_INT: u8 = 1;
const KIND_OBJECT: u8 = 2;
/// This and the kinds behind it: small values of the kinds that [`Small`] counts.
const KIND_SMALL: u8 = 3;

const FLAG_EXPIRES: u8 = 1;
const FLAG_LONG_KEY: u8 = 2;
const FLAG_RAW: u8 = 4;

/// A value on its way into an entry.
#[derive(Debug)]
pub enum Value<'a> {
    /// A string that is the canonical form of an integer.
    Int(i64),
    /// A string of any length.
    Str(&'a [u8]),
    /// A value of a few bytes.
    Small(Small<'a>),
    /// A value with a structure of its own; a small one is stored as such.
    Object(Box<Object>),
}

impl<'a> Value<'a> {
    /// The value of a string as SET stores it: integers as integers.
    #[inline]
    pub fn of_string(text: &'a [u8]) -> Self {
        match crate::base::numbers::parse_i64(text) {
            Some(number) => Self::Int(number),
            None => Self::Str(text),
        }
    }
}

/// A value in place.
#[derive(Debug, Clone, Copy)]
pub enum ValueRef<'a> {
    /// A string stored as an integer.
    Int(i64),
    /// A string stored inside the entry.
    Inline(&'a [u8]),
    /// Anything with a structure of its own.
    Object(ObjectRef<'a>),
}

/// A value in place, to be changed.
#[derive(Debug)]
pub enum ValueMut<'a> {
    /// A string stored as an integer.
    Int(&'a mut i64),
    /// A string stored inside the entry; its length is fixed.
    Inline(&'a mut [u8]),
    /// A small value, which is changed in a copy.
    Small,
    /// Anything with a structure of its own.
    Object(&'a mut Object),
}

/// Whether entries of a kind have a word.
#[inline]
fn has_word(kind: u8) -> bool {
    matches!(kind, KIND_INT | KIND_OBJECT)
}

#[derive(Clone, Copy)]
struct Header {
    kind: u8,
    flags: u8,
    access: [u8; 3],
    key_len: u8,
    value_len: u16,
}

/// Where the parts of an entry lie, and how much it allocates.
struct Shape {
    word: usize,
    long_len: usize,
    key: usize,
    value: usize,
    end: usize,
}

impl Shape {
    #[inline]
    fn of(flags: u8, kind: u8, key_len: usize, value_len: usize) -> Self {
        let word = HEADER + if flags & FLAG_EXPIRES != 0 { WORD } else { 0 };
        let long_len = word + if has_word(kind) { WORD } else { 0 };
        let key = long_len + if flags & FLAG_LONG_KEY != 0 { 4 } else { 0 };
        let value = key + key_len;
        Self {
            word,
            long_len,
            key,
            value,
            end: value + value_len,
        }
    }

    /// The allocation: the end rounded up to what the allocator hands out anyway, so that a value which grows a little stays
    /// where it is.
    #[inline]
    fn layout(&self) -> Layout {
        let size = size_class(self.end);
        debug_assert!(size <= isize::MAX as usize - 8);
        // SAFETY: the alignment is a power of two and the size, at most a key of 4 GiB and 16 KiB, is far below isize::MAX.
        unsafe { Layout::from_size_align_unchecked(size, 8) }
    }
}

/// An owned entry.
pub struct Entry {
    pointer: NonNull<u8>,
}

// SAFETY: an entry owns all it points to, and Object is Send.
unsafe impl Send for Entry {}

impl Entry {
    /// Makes an entry; `access` is the 24-bit field of LRU or LFU, `expires_at` in Unix milliseconds.
    #[inline]
    pub fn new(key: &[u8], value: Value<'_>, expires_at: Option<i64>, access: u32) -> Self {
        match value {
            Value::Str(text) if text.len() >= MAX_INLINE => {
                let object = Box::new(Object::Bytes(Bytes::copy_from_slice(text)));
                Self::assemble(key, Value::Object(object), expires_at, access)
            }
            Value::Object(object) => match object.small() {
                Some(small) => Self::assemble(key, Value::Small(small), expires_at, access),
                None => Self::assemble(key, Value::Object(object), expires_at, access),
            },
            other => Self::assemble(key, other, expires_at, access),
        }
    }

    /// Makes an entry of a value in the form in which it is stored.
    #[inline]
    fn assemble(key: &[u8], value: Value<'_>, expires_at: Option<i64>, access: u32) -> Self {
        let (kind, inline): (u8, &[u8]) = match &value {
            Value::Int(_) => (KIND_INT, &[]),
            Value::Str(text) => (KIND_INLINE, text),
            Value::Small(small) => (KIND_SMALL + small.kind(), small.bytes()),
            Value::Object(_) => (KIND_OBJECT, &[]),
        };
        let mut flags = 0;
        if expires_at.is_some() {
            flags |= FLAG_EXPIRES;
        }
        if key.len() > u8::MAX as usize {
            flags |= FLAG_LONG_KEY;
        }
        let shape = Shape::of(flags, kind, key.len(), inline.len());
        let layout = shape.layout();
        // SAFETY: the layout is never of size zero: it holds the header.
        let Some(pointer) = NonNull::new(unsafe { alloc(layout) }) else {
            handle_alloc_error(layout)
        };
        let access = access.to_le_bytes();
        let header = Header {
            kind,
            flags,
            access: [access[0], access[1], access[2]],
            key_len: key.len().min(u8::MAX as usize) as u8,
            value_len: inline.len() as u16,
        };
        // SAFETY: all offsets come from the shape that sized this fresh allocation.
        unsafe {
            let base = pointer.as_ptr();
            base.cast::<Header>().write(header);
            if let Some(expires_at) = expires_at {
                base.add(HEADER).cast::<i64>().write(expires_at);
            }
            if flags & FLAG_LONG_KEY != 0 {
                base.add(shape.long_len)
                    .cast::<u32>()
                    .write(key.len() as u32);
            }
            base.add(shape.key)
                .copy_from_nonoverlapping(key.as_ptr(), key.len());
            base.add(shape.value)
                .copy_from_nonoverlapping(inline.as_ptr(), inline.len());
            match value {
                Value::Int(number) => base.add(shape.word).cast::<i64>().write(number),
                Value::Object(object) => base.add(shape.word).cast::<Box<Object>>().write(object),
                Value::Str(_) | Value::Small(_) => {}
            }
        }
        Self { pointer }
    }

    /// Looks at the entry.
    pub fn view(&self) -> EntryRef<'_> {
        // SAFETY: the entry is alive and borrowed for as long as the view.
        unsafe { EntryRef::from_raw(self.pointer) }
    }

    /// The same value under another key or with another expiry, in a new allocation; a structure is moved, not copied.
    pub fn rebuilt(self, key: &[u8], expires_at: Option<i64>) -> Self {
        let (access, is_raw) = (self.view().access(), self.view().is_raw());
        let mut entry = match self.view().movable() {
            Some(value) => Self::new(key, value, expires_at, access),
            None => Self::assemble(key, Value::Object(self.into_object()), expires_at, access),
        };
        if is_raw {
            entry.exclusive().set_raw();
        }
        entry
    }

    /// The same entry, but what lies in a sparse page has been put elsewhere: itself, and a long string that nobody else
    /// reads at the moment. Tells the bytes of each block that was moved.
    pub fn compacted(mut self, mut tell: impl FnMut(usize)) -> Self {
        if let ValueMut::Object(object) = self.exclusive().value()
            && let Some(bytes) = object.as_string_mut()
            && bytes.is_unique()
            && is_sparse(bytes.as_ptr())
        {
            *bytes = Bytes::copy_from_slice(bytes);
            tell(bytes.len());
        }
        if is_sparse(self.pointer.as_ptr()) {
            self = self.moved();
            tell(self.view().allocated());
        }
        self
    }

    /// The same in another allocation.
    fn moved(self) -> Self {
        let layout = self.view().shape().layout();
        // SAFETY: the layout is never of size zero: it holds the header.
        let Some(pointer) = NonNull::new(unsafe { alloc(layout) }) else {
            handle_alloc_error(layout)
        };
        let old = self.into_raw();
        // SAFETY: both are allocations of this layout. Nothing in an entry points into it, and what it owns is now the copy's:
        // the old one is freed without dropping it.
        unsafe {
            pointer.copy_from_nonoverlapping(old, layout.size());
            dealloc(old.as_ptr(), layout);
        }
        Self { pointer }
    }

    /// Takes the structure out and frees the rest.
    fn into_object(self) -> Box<Object> {
        let shape = self.view().shape();
        let base = self.into_raw().as_ptr();
        // SAFETY: only called on objects; the object is moved out before its entry is freed without dropping it.
        unsafe {
            let object = base.add(shape.word).cast::<Box<Object>>().read();
            dealloc(base, shape.layout());
            object
        }
    }

    /// The entry, to be changed.
    pub fn exclusive(&mut self) -> EntryMut<'_> {
        // SAFETY: the entry is alive and borrowed exclusively.
        unsafe { EntryMut::from_raw(self.pointer) }
    }
}

// SAFETY: an entry is one allocation aligned to 8; its key is written once, and whether it has an expiry, too.
unsafe impl Element for Entry {
    type Ref<'a> = EntryRef<'a>;
    type Mut<'a> = EntryMut<'a>;

    #[inline]
    fn borrowed(&self) -> EntryRef<'_> {
        self.view()
    }

    #[inline]
    fn into_raw(self) -> NonNull<u8> {
        let pointer = self.pointer;
        std::mem::forget(self);
        pointer
    }

    #[inline]
    unsafe fn from_raw(pointer: NonNull<u8>) -> Self {
        Self { pointer }
    }

    #[inline]
    unsafe fn view<'a>(pointer: NonNull<u8>) -> EntryRef<'a> {
        // SAFETY: the caller's promise is the same.
        unsafe { EntryRef::from_raw(pointer) }
    }

    #[inline]
    unsafe fn exclusive<'a>(pointer: NonNull<u8>) -> EntryMut<'a> {
        // SAFETY: the caller's promise is the same.
        unsafe { EntryMut::from_raw(pointer) }
    }

    #[inline]
    fn key<'a>(entry: EntryRef<'a>) -> &'a [u8]
    where
        Self: 'a,
    {
        entry.key()
    }

    #[inline]
    fn is_volatile(entry: EntryRef<'_>) -> bool {
        entry.expires_at().is_some()
    }

    #[inline]
    fn has_volatile_parts(entry: EntryRef<'_>) -> bool {
        entry.parts_deadline().is_some()
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let view = self.view();
        let (kind, shape) = (view.header().kind, view.shape());
        // SAFETY: the shape is the one that the entry was allocated with; the object is dropped once, here.
        unsafe {
            if kind == KIND_OBJECT {
                self.pointer
                    .as_ptr()
                    .add(shape.word)
                    .cast::<Box<Object>>()
                    .drop_in_place();
            }
            dealloc(self.pointer.as_ptr(), shape.layout());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(entry: &Entry) -> Vec<u8> {
        match entry.view().value() {
            ValueRef::Int(number) => number.to_string().into_bytes(),
            ValueRef::Inline(text) => text.to_vec(),
            ValueRef::Object(object) => object.as_string().expect("a string").to_vec(),
        }
    }

    #[test]
    fn sizes_are_tight() {
        let entry = Entry::new(
            b"key:000000000000",
            Value::Str(b"xxxxxxxxxxxxxxxx"),
            None,
            0,
        );
        assert_eq!(entry.view().allocated(), 40);
        let entry = Entry::new(
            b"key:000000000000",
            Value::Str(b"xxxxxxxxxxxxxxxx"),
            Some(1),
            0,
        );
        assert_eq!(entry.view().allocated(), 48);
        let entry = Entry::new(b"key:000000000000", Value::Str(&[b'x'; 100]), None, 0);
        assert_eq!(entry.view().allocated(), 128);
    }

    proptest! {
        #[test]
        fn an_entry_gives_back_what_it_was_given(
            key in prop::collection::vec(any::<u8>(), 0..600),
            value in prop_oneof![prop::collection::vec(any::<u8>(), 0..300), prop::collection::vec(any::<u8>(), 16_000..17_000)],
            next in prop::collection::vec(any::<u8>(), 0..300),
            expires_at: Option<i64>,
            access in 0u32..1 << 24,
        ) {
            let mut entry = Entry::new(&key, Value::of_string(&value), expires_at, access);
            prop_assert_eq!(entry.view().key(), &key[..]);
            prop_assert_eq!(text(&entry), &value[..]);
            prop_assert_eq!(entry.view().expires_at(), expires_at);
            prop_assert_eq!(entry.view().access(), access);
            entry = entry.rebuilt(&next, Some(7));
            prop_assert_eq!(entry.view().key(), &next[..]);
            prop_assert_eq!(text(&entry), &value[..]);
            prop_assert_eq!(entry.view().expires_at(), Some(7));
            if entry.exclusive().overwrite(&Value::Str(&next)) {
                prop_assert_eq!(text(&entry), &next[..]);
            }
            let before = text(&entry);
            if entry.exclusive().lengthen(before.len() + next.len()) {
                prop_assert_eq!(text(&entry), [before, vec![0; next.len()]].concat());
                prop_assert_eq!(entry.view().expires_at(), Some(7));
            }
        }
    }
}
